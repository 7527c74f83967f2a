"""Every rise of the workload's replicas, taken apart: load step → decided → pod scheduled → pod ready → serving.

The load step is known exactly (the plan says when the level rises); the rest are the API's own times. They have whole
seconds, so an effect can seem to come before its cause: each time is at least the one before it.

The first scale-up after a load step is the autoscaler's reaction to it. Later ones of the same step (1 → 2 → 3) are
how it went on from there: they are shown with the same load step, and not judged as reactions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.outcome import ScaleUpSeconds, ScaleUpStatus
from loadtest_operator.core.common import times
from loadtest_operator.core.scaling.load import Step, steps
from loadtest_operator.core.scaling.timeline import Gap, PodLife, Sample, Timeline

WHOLE_SECONDS = timedelta(seconds=2)
"""The API's times are cut to whole seconds."""
FOLLOWS = timedelta(seconds=4)
"""In a gap: a pod that became ready is in the Service's endpoints within 3 s, and its time is cut to a whole second."""


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """One rise."""

    before: int
    after: int
    step: Step | None
    decided: datetime
    pods: tuple[PodLife, ...] = ()
    reaction: bool = False
    """The first one after its load step."""
    gap: Gap | None = None
    """The first time after it in which nobody looked."""

    @property
    def serving(self) -> datetime | None:
        """When the first new pod was seen serving."""
        return times.earliest(pod.serving for pod in self.pods)

    @property
    def served_by(self) -> datetime | None:
        """When a new pod is certain to have served: it may have been seen later only."""
        return times.earliest(_served_by(pod) for pod in self.pods)

    @property
    def unserved_until(self) -> datetime | None:
        """Until when no new pod served, by looking: in a gap one may have served and been gone again, and its condition
        only tells since when it has been ready last. Nothing where none serves yet."""
        first = times.earliest(pod.absent for pod in self.pods if pod.serving)
        return first if first is None or self.gap is None else min(first, self.gap.start)


def scale_ups(spec: LoadTestSpec, timeline: Timeline, load_start: datetime) -> tuple[ScaleUp, ...]:
    """All of them since the load's start, in order."""
    found: list[ScaleUp] = []
    taken: set[str] = set()
    plan_steps = steps(spec)
    for before, after in _rises(timeline.from_moment(load_start)):
        decided_at = _decided_at(before, after)
        since = (decided_at or before.time) - WHOLE_SECONDS
        count = (after.replicas or 0) - (before.replicas or 0)
        pods = _new_pods(timeline.pods, since, count, taken)
        decided_at = decided_at or min(after.time, *(pod.created or after.time for pod in pods), after.time)
        step = _step_before(plan_steps, (decided_at - load_start).total_seconds())
        first = all(up.step != step for up in found)
        gap = next((gap for gap in timeline.gaps if gap.end > decided_at), None)
        found.append(ScaleUp(before.replicas or 0, after.replicas or 0, step, decided_at, tuple(pods), first, gap))
    return tuple(found)


def status(up: ScaleUp, load_start: datetime) -> ScaleUpStatus:
    """As the status shows it."""
    begun = load_start + timedelta(seconds=up.step.second if up.step else 0)
    decided = max(up.decided, begun)
    created = _not_before(decided, times.earliest(pod.created for pod in up.pods))
    scheduled = _not_before(created, times.earliest(pod.scheduled for pod in up.pods))
    ready = _not_before(scheduled, times.earliest(pod.ready for pod in up.pods))
    serving = _not_before(ready, up.serving)
    return ScaleUpStatus(
        from_replicas=up.before,
        to_replicas=up.after,
        reaction=up.reaction,
        load_step_time=begun,
        decided_time=decided,
        pod_created_time=created,
        pod_scheduled_time=scheduled,
        pod_ready_time=ready,
        serving_time=serving,
        seconds=ScaleUpSeconds(
            decided=_seconds(begun, decided),
            pod_scheduled=_seconds(begun, scheduled),
            pod_ready=_seconds(begun, ready),
            serving=_seconds(begun, serving),
        ),
    )


def _rises(seen: Iterable[Sample]) -> Iterator[tuple[Sample, Sample]]:
    known = (sample for sample in seen if sample.replicas is not None)
    return ((before, after) for before, after in pairwise(known) if (after.replicas or 0) > (before.replicas or 0))


def _decided_at(before: Sample, after: Sample) -> datetime | None:
    """By the autoscaler's own clock, where the decision was its own; we may have been away when it was made."""
    scaled = after.scaler.last_scale_time if after.scaler else None
    earlier = before.scaler.last_scale_time if before.scaler else None
    if scaled is None or scaled == earlier:
        return None
    return scaled if before.time - WHOLE_SECONDS <= scaled <= after.time else None


def _step_before(found: tuple[Step, ...], second: float) -> Step | None:
    return next((step for step in reversed(found) if step.second <= second), found[0] if found else None)


def _new_pods(pods: Iterable[PodLife], since: datetime, count: int, taken: set[str]) -> list[PodLife]:
    new = [pod for pod in pods if pod.created is not None and pod.created >= since and pod.identity not in taken][
        :count
    ]
    taken.update(pod.identity for pod in new)
    return new


def _served_by(pod: PodLife) -> datetime | None:
    if pod.serving is None or pod.ready is None or pod.absent is None:
        return pod.serving
    return min(pod.serving, max(pod.ready, pod.absent) + FOLLOWS)


def _not_before(earlier: datetime | None, moment: datetime | None) -> datetime | None:
    return max(earlier, moment) if earlier is not None and moment is not None else moment


def _seconds(start: datetime, end: datetime | None) -> str | None:
    seconds = times.seconds_between(start, end)
    return None if seconds is None else f"{seconds:.1f}"
