"""What would have been better: least and most replicas and targets, from what the run measured; and how well it did.

A replica is to answer `u = c × (1 − headroom)` requests a second, c being its capacity. `n(λ) = ⌈λ / u⌉` replicas are needed for
λ requests a second: minReplicas is n of the quietest stage, maxReplicas n of the busiest ten seconds. A metric is kept at what it
is at u, divided by 1 + tolerance: the autoscaler moves when that is passed. All of it is then played in the run's own closed loop.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from loadtest_operator.core.scaling.replay.course import Course, Record, UnknowableError, course_of
from loadtest_operator.core.scaling.replay.fit import Response, of_pods, whole
from loadtest_operator.core.scaling.replay.prediction import Outcome, Replay, loads, reproduced
from loadtest_operator.core.scaling.shadow.orders import Orders, Steering

HEADROOM: Final = 0.3
MOST_SECONDS: Final = 6 * 3600
"""A longer run is not played when it ends: `kubectl loadtest whatif` can."""


@dataclass(frozen=True, slots=True)
class Score:
    """How the replicas followed the load (after SPEC RG's elasticity metrics)."""

    short: float
    """Share of the load's time in which fewer replicas were ready than were needed for it."""
    spare: float | None
    """Share in which there were more; nothing where what a replica can take is not known."""
    replica_seconds: int
    needed_seconds: int | None
    """Replica-seconds that were needed, had they been there at once."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Settings, how they come about, and what becomes of the run with them."""

    minimum: int
    maximum: int
    targets: tuple[tuple[str, str], ...]
    """Name of the metric and its target; of metrics whose target is of all replicas together none."""
    arithmetic: tuple[str, ...]
    played: Outcome
    least: bool
    """The capacity is only what was seen: fewer replicas may do."""


def advised(record: Record) -> tuple[Score, Recommendation]:
    """Raises UnknowableError."""
    if record.report.plan.load.duration_seconds > MOST_SECONDS:
        raise UnknowableError(f"the run is longer than {MOST_SECONDS // 3600} h: ask kubectl loadtest whatif")
    replay = reproduced(course_of(record))
    return score(replay), recommended(replay, record)


def score(replay: Replay) -> Score:
    """With the capacity that was measured, without headroom."""
    course = replay.course
    needed = [
        (max(1, math.ceil(load / replay.measured.capacity)), there) for load, there in loads(course, course.ready)
    ]
    seconds = sum(course.replicas[max(0, -course.begin) :])
    if not replay.measured.short:
        return Score(0.0, None, seconds, None)
    return Score(
        short=_share(there < wanted for wanted, there in needed),
        spare=_share(there > wanted for wanted, there in needed),
        replica_seconds=seconds,
        needed_seconds=sum(wanted for wanted, _ in needed),
    )


def recommended(replay: Replay, record: Record) -> Recommendation:
    """Raises UnknowableError."""
    each = replay.measured.capacity * (1 - HEADROOM)
    quiet = min(_offered_by_stage(replay.course, record))
    busy = max((load for load, _ in loads(replay.course, replay.course.ready)), default=0.0)
    least, most = (max(1, math.ceil(load / each - 1e-9)) for load in (quiet, busy))
    most = max(least, most)
    tolerance = replay.orders.tolerances[1]
    found = [(response, _target(response, each, tolerance)) for response in replay.measured.responses]
    orders = _with(replay.orders, least, most, [target for _, target in found])
    return Recommendation(
        minimum=least,
        maximum=most,
        targets=tuple((one.steering.name, shown(one.steering, target)) for one, target in found if target is not None),
        arithmetic=tuple(_arithmetic(replay, each, (quiet, least), (busy, most), found)),
        played=replay.outcome(replay.with_orders(orders)),
        least=not replay.measured.short,
    )


def _offered_by_stage(course: Course, record: Record) -> Iterator[float]:
    """Requests a second."""
    begin = max(0, -course.begin)
    for stage in record.report.plan.load.stages:
        end = begin + stage.duration_seconds
        yield fmean(course.offered[begin:end] or (0.0,))
        begin = end


def shown(steering: Steering, target: int) -> str:
    """Percent, or a quantity."""
    if steering.to == "Utilization":
        return f"{target}%"
    return f"{target}m" if target % 1000 else str(target // 1000)


def _target(response: Response, each: float, tolerance: float) -> int | None:
    """Percent, or thousandths; cut, so that it moves too early rather than too late."""
    if whole(response.steering):
        return None
    value = (response.per_request * each + _idle(response)) / (1 + tolerance)
    return max(1, math.floor(value if response.steering.to == "Utilization" else value * 1000))


def _idle(response: Response) -> float:
    """Of a replica; what is shared out among all is nobody's own."""
    return response.idle if of_pods(response.steering) else 0.0


def _with(orders: Orders, least: int, most: int, targets: list[int | None]) -> Orders:
    metrics = tuple(
        steering if target is None else replace(steering, target=target)
        for steering, target in zip(orders.metrics, targets, strict=True)
    )
    return replace(orders, minimum=least, maximum=most, metrics=metrics)


def _arithmetic(
    replay: Replay,
    each: float,
    quiet: tuple[float, int],
    busy: tuple[float, int],
    found: list[tuple[Response, int | None]],
) -> Iterator[str]:
    capacity = replay.measured.capacity
    said = "answered at most" if replay.measured.short else "answered, never short of room,"
    yield f"a replica {said} {capacity:.3g} requests/s; with {HEADROOM:.0%} headroom {each:.3g} requests/s each"
    yield f"minReplicas: ⌈{quiet[0]:.3g} / {each:.3g}⌉ = {quiet[1]}, for the quietest stage"
    yield f"maxReplicas: ⌈{busy[0]:.3g} / {each:.3g}⌉ = {busy[1]}, for the busiest ten seconds"
    tolerance = replay.orders.tolerances[1]
    for response, target in found:
        if target is not None:
            yield (
                f"target of {response.steering.name}: ({response.per_request:.3g} × {each:.3g} + {_idle(response):.3g}) / "
                f"{1 + tolerance:g} = {shown(response.steering, target)}"
            )


def _share(found: Iterator[bool]) -> float:
    every = list(found)
    return sum(every) / len(every) if every else 0.0
