"""A sparse histogram in four bytes a bin, for the hundred thousand of them that an hour's run keeps.

A bin number has 15 bits, its count 17; a larger count takes several entries, and a bin may occur twice. So adding is an
append, and only when the array has doubled are equal bins joined: the cost of an addition stays that of a copy,
the memory within twice the smallest possible.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.stats.histogram import BINS, squares_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from loadgen.core.stats.histogram import Histogram
    from loadgen.model.wire import Sparse

COUNT_BITS = 17
COUNT_MASK = (1 << COUNT_BITS) - 1
SLACK = 32


class Packed:
    """An append-mostly sparse histogram."""

    __slots__ = ("entries", "joined", "largest", "squares", "total")

    def __init__(self) -> None:
        self.entries = array("I")
        self.joined = 0
        self.total = 0
        self.squares = 0
        self.largest = 0

    def add(self, sparse: Sparse, entries: array[int] | None = None) -> None:
        """`entries` are `entries_of(sparse)`, where the caller needs them more than once."""
        new = entries_of(sparse) if entries is None else entries
        if not self.entries:
            self.joined = len(new)
        self.entries.extend(new)
        self.total += sparse.total
        self.squares += squares_of(sparse)
        self.largest = max(self.largest, sparse.largest)
        if len(self.entries) > 2 * self.joined + SLACK:
            self._join()

    def _join(self) -> None:
        entries = np.frombuffer(self.entries, dtype=np.uint32)
        bins = entries >> COUNT_BITS
        lowest = int(bins.min())
        counts = np.bincount(bins - lowest, weights=entries & COUNT_MASK)  # exact up to 2^53
        found = np.flatnonzero(counts)
        self.entries = array("I", _pack(found + lowest, counts[found].astype(np.int64)).tobytes())
        self.joined = len(self.entries)


def entries_of(sparse: Sparse) -> array[int]:
    """Bin and count in one number each. Lists become arrays, and only these numpy's: in a third of the time."""
    entries, counts = array("I", sparse.bins), array("I", sparse.counts)
    numbers, times = np.frombuffer(entries, dtype=np.uint32), np.frombuffer(counts, dtype=np.uint32)
    if times.max(initial=0) > COUNT_MASK:
        return array("I", _pack(numbers.astype(np.int64), times.astype(np.int64)).tobytes())
    numbers <<= COUNT_BITS
    numbers |= times
    return entries


def unpack(histogram: Histogram, parts: Iterable[Packed]) -> None:
    """Merge many packed histograms into a dense one, at memory speed."""
    chosen = [part for part in parts if part.entries]
    if not chosen:
        return
    entries = np.concatenate([np.frombuffer(part.entries, dtype=np.uint32) for part in chosen])
    weights = (entries & COUNT_MASK).astype(np.float64)
    counts = np.bincount(entries >> COUNT_BITS, weights=weights, minlength=BINS)
    histogram.counts += counts.astype(np.int64)
    histogram.count += int(counts.sum())
    for part in chosen:
        histogram.add_sums(part.total, part.squares, part.largest)


def tails(parts: Iterable[Packed], limits: Iterable[int]) -> tuple[int, int, list[int]]:
    """Number of values, their sum, and how many lie in bins above each limit; cheaper than a dense histogram."""
    chosen = [part for part in parts if part.entries]
    if not chosen:
        return 0, 0, [0 for _ in limits]
    entries = np.concatenate([np.frombuffer(part.entries, dtype=np.uint32) for part in chosen])
    bins, counts = entries >> COUNT_BITS, (entries & COUNT_MASK).astype(np.int64)
    above = [int(counts[bins > limit].sum()) for limit in limits]
    return int(counts.sum()), sum(part.total for part in chosen), above


def _pack(bins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    while int(counts.max()) > COUNT_MASK:
        over = counts > COUNT_MASK
        bins = np.concatenate([bins, bins[over]])
        counts = np.concatenate([np.where(over, COUNT_MASK, counts), counts[over] - COUNT_MASK])
    return ((bins << COUNT_BITS) | counts).astype(np.uint32)
