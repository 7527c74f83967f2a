"""One figure of a set of requests: its value and unit, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from loadgen.core.stats import samples
from loadgen.model.plan import Metric, Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from loadgen.core.stats.histogram import Histogram
    from loadgen.core.stats.tally import Selection, Tally
    from loadgen.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Observation:
    """What was observed."""

    unit: str
    value: float | None = None
    missing: str = "n/a"
    """Short, in place of the value: `n/a (n < 130)`."""
    why: str = ""
    """A sentence's end: `there are 100 values and 130 are needed, 30 more`."""


@dataclass(frozen=True)
class Scope:
    """The requests that a figure is about."""

    plan: Plan
    tally: Tally
    seconds: frozenset[int]
    stages: Collection[int] | None
    requests: Collection[int] | None
    name: str
    """For tables: `peak+crowd`, or `run`."""
    where: str
    """For sentences: `in stages peak + crowd for request chat`."""
    by_second: bool = False
    """Whether the seconds cut deeper than the stages do."""

    @cached_property
    def selection(self) -> Selection:
        return self.tally.select(self.seconds if self.by_second else None, self.stages, self.requests)

    @property
    def elapsed(self) -> int:
        """Seconds of the scope that have passed."""
        return sum(second <= self.tally.last_second for second in self.seconds)

    def histogram(self, metric: Metric) -> Histogram:
        return self.selection.histogram(metric)

    @property
    def mostly(self) -> str:
        """`, mostly Http404` where requests failed."""
        errors = self.selection.counts.errors
        return f", mostly {max(errors, key=lambda failure: errors[failure])}" if errors else ""


def observe(metric: Metric, statistic: Statistic | None, scope: Scope) -> Observation:
    """The figure, by its definition in metrics.md."""
    if statistic is not None:
        return _latency(metric, statistic, scope)
    if metric in _SHARES:
        share = _SHARES[metric](scope)
        return Observation("%", share) if share is not None else Observation("%", why="no request was planned there")
    return _rate(metric, scope)


def _latency(metric: Metric, statistic: Statistic, scope: Scope) -> Observation:
    histogram = scope.histogram(metric)
    floor = samples.floor(statistic)
    if histogram.count >= floor:
        return Observation("ms", samples.milliseconds(histogram, statistic))
    short = samples.missing(statistic, histogram.count) or "n/a"
    if not histogram.count:
        return Observation("ms", missing=short, why=f"no request gave a value{scope.mostly}")
    lacking = floor - histogram.count
    why = f"there are {histogram.count} values and {floor} are needed, {lacking} more: run longer or send more"
    return Observation("ms", missing=short, why=why)


def _dropped_percent(scope: Scope) -> float | None:
    counts = scope.selection.counts
    return 100.0 * counts.dropped / counts.planned if counts.planned else None


_SHARES: dict[Metric, Callable[[Scope], float | None]] = {
    Metric.ERROR_PERCENT: lambda scope: scope.selection.counts.error_percent,
    Metric.DROPPED_PERCENT: _dropped_percent,
    Metric.SLO_ATTAINMENT_PERCENT: lambda scope: scope.selection.counts.slo_attainment_percent,
}


def _rate(metric: Metric, scope: Scope) -> Observation:
    unit = "tokens/s" if metric is Metric.OUTPUT_TOKENS_PER_SECOND else "requests/s"
    if not scope.elapsed:
        return Observation(unit, why="that time never came")
    if metric is Metric.GOODPUT:
        return Observation(unit, scope.selection.counts.good / scope.elapsed)
    if metric is Metric.REQUESTS_PER_SECOND:
        return Observation(unit, scope.tally.ended(scope.seconds, scope.requests).succeeded / scope.elapsed)
    arrived = scope.tally.ended(scope.seconds, scope.requests).output_tokens
    return Observation(unit, max(0, arrived) / scope.elapsed)
