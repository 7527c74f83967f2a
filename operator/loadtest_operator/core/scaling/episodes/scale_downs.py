"""Every fall of the workload's replicas, taken apart: load fell → decided → first pod told to go → last pod gone.

When the load falls is known from the plan, when it was decided and when pods were told to go by the API's own times; that a
pod is gone is seen by looking, up to some seconds late. Each time is at least the one before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from loadtest_operator.api.outcome import ScaleDownSeconds, ScaleDownStatus
from loadtest_operator.core.common import times
from loadtest_operator.core.scaling import load
from loadtest_operator.core.scaling.scale_ups import WHOLE_SECONDS
from loadtest_operator.core.scaling.timeline import PodLife, Sample
from loadtest_operator.core.scaling.view import View


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """One fall."""

    before: int
    after: int
    fell: datetime | None
    """When the load last fell before it; nothing where it had not."""
    decided: datetime
    pods: tuple[PodLife, ...]


def scale_downs(view: View) -> list[ScaleDown]:
    """All of them since the load's start, in order."""
    taken: set[str] = set()
    return [_taken_apart(view, before, after, taken) for before, after in _falls(view)]


def status(down: ScaleDown) -> ScaleDownStatus:
    """As the status shows it."""
    decided = max(down.decided, down.fell or down.decided)
    told = _not_before(decided, times.earliest(pod.told_to_go for pod in down.pods))
    gone = _not_before(told or decided, _last_gone(down))
    begun = down.fell or decided
    return ScaleDownStatus(
        from_replicas=down.before,
        to_replicas=down.after,
        load_fall_time=down.fell,
        decided_time=decided,
        terminating_time=told,
        gone_time=gone,
        seconds=ScaleDownSeconds(
            decided=times.seconds_between(begun, decided),
            terminating=times.seconds_between(begun, told),
            gone=times.seconds_between(begun, gone),
        ),
    )


def _falls(view: View) -> Iterator[tuple[Sample, Sample]]:
    known = (sample for sample in view.seen if sample.replicas is not None)
    return ((before, after) for before, after in pairwise(known) if (after.replicas or 0) < (before.replicas or 0))


def _taken_apart(view: View, before: Sample, after: Sample, taken: set[str]) -> ScaleDown:
    decided = _decided(before, after)
    count = (before.replicas or 0) - (after.replicas or 0)
    going = [pod for pod in view.timeline.pods if _went(pod, decided) and pod.identity not in taken]
    pods = sorted(going, key=lambda pod: pod.told_to_go or pod.gone or view.now)[:count]
    taken.update(pod.identity for pod in pods)
    fell = max((second for second in load.falls(view.spec) if second <= view.second(decided)), default=None)
    return ScaleDown(
        before.replicas or 0, after.replicas or 0, None if fell is None else view.moment(fell), decided, tuple(pods)
    )


def _decided(before: Sample, after: Sample) -> datetime:
    """By the autoscaler's own clock, where the decision was its own."""
    scaled = after.scaler.last_scale_time if after.scaler else None
    earlier = before.scaler.last_scale_time if before.scaler else None
    if scaled is None or scaled == earlier or not before.time - WHOLE_SECONDS <= scaled <= after.time:
        return after.time
    return scaled


def _went(pod: PodLife, decided: datetime) -> bool:
    moment = pod.told_to_go or pod.gone
    return moment is not None and moment >= decided - WHOLE_SECONDS


def _last_gone(down: ScaleDown) -> datetime | None:
    """Nothing while one of them is there."""
    known = [pod.gone for pod in down.pods if pod.gone is not None]
    return max(known) if len(known) == down.before - down.after else None


def _not_before(earlier: datetime, moment: datetime | None) -> datetime | None:
    return max(earlier, moment) if moment is not None else None
