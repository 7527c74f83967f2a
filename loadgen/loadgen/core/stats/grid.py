"""A scope's requests, second by second, as columns of numbers: what batch means, both ends of a doubt and sequences are made of.

Values are counted from histograms of three significant digits, so a few of them lie in the bin that a bound cuts: `at_least` tells how
many are surely not below it and how many may be. A row's largest value is exact and settles the most usual case.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.stats.histogram import HIGHEST, Histogram, index_of, lowest_of
from loadgen.core.stats.packed import COUNT_BITS, COUNT_MASK, unpack
from loadgen.core.stats.tally import METRIC_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from loadgen.core.stats.confidence import Seconds
    from loadgen.core.stats.packed import Packed
    from loadgen.core.stats.tally import Counters, Row, Tally
    from loadgen.model.plan import Metric


@dataclass(frozen=True, slots=True)
class _Columns:
    """All histograms of a metric, end to end."""

    metric: Metric
    entries: NDArray[np.uint32]
    """Bin and count, as they are packed."""
    parts: NDArray[np.int32]
    """Which histogram an entry is of."""
    places: NDArray[np.int64]
    """Where each histogram is on the axis."""
    largest: NDArray[np.int64]
    """The largest value of each, exact."""

    @classmethod
    def of(cls, metric: Metric, packed: Sequence[tuple[int, Packed]]) -> _Columns:
        entries = [np.frombuffer(one.entries, dtype=np.uint32) for _, one in packed]
        return cls(
            metric=metric,
            entries=np.concatenate(entries) if entries else np.zeros(0, dtype=np.uint32),
            parts=np.repeat(np.arange(len(entries), dtype=np.int32), [len(one) for one in entries]),
            places=np.array([place for place, _ in packed], dtype=np.int64),
            largest=np.array([one.largest for _, one in packed], dtype=np.int64),
        )


class Grid:
    """Rows of a tally on an axis of seconds."""

    def __init__(self, seconds: Sequence[int], rows: Sequence[tuple[int, Row]]) -> None:
        """`rows` with their place on the axis."""
        self.seconds, self._rows = seconds, rows
        self._places = np.array([place for place, _ in rows], dtype=np.int64)
        self._columns: _Columns | None = None

    @classmethod
    def of(
        cls,
        tally: Tally,
        seconds: Sequence[int],
        stages: Collection[int] | None,
        requests: Collection[int] | None,
        without: Callable[[int], bool],
    ) -> Grid:
        """Without `stages`, what was intended in these seconds. With them everything of theirs that is not in a second `without`: a closed
        request that was begun at the end of its stage and sent in the next one's first second stays with its stage."""
        if not seconds:
            return cls(seconds, [])
        chosen = [
            (min(bisect_left(seconds, second), len(seconds) - 1), row)
            for second, _, row in tally.rows(stages, requests)
            if not without(second) and (stages is not None or seconds[0] <= second <= seconds[-1])
        ]
        return cls(seconds, chosen)

    def number(self, of: Callable[[Counters], int]) -> Seconds:
        """A count, by second."""
        return self._summed(np.array([of(row.counters) for _, row in self._rows], dtype=np.float64))

    def _summed(self, values: Seconds) -> Seconds:
        return np.bincount(self._places, weights=values, minlength=len(self.seconds)).astype(np.float64)

    @cached_property
    def planned(self) -> Seconds:
        return self.number(lambda counts: counts.planned)

    @cached_property
    def bad(self) -> Seconds:
        """Failed or never sent."""
        return self.number(lambda counts: counts.failed + counts.dropped)

    @cached_property
    def open(self) -> Seconds:
        """Without an outcome."""
        return self.number(lambda counts: counts.open)

    def values(self, metric: Metric) -> Seconds:
        """How many successes have a value."""
        return self.at_least(metric, 0)[0]

    def at_least(self, metric: Metric, micros: float) -> tuple[Seconds, Seconds]:
        """How many values are surely, and how many may be, at least so large; `micros` a whole number or more than an hour."""
        edge = int(index_of(min(micros, HIGHEST)))
        whole = micros <= int(lowest_of(edge))
        return self._count(metric, micros, edge if whole else edge + 1), self._count(metric, micros, edge)

    def _count(self, metric: Metric, micros: float, first_bin: int) -> Seconds:
        columns = self._columns_of(metric)
        chosen = (columns.entries >> COUNT_BITS >= first_bin) & (columns.largest[columns.parts] >= micros)
        weights = (columns.entries[chosen] & COUNT_MASK).astype(np.float64)
        places = columns.places[columns.parts[chosen]]
        return np.bincount(places, weights=weights, minlength=len(self.seconds)).astype(np.float64)

    def _columns_of(self, metric: Metric) -> _Columns:
        """Made once for all bounds on a metric; those of another are forgotten, for an hour's may be large."""
        if self._columns is None or self._columns.metric is not metric:
            self._columns = _Columns.of(metric, self._packed(metric))
        return self._columns

    def total(self, metric: Metric) -> Seconds:
        """Sum of the successes' values, microseconds."""
        sums = np.zeros(len(self.seconds))
        for place, packed in self._packed(metric):
            sums[place] += packed.total
        return sums

    def histogram(self, metric: Metric) -> Histogram:
        """Of successes."""
        merged = Histogram()
        unpack(merged, (packed for _, packed in self._packed(metric)))
        return merged

    def timed_out(self, metric: Metric) -> tuple[Seconds, Seconds]:
        """Of what timed out, how many and the sum of the time-outs' values, microseconds."""
        index, counts, sums = METRIC_INDEX[metric], np.zeros(len(self.seconds)), np.zeros(len(self.seconds))
        for place, packed in ((place, row.censored[index]) for place, row in self._rows if index in row.censored):
            counts[place] += int((np.frombuffer(packed.entries, dtype=np.uint32) & COUNT_MASK).sum())
            sums[place] += packed.total
        return counts, sums

    def longest_time_out(self, metric: Metric) -> int:
        """Microseconds; 0 without."""
        index = METRIC_INDEX[metric]
        return max((row.censored[index].largest for _, row in self._rows if index in row.censored), default=0)

    def _packed(self, metric: Metric) -> list[tuple[int, Packed]]:
        index = METRIC_INDEX[metric]
        return [(place, row.packed[index]) for place, row in self._rows if index in row.packed]
