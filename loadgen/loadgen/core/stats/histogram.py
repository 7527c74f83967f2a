"""Latency histograms that merge exactly: HdrHistogram's log-linear layout, vectorised.

Values are whole microseconds from 1 µs to one hour, kept to three significant digits: values up to 2 047 have a bin
each, and every doubling after that is cut into 1 024 bins, so a bin is never wider than 0.1 % of its value. The
layout is the one of HdrHistogram(lowest=1, highest=3 600 000 000, digits=3) (`AbstractHistogram.countsArrayIndex`
in the Java original), and so is the meaning of a percentile: the highest value that falls into the bin in which the
rank lies. wrk2, `.hlog` files and we therefore speak of the same numbers.

With b = bit length of (v | 2047) − 11, the bin of v is (b << 10) + (v >> b): up to 2 047, b = 0 and the bin is v
itself.

Counts add up, so merging loses nothing, in any order. Sums, sums of squares and the maximum are of the raw values, not
of the bins. Unlike HdrHistogram, mean and standard deviation are exact too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from loadgen.model.wire import SQUARES_CARRY, Sparse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Bins = NDArray[np.int64]

LOWEST = 1
HIGHEST = 3_600_000_000
DIGITS = 3
BINS = 23 * 1024
"""Number of bins: 22 doublings of 2 048 reach past one hour."""


def index_of(values: ArrayLike) -> Bins:
    """The bin of each value; values past one hour share the last reachable bin."""
    clipped = np.minimum(np.maximum(np.asarray(values, dtype=np.int64), 0), HIGHEST)
    exponents = (clipped | 2047).astype(np.float64).view(np.int64) >> 52  # IEEE 754: 1023 + bit length - 1
    shift = exponents - (1023 - 1 + 11)
    bins: Bins = (shift << 10) + (clipped >> shift)
    return bins


def count(bins: Bins) -> tuple[Bins, Bins]:
    """The different numbers in it, ascending, and how often each occurs: without sorting where they lie close together."""
    lowest = int(bins.min())
    if int(bins.max()) - lowest > 8 * bins.size + BINS:
        return np.unique(bins, return_counts=True)
    counts = np.bincount(bins - lowest)
    found = np.flatnonzero(counts)
    return found + lowest, counts[found]


def lowest_of(bins: ArrayLike) -> Bins:
    """The smallest value of each bin."""
    indexes = np.asarray(bins, dtype=np.int64)
    shift = np.maximum((indexes >> 10) - 1, 0)
    lowest: Bins = (indexes - (shift << 10)) << shift
    return lowest


def value_of(bins: ArrayLike) -> Bins:
    """The highest value of each bin: what HdrHistogram reports."""
    shift = np.maximum((np.asarray(bins, dtype=np.int64) >> 10) - 1, 0)
    highest: Bins = lowest_of(bins) + (1 << shift) - 1
    return highest


def sparse_of(values: ArrayLike) -> Sparse:
    """Fold raw microseconds into a sparse histogram."""
    raw = np.maximum(np.asarray(values, dtype=np.int64), 0)
    if raw.size == 0:
        return Sparse()
    bins, counts = count(index_of(raw))
    return _sparse(bins, counts, int(raw.sum()), _sum_of_squares(raw), int(raw.max()))


def squares_of(sparse: Sparse) -> int:
    """The sum of squares whole; on the wire it is cut in two because it may pass 64 bits."""
    return sparse.squares + sparse.squares_carry * SQUARES_CARRY


def _sparse(bins: Bins, counts: Bins, total: int, squares: int, largest: int) -> Sparse:
    carry, rest = divmod(squares, SQUARES_CARRY)
    return Sparse(bins.tolist(), counts.tolist(), total, rest, largest, carry)


def _sum_of_squares(values: Bins) -> int:
    """Exact: squares of microseconds pass 64 bits after an hour, so the halves are squared apart."""
    high, low = values >> 20, values & 0xFFFFF
    return (int(high @ high) << 40) + (int(high @ low) << 21) + int(low @ low)


def rank_of(percent: float, count: int) -> int:
    """The rank, from 1, of a percentile among so many values: the smallest that `percent` of them do not exceed.

    Rounded up after a step of one unit in the last place down, so that 99.9 % of 1 000 is 999 whatever the float says
    (`AbstractHistogram.getValueAtPercentile` in the Java original, 2.1.12).
    """
    return max(1, math.ceil(math.nextafter(percent, -math.inf) * count / 100))


class Histogram:
    """A dense histogram to merge into and to read statistics from; microseconds."""

    __slots__ = ("count", "counts", "largest", "squares", "total")

    def __init__(self) -> None:
        self.counts: Bins = np.zeros(BINS, dtype=np.int64)
        self.count = 0
        self.total = 0
        self.squares = 0
        self.largest = 0

    def add(self, sparse: Sparse) -> None:
        self.add_counts(np.asarray(sparse.bins, dtype=np.int64), np.asarray(sparse.counts, dtype=np.int64))
        self.add_sums(sparse.total, squares_of(sparse), sparse.largest)

    def add_counts(self, bins: Bins, counts: Bins) -> None:
        """Add bins, which may repeat."""
        np.add.at(self.counts, bins, counts)
        self.count += int(counts.sum())

    def add_sums(self, total: int, squares: int, largest: int) -> None:
        self.total += total
        self.squares += squares
        self.largest = max(self.largest, largest)

    def merge(self, other: Histogram) -> None:
        self.counts += other.counts
        self.count += other.count
        self.add_sums(other.total, other.squares, other.largest)

    def to_sparse(self) -> Sparse:
        bins = np.flatnonzero(self.counts)
        return _sparse(bins, self.counts[bins], self.total, self.squares, self.largest)

    def percentile(self, percent: float) -> int:
        """The value that `percent` of all values do not exceed (rank rounded up, as HdrHistogram does); 0 when empty."""
        return self.at_rank(rank_of(percent, self.count))

    def at_rank(self, rank: int) -> int:
        """The rank-th smallest value, from 1, as the highest value of its bin; 0 when empty."""
        if self.count == 0:
            return 0
        within = min(max(rank, 1), self.count)
        return int(value_of(np.searchsorted(np.cumsum(self.counts), within)))

    @property
    def max(self) -> int:
        return self.largest

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def stddev(self) -> float:
        """Of the population: sqrt(Σv²/n − (Σv/n)²), in integers until the root."""
        if self.count == 0:
            return 0.0
        return math.sqrt(max(self.count * self.squares - self.total**2, 0)) / self.count

    @property
    def within_one_stddev(self) -> float:
        """Percent of the values within one standard deviation of the mean (wrk's ± Stdev), by the bins' middles."""
        bins = np.flatnonzero(self.counts)
        if bins.size == 0:
            return 0.0
        middle = (lowest_of(bins) + value_of(bins)) / 2
        inside = np.abs(middle - self.mean) <= self.stddev + (value_of(bins) - lowest_of(bins)) / 2
        return 100.0 * float(self.counts[bins][inside].sum()) / self.count
