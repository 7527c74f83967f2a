"""How sure a share, a mean or a rate is: intervals, what dependence costs, and evidence that may be looked at all the time.

Shares: Clopper and Pearson's exact bounds (Biometrika 26, 1934), each one-sided at 95 %, as quantiles of the beta distribution. They take
fractions, so that k of n dependent attempts count as k/d of n/d independent ones.

Dependence: what happens in one second is like what happened in the one before (queues). Batch means (Law and Kelton, Simulation Modeling
and Analysis, 2000, ch. 9.5.3): the seconds are cut into at most twenty batches, and how much batches differ tells the variance of the
whole. The design effect d (Kish, Survey Sampling, 1965) is that variance over the one of independent attempts, and never below 1.
What a scope is too short to show is not in it: a queue that is nearly full remembers minutes, and at its very bound a few minutes of it
may look surer than they are (M/M/1 at 80 %: 5 % false Passed after twenty minutes, 19 % after five; counted as independent, 40 %).

Sequences: `evidence_above` is a mixture of likelihood ratios over all shares above the limit (Robbins, Ann. Math. Stat. 41, 1970). While
the true share is at or below the limit it is a nonnegative supermartingale, so that by Ville's inequality (1939) it *ever* reaches 1/α
with probability α at most: it may be looked at after every second, and over any prefix of the seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Seconds = NDArray[np.float64]

DOUBT = 0.05
"""Chance that a one-sided bound is on the wrong side."""
EARLY_DOUBT = 0.01
"""The same for a claim that may be made at any second."""
BATCHES = 20
NORMAL_QUANTILE = 1.6448536
"""Where the normal distribution reaches 95 %."""
FEWEST_BATCHES = 5
"""With fewer there is nothing to see dependence by."""
_TINY = 1e-300
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the truth lies; each end is right with 95 %."""

    low: float
    high: float


@lru_cache(4096)
def share(hits: float, attempts: float) -> Interval:
    """Clopper and Pearson's bounds of hits/attempts; anything is possible without attempts."""
    if attempts <= 0:
        return Interval(0.0, 1.0)
    low = beta_quantile(DOUBT, hits, attempts - hits + 1) if hits > 0 else 0.0
    high = beta_quantile(1 - DOUBT, hits + 1, attempts - hits) if hits < attempts else 1.0
    return Interval(low, high)


def design_effect(hits: Seconds, attempts: Seconds) -> float:
    """How many dependent attempts count as one independent; 1 where dependence cannot be seen."""
    total, known = float(attempts.sum()), float(hits.sum())
    busy = attempts > 0
    if known <= 0 or known >= total or np.count_nonzero(busy) < FEWEST_BATCHES:
        return 1.0
    rate = known / total
    parts, sizes = _batched(hits[busy]), _batched(attempts[busy])
    residuals = parts - rate * sizes
    variance = len(parts) / (len(parts) - 1) * float(residuals @ residuals)
    unsure = (t_quantile(len(parts) - 1) / NORMAL_QUANTILE) ** 2  # so few batches tell the variance itself only roughly
    return max(1.0, unsure * variance / (total * rate * (1 - rate)))


def ratio(parts: Seconds, sizes: Seconds) -> tuple[float, Interval | None] | None:
    """Σ parts / Σ sizes and its interval by batch means (ratio estimator, Student's t); no interval of fewer than five batches."""
    total = float(sizes.sum())
    if total <= 0:
        return None
    value = float(parts.sum()) / total
    busy = sizes > 0
    batched, counted = _batched(parts[busy]), _batched(sizes[busy])
    if len(batched) < FEWEST_BATCHES:
        return value, None
    residuals = batched - value * counted
    error = math.sqrt(len(batched) / (len(batched) - 1) * float(residuals @ residuals)) / total
    reach = t_quantile(len(batched) - 1) * error
    return value, Interval(value - reach, value + reach)


def _batched(values: Seconds) -> Seconds:
    """Sums over at most twenty stretches of about the same length."""
    edges = np.unique(np.linspace(0, len(values), min(BATCHES, len(values)) + 1).astype(np.int64))[:-1]
    sums: Seconds = np.add.reduceat(values.astype(np.float64), edges)
    return sums


def evidence_above(hits: float, attempts: float, limit: float) -> float:
    """Natural logarithm of the evidence that the share is above the limit; −∞ for none at all. Prior: Jeffreys', cut to above the limit."""
    if limit >= 1 or hits <= 0 or attempts <= 0:
        return -math.inf
    if limit <= 0:
        return math.inf
    misses = max(attempts - hits, 0.0)
    above, prior = (1 - beta_cdf(limit, hits + 0.5, misses + 0.5), 1 - beta_cdf(limit, 0.5, 0.5))
    if above <= 0:
        return -math.inf
    mixed = _log_beta(hits + 0.5, misses + 0.5) + math.log(above) - _log_beta(0.5, 0.5) - math.log(prior)
    return mixed - hits * math.log(limit) - misses * math.log1p(-limit)


def surely_above(hits: Seconds, attempts: Seconds, limit: float) -> bool:
    """Whether the share is above the limit, at 1 % however often it is asked; dependence discounted, and nothing said before it
    can be seen. A limit of nothing is passed by the first hit."""
    if limit <= 0:
        return bool(hits.any())
    if np.count_nonzero(attempts) < FEWEST_BATCHES:
        return False
    effect = design_effect(hits, attempts)
    found = evidence_above(float(hits.sum()) / effect, float(attempts.sum()) / effect, limit)
    return found >= -math.log(EARLY_DOUBT)


def needed(limit: float, hits: float = 0.0, attempts: float = 0.0) -> int | None:
    """The fewest attempts at this share of hits that show the share to be on its side of the limit; None where ten million do not."""
    rate = hits / attempts if attempts else 0.0
    low, high = 0, 1
    while not _decided(rate * high, high, limit):
        low, high = high, high * 2
        if high > 10_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _decided(rate * middle, middle, limit) else (middle, high)
    return high


def _decided(hits: float, attempts: float, limit: float) -> bool:
    """Whether the limit is outside of the bounds: by the tails, which is a bisection less."""
    holds = hits >= attempts or beta_cdf(limit, hits + 1, attempts - hits) >= 1 - DOUBT
    if hits >= attempts:
        holds = limit >= 1
    violated = hits > 0 and beta_cdf(limit, hits, attempts - hits + 1) <= DOUBT
    return holds or violated


def most_hits(attempts: float, limit: float) -> int:
    """The most hits with which the share of so many attempts is still shown to be below the limit; −1 where none are few enough."""
    low, high = -1, math.ceil(attempts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if share(float(middle), attempts).high <= limit else (low, middle)
    return low


@lru_cache(64)
def t_quantile(freedom: int) -> float:
    """Student's t at 95 %, by bisection: P(T ≤ t) = 1 − ½·I(ν/(ν+t²); ν/2, ½) (DLMF 8.17)."""
    low, high = 0.0, 1000.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        below = 1 - beta_cdf(freedom / (freedom + middle * middle), freedom / 2, 0.5) / 2
        low, high = (low, middle) if below >= 1 - DOUBT else (middle, high)
    return (low + high) / 2


def beta_quantile(chance: float, a: float, b: float) -> float:
    """Where the beta distribution function reaches `chance`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beta_cdf(middle, a, b) >= chance else (middle, high)
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I(x; a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)) / a
    return min(1.0, front * _fraction(x, a, b))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's way through the continued fraction (Press et al., Numerical Recipes, ch. 6.4)."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 20_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
