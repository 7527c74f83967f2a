"""LoadTestSchedule: LoadTests by cron. A trend of verdicts, not a queue: what was missed is told, never made up for."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from loadgen.model.base import Model
from loadgen.model.report import Verdict
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.meta import (
    API_VERSION,
    Condition,
    DecimalText,
    Message,
    NameText,
    ObjectMeta,
    StatusModel,
    Time,
)

HistoryLimit = Annotated[int, Field(ge=0, le=100)]
LabelValue = Annotated[str, Field(max_length=63)]
AnnotationValue = Annotated[str, Field(max_length=4096)]


class ConcurrencyPolicy(StrEnum):
    """What happens when the run before has not finished."""

    FORBID = "Forbid"
    REPLACE = "Replace"
    ALLOW = "Allow"


class TemplateMeta(Model):
    """Labels and annotations of the LoadTests."""

    labels: Annotated[dict[str, LabelValue], Field(max_length=32)] = {}
    """Labels of each LoadTest."""
    annotations: Annotated[dict[str, AnnotationValue], Field(max_length=32)] = {}
    """Annotations of each LoadTest."""


class LoadTestTemplate(Model):
    """The LoadTest to make."""

    metadata: TemplateMeta = TemplateMeta()
    """Labels and annotations of each LoadTest."""
    spec: LoadTestSpec
    """The spec of each LoadTest."""


class LoadTestScheduleSpec(Model):
    """When to make which LoadTest."""

    schedule: Annotated[str, Field(min_length=1, max_length=128)]
    """Five cron fields: minute, hour, day of the month, month, day of the week, such as "0 3 * * *"."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "Etc/UTC"
    """Time zone of the schedule, such as Europe/Berlin. Default Etc/UTC."""
    starting_deadline_seconds: Annotated[int, Field(ge=10, le=604_800)] | None = None
    """A start that is later than this many seconds is skipped and told. Default: no deadline."""
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.FORBID
    """When the run before has not finished: Forbid skips, Replace aborts it, Allow runs both. Default Forbid."""
    suspend: bool = False
    """Make no further LoadTests. Default false."""
    successful_runs_history_limit: HistoryLimit = 3
    """How many LoadTests that passed are kept. Default 3."""
    failed_runs_history_limit: HistoryLimit = 5
    """How many LoadTests that did not pass are kept. Default 5."""
    load_test_template: LoadTestTemplate
    """The LoadTest to make."""


class RunReference(StatusModel):
    """A LoadTest of the schedule."""

    name: NameText
    """Name of the LoadTest."""


class RecentRun(StatusModel):
    """A LoadTest of the schedule and what came out."""

    name: NameText
    """Name of the LoadTest."""
    verdict: Verdict | None = None
    """Its verdict; absent until it is finished."""
    completion_time: Time | None = None
    """When its verdict was given."""
    requests_per_second: DecimalText | None = None
    """Successes per second."""
    error_percent: DecimalText | None = None
    """(failed + dropped) / planned, percent."""
    response_time_p99_milliseconds: Annotated[DecimalText | None, Field(alias="responseTimeP99Milliseconds")] = None
    """99th percentile of the response time, milliseconds."""
    ttft_p99_milliseconds: Annotated[DecimalText | None, Field(alias="ttftP99Milliseconds")] = None
    """99th percentile of the time to first token, milliseconds."""


class LoadTestScheduleStatus(StatusModel):
    """What the schedule did."""

    observed_generation: int | None = None
    """metadata.generation that the status was computed from."""
    message: Message | None = None
    """The most important thing to know now, as a sentence."""
    last_schedule_time: Time | None = None
    """When a LoadTest was made last."""
    next_schedule_time: Time | None = None
    """When the next one is due; absent while suspended."""
    counted_until_time: Time | None = None
    """While suspended: starts before this were counted as missed."""
    last_successful_time: Time | None = None
    """When a LoadTest passed last."""
    missed_starts: int = 0
    """Starts that were due and not made since the schedule exists; Events and the condition StartMissed say why."""
    last_missed_time: Time | None = None
    """When the last start was due that was not made."""
    last_run: RecentRun | None = None
    """The newest LoadTest."""
    active: Annotated[tuple[RunReference, ...], Field(max_length=32)] = ()
    """LoadTests that have not finished."""
    recent: Annotated[tuple[RecentRun, ...], Field(max_length=20)] = ()
    """The newest LoadTests and their key figures, the newest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Ready, LastRunPassed and StartMissed."""


class LoadTestSchedule(Model):
    """LoadTests by cron."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["loadtest.dev/v1alpha1"] = API_VERSION
    kind: Literal["LoadTestSchedule"] = "LoadTestSchedule"
    metadata: ObjectMeta = ObjectMeta()
    spec: LoadTestScheduleSpec
    """When to make which LoadTest."""
    status: LoadTestScheduleStatus = LoadTestScheduleStatus()
    """What the schedule did."""
