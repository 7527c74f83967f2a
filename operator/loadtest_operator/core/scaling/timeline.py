"""What was seen of the target over time: change points of its replicas and the life of each of its pods.

Only changes are kept, and at most `MOST_CHANGES` of them, so that a timeline fits into a ConfigMap and survives
the operator. Where the API has a time of its own (created, scheduled, started, ready, deleted, last scale) it is
taken; only `serving`, the moment a pod was first seen in the EndpointSlice, is the observer's, with the
resolution of its tick.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from loadtest_operator.core.scaling.target import TargetPod, TargetView

MOST_CHANGES = 200
MOST_PODS = 200


@dataclass(frozen=True, slots=True)
class Change:
    """The replicas from `time` on."""

    time: datetime
    desired: int | None
    current: int
    ready: int
    active: bool | None = None
    """Whether the autoscaler had a metric to act on; nothing where there is no autoscaler."""
    wanted: int | None = None
    """What the autoscaler wanted."""
    metric: str = ""
    last_scale_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodLife:
    """When a pod reached what."""

    name: str
    created: datetime | None = None
    scheduled: datetime | None = None
    started: datetime | None = None
    ready: datetime | None = None
    serving: datetime | None = None
    deleting: datetime | None = None
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything seen so far."""

    since: datetime | None = None
    changes: tuple[Change, ...] = ()
    pods: tuple[PodLife, ...] = ()
    autoscaler: str = ""
    inactive_because: str = ""

    @property
    def last(self) -> Change | None:
        return self.changes[-1] if self.changes else None

    def from_moment(self, moment: datetime) -> tuple[Change, ...]:
        """What held at the moment, and every change after it."""
        before = [change for change in self.changes if change.time <= moment]
        return (*before[-1:], *(change for change in self.changes if change.time > moment))


def extended(timeline: Timeline, view: TargetView, now: datetime) -> Timeline:
    """With what is seen now; the same object when nothing changed."""
    scaler = view.autoscaler
    change = Change(
        time=now,
        desired=view.desired,
        current=sum(1 for pod in view.pods if not pod.deleting),
        ready=view.ready,
        active=scaler.active if scaler else None,
        wanted=scaler.desired if scaler else None,
        metric=scaler.metric if scaler else "",
        last_scale_time=scaler.last_scale_time if scaler else None,
    )
    changes = timeline.changes if _same(timeline.last, change) else (*timeline.changes, change)[:MOST_CHANGES]
    grown = Timeline(
        since=timeline.since or now,
        changes=changes,
        pods=_lives(timeline.pods, view, now),
        autoscaler=scaler.name if scaler else timeline.autoscaler,
        inactive_because=scaler.inactive_because if scaler and not scaler.active else timeline.inactive_because,
    )
    return timeline if grown == timeline else grown


def _same(last: Change | None, new: Change) -> bool:
    # The metric moves all the time; alone it is no change.
    return last is not None and replace(new, time=last.time, metric=last.metric) == last


def _lives(lives: tuple[PodLife, ...], view: TargetView, now: datetime) -> tuple[PodLife, ...]:
    known = {life.name: life for life in lives}
    serving = {endpoint.pod for endpoint in view.endpoints}
    for pod in view.pods:
        known[pod.name] = _life(known.get(pod.name), pod, now if pod.name in serving else None)
    return tuple(known.values())[:MOST_PODS]


def _life(old: PodLife | None, pod: TargetPod, serving: datetime | None) -> PodLife:
    """First times stay: a pod that turns unready later was ready then all the same."""
    old = old or PodLife(pod.name)
    return PodLife(
        name=pod.name,
        created=old.created or pod.created,
        scheduled=old.scheduled or pod.scheduled,
        started=old.started or pod.started,
        ready=old.ready or pod.ready,
        serving=old.serving or serving,
        deleting=old.deleting or pod.deleting,
        waiting_for=pod.waiting_for or old.waiting_for,
    )


def to_json(timeline: Timeline) -> str:
    return msgspec.json.encode(timeline).decode()


def from_json(text: str) -> Timeline:
    return msgspec.json.decode(text, type=Timeline)


def directions(levels: Iterable[int]) -> int:
    """How often a sequence turns from growing to shrinking or back."""
    turns, last, previous = 0, 0, None
    for level in levels:
        step = 0 if previous is None else (level > previous) - (level < previous)
        turns += bool(step and last and step != last)
        last, previous = step or last, level
    return turns
