"""From raw times to sparse histograms, many groups at once.

A second's completions belong to as many (second, stage, request) groups as answers take seconds, often dozens with a
few values each. Folding them one by one would take tens of milliseconds; here all groups of a metric go through numpy
together: group and bin make one number, and they are counted all at once. Sums are exact: int64 throughout, squares in
halves.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.core.stats.histogram import BINS, count, index_of
from loadgen.model.wire import SQUARES_CARRY, Sparse

Integers = NDArray[np.int64]


class Part(NamedTuple):
    """A histogram, or a part of one, before it is made ready for the wire."""

    bins: Integers
    counts: Integers
    total: int
    squares: int
    """Whole; it may pass 64 bits."""
    largest: int


def group(keys: Integers) -> tuple[list[int], Integers]:
    """The different keys, ascending, and for each entry the position of its key among them."""
    lowest = int(keys.min())
    span = int(keys.max()) - lowest + 1
    if span > 8 * keys.size + BINS:
        found, groups = np.unique(keys, return_inverse=True)
        return found.tolist(), groups
    keys = keys - lowest
    there = np.zeros(span, dtype=bool)
    there[keys] = True
    return (np.flatnonzero(there) + lowest).tolist(), (np.cumsum(there) - 1)[keys]


def fold(groups: Integers, values: Integers) -> dict[int, Part]:
    """The histogram of each group's values (µs, negative ones count as 0). `groups` are small numbers."""
    if values.size == 0:
        return {}
    if np.any(groups[1:] < groups[:-1]):
        order = np.argsort(groups, kind="stable")
        groups, values = groups[order], values[order]
    values = np.maximum(values, 0)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    members = groups[starts]
    bins, counts = count(groups * BINS + index_of(values))
    edges = np.append(np.searchsorted(bins, members * BINS), bins.size).tolist()
    bins %= BINS
    return {
        group: Part(bins[begin:end], counts[begin:end], *sums)
        for group, begin, end, *sums in zip(members.tolist(), edges, edges[1:], *_sums(values, starts), strict=False)
    }


def _sums(values: Integers, starts: Integers) -> tuple[list[int], list[int], list[int]]:
    """Per group: sum, sum of squares (from halves, as it passes 64 bits), maximum."""
    high, low = values >> 20, values & 0xFFFFF
    halves = [np.add.reduceat(product, starts).tolist() for product in (high * high, high * low, low * low)]
    squares = [(hh << 40) + (hl << 21) + ll for hh, hl, ll in zip(*halves, strict=True)]
    return np.add.reduceat(values, starts).tolist(), squares, np.maximum.reduceat(values, starts).tolist()


def join(parts: Sequence[Part]) -> Sparse:
    """One histogram of several, for the wire."""
    bins, counts = parts[0].bins, parts[0].counts
    if len(parts) > 1:
        weights = np.concatenate([part.counts for part in parts])
        totals = np.bincount(np.concatenate([part.bins for part in parts]), weights=weights)  # exact up to 2^53
        bins = np.flatnonzero(totals)
        counts = totals[bins].astype(np.int64)
    carry, squares = divmod(sum(part.squares for part in parts), SQUARES_CARRY)
    total, largest = sum(part.total for part in parts), max(part.largest for part in parts)
    return Sparse(bins.tolist(), counts.tolist(), total, squares, largest, carry)
