"""What was seen of the target over time: samples, and where nobody looked.

A sample holds from its `time` until the next one's `before`: between `before` (when the look before it began to read)
and `time` it became so, nobody knows when exactly. Only changes are kept. Where nobody looked for longer than
`MOST_BETWEEN_LOOKS` (the operator was away, the API server refused) the next sample says so in `unseen`: that is a
gap, in which anything may have happened that the objects' own times do not exclude.

Nothing is cut while judging. Stored compressed, so that a run of a day fits into a ConfigMap; what still does not
fit leaves as a gap, not silently.
"""

import base64
import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.metrics.readings import Reading
from loadtest_operator.core.scaling.shadow.orders import Orders
from loadtest_operator.core.scaling.target import TargetPod, TargetView

MOST_BETWEEN_LOOKS = timedelta(seconds=3)
"""Looks that are farther apart leave a gap: in between there was time for a change and its contrary."""
MOST_STORED = 900 * 1024
"""Bytes of a ConfigMap, which holds 1 MiB."""
NOBODY = "nobody looked: the operator was away"
NOT_KEPT = "what was seen is too much to be kept"
OTHER_RELEASE = "what was seen before was stored by another release and cannot be read"


@dataclass(frozen=True, slots=True)
class Sample:
    """The target from `time` on."""

    time: datetime
    before: datetime
    """When it was last known to be as the sample before says."""
    serving: int
    """Pods in the Service's endpoints."""
    replicas: int | None = None
    """What the workload's spec asks for."""
    pods: int = 0
    """Living pods of the Service's selector."""
    scaler: Autoscaler | None = None
    metrics: tuple[Reading, ...] = ()
    """What the autoscaler steers by, as the metrics APIs served it, at most some seconds old."""
    blind: str = ""
    """Why there is no autoscaler or workload to be seen, where that was refused."""
    rollout: bool = False
    writer: str = ""
    unseen: str = ""
    """Why nobody looked between `before` and `time`; empty where somebody did."""
    ready_since: tuple[datetime, ...] = ()
    """After a gap: since when, by the API's own times, each serving pod has been ready."""

    @property
    def wanted(self) -> int | None:
        """What the autoscaler wanted."""
        return self.scaler.desired if self.scaler else None

    @property
    def levels(self) -> tuple[int, ...]:
        """What is asked for, by the workload's spec and by the autoscaler, as far as it is known."""
        return tuple(level for level in (self.replicas, self.wanted) if level is not None)


@dataclass(frozen=True, slots=True)
class PodLife:
    """When a pod reached what: the API's times, but for `serving`, which only looking tells."""

    name: str
    created: datetime | None = None
    scheduled: datetime | None = None
    initialized: datetime | None = None
    started: datetime | None = None
    ready: datetime | None = None
    serving: datetime | None = None
    """When it was first seen in the endpoints."""
    absent: datetime | None = None
    """When it was last seen not to be there, before that."""
    deleting: datetime | None = None
    told_to_go: datetime | None = None
    gone: datetime | None = None
    """When it was first seen not to be there any more."""
    waiting_for: str = ""
    """Why it had no node, as was said last."""
    uid: str = ""

    @property
    def identity(self) -> str:
        return self.uid or self.name


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody looked."""

    start: datetime
    end: datetime
    because: str

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything seen so far."""

    since: datetime | None = None
    until: datetime | None = None
    """Up to when it is known: when the last look began to read."""
    samples: tuple[Sample, ...] = ()
    pods: tuple[PodLife, ...] = ()
    autoscaler: str = ""
    orders: Orders | None = None
    """Its spec as it was seen last, whole enough to be played again."""
    trouble: str = ""
    """Why the looks since `until` saw nothing."""

    @property
    def last(self) -> Sample | None:
        return self.samples[-1] if self.samples else None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(Gap(found.before, found.time, found.unseen) for found in self.samples if found.unseen)

    @property
    def blind(self) -> str:
        """Why the autoscaler cannot be looked at."""
        return self.last.blind if self.last else ""

    def from_moment(self, moment: datetime) -> tuple[Sample, ...]:
        """What held at the moment, and every change after it."""
        place = sum(1 for sample in self.samples if sample.time <= moment)
        return self.samples[max(0, place - 1) :]


def extended(timeline: Timeline, view: TargetView, now: datetime) -> Timeline:
    """With what is seen now. `view.read` is when reading began, `now` when it was done."""
    read = min(view.read or now, now)
    # A clock that was set back makes nothing unseen again.
    before = min(timeline.until or read, now)
    unseen = _unseen(timeline, before, now)
    sample = Sample(
        time=now,
        before=before,
        serving=view.ready,
        replicas=view.desired,
        pods=sum(1 for pod in view.pods if not pod.deleting and not pod.ended),
        scaler=view.autoscaler,
        metrics=view.metrics,
        blind=view.blind,
        rollout=view.rollout,
        writer=view.writer,
        unseen=unseen,
        ready_since=_ready_since(view) if unseen else (),
    )
    known = not unseen and _same(timeline.last, sample)
    return Timeline(
        since=timeline.since or now,
        until=max(read, before),
        samples=timeline.samples if known else (*timeline.samples, sample),
        pods=_lives(timeline.pods, view, before, now),
        autoscaler=view.autoscaler.name if view.autoscaler else timeline.autoscaler,
        orders=view.orders or timeline.orders,
    )


def missed(timeline: Timeline, because: str) -> Timeline:
    """A look saw nothing; the first reason is kept until one sees again."""
    return replace(timeline, trouble=timeline.trouble or because)


def _unseen(timeline: Timeline, before: datetime, now: datetime) -> str:
    if timeline.until is None and not timeline.trouble:
        return ""
    if timeline.until is None or now - before > MOST_BETWEEN_LOOKS:
        return timeline.trouble or NOBODY
    return ""


def _same(last: Sample | None, new: Sample) -> bool:
    if last is None:
        return False
    return replace(new, time=last.time, before=last.before, unseen=last.unseen, ready_since=last.ready_since) == last


def _ready_since(view: TargetView) -> tuple[datetime, ...]:
    serving = {endpoint.pod for endpoint in view.endpoints}
    return tuple(sorted(pod.ready for pod in view.pods if pod.ready and pod.name in serving))


def _lives(lives: tuple[PodLife, ...], view: TargetView, before: datetime, now: datetime) -> tuple[PodLife, ...]:
    known = {life.identity: life for life in lives}
    serving = {endpoint.pod for endpoint in view.endpoints}
    there = {pod.identity for pod in view.pods}
    for identity, life in known.items():
        if life.gone is None and identity not in there:
            known[identity] = replace(life, gone=now)
    for pod in view.pods:
        first = now if pod.name in serving and not pod.ended else None
        known[pod.identity] = _life(known.get(pod.identity), pod, first, before)
    return tuple(known.values())


def _life(old: PodLife | None, pod: TargetPod, serving: datetime | None, before: datetime) -> PodLife:
    """First times stay: a pod that turns unready later was ready then all the same."""
    old = old or PodLife(pod.name)
    return PodLife(
        name=pod.name,
        created=old.created or pod.created,
        scheduled=old.scheduled or pod.scheduled,
        initialized=old.initialized or pod.initialized,
        started=old.started or pod.started,
        ready=old.ready or pod.ready,
        serving=old.serving or serving,
        absent=old.absent or (before if serving else None),
        deleting=old.deleting or pod.deleting,
        told_to_go=old.told_to_go or pod.told_to_go,
        waiting_for=pod.waiting_for or old.waiting_for,
        uid=pod.uid,
    )


def stored(timeline: Timeline, most: int = MOST_STORED) -> str:
    """Compressed, as text for a ConfigMap's binaryData. What does not fit is left out from the beginning, as a gap."""
    return base64.b64encode(_packed(fitting(timeline, most * 3 // 4))).decode()


def fitting(timeline: Timeline, most: int) -> Timeline:
    """As much of it as fits compressed into so many bytes: what does not is left out from the beginning, as a gap."""
    kept = timeline
    while len(kept.samples) > 1 and len(_packed(kept)) > most:
        kept = replace(kept, samples=_later_half(kept.samples))
    return kept


def _packed(timeline: Timeline) -> bytes:
    return gzip.compress(msgspec.json.encode(timeline), 6, mtime=0)


def _later_half(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    first, *rest = samples[len(samples) // 2 :]
    return (replace(first, before=samples[0].before, unseen=NOT_KEPT, ready_since=()), *rest)


def loaded(text: str) -> Timeline:
    """What `stored` made. What another release made and cannot be read is a gap."""
    try:
        return msgspec.json.decode(gzip.decompress(base64.b64decode(text)), type=Timeline)
    except (ValueError, OSError, EOFError, zlib.error, msgspec.MsgspecError):
        return Timeline(trouble=OTHER_RELEASE)


def directions(levels: Iterable[int]) -> int:
    """How often a sequence turns from growing to shrinking or back."""
    turns, last, previous = 0, 0, None
    for level in levels:
        step = 0 if previous is None else (level > previous) - (level < previous)
        turns += bool(step and last and step != last)
        last, previous = step or last, level
    return turns
