"""From users to replicas to money, with the arithmetic shown.

Users who think for Z seconds between answers of R seconds ask X = N/(Z + R) times a second: Little's law (Operations
Research 9, 1961) for the cycle of asking and thinking, known as the interactive response time law (Lazowska et al.,
Quantitative System Performance, 1984, ch. 3). X·R of them wait for an answer at any time. A replica is counted at the
lower end of a knee that was held, less a headroom; that n replicas hold n times as much is an assumption, and said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.model.errors import LoadgenError
from loadgen.model.sweep import Conclusion

if TYPE_CHECKING:
    from loadgen.model.sweep import KneeFigures, LevelFigures, Sweep

HOURS_A_MONTH = 730


class NoCapacityError(LoadgenError):
    """The sweep ends in no capacity that a plan may rest on."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Who asks how often, and what is kept free."""

    users: int
    active_percent: float
    """Of the users, at the busiest time."""
    think_seconds: float
    """Between an answer and the next question."""
    headroom_percent: float
    """Of each replica's capacity that is left unused."""
    measured_replicas: int = 1
    """Behind the target when the sweep was run."""
    price: float | None = None
    """Of a replica, per hour."""
    tokens: float | None = None
    """Output tokens of a request."""


@dataclass(frozen=True, slots=True)
class Provision:
    """What it takes."""

    requests_per_second: float
    in_flight: float
    replicas: int
    cost_per_hour: float | None
    steps: tuple[str, ...]
    """The arithmetic, a line each."""


def provision(sweep: Sweep, demand: Demand) -> Provision:
    """Replicas for these users by a sweep whose knee was held. Raises NoCapacityError for any other."""
    found, low = _held(sweep)
    seconds = _response_seconds(sweep, low)
    active = demand.users * demand.active_percent / 100
    rate = active / (demand.think_seconds + seconds)
    waiting = rate * seconds
    closed = found.field.endswith("concurrency")
    needed, unit = (waiting, "requests in flight") if closed else (rate, "requests/s")
    each = low / demand.measured_replicas
    usable = each * (1 - demand.headroom_percent / 100)
    replicas = max(1, math.ceil(needed / usable - 1e-9))
    cost = None if demand.price is None else replicas * demand.price
    steps = (
        f"{demand.users} users × {demand.active_percent:g} % active = {active:.4g} at a time",
        f"each asks every {demand.think_seconds:g} s of thinking + {seconds:.3g} s of waiting (mean at {low:.4g}): "
        f"{active:.4g} / {demand.think_seconds + seconds:.4g} s = {rate:.4g} requests/s",
        f"{rate:.4g} requests/s × {seconds:.3g} s = {waiting:.3g} in flight (Little's law)",
        f"{found.field} = {low:.4g} was held, by {demand.measured_replicas} replica(s): {each:.4g} {unit} each, "
        f"if n replicas hold n times as much",
        f"less {demand.headroom_percent:g} % headroom: {usable:.4g} {unit}",
        f"{needed:.4g} / {usable:.4g} = {needed / usable:.3g} → {replicas} replica(s)",
        *_costs(demand, replicas, rate),
    )
    return Provision(rate, waiting, replicas, cost, steps)


def _held(sweep: Sweep) -> tuple[KneeFigures, float]:
    if sweep.conclusion is not Conclusion.CONFIRMED or sweep.knee is None or sweep.hold is None:
        raise NoCapacityError(
            f"the sweep ended {sweep.conclusion}: {sweep.message}; a plan needs a knee whose hold passed"
        )
    return sweep.knee, sweep.hold.level


def _response_seconds(sweep: Sweep, low: float) -> float:
    """Mean response time at the highest level up to the one that was held."""
    below = [level for level in sweep.levels if _load(level) <= low and level.response_time_mean is not None]
    if not below:
        raise NoCapacityError(f"no level up to {low:g} has a response time")
    return (below[-1].response_time_mean or 0.0) / 1000


def _load(level: LevelFigures) -> float:
    return float(next(iter(level.point.values())))


def _costs(demand: Demand, replicas: int, rate: float) -> tuple[str, ...]:
    if demand.price is None:
        return ()
    hourly = replicas * demand.price
    per_million = hourly / (rate * 3600) * 1e6
    lines = [
        f"{replicas} × {demand.price:g} an hour = {hourly:.4g} an hour, {hourly * HOURS_A_MONTH:.4g} a month of {HOURS_A_MONTH} h",
        f"{hourly:.4g} / ({rate:.4g} requests/s × 3600 s) = {per_million:.4g} per million requests, if it is always this busy",
    ]
    if demand.tokens:
        lines.append(
            f"{per_million:.4g} / {demand.tokens:g} output tokens a request = {per_million / demand.tokens:.4g} per million tokens"
        )
    return tuple(lines)
