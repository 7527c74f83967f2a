"""What the platform saw beside the load, for the page: replicas, faults, the autoscaler. Pure.

Of the last run the status tells, which was written when everything had been judged; of an earlier one the stored document.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kubectl_loadtest.core.stored import Kept, Stored
from kubectl_loadtest.problems import PluginError
from loadgen.report.html.surroundings import Episode, Span, Steps, Surroundings, Table
from loadgen.report.terminal import ABSENT
from loadtest_operator.api.outcome import (
    FaultStatus,
    ReplicaChange,
    ScalingRecommendation,
    ScalingScore,
    ScalingStatus,
)
from loadtest_operator.api.status import LoadTestStatus

MOST_CHANGES = 64
"""As many changes of replicas a status holds."""
STEPS = {
    "decided": "the autoscaler decides",
    "pod_scheduled": "a node is found",
    "pod_ready": "the pod gets ready",
    "serving": "traffic comes in",
}
"""Parts of a scale-up, each until the moment of that name in `ScaleUpSeconds`."""
FAULTS: TypeAdapter[tuple[FaultStatus, ...]] = TypeAdapter(tuple[FaultStatus, ...])
SCALING: TypeAdapter[ScalingStatus | None] = TypeAdapter(ScalingStatus | None)


def surroundings(title: str, run: Kept, stored: Stored, status: LoadTestStatus) -> Surroundings:
    """Everything, in seconds since the load's start."""
    notes = list(stored.notes)
    faults, scaling = (status.faults, status.scaling) if run.current else _of_document(stored.beside, notes)
    start = _start(stored.report.start_time)
    length = float(stored.report.plan.load.duration_seconds)
    end = max(length, (run.ended - start).total_seconds()) if run.ended else length
    return Surroundings(
        title=title,
        notes=notes,
        faults=list(_spans(faults, start, end)),
        replicas=_steps(scaling.changes, start, end) if scaling else (),
        episodes=list(_episodes(scaling, start)) if scaling else (),
        tables=[*_fault_tables(faults), *(_scaling_tables(scaling) if scaling else ())],
    )


def _start(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise PluginError(f"the stored report is damaged: its startTime {text!r} is no time") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _of_document(beside: Mapping[str, Any], notes: list[str]) -> tuple[tuple[FaultStatus, ...], ScalingStatus | None]:
    try:
        return FAULTS.validate_python(beside.get("faults") or ()), SCALING.validate_python(beside.get("scaling"))
    except ValidationError as error:
        notes.append(
            f"What was seen of faults and replicas is of another release and left out: {error.errors()[0]['msg']}."
        )
        return (), None


def _spans(faults: Sequence[FaultStatus], start: datetime, end: float) -> Iterator[Span]:
    """Faults that were in force; one whose end nobody saw lasts to the end."""
    for fault in faults:
        if fault.injected_time is not None:
            gone = (fault.recovered_time - start).total_seconds() if fault.recovered_time else end
            yield Span(fault.name, (fault.injected_time - start).total_seconds(), gone)


def _steps(changes: Sequence[ReplicaChange], start: datetime, end: float) -> list[Steps]:
    moments = [((change.time - start).total_seconds(), change) for change in changes]
    before = [one for one in moments if one[0] <= 0]
    shown = [(0.0, before[-1][1])] if before else []
    shown += [one for one in moments if one[0] > 0]
    if not shown:
        return []
    last = max(end, shown[-1][0])
    return [
        Steps(word, [*((at, getattr(change, field)) for at, change in shown), (last, getattr(shown[-1][1], field))])
        for word, field in (("wanted", "desired"), ("pods", "current"), ("ready", "ready"))
        if any(getattr(change, field) is not None for _, change in shown)
    ]


def _episodes(scaling: ScalingStatus, start: datetime) -> Iterator[Episode]:
    """Scale-ups whose load step was seen, each in the steps of which both ends are known."""
    for one in scaling.scale_ups:
        if one.load_step_time is not None:
            rose = (one.load_step_time - start).total_seconds()
            ends = [0.0, *(getattr(one.seconds, name) for name in STEPS)]
            moments = [None if end is None else rose + float(end) for end in ends]
            spans = zip(STEPS.values(), moments, moments[1:], strict=False)
            known = [Span(word, begin, end) for word, begin, end in spans if begin is not None and end is not None]
            yield Episode(f"{one.from_replicas} → {one.to_replicas}", known)


def _fault_tables(faults: Sequence[FaultStatus]) -> Iterator[Table]:
    if not faults:
        return
    rows = [
        (
            one.name,
            str(one.result),
            one.via or ABSENT,
            _time(one.injected_time),
            _time(one.recovered_time),
            one.message or "",
        )
        for one in faults
    ]
    yield Table("Faults", ("fault", "result", "by", "in force", "gone", "what went wrong"), rows)
    if bounds := [
        (fault.name, str(bound.metric), str(bound.result), bound.observed, bound.wanted, bound.message)
        for fault in faults
        for bound in fault.tolerate
    ]:
        yield Table("Bounds over faults", ("fault", "metric", "result", "observed", "wanted", "in words"), bounds)


def _scaling_tables(scaling: ScalingStatus) -> Iterator[Table]:
    notes = [scaling.message] if scaling.message else []
    if len(scaling.changes) >= MOST_CHANGES:
        notes.append(
            f"The status keeps {MOST_CHANGES} changes of the replicas at most: some may be missing from the chart."
        )
    expected = [
        (one.name, str(one.result), one.observed, one.wanted, one.message or "") for one in scaling.expectations
    ]
    if expected or notes:
        yield Table("Autoscaler", ("expectation", "result", "observed", "wanted", "in words"), expected, notes)
    if scaling.metrics:
        read = [(one.name, one.type, one.current or ABSENT, one.target, one.message or "") for one in scaling.metrics]
        yield Table("What the autoscaler steers by", ("metric", "type", "read last", "target", "why not"), read)
    if scaling.scale_ups:
        headers = ("scale-up", "load step", "decided", "pod scheduled", "pod ready", "serving")
        rows = [
            (
                f"{one.from_replicas} → {one.to_replicas}",
                _time(one.load_step_time),
                *(
                    _after(value)
                    for value in (
                        *(one.seconds.decided, one.seconds.pod_scheduled),
                        *(one.seconds.pod_ready, one.seconds.serving),
                    )
                ),
            )
            for one in scaling.scale_ups
        ]
        yield Table("Scale-ups", headers, rows, ["Seconds count from the load step."])
    if scaling.cold_starts:
        starts = [
            (one.pod, one.seconds, ", ".join(f"{part.phase} {part.seconds}" for part in one.phases), one.message or "")
            for one in scaling.cold_starts
        ]
        yield Table("Cold starts", ("pod", "seconds", "spent on", "in words"), starts)
    if scaling.recommendation is not None:
        yield _recommendation_table(scaling.recommendation, scaling.score)


def _recommendation_table(found: ScalingRecommendation, score: ScalingScore | None) -> Table:
    """The arithmetic is the reason of each number."""
    rows = [
        (name, str(value))
        for name, value in (
            ("minReplicas", found.min_replicas),
            ("maxReplicas", found.max_replicas),
            *((f"target of {metric.name}", metric.target) for metric in found.targets),
            ("played with these", found.played or None),
            ("too few replicas, % of the time", score and score.short_percent),
            ("more than needed, % of the time", score and score.spare_percent),
        )
        if value is not None
    ]
    notes = [*found.arithmetic, *([found.message] if found.message else [])]
    return Table("What would have suited the load", ("setting", "value"), rows, notes)


def _time(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}" if moment else ABSENT


def _after(seconds: str | None) -> str:
    return ABSENT if seconds is None else f"+{seconds} s"
