"""Confidence intervals, two-sided 95 %, each from what its kind of data allows; and how two of them make a difference.

- A percentile: order statistics (David & Nagaraja, Order Statistics, 2003, ch. 7.1); no assumption on the distribution.
- A share: Wilson (JASA 22, 1927). A rate: batch means with Student's t (Law, Simulation Modeling and Analysis, ch. 9).
- A difference of independent figures: MOVER (Zou & Donner, Statistics in Medicine 27, 2008), which keeps each side's
  asymmetry; of two shares it is Newcombe's interval (Statistics in Medicine 17, 1998).
- Pairs: Hodges–Lehmann's estimate with the exact interval of the signed-rank test (Hollander & Wolfe, Nonparametric
  Statistical Methods, ch. 3); 6 pairs are the fewest that reach 95 %.
- Runs that are no pairs: Welch's t on the runs' figures (Biometrika 34, 1947), degrees of freedom rounded down.

Queues autocorrelate: n values are worth n/D, where D is the variance of a batch's count over what independent values
would have (Kish's design effect).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, variance
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DOUBT = 0.05
NORMAL = 1.959964
FEWEST_PAIRS = 6
MOST_BATCHES = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between two limits."""

    estimate: float
    low: float
    high: float

    def hull(self, other: Interval) -> Interval:
        """This estimate with the wider of both limits."""
        return Interval(self.estimate, min(self.low, other.low), max(self.high, other.high))

    def mapped(self, change: Callable[[float], float]) -> Interval:
        """On another scale, one that rises with this."""
        return Interval(change(self.estimate), change(self.low), change(self.high))


def mover(before: Interval, after: Interval) -> Interval:
    """The interval of after − before, independent of each other."""
    difference = after.estimate - before.estimate
    down = math.hypot(after.estimate - after.low, before.high - before.estimate)
    up = math.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(difference, difference - down, difference + up)


def ranks(count: int, share: float) -> tuple[int, int] | None:
    """Ranks l < u of `count` values between which the share's quantile lies; None where one of them does not exist."""
    below = np.cumsum(_binomial(count, share))
    low = int(np.searchsorted(below, DOUBT / 2, side="right"))
    high = int(np.searchsorted(below, 1 - DOUBT / 2)) + 1
    return (low, high) if low >= 1 and high <= count else None


def _binomial(count: int, share: float) -> NDArray[np.float64]:
    hits = np.arange(1, count + 1)
    steps = np.log((count - hits + 1) / hits) + math.log(share / (1 - share))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    chances: NDArray[np.float64] = np.exp(logs - logs.max())
    chances /= chances.sum()
    return chances


def fewest(share: float) -> int:
    """How many independent values a share's quantile needs for both limits to exist."""
    rarer = min(share, 1 - share)
    return math.ceil(math.log(DOUBT / 2) / math.log(1 - rarer)) + 1


def wilson(hits: float, count: float) -> Interval:
    """Of a share; both may be effective numbers."""
    if count <= 0:
        return Interval(0.0, 0.0, 1.0)
    share, square = hits / count, NORMAL**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def design_effect(hits: Sequence[int], counts: Sequence[int], share: float) -> float:
    """D of an indicator that is true for `share` of all values, from its number in each slot; at least 1."""
    batches = np.array_split(np.column_stack([hits, counts]), min(MOST_BATCHES, max(1, len(hits))))
    true, values = np.array([batch.sum(axis=0) for batch in batches], dtype=np.float64).T
    expected = share * (1 - share) * float(values.mean())
    if len(batches) < 2 or not expected:
        return 1.0
    return max(1.0, float(((true - share * values) ** 2).sum()) / (len(batches) - 1) / expected)


def batch_means(slots: Sequence[float]) -> Interval | None:
    """Of the mean of a series; None for fewer than five slots."""
    if len(slots) < 5:
        return None
    means = [float(batch.mean()) for batch in np.array_split(np.asarray(slots, dtype=np.float64), min(10, len(slots)))]
    half = student(len(means) - 1) * math.sqrt(variance(means) / len(means))
    middle = float(np.mean(slots))
    return Interval(middle, middle - half, middle + half)


def welch(before: Sequence[float], after: Sequence[float]) -> Interval | None:
    """The difference of the means of two sets of runs; None with fewer than two in either."""
    if min(len(before), len(after)) < 2:
        return None
    parts = [variance(side) / len(side) for side in (before, after)]
    freedom = [part**2 / (len(side) - 1) for part, side in zip(parts, (before, after), strict=True)]
    degrees = int(sum(parts) ** 2 / sum(freedom)) if sum(freedom) else 1
    difference, half = fmean(after) - fmean(before), student(max(1, degrees)) * math.sqrt(sum(parts))
    return Interval(difference, difference - half, difference + half)


def signed_rank(differences: Sequence[float]) -> Interval | None:
    """Hodges–Lehmann's estimate of pairs' differences with its exact interval; None below 6 pairs."""
    count = len(differences)
    if count < FEWEST_PAIRS:
        return None
    first, second = np.triu_indices(count)
    values = np.asarray(differences, dtype=np.float64)
    walsh = np.sort((values[first] + values[second]) / 2)
    place = _critical(count)
    return Interval(float(np.median(walsh)), float(walsh[place - 1]), float(walsh[-place]))


@lru_cache
def _critical(count: int) -> int:
    """The largest c with P(W+ < c) ≤ 2.5 %, W+ the sum of a random half of the ranks 1 … count."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        longer = np.zeros(ways.size + rank)
        longer[: ways.size] += ways / 2
        longer[rank:] += ways / 2
        ways = longer
    return int(np.searchsorted(np.cumsum(ways), DOUBT / 2, side="right"))


@lru_cache
def student(degrees: int) -> float:
    """The 97.5 % quantile of Student's t, by halving; its distribution from Abramowitz & Stegun 26.7.3 and 26.7.4."""
    low, high = 1.9, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, degrees) < 1 - DOUBT else (low, middle)
    return low


def _inside(t: float, degrees: int) -> float:
    """P(|T| < t)."""
    angle = math.atan(t / math.sqrt(degrees))
    square, odd = math.cos(angle) ** 2, degrees % 2
    term: float = math.cos(angle) if odd else 1.0
    total = term
    for step in range(2 + odd, degrees - 1, 2):
        term *= square * (step - 1) / step
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * total if degrees > 1 else 0.0))
