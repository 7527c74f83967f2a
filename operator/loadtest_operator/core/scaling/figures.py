"""From the timeline to the status: what the autoscaler did, and whether expectations were met.

Everything is judged first; only what is shown is cut, and the status says by how much.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import Expectation, LoadTestSpec
from loadtest_operator.api.outcome import (
    ExpectationStatus,
    MetricStatus,
    ObservationGap,
    ReplicaChange,
    ReplicaCounts,
    ScalingStatus,
)
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.scaling import expectations, scale_ups
from loadtest_operator.core.scaling.episodes import cold_starts, scale_downs
from loadtest_operator.core.scaling.metrics.readings import Reading
from loadtest_operator.core.scaling.timeline import Sample, Timeline, directions
from loadtest_operator.core.scaling.view import View

MOST_SCALE_UPS = 16
MOST_STATUS_CHANGES = 64
MOST_GAPS = 16
MOST_METRICS = 16
MOST_COLD_STARTS = 16
MOST_SCALE_DOWNS = 16


def status_of(
    spec: LoadTestSpec, timeline: Timeline, load_start: datetime | None, now: datetime, *, workload: str, ended: bool
) -> ScalingStatus:
    """The section of the status. `ended` says that nothing more will be seen."""
    view = View(spec, timeline, load_start, now, ended)
    changes, ups, downs = _changes(view.seen), view.scale_ups, scale_downs.scale_downs(view)
    starts = cold_starts.cold_starts(view)
    return ScalingStatus(
        autoscaler=timeline.autoscaler or None,
        workload=workload or None,
        observed_since=timeline.since,
        replicas=_replicas(view.seen, ended=ended),
        metrics=_metrics(timeline),
        direction_changes=directions(wanted_levels(view.seen)),
        changes=tuple(map(_change, changes[-MOST_STATUS_CHANGES:])),
        earlier_changes=max(0, len(changes) - MOST_STATUS_CHANGES) or None,
        scale_ups=tuple(scale_ups.status(up, view.start) for up in ups[:MOST_SCALE_UPS]),
        more_scale_ups=max(0, len(ups) - MOST_SCALE_UPS) or None,
        scale_downs=tuple(map(scale_downs.status, downs[:MOST_SCALE_DOWNS])),
        more_scale_downs=max(0, len(downs) - MOST_SCALE_DOWNS) or None,
        cold_starts=tuple(starts[:MOST_COLD_STARTS]),
        more_cold_starts=max(0, len(starts) - MOST_COLD_STARTS) or None,
        gaps=_gaps(view),
        expectations=_judged(view),
        message=_complaint(view),
    )


def judged(
    spec: LoadTestSpec, timeline: Timeline, load_start: datetime | None, now: datetime, *, ended: bool
) -> tuple[ExpectationStatus, ...]:
    """Every expectation; Unknown where it is not decided (yet)."""
    return _judged(View(spec, timeline, load_start, now, ended))


def decided(results: Iterable[ExpectationStatus], spec: LoadTestSpec) -> bool:
    """Whether watching longer could not change anything: only deadlines were asked for, and all are decided."""
    wanted = _expectations(spec)
    return (
        bool(wanted)
        and all(expectation.from_stage is not None for expectation in wanted)
        and all(result.result is not Result.UNKNOWN for result in results)
    )


def why_open(timeline: Timeline, load_start: datetime | None) -> Reason:
    """The reason of a condition, where an expectation could not be judged."""
    if timeline.blind and not timeline.autoscaler:
        return reasons.AUTOSCALER_FORBIDDEN
    if not timeline.autoscaler:
        return reasons.AUTOSCALER_NOT_FOUND
    seen = timeline.from_moment(load_start) if load_start else timeline.samples
    able = [sample.scaler is not None and not sample.scaler.blind_because for sample in seen]
    return reasons.EXPECTATION_UNKNOWN if any(able) and able[-1] else reasons.AUTOSCALER_INACTIVE


def wanted_levels(seen: Iterable[Sample]) -> list[int]:
    """What the autoscaler wanted, one after the other; where it said nothing, what the workload asked for."""
    levels = (sample.replicas if sample.wanted is None else sample.wanted for sample in seen)
    return [level for level in levels if level is not None]


def _judged(view: View) -> tuple[ExpectationStatus, ...]:
    return tuple(expectations.judge(expectation, view) for expectation in _expectations(view.spec))


def _expectations(spec: LoadTestSpec) -> tuple[Expectation, ...]:
    return spec.scaling.expectations if spec.scaling else ()


def _replicas(seen: Sequence[Sample], *, ended: bool) -> ReplicaCounts:
    if not seen:
        return ReplicaCounts()
    first, peak, last = seen[0].serving, max(sample.serving for sample in seen), seen[-1].serving
    return ReplicaCounts(
        initial=first,
        current=None if ended else last,
        peak=peak,
        final=last if ended else None,
        course=f"{first}→{peak}→{last}",
    )


def _changes(seen: Sequence[Sample]) -> list[Sample]:
    """Samples differ in more than numbers; here only those count."""
    return [next(same) for _, same in groupby(seen, key=lambda one: (one.wanted, one.replicas, one.pods, one.serving))]


def _change(sample: Sample) -> ReplicaChange:
    return ReplicaChange(
        time=sample.time, desired=sample.wanted, replicas=sample.replicas, current=sample.pods, ready=sample.serving
    )


def _metrics(timeline: Timeline) -> tuple[MetricStatus, ...]:
    """As they were read last."""
    found = timeline.last.metrics if timeline.last else ()
    return tuple(_metric(place, reading, timeline) for place, reading in enumerate(found[:MOST_METRICS]))


def _metric(place: int, reading: Reading, timeline: Timeline) -> MetricStatus:
    return MetricStatus(
        type=reading.kind,
        name=reading.name,
        current=None if reading.lack else reading.value,
        target=reading.target,
        lack=reading.lack,
        missing_since=_missing_since(place, timeline.samples) if reading.missing else None,
        message=reading.why or None,
    )


def _missing_since(place: int, samples: Sequence[Sample]) -> datetime:
    """What nobody looked at in between may have been there."""
    since = samples[-1].time
    for sample in reversed(samples):
        if len(sample.metrics) <= place or not sample.metrics[place].missing:
            break
        since = sample.time
        if sample.unseen:
            break
    return since


def _gaps(view: View) -> tuple[ObservationGap, ...]:
    found = [gap for gap in view.timeline.gaps if gap.end > view.start]
    return tuple(
        ObservationGap(start_time=gap.start, end_time=gap.end, message=gap.because) for gap in found[-MOST_GAPS:]
    )


def _complaint(view: View) -> str | None:
    timeline = view.timeline
    if not _expectations(view.spec) or timeline.since is None:
        return None
    if timeline.blind:
        return timeline.blind
    if not timeline.autoscaler:
        return "no HorizontalPodAutoscaler scales the target's workload"
    scaler = timeline.last.scaler if timeline.last else None
    if scaler is not None and scaler.blind_because:
        return f"HorizontalPodAutoscaler {timeline.autoscaler} cannot act: {scaler.blind_because}"
    return None
