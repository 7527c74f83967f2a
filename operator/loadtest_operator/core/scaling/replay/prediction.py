"""What would have been: the run played with its own settings first, which it must reproduce, and then with others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from loadtest_operator.core.scaling.replay.course import Course, Record, UnknowableError, course_of
from loadtest_operator.core.scaling.replay.fit import SPELL, Measured, measured
from loadtest_operator.core.scaling.replay.loop import Played, play
from loadtest_operator.core.scaling.replay.settings import changed
from loadtest_operator.core.scaling.shadow.orders import Flags, Orders

MOST_ERROR: Final = 0.2
"""Replica-seconds by which the run's own replay may be off, as a share of those that were."""
MOST_OFF: Final = 1
"""Replicas by which its peak may be off."""
AS_GOOD: Final = 0.02
"""Of two that differ by less in their error the first is taken."""
SYNCS: Final = (15.0, 10.0, 5.0, 20.0, 30.0)
"""Seconds between two syncs that controllers are run with, the default first: the run itself tells which fits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it, from the load's beginning to its end."""

    course: tuple[int, ...]
    """Replicas, each number that was held in turn."""
    peak: int
    replica_seconds: int
    pending_seconds: int
    """Replica-seconds that were asked for and not ready."""
    short_seconds: int | None = None
    """Seconds in which requests waited because no replica had room; nothing where a replica's capacity was never reached."""
    late_share: float | None = None
    """Share of the requests that began while others waited for room: the debt to the SLO."""

    @property
    def shown(self) -> str:
        """`1→3→2`, of long ones the beginning and the end."""
        steps = [str(level) for level in self.course]
        return "→".join(steps if len(steps) <= 8 else [*steps[:4], "…", *steps[-3:]])


@dataclass(frozen=True, slots=True)
class Prediction:
    """The run as it was, as it is played, and as it would have been."""

    happened: Outcome
    replayed: Outcome
    predicted: Outcome
    measured: Measured
    error: float
    """Of the replay, as a share of the replica-seconds that were."""
    sync: float
    """Seconds."""
    beyond: str
    """Where the prediction leaves what the run has shown; empty where it does not."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A run that comes out as it was, played with its own settings."""

    course: Course
    measured: Measured
    orders: Orders
    """With the sync period that fits best."""
    played: Played
    error: float
    """Off by so much, as a share of the replica-seconds that were."""

    def with_orders(self, orders: Orders, cold_start: float | None = None) -> Played:
        """The same with others."""
        seconds = self.measured.cold_start if cold_start is None else cold_start
        return play(self.course, self.measured, replace(orders, flags=self.orders.flags), seconds)

    def outcome(self, played: Played) -> Outcome:
        return outcome(self.course, played, short=self.measured.short)


def predict(record: Record, settings: Iterable[str]) -> Prediction:
    """Raises UnknowableError where the run does not tell, SettingError where a setting is none."""
    course = course_of(record)
    wanted = changed(course.orders, settings)
    replay = reproduced(course)
    played = replay.with_orders(wanted.orders, wanted.cold_start)
    return Prediction(
        happened=_happened(course),
        replayed=replay.outcome(replay.played),
        predicted=replay.outcome(played),
        measured=replay.measured,
        error=replay.error,
        sync=replay.orders.flags.sync,
        beyond=_beyond(course, replay.measured, played),
    )


def reproduced(course: Course) -> Replay:
    """With the sync period that fits best. Raises UnknowableError where none does."""
    found, tried = measured(course), []
    for seconds in SYNCS:
        orders = replace(course.orders, flags=replace(Flags(), sync=seconds))
        tried.append((orders, play(course, found, orders, found.cold_start)))
    least = min(_error(course, played) for _, played in tried)
    orders, best = next(pair for pair in tried if _error(course, pair[1]) <= least + AS_GOOD)
    error, seen, mine = _error(course, best), _happened(course), outcome(course, best, short=found.short)
    if error > MOST_ERROR or abs(seen.peak - mine.peak) > MOST_OFF:
        raise UnknowableError(
            f"played with its own settings the run comes out as {mine.shown} and was {seen.shown}: off by {error:.0%} of the "
            f"replica-seconds, at most {MOST_ERROR:.0%} is taken for a prediction"
        )
    return Replay(course, found, orders, best, error)


def _during(course: Course, found: Sequence[int]) -> Sequence[int]:
    """From the load's beginning on."""
    return found[max(0, -course.begin) :]


def _error(course: Course, played: Played) -> float:
    pairs = list(zip(_during(course, course.replicas), _during(course, played.replicas), strict=True))
    seen = sum(real for real, _ in pairs)
    return sum(abs(real - mine) for real, mine in pairs) / seen if seen else float("inf")


def outcome(course: Course, played: Played, *, short: bool) -> Outcome:
    replicas, ready = _during(course, played.replicas), _during(course, played.ready)
    start = max(0, -course.begin)
    waiting, offered = played.waiting[start:], course.offered[start:]
    held = _held(replicas, ready)
    if not short or not sum(offered):
        return held
    late = sum(count for count, others in zip(offered, waiting, strict=True) if others >= 1)
    return replace(held, short_seconds=sum(1 for others in waiting if others >= 1), late_share=late / sum(offered))


def _happened(course: Course) -> Outcome:
    """How many waited for room is not to be seen from outside."""
    return _held(_during(course, course.replicas), _during(course, course.ready))


def _held(replicas: Sequence[int], ready: Sequence[int]) -> Outcome:
    return Outcome(
        course=tuple(level for level, _ in groupby(replicas)),
        peak=max(replicas, default=0),
        replica_seconds=sum(replicas),
        pending_seconds=sum(max(0, asked - there) for asked, there in zip(replicas, ready, strict=True)),
    )


def _beyond(course: Course, found: Measured, played: Played) -> str:
    """A replica that was never short may take more than was seen, or not."""
    if found.short:
        return ""
    busiest = max((load / there for load, there in loads(course, played.ready) if there), default=0.0)
    if busiest <= found.capacity * 1.1:
        return ""
    return (
        f"a replica would have to answer {busiest:.3g} requests/s, and none had to answer more than {found.capacity:.3g} in "
        "the run: whether it can is not known. Run it with more load, or fewer replicas, to see"
    )


def loads(course: Course, ready: Sequence[int]) -> Iterable[tuple[float, int]]:
    """Requests offered a second, averaged over a spell, and ready replicas; from the load's beginning on."""
    sums = [0.0]
    for offered in course.offered:
        sums.append(sums[-1] + offered)
    for at in range(SPELL + max(0, -course.begin), len(course.offered)):
        yield (sums[at] - sums[at - SPELL]) / SPELL, ready[at - 1]
