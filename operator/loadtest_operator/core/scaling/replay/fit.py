"""What was measured of the target in a run: how its autoscaler's metric follows the load, and what a replica can take.

The metric of all replicas together is taken to be `per_request × what is answered a second + idle × replicas`, seen as an
average over a `window` that ended `late` seconds ago: a least-squares line for each window and delay, of which the best is
kept. It stands between two of its measurements. A replica's capacity is known only where the load was more than was
answered: from what was answered then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Final

from loadtest_operator.core.scaling.replay.course import Course, UnknowableError
from loadtest_operator.core.scaling.shadow.orders import Steering

WINDOWS: Final = (1, 5, 10, 15, 20, 30, 45, 60)
DELAYS: Final = (0, 5, 10, 15, 20, 30)
LEAST_EXPLAINED: Final = 0.6
"""Share of the metric's movement that the load must explain."""
LEAST_POINTS: Final = 20
SPELL: Final = 10
"""Seconds over which what is answered is averaged."""
SHORT_OF: Final = 1.15
"""Offered over answered from which on the replicas were short."""


@dataclass(frozen=True, slots=True)
class Beat:
    """When a metric gets a new value; in between it stands. Places in the course."""

    every: int
    first: int

    def held(self, at: int) -> int:
        """Whence the value is that is served at this place."""
        return at - (at - self.first) % self.every


@dataclass(frozen=True, slots=True)
class Response:
    """How one metric follows the load."""

    steering: Steering
    per_request: float
    """Of all replicas together, for each request a second; percent or units."""
    idle: float
    """Of a replica without load."""
    window: int
    late: int
    beat: Beat
    explained: float
    """Share of its movement, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The target, as far as the run shows it."""

    responses: tuple[Response, ...]
    capacity: float
    """Requests a second that one replica answers at most; at least, where it was never short."""
    short: bool
    """Whether the replicas ever had more to do than they could."""
    cold_start: float
    """Seconds from a pod's creation to its being ready, the median."""


def measured(course: Course) -> Measured:
    """Raises UnknowableError."""
    if not course.cold_starts:
        raise UnknowableError("no pod was seen becoming ready: how long one takes is not known")
    capacity, short = _capacity(course)
    responses = tuple(_response(course, place) for place in range(len(course.orders.metrics)))
    return Measured(responses, capacity, short, median(course.cold_starts))


def whole(steering: Steering) -> bool:
    """Whether its value is of all replicas together."""
    return steering.to == "Value"


def of_pods(steering: Steering) -> bool:
    """Whether it is measured at ready pods; else it is shared out among all that are counted."""
    return steering.kind in ("Resource", "ContainerResource", "Pods")


def _capacity(course: Course) -> tuple[float, bool]:
    """By spells of seconds: what a ready replica answered where more was offered; else the most that was seen."""
    spells = [spell for spell in _spells(course) if spell.ready]
    if not any(spell.done for spell in spells):
        raise UnknowableError("nothing was answered while a replica was ready")
    short = [spell.done / spell.ready for spell in spells if spell.backlog and spell.done]
    if short:
        return median(short), True
    return max(spell.done / spell.ready for spell in spells), False


@dataclass(frozen=True, slots=True)
class _Spell:
    done: float
    """Answers a second."""
    ready: float
    backlog: bool
    """More was offered than answered, or still waited from before."""


def _spells(course: Course) -> Iterator[_Spell]:
    before = False
    for start in range(max(0, -course.begin), len(course.offered) - SPELL + 1, SPELL):
        part, last = slice(start, start + SPELL), start + SPELL - 1
        offered, done = fmean(course.offered[part]), fmean(course.answered[part])
        grown = course.in_flight[last] - course.in_flight[start]
        # What neither waits nor was given up was answered, if late.
        waiting = offered > SHORT_OF * done and grown + 1 >= (offered - fmean(course.ended[part])) * SPELL / 2
        # Answers that take long come late after a rise, too: that passes.
        yield _Spell(done, fmean(course.ready[part]), waiting and before and course.ready[start] == course.ready[last])
        before = waiting


def _response(course: Course, place: int) -> Response:
    steering = course.orders.metrics[place]
    points = list(_points(course, place))
    if len(points) < LEAST_POINTS:
        raise UnknowableError(
            f"metric {steering.name} was read in {len(points)} seconds only, {LEAST_POINTS} are needed"
        )
    beat = _beat(course.metrics[place])
    found = [_line(course, steering, points, window, late, beat) for window in WINDOWS for late in DELAYS]
    best = max(found, key=lambda response: response.explained)
    if best.explained < LEAST_EXPLAINED:
        raise UnknowableError(
            f"metric {steering.name} does not follow the load: requests a second explain {best.explained:.0%} of its "
            f"movement, {LEAST_EXPLAINED:.0%} are needed"
        )
    return best


def _beat(values: Sequence[float | None]) -> Beat:
    """By the seconds between its changes, of which some are longer because it stayed the same."""
    changes = [at for at, (one, other) in enumerate(pairwise(values), 1) if None not in (one, other) and one != other]
    apart = sorted(other - one for one, other in pairwise(changes))
    if not apart:
        return Beat(1, 0)
    every = apart[len(apart) // 4]
    return Beat(every, changes[-1] % every)


def _points(course: Course, place: int) -> Iterator[tuple[int, float, float]]:
    """Second (as a place), the metric of all replicas together, and how many they were."""
    steering = course.orders.metrics[place]
    counts = course.ready if of_pods(steering) else course.pods
    for at, value in enumerate(course.metrics[place]):
        if value is not None and counts[at]:
            yield at, value * (1 if whole(steering) else counts[at]), float(counts[at])


def _line(
    course: Course, steering: Steering, points: Sequence[tuple[int, float, float]], window: int, late: int, beat: Beat
) -> Response:
    """The least squares of total = per_request × answered + idle × count, neither below zero."""
    sums = [0.0, *accumulate(course.answered)]
    rows = [
        (averaged(sums, beat.held(at), window, late), 0.0 if whole(steering) else count, total)
        for at, total, count in points
    ]
    load, idle = _solved(rows)
    totals = [total for _, _, total in rows]
    centre = fmean(totals)
    spread = sum((total - centre) ** 2 for total in totals)
    left = sum((total - load * done - idle * count) ** 2 for done, count, total in rows)
    explained = 1 - left / spread if spread else 0.0
    return Response(steering, load, idle, window, late, beat, explained)


def averaged(sums: Sequence[float], at: int, window: int, late: int) -> float:
    """Of running sums: the average over the window that ended so long before; nothing was before the beginning."""
    end = max(0, min(at + 1 - late, len(sums) - 1))
    return (sums[end] - sums[max(0, end - window)]) / window


def _solved(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    xx = sum(x * x for x, _, _ in rows)
    xn = sum(x * n for x, n, _ in rows)
    nn = sum(n * n for _, n, _ in rows)
    xt = sum(x * t for x, _, t in rows)
    nt = sum(n * t for _, n, t in rows)
    determinant = xx * nn - xn * xn
    if determinant > 1e-9 * max(1.0, xx * nn):
        load, idle = (xt * nn - nt * xn) / determinant, (xx * nt - xn * xt) / determinant
        if load >= 0 and idle >= 0:
            return load, idle
    alone = max(0.0, xt / xx) if xx else 0.0
    return alone, 0.0
