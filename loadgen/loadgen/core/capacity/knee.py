"""The knee: the highest load at which the wanted share of requests keeps its SLO, with an interval of the *load*.

Attainment never rises with load, so its best fit is isotonic (Barlow et al., Statistical Inference under Order
Restrictions, 1972), weighted by requests; the min-max formula gives the solution of the pool-adjacent-violators
algorithm for many draws at once. Between two levels nothing was measured: attainment bends downwards there, so its chord
crosses the wanted share too early, and the chord of its logits (straight for an M/M/c queue's tail) rather too late. The
estimate is the middle of both. The interval trusts no curve: it begins and ends at levels that were measured, so it is
never narrower than the space between two of them.

The interval is a two-level bootstrap (Davison & Hinkley, Bootstrap Methods and their Application, 1997, ch. 3.8): repeats
of a level are drawn, then blocks of at least ten seconds within them, and each draw is fitted and inverted anew. Its
coverage on simulated servers stands in docs/capacity.md.

Where the lowest level fails already, or the highest still holds, the range is no answer and an end is: AtMost, AtLeast.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

BLOCK_SECONDS = 10
DRAWS = 2000
TAIL = 0.025
CLIFF = 1.10
"""A load so much higher than the knee at which half of the attainment is gone makes it a cliff."""


class Bound(StrEnum):
    """What the knee's number is."""

    KNOWN = "Known"
    AT_LEAST = "AtLeast"
    AT_MOST = "AtMost"


class Shape(StrEnum):
    """How attainment falls past the knee."""

    SMOOTH = "Smooth"
    CLIFF = "Cliff"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one level."""

    load: float
    blocks: tuple[tuple[int, int], ...]
    """Requests that kept their SLO, and all that were planned, in each block."""

    @property
    def good(self) -> int:
        return sum(good for good, _ in self.blocks)

    @property
    def planned(self) -> int:
        return sum(planned for _, planned in self.blocks)


@dataclass(frozen=True, slots=True)
class Level:
    """All trials of a load, pooled."""

    load: float
    repeats: int
    attained: float
    fitted: float
    """By the isotonic fit; a share."""


@dataclass(frozen=True, slots=True)
class Knee:
    """A load with its 95 % interval. An end that lies beyond the range of levels is absent."""

    bound: Bound
    load: float
    low: float | None
    high: float | None
    shape: Shape | None
    """Absent where levels are too far apart to tell, or the range ends before the fall."""
    levels: tuple[Level, ...]

    @property
    def width(self) -> float:
        """Of the interval, as a share of the load; infinite while an end is open."""
        return float("inf") if self.low is None or self.high is None else (self.high - self.low) / self.load


def find(trials: Sequence[Trial], share: float, *, draws: int = DRAWS, seed: int = 0) -> Knee:
    """The knee of these trials at `share` (0 … 1) of requests within their SLO. Raises ValueError without any."""
    grouped = _grouped(trials)
    curve = _observed(grouped)
    ends = [float(end[0]) for end in curve.crossings(share)]
    load = sum(ends) / 2
    low, high = _interval(grouped, share, draws, np.random.default_rng(seed))
    return Knee(
        bound=_bound(load),
        load=float(np.clip(load, curve.loads[0], curve.loads[-1])),
        low=low,
        high=high,
        shape=_shape(curve, share),
        levels=tuple(
            Level(at, len(level), float(good / planned), float(fitted))
            for (at, level), good, planned, fitted in zip(
                grouped.items(), curve.good[0], curve.planned[0], curve.fitted[0], strict=True
            )
        ),
    )


def _grouped(trials: Sequence[Trial]) -> dict[float, list[Trial]]:
    """By load, ascending; a trial without requests says nothing."""
    grouped: dict[float, list[Trial]] = {}
    for trial in sorted((one for one in trials if one.planned), key=lambda one: one.load):
        grouped.setdefault(trial.load, []).append(trial)
    if not grouped:
        raise ValueError("no trial has a request: there is no knee to find")
    return grouped


@dataclass(frozen=True, slots=True)
class _Curve:
    """Attainment by load, once for each draw."""

    loads: Draws
    good: Draws
    planned: Draws
    fitted: Draws

    def crossings(self, share: float) -> tuple[Draws, Draws]:
        """Where each draw falls below the share, by the chord and by the chord of the logits: −∞ before the first level,
        ∞ past the last. Attainment bends downwards between levels, so the one is early and the other late."""
        half = 0.5 / self.planned
        odds = np.log((self.fitted + half) / (1 - self.fitted + half)) - np.log((share + half) / (1 - share + half))
        return self._zero(self.fitted - share), self._zero(odds)

    def _zero(self, excess: Draws) -> Draws:
        holding = (excess >= 0).sum(axis=1)
        last = self.loads.size - 1
        right = np.clip(holding, min(1, last), last)
        left, rows = np.maximum(right - 1, 0), np.arange(holding.size)
        above, below = np.maximum(excess[rows, left], 0.0), np.maximum(-excess[rows, right], 1e-12)
        between = self.loads[left] + above / (above + below) * (self.loads[right] - self.loads[left])
        return np.where(holding == 0, -np.inf, np.where(holding > last, np.inf, between))


def _observed(grouped: dict[float, list[Trial]]) -> _Curve:
    good = np.array([[sum(one.good for one in level) for level in grouped.values()]], dtype=np.float64)
    planned = np.array([[sum(one.planned for one in level) for level in grouped.values()]], dtype=np.float64)
    return _Curve(np.array(list(grouped)), good, planned, fit(good, planned))


def fit(good: Draws, planned: Draws) -> Draws:
    """Falling shares, draw × level: min over a ≤ i of max over b ≥ i of the mean of levels a … b."""
    zero = np.zeros((good.shape[0], 1))
    hits = np.concatenate([zero, np.cumsum(good, axis=1)], axis=1)
    all_of = np.concatenate([zero, np.cumsum(planned, axis=1)], axis=1)
    fitted = np.full(good.shape, np.inf)
    for first in range(good.shape[1]):
        means = (hits[:, first + 1 :] - hits[:, [first]]) / (all_of[:, first + 1 :] - all_of[:, [first]])
        best = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        fitted[:, first:] = np.minimum(fitted[:, first:], best)
    return fitted


def _bound(load: float) -> Bound:
    if np.isinf(load):
        return Bound.AT_LEAST if load > 0 else Bound.AT_MOST
    return Bound.KNOWN


def _interval(
    grouped: dict[float, list[Trial]], share: float, draws: int, rng: np.random.Generator
) -> tuple[float | None, float | None]:
    """From the last level that holds in all draws but a few, to the first that fails in all but a few."""
    loads = np.array([-np.inf, *grouped, np.inf])
    drawn = [_drawn(level, draws, rng) for level in grouped.values()]
    good, planned = (np.column_stack([one[part] for one in drawn]) for part in (0, 1))
    holding = np.sort((fit(good, planned) >= share).sum(axis=1))
    outside = int(draws * TAIL)
    return _end(float(loads[holding[outside]])), _end(float(loads[holding[draws - 1 - outside] + 1]))


def _end(load: float) -> float | None:
    return None if np.isinf(load) else load


def _drawn(level: Sequence[Trial], draws: int, rng: np.random.Generator) -> tuple[Draws, Draws]:
    """Good and planned requests of each draw: repeats with replacement, then blocks within each."""
    good, planned = np.zeros(draws), np.zeros(draws)
    blocks = [np.array(trial.blocks, dtype=np.float64) for trial in level]
    chosen = rng.integers(len(level), size=(draws, len(level)))
    for index, block in enumerate(blocks):
        times = (chosen == index).sum(axis=1) * len(block)
        counts = rng.multinomial(times, np.full(len(block), 1 / len(block)))
        good += counts @ block[:, 0]
        planned += counts @ block[:, 1]
    return good, np.maximum(planned, 1e-9)


def _shape(curve: _Curve, share: float) -> Shape | None:
    """A cliff, where half of the share is gone at 1.1 × the last level that holds; None where no level is near enough."""
    holding = curve.loads[curve.fitted[0] >= share]
    fallen = curve.loads[curve.fitted[0] < share / 2]
    if not holding.size:
        return None
    near = CLIFF * holding[-1]
    if fallen.size and fallen[0] <= near:
        return Shape.CLIFF
    standing = curve.loads[curve.fitted[0] >= share / 2]
    return Shape.SMOOTH if standing[-1] >= near else None
