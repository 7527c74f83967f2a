"""The record of a run: each stage × request with its histograms whole and its slots, made from a tally and read back.

Laptop and operator call the same function. Slots are bounded (`MOST_SLOTS` a stage) by making them longer, so the
record of a run of hours is as large as one of ten minutes a stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.schedule import levels
from loadgen.core.stats import hdr, samples
from loadgen.core.stats.histogram import Histogram, index_of
from loadgen.model.plan import Metric, Statistic
from loadgen.model.record import Group, Recorded, Slots, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadgen.core.stats.tally import Selection, Tally
    from loadgen.model.plan import Plan

MOST_SLOTS = 600
SERIES = (Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN, Metric.TIME_PER_OUTPUT_TOKEN)
"""Metrics that are kept slot by slot."""
PERCENTILES = (Statistic.P50, Statistic.P90, Statistic.P95, Statistic.P99)


def record(plan: Plan, tally: Tally) -> tuple[Group, ...]:
    """Every stage × request that began, in the plan's order."""
    return tuple(
        _Maker(plan, tally, span, kind).group()
        for span in levels.spans(plan)
        if span.start <= tally.last_second
        for kind in range(len(plan.requests))
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    plan: Plan
    tally: Tally
    span: levels.Span
    kind: int

    def group(self) -> Group:
        whole = self.tally.select(None, {self.span.index}, {self.kind})
        return Group(
            stage=self.plan.load.stages[self.span.index].name,
            request=self.plan.requests[self.kind].name,
            histograms={metric: keep(histogram) for metric, histogram in whole.histograms.items()},
            slots=self._slots(whole),
        )

    def _slots(self, whole: Selection) -> Slots:
        end = min(self.span.end, self.tally.last_second + 1)
        step = -(-(self.span.end - self.span.start) // MOST_SLOTS)
        times = [range(at, min(at + step, end)) for at in range(self.span.start, end, step)]
        parts = [self.tally.select(time, {self.span.index}, {self.kind}) for time in times]
        return Slots(
            start_second=self.span.start,
            step_seconds=step,
            planned=tuple(part.counts.planned for part in parts),
            succeeded=tuple(part.counts.succeeded for part in parts),
            failed=tuple(part.counts.failed + part.counts.dropped for part in parts),
            good=tuple(part.counts.good for part in parts),
            in_flight=None if len(self.plan.requests) > 1 else tuple(self._in_flight(time) for time in times),
            values={metric: _values(metric, whole, parts) for metric in SERIES if whole.histogram(metric).count},
        )

    def _in_flight(self, time: range) -> float:
        return sum(beat.in_flight_microseconds for beat in self.tally.pulses(time)) / 1e6 / len(time)


def _values(metric: Metric, whole: Selection, parts: Sequence[Selection]) -> Values:
    histogram = whole.histogram(metric)
    limits = [int(index_of(histogram.percentile(samples.PERCENTS[one]))) for one in PERCENTILES]
    counts, totals, above = zip(*(part.tails(metric, limits) for part in parts), strict=True)
    return Values(
        count=counts,
        total=totals,
        above={statistic: tuple(one[place] for one in above) for place, statistic in enumerate(PERCENTILES)},
    )


def keep(histogram: Histogram) -> Recorded:
    """A histogram as a report has it."""
    return Recorded(
        hdr=hdr.encode(histogram), total=histogram.total, squares=histogram.squares, largest=histogram.largest
    )


def restore(recorded: Recorded) -> Histogram:
    """The histogram again, equal to what was kept. Raises `ValueError` where the text is damaged."""
    histogram = Histogram()
    counts = np.asarray(hdr.decode(recorded.hdr), dtype=np.int64)
    bins = np.flatnonzero(counts)
    histogram.add_counts(bins, counts[bins])
    histogram.add_sums(recorded.total, recorded.squares, recorded.largest)
    return histogram
