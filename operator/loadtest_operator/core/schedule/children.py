"""The LoadTests that a schedule made: their names, what came out of them, and which of them may go.

The name says for which minute a LoadTest was made, so nobody can make it twice, and what exists can be read back
without any memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from loadgen.model.report import Verdict
from loadtest_operator.api.schedule import LoadTestScheduleSpec, RecentRun
from loadtest_operator.core.common import offspring, times
from loadtest_operator.core.common.kinds import LOAD_TEST_SCHEDULE
from loadtest_operator.core.common.names import GROUP
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.common.owners import is_owned

Object = Mapping[str, Any]

SCHEDULE_LABEL = f"{GROUP}/schedule"
TIME_ANNOTATION = f"{GROUP}/scheduled-time"
REPLACED_ANNOTATION = f"{GROUP}/replaced-by"
MOST_RECENT = 20
LATEST_MINUTE = 10**9
"""A number in a name that is larger is no minute (it would be in the year 3871)."""


@dataclass(frozen=True, slots=True)
class Child:
    """A LoadTest of the schedule."""

    minute: datetime
    run: RecentRun
    finished: bool = False
    deleting: bool = False
    replaced: datetime | None = None
    """The start that it was aborted for."""

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def passed(self) -> bool:
        return self.finished and self.run.verdict is Verdict.PASSED


def name_of(schedule: str, minute: datetime) -> str:
    """The one name of the LoadTest for this minute."""
    return f"{schedule}-{int(minute.timestamp()) // 60}"


def minute_of(name: str) -> datetime | None:
    """The minute that a LoadTest was made for; nothing if the name has none."""
    tail = name.rpartition("-")[2]
    if not tail.isdecimal() or int(tail) >= LATEST_MINUTE:
        return None
    return datetime.fromtimestamp(int(tail) * 60, UTC)


def seen(bodies: Iterable[Object], uid: str) -> tuple[Child, ...]:
    """The schedule's LoadTests, the newest first."""
    ours = ((minute_of(body["metadata"]["name"]), body) for body in bodies if is_owned(body, uid))
    found = [_child(minute, body) for minute, body in ours if minute is not None]
    return tuple(sorted(found, key=lambda child: child.minute, reverse=True))


def _child(minute: datetime, body: Object) -> Child:
    metadata, status = body["metadata"], body.get("status") or {}
    finished = offspring.is_finished(body)
    return Child(
        minute=minute,
        run=_figures(metadata["name"], status if finished else {}),
        finished=finished,
        deleting="deletionTimestamp" in metadata,
        replaced=minute_of((metadata.get("annotations") or {}).get(REPLACED_ANNOTATION, "")),
    )


def _figures(name: str, status: Object) -> RecentRun:
    """What cannot be read (of another release) is left out: one odd LoadTest must not stop its schedule."""
    summary = status.get("summary") or {}
    try:
        return _parsed_figures(name, status, summary)
    except ValidationError:
        return RecentRun(name=name)


def _parsed_figures(name: str, status: Object, summary: Object) -> RecentRun:
    return RecentRun.model_validate(
        {
            "name": name,
            "verdict": status.get("verdict"),
            "completionTime": (status.get("run") or {}).get("completionTime"),
            "requestsPerSecond": summary.get("requestsPerSecond"),
            "errorPercent": summary.get("errorPercent"),
            "responseTimeP99Milliseconds": (summary.get("responseTimeMilliseconds") or {}).get("p99"),
            "ttftP99Milliseconds": (summary.get("ttftMilliseconds") or {}).get("p99"),
        }
    )


def recent(before: Iterable[RecentRun], children: Iterable[Child]) -> tuple[RecentRun, ...]:
    """The newest runs. Those whose LoadTest is gone are remembered if they had a verdict: a trend outlives the limits."""
    runs = {run.name: run for run in before if run.verdict}
    runs |= {child.name: child.run for child in children}
    return tuple(sorted(runs.values(), key=_by_minute, reverse=True)[:MOST_RECENT])


def _by_minute(run: RecentRun) -> datetime:
    return minute_of(run.name) or datetime.min.replace(tzinfo=UTC)


def past_limits(spec: LoadTestScheduleSpec, children: Iterable[Child]) -> tuple[Child, ...]:
    """Finished ones that may go: those that were replaced, then the oldest beyond each limit. Never one that runs."""
    finished = [child for child in children if child.finished]
    kept = [child for child in finished if not child.replaced]
    passed = [child for child in kept if child.passed]
    others = [child for child in kept if not child.passed]
    gone = [child for child in finished if child.replaced]
    gone += passed[spec.successful_runs_history_limit :] + others[spec.failed_runs_history_limit :]
    return tuple(child for child in gone if not child.deleting)


def parent(schedule: str, namespace: str, uid: str) -> Parent:
    """The schedule as its LoadTests know it."""
    return Parent(LOAD_TEST_SCHEDULE, namespace, schedule, uid, SCHEDULE_LABEL)


def manifest(schedule: str, namespace: str, uid: str, template: Object, minute: datetime) -> dict[str, Any]:
    """The LoadTest for this minute. The template's spec goes in as the API server has it, newer fields and all."""
    told = {TIME_ANNOTATION: times.whole(minute)}
    owner = parent(schedule, namespace, uid)
    return offspring.manifest(owner, name_of(schedule, minute), template, template["spec"], **told)
