"""What was measured of the target in a run: how its autoscaler's metric follows the load, and what a replica can take.

A metric of pods is taken to be `per_request × what a ready replica answers a second + idle`, any other the same of all replicas
together; seen as an average over a `window` that ended `late` seconds ago: a least-squares line for each window and delay, of
which the best is kept. It stands between two of its measurements. A replica's capacity is known only where the load was more
than was answered: from what was answered then.
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
MOST_POINTS: Final = 1000
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
    """For each request a second: of one replica, or of all together; percent or units."""
    idle: float
    """Without load."""
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
        waiting = _is_short(course, part)
        # Answers that take long come late after a rise, too: that passes.
        steady = before and course.ready[start] == course.ready[last]
        yield _Spell(fmean(course.answered[part]), fmean(course.ready[part]), waiting and steady)
        before = waiting


def _is_short(course: Course, part: slice) -> bool:
    """More was offered than answered, and it waited: what waits is in flight, and what was given up was so for all its patience.
    What failed at once was not for want of room."""
    offered, answered, ended = (fmean(found[part]) for found in (course.offered, course.answered, course.ended))
    in_flight = course.in_flight[part]
    growing = in_flight[-1] - in_flight[0] >= (offered - ended) * SPELL / 2 and offered > SHORT_OF * ended
    given_up = ended > answered and fmean(in_flight) >= 0.8 * (ended - answered) * course.patience
    return offered > SHORT_OF * answered and (growing or given_up)


def _response(course: Course, place: int) -> Response:
    steering = course.orders.metrics[place]
    points = list(_points(course, place))
    if len(points) < LEAST_POINTS:
        raise UnknowableError(
            f"metric {steering.name} was read in {len(points)} seconds only, {LEAST_POINTS} are needed"
        )
    beat = _beat(course.metrics[place])
    points = points[:: max(1, len(points) // MOST_POINTS)]
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


def _points(course: Course, place: int) -> Iterator[tuple[int, float]]:
    """Second (as a place) and the metric: of a ready replica, or of all together."""
    steering = course.orders.metrics[place]
    for at, value in enumerate(course.metrics[place]):
        if value is not None and (course.ready if of_pods(steering) else course.pods)[at]:
            yield at, value if whole(steering) or of_pods(steering) else value * course.pods[at]


def _line(
    course: Course, steering: Steering, points: Sequence[tuple[int, float]], window: int, late: int, beat: Beat
) -> Response:
    """The least squares of metric = per_request × answered + idle, neither below zero; answered by one replica, or by all."""
    sums = [0.0, *accumulate(map(each, course.answered, course.ready) if of_pods(steering) else course.answered)]
    rows = [(averaged(sums, beat.held(at), window, late), value) for at, value in points]
    load, idle = _solved(rows)
    values = [value for _, value in rows]
    centre = fmean(values)
    spread = sum((value - centre) ** 2 for value in values)
    left = sum((value - load * done - idle) ** 2 for done, value in rows)
    return Response(steering, load, idle, window, late, beat, 1 - left / spread if spread else 0.0)


def each(answered: float, ready: int) -> float:
    """Requests a second that one ready replica answered."""
    return answered / ready if ready else 0.0


def averaged(sums: Sequence[float], at: int, window: int, late: int) -> float:
    """Of running sums: the average over the window that ended so long before; nothing was before the beginning."""
    end = max(0, min(at + 1 - late, len(sums) - 1))
    return (sums[end] - sums[max(0, end - window)]) / window


def _solved(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope and intercept; with what is below zero taken for zero."""
    centre_x, centre_y = fmean(x for x, _ in rows), fmean(y for _, y in rows)
    spread = sum((x - centre_x) ** 2 for x, _ in rows)
    slope = sum((x - centre_x) * (y - centre_y) for x, y in rows) / spread if spread else 0.0
    intercept = centre_y - slope * centre_x
    if slope < 0:
        return 0.0, max(0.0, centre_y)
    if intercept < 0:
        squares = sum(x * x for x, _ in rows)
        return sum(x * y for x, y in rows) / squares if squares else 0.0, 0.0
    return slope, intercept
