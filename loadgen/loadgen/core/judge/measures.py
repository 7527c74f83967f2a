"""What each metric claims and shows over a scope: one entry a metric in `MEASURES`; one that is missing is an error at import.

A measure makes a claim of a bound, and the figure that is shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from loadgen.core.judge.claims import Mean, Open, Share
from loadgen.core.judge.latency import NO_ANSWER, ONE_READ, STRICT, UPPER, Latency, Speed
from loadgen.core.stats.figure import Figure, digits
from loadgen.model.plan import Criterion, Metric
from loadgen.model.report import Doubt

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.core.judge.claims import Claim
    from loadgen.core.judge.scope import Scope
    from loadgen.core.stats.confidence import Interval, Seconds
    from loadgen.core.stats.tally import Counters


class Measure(Protocol):
    """A metric."""

    def claim(self, asked: Criterion, scope: Scope) -> Claim:
        """What the bound claims."""

    def figure(self, asked: Criterion, scope: Scope) -> Figure:
        """What was observed."""

    def attempts(self, scope: Scope) -> float:
        """How many attempts, or seconds, it would be judged by."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of the planned requests, in percent."""

    counted: Callable[[Counters], int]
    """Requests that the percentage counts."""
    uncounted: Callable[[Counters], int]
    """Those that it surely does not."""
    open: tuple[tuple[Doubt, Callable[[Counters], int], str], ...] = ()

    def claim(self, asked: Criterion, scope: Scope) -> Claim:
        upper, grid = asked.operator in UPPER, scope.grid
        bound = Fraction(asked.value) / 100
        return Share(
            against=grid.number(self.counted if upper else self.uncounted),
            attempts=grid.planned,
            open=tuple(Open(doubt, grid.number(of), words) for doubt, of, words in self.open),
            limit=bound if upper else 1 - bound,
            strict=asked.operator in STRICT,
            may_be=_may_be_high if upper else _may_be_low,
        )

    def figure(self, asked: Criterion, scope: Scope) -> Figure:
        planned = float(scope.grid.planned.sum())
        return Figure("%", 100 * float(scope.grid.number(self.counted).sum()) / planned if planned else None)

    def attempts(self, scope: Scope) -> float:
        return float(scope.grid.planned.sum())


def _may_be_high(_number: float, interval: Interval) -> str:
    return f"it may be as high as {digits(100 * interval.high)} %"


def _may_be_low(_number: float, interval: Interval) -> str:
    return f"it may be as low as {digits(100 * (1 - interval.high))} %"


@dataclass(frozen=True, slots=True)
class Rate:
    """Something per second of the scope that has passed."""

    unit: str
    parts: Callable[[Scope], Seconds]
    open: Callable[[Scope], tuple[Open, ...]] = lambda _scope: ()

    def claim(self, asked: Criterion, scope: Scope) -> Claim:
        parts, number = self.parts(scope), len(scope.passed)
        open_ = self.open(scope)
        return Mean(
            parts=parts,
            sizes=np.ones(number),
            bound=float(asked.value),
            upper=asked.operator in UPPER,
            strict=asked.operator in STRICT,
            open=open_,
            most=sum((one.number[:number] for one in open_), parts),
            unit=self.unit,
        )

    def figure(self, asked: Criterion, scope: Scope) -> Figure:
        seconds = len(scope.passed)
        return Figure(self.unit, max(0.0, float(self.parts(scope).sum())) / seconds if seconds else None)

    def attempts(self, scope: Scope) -> float:
        return float(len(scope.passed))


def _unsure(counts: Counters) -> int:
    return counts.unsure


def _unanswered(counts: Counters) -> int:
    return counts.open


def _not_answered(counts: Counters) -> int:
    return counts.open + counts.dropped


def _ended(scope: Scope) -> Seconds:
    return np.array([scope.tally.ended((at,), scope.requests).succeeded for at in scope.passed], dtype=np.float64)


def _tokens(scope: Scope) -> Seconds:
    return np.array([scope.tally.ended((at,), scope.requests).output_tokens for at in scope.passed], dtype=np.float64)


def _good(scope: Scope) -> Seconds:
    return scope.grid.number(lambda counts: counts.good)[: len(scope.passed)]


def _perhaps_good(scope: Scope) -> tuple[Open, ...]:
    return tuple(Open(doubt, scope.grid.number(of), words) for doubt, of, words in PERHAPS_GOOD)


PERHAPS_GOOD = ((Doubt.NO_ANSWER, _unanswered, NO_ANSWER), (Doubt.ONE_READ, _unsure, ONE_READ))
MEASURES: dict[Metric, Measure] = {
    Metric.RESPONSE_TIME: Latency(Metric.RESPONSE_TIME),
    Metric.E2E_LATENCY: Latency(Metric.E2E_LATENCY),
    Metric.TIME_TO_FIRST_TOKEN: Latency(Metric.TIME_TO_FIRST_TOKEN, streamed=True),
    Metric.TIME_TO_FIRST_TOKEN_FROM_SEND: Latency(Metric.TIME_TO_FIRST_TOKEN_FROM_SEND, streamed=True),
    Metric.TIME_TO_FIRST_BYTE: Latency(Metric.TIME_TO_FIRST_BYTE),
    Metric.TIME_PER_OUTPUT_TOKEN: Latency(Metric.TIME_PER_OUTPUT_TOKEN, streamed=True, paced=True),
    Metric.INTER_CHUNK_LATENCY: Latency(Metric.INTER_CHUNK_LATENCY, streamed=True, paced=True, clustered=True),
    Metric.MAX_STALL: Latency(Metric.MAX_STALL, streamed=True, paced=True),
    Metric.SCHEDULE_LAG: Latency(Metric.SCHEDULE_LAG, failures=False),
    Metric.OUTPUT_TOKENS_PER_SECOND_PER_USER: Speed(Latency(Metric.TIME_PER_OUTPUT_TOKEN, streamed=True, paced=True)),
    Metric.ERROR_PERCENT: Percent(
        lambda counts: counts.failed + counts.dropped,
        lambda counts: counts.succeeded,
        ((Doubt.NO_ANSWER, _unanswered, NO_ANSWER),),
    ),
    Metric.DROPPED_PERCENT: Percent(lambda counts: counts.dropped, lambda counts: counts.planned - counts.dropped),
    Metric.REJECTED_PERCENT: Percent(
        lambda counts: counts.rejected,
        lambda counts: counts.succeeded + counts.failed - counts.rejected,
        ((Doubt.NO_ANSWER, _not_answered, "were not sent or had no answer when the run ended"),),
    ),
    Metric.SLO_ATTAINMENT_PERCENT: Percent(
        lambda counts: counts.good,
        lambda counts: counts.planned - counts.good - counts.unsure - counts.open,
        PERHAPS_GOOD,
    ),
    Metric.REQUESTS_PER_SECOND: Rate("requests/s", _ended),
    Metric.OUTPUT_TOKEN_THROUGHPUT: Rate("tokens/s", _tokens),
    Metric.GOODPUT: Rate("requests/s", _good, _perhaps_good),
}
if _missing := set(Metric) - set(MEASURES):
    raise LookupError(f"metrics without a measure: {', '.join(sorted(_missing))}")
