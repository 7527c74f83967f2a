"""How many values a statistic needs before it may be shown, and how far off it may be.

Sample floor. A percentile q is shown when, with 99 % confidence, at least two values lie above the true percentile,
so that not one chance outlier decides it: the smallest n with P(Binomial(n, 1 − q) ≤ 1) = qⁿ + n·(1 − q)·qⁿ⁻¹ ≤ 1 %.
It is the "early stopping" bound of MLPerf's LoadGen with one over-latency query, and gives 11, 24, 64, 130, 662 and
6636 values for P50, P75, P90, P95, P99 and P999. Mean and Max need one value.

Confidence bounds. The number of values below the true percentile is Binomial(n, q), whatever the distribution; so the
ranks l and u with P(l ≤ B < u) ≥ 99 % give order statistics between which the percentile lies (David & Nagaraja,
Order Statistics, 2003, ch. 7.1). Where u would be past n there is no upper bound and none is given.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from loadgen.model.plan import Statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loadgen.core.stats.histogram import Histogram

DOUBT = 0.01
PERCENTS = {
    Statistic.P50: 50.0,
    Statistic.P75: 75.0,
    Statistic.P90: 90.0,
    Statistic.P95: 95.0,
    Statistic.P99: 99.0,
    Statistic.P999: 99.9,
}


@lru_cache
def floor(statistic: Statistic) -> int:
    """The fewest values for which the statistic is shown."""
    if statistic not in PERCENTS:
        return 1
    share = PERCENTS[statistic] / 100
    count = 1
    while share**count + count * (1 - share) * share ** (count - 1) > DOUBT:
        count += 1
    return count


def missing(statistic: Statistic, count: int) -> str | None:
    """Why the statistic of so many values is not shown: `n/a (n < 662)`; None if it is."""
    return None if count >= floor(statistic) else f"n/a (n < {floor(statistic)})"


def milliseconds(histogram: Histogram, statistic: Statistic) -> float:
    """The statistic's value. A percentile's bin may reach past the largest value; it is cut there."""
    if statistic is Statistic.MEAN:
        return histogram.mean / 1000
    if statistic is Statistic.MAX:
        return histogram.max / 1000
    return min(histogram.percentile(PERCENTS[statistic]), histogram.max) / 1000


def bounds(histogram: Histogram, statistic: Statistic) -> tuple[float, float] | None:
    """Milliseconds between which the true percentile lies with 99 % confidence."""
    ranks = _ranks(histogram.count, PERCENTS[statistic] / 100) if statistic in PERCENTS else None
    if ranks is None:
        return None
    low, high = (min(histogram.at_rank(rank), histogram.max) / 1000 for rank in ranks)
    return low, high


@lru_cache
def _ranks(count: int, share: float) -> tuple[int, int] | None:
    """Ranks l and u with P(B < l) ≤ ½ % and P(B ≥ u) ≤ ½ %."""
    first, chances = _binomial(count, share)
    cumulated = np.cumsum(chances)
    low = first + int(np.searchsorted(cumulated, DOUBT / 2, side="right"))
    high = first + int(np.searchsorted(cumulated, 1 - DOUBT / 2)) + 1
    return (low, high) if low >= 1 and high <= count else None


def _binomial(count: int, share: float) -> tuple[int, NDArray[np.float64]]:
    """Binomial probabilities within 12 standard deviations of the mean, by neighbours' ratios; and the first value."""
    reach = int(12 * (count * share * (1 - share)) ** 0.5) + 12
    mode = int((count + 1) * share)
    values = np.arange(max(mode - reach, 0), min(mode + reach, count) + 1)
    ratios = np.log((count - values[1:] + 1) / values[1:] * share / (1 - share))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    chances = np.exp(logs - logs.max())
    return int(values[0]), chances / chances.sum()
