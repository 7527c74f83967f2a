"""Latencies, and the speed that is the inverse of one: claims and figures over a scope, as metrics.md has them.

A percentile is of all attempts: errors, time-outs and drops are over every limit, whatever they are compared with. Mean and Max are of
the answers: what failed has no length, and what timed out has at least the time-out's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.judge.claims import Largest, Mean, Open, Share
from loadgen.core.stats import confidence, lags, samples
from loadgen.core.stats.figure import Figure, digits
from loadgen.core.stats.histogram import rank_of
from loadgen.model.plan import Criterion, Metric, Operator, Statistic
from loadgen.model.report import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.core.judge.claims import Claim
    from loadgen.core.judge.scope import Scope
    from loadgen.core.stats.confidence import Interval, Seconds
    from loadgen.core.stats.grid import Grid
    from loadgen.core.stats.histogram import Histogram
    from loadgen.core.stats.tally import Counters

UPPER = (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
STRICT = (Operator.LESS_THAN, Operator.GREATER_THAN)
MIRRORED = {
    Operator.LESS_THAN: Operator.GREATER_THAN,
    Operator.LESS_THAN_OR_EQUAL: Operator.GREATER_THAN_OR_EQUAL,
    Operator.GREATER_THAN: Operator.LESS_THAN,
    Operator.GREATER_THAN_OR_EQUAL: Operator.LESS_THAN_OR_EQUAL,
}
NO_ANSWER = "had no answer when the run ended"
ONE_READ = "came in one read, which is no evidence of their pace"


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution in milliseconds."""

    metric: Metric
    streamed: bool = False
    """Only streamed answers have it."""
    paced: bool = False
    """It is a pace, of which answers in one read tell nothing."""
    failures: bool = True
    """What failed is over every limit."""
    clustered: bool = False
    """One request has many values, which are alike: each request counts once, with the share of its values."""

    def claim(self, asked: Criterion, scope: Scope) -> Claim:
        bound = Fraction(asked.value) * 1000
        if asked.statistic is Statistic.MEAN:
            return self._mean(asked, scope)
        if asked.statistic is Statistic.MAX:
            return self._largest(asked, scope)
        way = _way(asked)
        return self.percentile(
            asked.operator, bound, _share_of(asked), scope, lambda micros: f"{way} {digits(micros / 1000)} ms"
        )

    def figure(self, asked: Criterion, scope: Scope) -> Figure:
        grid = self.grid(scope)
        histogram = grid.histogram(self.metric)
        if asked.statistic is Statistic.MEAN:
            return Figure("ms", self._mean_value(grid))
        if asked.statistic is Statistic.MAX:
            return Figure("ms", self._largest_value(scope) if histogram.count else None)
        return self._percentile_figure(float(100 * _share_of(asked)), histogram, self._failed(grid))

    def attempts(self, scope: Scope) -> float:
        grid = self.grid(scope)
        return float(grid.values(self.metric).sum()) + (float(grid.bad.sum() + grid.open.sum()) if self.failures else 0)

    def grid(self, scope: Scope) -> Grid:
        return scope.streamed if self.streamed else scope.grid

    def _failed(self, grid: Grid) -> float:
        if not self.failures:
            return 0.0
        failed = float(grid.bad.sum())
        streams = float(grid.values(Metric.MAX_STALL).sum()) if self.clustered else 0.0
        values = float(grid.values(self.metric).sum())
        return failed * values / streams if streams else failed

    def _percentile_figure(self, percent: float, histogram: Histogram, failed: float) -> Figure:
        """By rank among all attempts, failures last."""
        rank = rank_of(percent, round(histogram.count + failed))
        if not histogram.count + failed:
            return Figure("ms")
        if rank > histogram.count:
            return Figure("ms", missing=f"n/a ({_percent(failed, histogram.count + failed)} % failed)")
        return Figure("ms", min(histogram.at_rank(rank), histogram.max) / 1000)

    def percentile(
        self, operator: Operator, bound: Fraction, share: Fraction, scope: Scope, shown: Callable[[float], str]
    ) -> Share:
        """The claim about the share that is on the wrong side of the bound (µs)."""
        upper, grid = operator in UPPER, self.grid(scope)
        # Values are whole: v < B is v < ⌈B⌉, v ≤ B is v < ⌊B⌋ + 1; and so for their opposites.
        edge = (
            math.ceil(bound)
            if operator in (Operator.LESS_THAN, Operator.GREATER_THAN_OR_EQUAL)
            else math.floor(bound) + 1
        )
        values, possible = grid.values(self.metric), grid.at_least(self.metric, edge)[1]
        certain = self._beyond(grid, edge, scope)
        against = certain if upper else values - possible
        found = self._weighed(grid, values, against, possible - certain)
        return Share(
            against=found[0] + (grid.bad if self.failures and upper else 0),
            attempts=found[2] + sum((one.number for one in self._open(grid)), grid.bad * self.failures),
            open=(
                Open(Doubt.AT_THE_BOUND, found[1], self._near(scope)),
                *self._open(grid),
                *self._lost(grid, upper=upper),
            ),
            limit=1 - share if upper else share,
            strict=not upper,
            may_be=_Extreme(grid.histogram(self.metric), share, upper, shown),
            kind="answers" if self.clustered else "requests",
        )

    def _beyond(self, grid: Grid, edge: int, scope: Scope) -> Seconds:
        """How many are not below the edge, however late the loop was when it read them: what is over by more than a lag was not made so by
        it, but for the share of the time in which it was later still. The lag that tells most counts."""
        values = grid.values(self.metric)
        bounds = (grid.at_least(self.metric, edge + lag)[0] - share * values for share, lag in scope.lags)
        return max((np.maximum(bound, 0.0) for bound in bounds), key=np.sum)

    def _weighed(
        self, grid: Grid, values: Seconds, against: Seconds, near: Seconds
    ) -> tuple[Seconds, Seconds, Seconds]:
        """Values against the bound, near it, and all; by request where one has many."""
        if not self.clustered:
            return against, near, values
        streams = grid.values(Metric.MAX_STALL)
        weight = np.divide(streams, values, out=np.zeros_like(values), where=values > 0)
        return against * weight, near * weight, streams

    def _open(self, grid: Grid) -> tuple[Open, ...]:
        """Attempts of which nothing is known."""
        found = (Open(Doubt.NO_ANSWER, grid.open, NO_ANSWER),) if self.failures else ()
        return (*found, Open(Doubt.ONE_READ, grid.number(_at_once), ONE_READ)) if self.paced else found

    def _lost(self, grid: Grid, *, upper: bool) -> tuple[Open, ...]:
        """What failed says nothing of how long an answer takes at least."""
        return () if upper or not self.failures else (Open(Doubt.CENSORED, grid.bad, "failed"),)

    def _near(self, scope: Scope) -> str:
        late = samples.milliseconds(scope.loop_lag, Statistic.P99)
        lag = f" or the generator's own lag (P99 {digits(late)} ms)" if late else ""
        return f"are so near the bound that three digits{lag} cannot tell on which side"

    def _mean(self, asked: Criterion, scope: Scope) -> Mean:
        grid = self.grid(scope)
        counts, sums = grid.timed_out(self.metric)
        return Mean(
            parts=(grid.total(self.metric) + sums) / 1000,
            sizes=grid.values(self.metric) + counts,
            bound=float(asked.value),
            upper=asked.operator in UPPER,
            strict=asked.operator in STRICT,
            open=self._unmeasured(grid),
            blur=scope.loop_lag.mean / 1000,
            unit="ms",
        )

    def _mean_value(self, grid: Grid) -> float | None:
        counts, sums = grid.timed_out(self.metric)
        number = float(grid.values(self.metric).sum() + counts.sum())
        return float(grid.total(self.metric).sum() + sums.sum()) / 1000 / number if number else None

    def _unmeasured(self, grid: Grid) -> tuple[Open, ...]:
        timed_out = grid.number(lambda counts: counts.timed_out)
        lost = (Open(Doubt.CENSORED, timed_out, "timed out, and how long they would have taken is not known"),)
        return (*self._open(grid), *(lost if self.failures else ()))

    def _largest(self, asked: Criterion, scope: Scope) -> Largest:
        grid = self.grid(scope)
        return Largest(
            value=self._largest_value(scope),
            bound=float(asked.value),
            upper=asked.operator in UPPER,
            strict=asked.operator in STRICT,
            open=self._unmeasured(grid),
            blur=lags.longest(scope.loop_lag) / 1000,
        )

    def _largest_value(self, scope: Scope) -> float | None:
        """What timed out took at least so long."""
        grid = self.grid(scope)
        largest = max(grid.histogram(self.metric).max, grid.longest_time_out(self.metric))
        return largest / 1000 if largest or grid.histogram(self.metric).count else None


@dataclass(frozen=True, slots=True)
class _Extreme:
    """How far a percentile may really be, in words."""

    histogram: Histogram
    share: Fraction
    upper: bool
    shown: Callable[[float], str]

    def __call__(self, number: float, interval: Interval) -> str:
        limit = float(1 - self.share if self.upper else self.share)
        hits = confidence.most_hits(number, limit)
        if hits < 0:
            return "it may be anything"
        rank = self.histogram.count - math.floor(hits * self.histogram.count / number) if self.upper else 0
        rank = rank or max(1, math.floor(hits * self.histogram.count / number))
        value = min(self.histogram.at_rank(rank), self.histogram.max)
        return f"it may be {self.shown(value)}"


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second of one reader: 1 / TimePerOutputToken. Its P95 is what 95 % of the requests reach."""

    of: Latency

    def claim(self, asked: Criterion, scope: Scope) -> Claim:
        bound = Fraction(1_000_000) / Fraction(asked.value) if asked.value else Fraction(10**12)
        mirrored, way = MIRRORED[asked.operator], _way(asked)
        return self.of.percentile(
            mirrored, bound, _share_of(asked), scope, lambda micros: f"{way} {digits(1e6 / max(micros, 1))} tokens/s"
        )

    def figure(self, asked: Criterion, scope: Scope) -> Figure:
        found = self.of.figure(asked, scope)
        value = 1000 / found.value if found.value else None
        return Figure("tokens/s", value, found.missing)

    def attempts(self, scope: Scope) -> float:
        return self.of.attempts(scope)


def _way(asked: Criterion) -> str:
    """On which side of the bound the figure may be: of a speed that is another than of the time that it is made of."""
    return "as high as" if asked.operator in UPPER else "as low as"


def _at_once(counts: Counters) -> int:
    return counts.at_once


def _share_of(asked: Criterion) -> Fraction:
    """The percentile as a share, exactly."""
    if asked.statistic is None:
        raise ValueError(f"{asked.metric} has no statistic")
    return Fraction(str(samples.PERCENTS[asked.statistic])) / 100


def _percent(part: float, whole: float) -> str:
    return digits(100 * part / whole)
