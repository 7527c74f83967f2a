"""From the timeline to what the autoscaler did: scale-ups taken apart, replicas, and whether expectations were met.

A scale-up is decomposed as load step → decided → pod scheduled → pod ready → serving. The load step is known
exactly (the plan says when the level rises); the rest are the API's own times. They have whole seconds, so an
effect can seem to come before its cause: each time is at least the one before it.

The first scale-up after a load step is the autoscaler's reaction to it. Later ones of the same step (1 → 2 → 3) are
how it went on from there: they are shown with the same load step, and not judged as reactions.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import Expectation, LoadTestSpec
from loadtest_operator.api.outcome import (
    ExpectationStatus,
    ReplicaChange,
    ReplicaCounts,
    ScaleUpSeconds,
    ScaleUpStatus,
    ScalingStatus,
)
from loadtest_operator.core.common import times
from loadtest_operator.core.scaling import expectations
from loadtest_operator.core.scaling.timeline import Change, PodLife, Timeline, directions

MOST_SCALE_UPS = 16
MOST_STATUS_CHANGES = 64
WHOLE_SECONDS = timedelta(seconds=2)
"""The API's times are cut to whole seconds."""


def status_of(
    spec: LoadTestSpec, timeline: Timeline, load_start: datetime | None, now: datetime, *, workload: str, ended: bool
) -> ScalingStatus:
    """The section of the status. `ended` says that nothing more will be seen."""
    start = load_start or now
    seen = timeline.from_moment(start)
    ups = scale_ups(spec, timeline, load_start) if load_start else ()
    return ScalingStatus(
        autoscaler=timeline.autoscaler or None,
        workload=workload or None,
        observed_since=timeline.since,
        replicas=_replicas(seen, ended=ended),
        direction_changes=directions(wanted_levels(seen)),
        changes=tuple(_change(change) for change in seen[:MOST_STATUS_CHANGES]),
        scale_ups=ups,
        expectations=judged(spec, timeline, load_start, now, ended=ended),
        message=_complaint(spec, timeline),
    )


def judged(
    spec: LoadTestSpec, timeline: Timeline, load_start: datetime | None, now: datetime, *, ended: bool
) -> tuple[ExpectationStatus, ...]:
    """Every expectation; Unknown where it is not decided (yet)."""
    view = expectations.View(
        timeline=timeline,
        stage_start=lambda stage: (load_start or now) + timedelta(seconds=spec.stage_start(stage)),
        started=load_start,
        now=now,
        ended=ended,
        reactions=tuple(up for up in (scale_ups(spec, timeline, load_start) if load_start else ()) if up.reaction),
    )
    return tuple(expectations.judge(expectation, view) for expectation in _expectations(spec))


def decided(results: Iterable[ExpectationStatus], spec: LoadTestSpec) -> bool:
    """Whether watching longer could not change anything: only deadlines were asked for, and all are decided."""
    wanted = _expectations(spec)
    return (
        bool(wanted)
        and all(expectation.from_stage is not None for expectation in wanted)
        and all(result.result is not Result.UNKNOWN for result in results)
    )


def scale_ups(spec: LoadTestSpec, timeline: Timeline, load_start: datetime) -> tuple[ScaleUpStatus, ...]:
    """Every rise of the workload's replicas since the load's start."""
    found: list[ScaleUpStatus] = []
    taken: set[str] = set()
    for before, after in pairwise(timeline.from_moment(load_start)):
        if before.desired is None or after.desired is None or after.desired <= before.desired:
            continue
        decided_at = _decided_at(before, after)
        since = (decided_at or before.time) - WHOLE_SECONDS
        pods = _new_pods(timeline.pods, since, after.desired - before.desired, taken)
        decided_at = decided_at or min(after.time, *(pod.created or after.time for pod in pods), after.time)
        up = _scale_up(before.desired, after.desired, _load_step(spec, load_start, decided_at), decided_at, pods)
        first = not found or found[-1].load_step_time != up.load_step_time
        found.append(up.model_copy(update={"reaction": first}))
    return tuple(found[:MOST_SCALE_UPS])


def wanted_levels(changes: Iterable[Change]) -> list[int]:
    """The workload's replicas, one after the other."""
    return [change.desired for change in changes if change.desired is not None]


def _expectations(spec: LoadTestSpec) -> tuple[Expectation, ...]:
    return spec.scaling.expectations if spec.scaling else ()


def _replicas(seen: Sequence[Change], *, ended: bool) -> ReplicaCounts:
    if not seen:
        return ReplicaCounts()
    last = seen[-1].ready
    return ReplicaCounts(
        initial=seen[0].ready,
        current=None if ended else last,
        peak=max(change.ready for change in seen),
        final=last if ended else None,
    )


def _change(change: Change) -> ReplicaChange:
    return ReplicaChange(time=change.time, desired=change.desired, current=change.current, ready=change.ready)


def _complaint(spec: LoadTestSpec, timeline: Timeline) -> str | None:
    if not _expectations(spec) or timeline.since is None:
        return None
    if not timeline.autoscaler:
        return "no HorizontalPodAutoscaler scales the target's workload"
    last = timeline.last
    if last is not None and last.active is False:
        return f"HorizontalPodAutoscaler {timeline.autoscaler} has no metric: {timeline.inactive_because}"
    return None


def _decided_at(before: Change, after: Change) -> datetime | None:
    """By the autoscaler's own clock, where the decision was its own; we may have been away when it was made."""
    scaled = after.last_scale_time
    if scaled is None or scaled == before.last_scale_time:
        return None
    return scaled if before.time - WHOLE_SECONDS <= scaled <= after.time else None


def _load_step(spec: LoadTestSpec, load_start: datetime, decided_at: datetime) -> datetime:
    """The last time before the decision at which the plan's level rose."""
    step, level = load_start, -1.0
    for stage in spec.load.stages:
        start = load_start + timedelta(seconds=spec.stage_start(stage.name))
        # Open and closed levels cannot be compared; a change of the model counts as a step.
        new = float(stage.arrival_rate) if stage.arrival_rate is not None else float(stage.concurrency or 0)
        if start <= decided_at and new > level:
            step = start
        level = new
    return step


def _new_pods(pods: Iterable[PodLife], since: datetime, count: int, taken: set[str]) -> list[PodLife]:
    new = [pod for pod in pods if pod.created is not None and pod.created >= since and pod.name not in taken][:count]
    taken.update(pod.name for pod in new)
    return new


def _scale_up(old: int, new: int, step: datetime, decided_at: datetime, pods: list[PodLife]) -> ScaleUpStatus:
    decided_at = max(decided_at, step)
    created = _not_before(decided_at, times.earliest(pod.created for pod in pods))
    scheduled = _not_before(created, times.earliest(pod.scheduled for pod in pods))
    ready = _not_before(scheduled, times.earliest(pod.ready for pod in pods))
    serving = _not_before(ready, times.earliest(pod.serving for pod in pods))
    return ScaleUpStatus(
        from_replicas=old,
        to_replicas=new,
        load_step_time=step,
        decided_time=decided_at,
        pod_created_time=created,
        pod_scheduled_time=scheduled,
        pod_ready_time=ready,
        serving_time=serving,
        seconds=ScaleUpSeconds(
            decided=_seconds(step, decided_at),
            pod_scheduled=_seconds(step, scheduled),
            pod_ready=_seconds(step, ready),
            serving=_seconds(step, serving),
        ),
    )


def _not_before(earlier: datetime | None, moment: datetime | None) -> datetime | None:
    return max(earlier, moment) if earlier is not None and moment is not None else moment


def _seconds(start: datetime, end: datetime | None) -> str | None:
    seconds = times.seconds_between(start, end)
    return None if seconds is None else f"{seconds:.1f}"
