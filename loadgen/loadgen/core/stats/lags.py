"""How far off a latency may be because the loop was late when it read the answer, or sent the request.

Probes ask for a turn of the loop at random, `PROBES_APART` of each other. What they saw late, by shares of the time, is a statement
about answers too: no more than a share e of them was read later than L(e), the lag that no more than that share of the probes exceeded.
None was later than L(0), the longest lag and the longest distance of two probes: between two that ring, the loop has looked at every
socket.

A late reading makes a latency longer and shifts its rank. If at most a share e of the values is off by more than L(e), then the true
percentile q lies between Q(q − e) − L(e) and Q(q + e) + L(e) of the measured ones (what is off by more changes the ranks by e at the
most). This holds for every e, so the narrowest of them is stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.core.stats import samples
from loadgen.core.stats.histogram import rank_of
from loadgen.model.plan import Statistic
from loadgen.model.wire import PROBES_APART

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadgen.core.stats.histogram import Histogram

PERCENTS = (50, 75, 90, 95, 98, 99, 99.9)

Lag = tuple[float, int]
"""A share of the time, and the microseconds that the loop's lag exceeded in no more than that share."""


def shares(lags: Histogram) -> tuple[Lag, ...]:
    """From the largest share to none; nothing where no probe rang."""
    if not lags.count:
        return ()
    least = {lags.percentile(percent): 1 - percent / 100 for percent in PERCENTS}
    return tuple((share, micros) for micros, share in ({**least, longest(lags): 0.0}).items())


def longest(lags: Histogram) -> int:
    """The latest that anything may have been read, microseconds; 0 where no probe rang."""
    return lags.max + PROBES_APART[1] // 1000 if lags.count else 0


def uncertainties(histogram: Histogram, lags: Histogram, shown: Iterable[Statistic]) -> dict[Statistic, float]:
    """± milliseconds of each of these percentiles."""
    known = shares(lags)
    return {one: _uncertainty(histogram, samples.PERCENTS[one], known) / 1000 for one in shown}


def _uncertainty(histogram: Histogram, percent: float, known: Sequence[Lag]) -> int:
    value = histogram.percentile(percent)
    return min((lag + _shift(histogram, percent, 100 * share, value) for share, lag in known), default=0)


def _shift(histogram: Histogram, percent: float, share: float, value: int) -> int:
    """How far the value is from those so many percent of the ranks below and above."""
    count = histogram.count
    low, high = (min(max(percent + way, 0.0), 100.0) for way in (-share, share))
    above = min(histogram.at_rank(rank_of(high, count)), histogram.max)
    return max(value - histogram.at_rank(rank_of(low, count)), above - value, 0)
