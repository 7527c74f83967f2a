"""LoadTestSweep: one load test at many levels, each an ordinary LoadTest, and what they come to together.

What a level is, which are run and what follows from them is the generator's (`loadgen.model.sweep`, `loadgen.core.capacity`):
the same on a laptop. The results of a sweep are those of one spec, so all of it but suspend and abort stays as it is.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from loadgen.core.capacity import points
from loadgen.core.judge.lint import PLAN_FIELDS
from loadgen.model.base import Model, listed
from loadgen.model.errors import InvalidPlanError
from loadgen.model.report import Verdict
from loadgen.model.sweep import SweepShape
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.meta import (
    API_VERSION,
    Condition,
    DecimalText,
    Line,
    Message,
    NameText,
    ObjectMeta,
    StatusModel,
    Time,
)
from loadtest_operator.api.problems import sentences
from loadtest_operator.api.schedule import LoadTestTemplate

OF_THE_PLAN = rf"^({'|'.join(PLAN_FIELDS)})[.\[]"
"""How the path of a field that may be varied begins."""


class LoadTestSweepSpec(SweepShape):
    """Which load test to run at which levels."""

    load_test_template: LoadTestTemplate
    """The LoadTest to make for each run; the fields that are varied are set in it."""
    suspend: bool = False
    """Make no further LoadTests; one that runs goes on. May be changed at any time. Default false."""
    abort: bool = False
    """Stop now, with the LoadTest that runs; the verdict is Aborted. May be changed at any time. Default false."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What is varied."""
        return (self.search.field,) if self.search else tuple(axis.field for axis in self.vary or ())

    @model_validator(mode="after")
    def _only_the_plan_is_varied(self) -> Self:
        if odd := next((field for field in self.fields if not field.startswith(_beginnings())), None):
            raise ValueError(
                f"field {odd} is none of the plan: write one of {listed(PLAN_FIELDS)}, such as load.stages[NAME].arrivalRate"
            )
        return self

    @model_validator(mode="after")
    def _every_level_is_a_load_test(self) -> Self:
        template = self.load_test_template.spec.model_dump(mode="json", exclude_none=True)
        for point in points.ends(self):
            try:
                LoadTestSpec.model_validate(points.filled_in(template, points.settings(point)))
            except InvalidPlanError as error:
                raise ValueError(error.problems[0]) from error
            except ValidationError as error:
                raise ValueError(
                    f"with {points.said(point)}, {sentences(error, 'loadTestTemplate.spec')[0]}"
                ) from error
        return self


def _beginnings() -> tuple[str, ...]:
    return tuple(f"{field}{mark}" for field in PLAN_FIELDS for mark in ".[")


class SweepPhase(StrEnum):
    """Where a sweep is, for people."""

    PENDING = "Pending"
    RUNNING = "Running"
    FINISHED = "Finished"


class SweepRuns(StatusModel):
    """The LoadTests of the sweep, the hold not counted."""

    planned: int
    """How many there will be; of a search, at most."""
    finished: int = 0
    """How many have finished, in their order."""
    without_evidence: int = 0
    """How many of these measured nothing."""


class LevelStatus(StatusModel):
    """All runs of a level that gave evidence, pooled."""

    values: Annotated[tuple[NameText, ...], Field(max_length=3)]
    """The level: values of the fields in status.fields."""
    runs: int
    """Runs that gave evidence."""
    verdict: Verdict
    """Passed or Failed where the whole interval of the attainment lies on that side of what is wanted; else Inconclusive."""
    slo_attainment_percent: DecimalText
    """Share of the planned requests that kept every bound of their slo, percent; without one: that succeeded."""
    slo_attainment_low_percent: DecimalText
    """Lower end of its 95 % interval."""
    slo_attainment_high_percent: DecimalText
    """Upper end of its 95 % interval."""
    error_percent: DecimalText
    """(failed + dropped) / planned, percent."""
    requests_per_second: DecimalText
    """Successes per second."""
    p50: DecimalText | None = None
    """Median of the response time, milliseconds."""
    p95: DecimalText | None = None
    """95th percentile of the response time, milliseconds."""
    p99: DecimalText | None = None
    """99th percentile of the response time, milliseconds."""


class BestLevel(LevelStatus):
    """A level of the table, said in a line."""

    level: Line
    """The level, such as `load.stages[hold].concurrency = 20`."""


class KneeStatus(StatusModel):
    """The highest load that keeps the SLO."""

    field: NameText
    """What the load is a value of."""
    bound: Literal["Known", "AtLeast", "AtMost"]
    """AtLeast and AtMost where the range of levels was not enough."""
    load: DecimalText
    """The load."""
    low: DecimalText | None = None
    """Lower end of its 95 % interval; absent where it lies below the range."""
    high: DecimalText | None = None
    """Upper end of its 95 % interval; absent where it lies beyond the range."""
    shape: Literal["Smooth", "Cliff"] | None = None
    """How attainment falls past it; absent where levels are too far apart to tell."""
    attainment_percent: DecimalText
    """Share of requests that had to keep their SLO, percent."""


class HoldStatus(StatusModel):
    """The lower end of the knee's interval, held."""

    level: DecimalText
    """The load that was held."""
    seconds: int
    """For how long, in seconds."""
    held: bool
    """Whether it counts."""
    message: Message = ""
    """The same as a sentence."""


class RunWithoutEvidence(StatusModel):
    """A LoadTest that measured nothing."""

    name: NameText
    """Name of the LoadTest."""
    message: Line = ""
    """Why."""


class LoadTestSweepStatus(StatusModel):
    """What the sweep found; at most 64 KiB."""

    observed_generation: int | None = None
    """metadata.generation that the status was computed from."""
    phase: SweepPhase | None = None
    """Where the sweep is: Pending, Running or Finished."""
    verdict: Verdict | None = None
    """Passed: a grid with a best point, or a knee that was held. Failed: every level of a grid is known to miss the SLO. Else
    Inconclusive, Error or Aborted; absent until the sweep is finished."""
    message: Message | None = None
    """The most important thing to know now, as a sentence."""
    start_time: Time | None = None
    """When the operator began the sweep."""
    completion_time: Time | None = None
    """When the verdict was given."""
    current: NameText | None = None
    """The LoadTest that has not finished."""
    runs: SweepRuns | None = None
    """How many LoadTests there are."""
    fields: Annotated[tuple[NameText, ...], Field(max_length=3)] = ()
    """What is varied."""
    levels: Annotated[tuple[LevelStatus, ...], Field(max_length=256)] = ()
    """The table: each level, ascending."""
    more_levels: int | None = None
    """How many levels came after those; all of them were judged."""
    best: BestLevel | None = None
    """Of a grid: the level with the most successes per second among those whose verdict is Passed."""
    knee: KneeStatus | None = None
    """The highest load that keeps the SLO, where one field of the load is varied."""
    hold: HoldStatus | None = None
    """Of a search: the run that confirms the knee."""
    without_evidence: Annotated[tuple[RunWithoutEvidence, ...], Field(max_length=16)] = ()
    """LoadTests that measured nothing, the newest 16."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, Finished and Passed, and kstatus' Ready, Reconciling and Stalled."""


class LoadTestSweep(Model):
    """One load test at many levels."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["loadtest.dev/v1alpha1"] = API_VERSION
    kind: Literal["LoadTestSweep"] = "LoadTestSweep"
    metadata: ObjectMeta = ObjectMeta()
    spec: LoadTestSweepSpec
    """Which load test to run at which levels."""
    status: LoadTestSweepStatus = LoadTestSweepStatus()
    """What the sweep found."""
