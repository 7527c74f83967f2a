"""From raw times to sparse histograms, many groups at once.

A second's completions belong to as many (second, stage, request) groups as answers take seconds, often dozens with a
few values each. Folding them one by one would stop the loop for tens of milliseconds; here all groups of a metric go
through numpy together: group and bin make one number, and one `unique` counts them all. Sums are exact: int64
throughout, squares in halves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loadgen.core.histogram import BINS, index_of, squares_of
from loadgen.model.wire import SQUARES_CARRY, Sparse

Integers = NDArray[np.int64]


def fold(groups: Integers, values: Integers) -> dict[int, Sparse]:
    """The histogram of each group's values (µs, negative ones count as 0). `groups` are small numbers."""
    if values.size == 0:
        return {}
    order = np.argsort(groups, kind="stable")
    groups, values = groups[order], np.maximum(values[order], 0)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    bins, counts = np.unique(groups * BINS + index_of(values), return_counts=True)
    edges = np.append(np.searchsorted(bins, groups[starts] * BINS), bins.size).tolist()
    bin_list, count_list = (bins % BINS).tolist(), counts.tolist()
    sums = zip(*_sums(values, starts), strict=True)
    return {
        group: _sparse(bin_list[edges[i] : edges[i + 1]], count_list[edges[i] : edges[i + 1]], *sum_)
        for i, (group, sum_) in enumerate(zip(groups[starts].tolist(), sums, strict=True))
    }


def _sums(values: Integers, starts: Integers) -> tuple[list[int], list[int], list[int]]:
    """Per group: sum, sum of squares (from halves, as it passes 64 bits), maximum."""
    high, low = values >> 20, values & 0xFFFFF
    halves = [np.add.reduceat(product, starts).tolist() for product in (high * high, high * low, low * low)]
    squares = [(hh << 40) + (hl << 21) + ll for hh, hl, ll in zip(*halves, strict=True)]
    return np.add.reduceat(values, starts).tolist(), squares, np.maximum.reduceat(values, starts).tolist()


def _sparse(bins: list[int], counts: list[int], total: int, squares: int, largest: int) -> Sparse:
    carry, rest = divmod(squares, SQUARES_CARRY)
    return Sparse(bins, counts, total, rest, largest, carry)


def join(parts: Sequence[Sparse]) -> Sparse:
    """One histogram of several."""
    if len(parts) == 1:
        return parts[0]
    bins = np.concatenate([np.asarray(part.bins, dtype=np.int64) for part in parts])
    counts = np.concatenate([np.asarray(part.counts, dtype=np.int64) for part in parts])
    joined, inverse = np.unique(bins, return_inverse=True)
    totals = np.bincount(inverse, weights=counts).astype(np.int64)
    squares = sum(squares_of(part) for part in parts)
    largest = max(part.largest for part in parts)
    return _sparse(joined.tolist(), totals.tolist(), sum(part.total for part in parts), squares, largest)
