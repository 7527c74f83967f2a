"""Pass or fail, decided once from merged figures, in sentences for the person on call.

A threshold is judged over the stages and the kind of request that it names, else over every stage that is not warmup,
without the seconds of injected faults (`exclude`), which have bounds of their own. A figure that the sample is too
small for makes the result Unknown, never Passed.

Two thresholds are there without being written: at most 5 % errors, unless the plan has a bound on ErrorPercent, and at
least one success. So a run against a dead end cannot pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from loadgen.core.schedule.spans import counted_stages, seconds_of
from loadgen.core.stats import samples
from loadgen.core.stats.observations import Observation, Scope, observe
from loadgen.model.plan import Criterion, Metric, Operator, Severity, Statistic, Threshold
from loadgen.model.report import Result, ThresholdResult

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan

DEFAULT_ERRORS = Threshold(
    name="errors-default",
    metric=Metric.ERROR_PERCENT,
    operator=Operator.LESS_THAN_OR_EQUAL,
    value=Decimal(5),
)
ANY_SUCCESS = Threshold(
    name="any-success",
    metric=Metric.REQUESTS_PER_SECOND,
    operator=Operator.GREATER_THAN,
    value=Decimal(0),
)
"""At least one success; judged by the count of successes, for a rate of 0 in the window may hide a late one."""
SIGNS = {
    Operator.LESS_THAN: "<",
    Operator.LESS_THAN_OR_EQUAL: "<=",
    Operator.GREATER_THAN: ">",
    Operator.GREATER_THAN_OR_EQUAL: ">=",
}
UPPER = (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
FEWEST_FOR_ABORT = 30
FEWEST_FOR_STOP = 10


def effective(plan: Plan) -> tuple[Threshold, ...]:
    """The plan's thresholds and the two that are always there."""
    has_errors = any(threshold.metric is Metric.ERROR_PERCENT for threshold in plan.thresholds)
    return (*plan.thresholds, *(() if has_errors else (DEFAULT_ERRORS,)), ANY_SUCCESS)


def evaluate(
    criteria: Sequence[Threshold], plan: Plan, tally: Tally, *, exclude: Sequence[range] = ()
) -> tuple[ThresholdResult, ...]:
    """Each threshold, judged; `exclude` are the seconds of faults."""
    return tuple(_judge(threshold, _scope(threshold, plan, tally, exclude)) for threshold in criteria)


def evaluate_window(criterion: Criterion, plan: Plan, tally: Tally, seconds: range) -> ThresholdResult:
    """One bound over the requests intended in these seconds, such as a fault's."""
    name = f"second {seconds.start} to {seconds.stop}"
    scope = Scope(plan, tally, frozenset(seconds), None, None, name=name, where=f"in {name}", by_second=True)
    return _judge(_named(criterion), scope)


def _named(criterion: Criterion) -> Threshold:
    if isinstance(criterion, Threshold):
        return criterion
    return Threshold(name=_title(criterion).lower().replace(" of ", "-"), **criterion.model_dump(by_alias=False))


def _scope(threshold: Threshold, plan: Plan, tally: Tally, exclude: Sequence[range]) -> Scope:
    places = {stage.name: index for index, stage in enumerate(plan.load.stages)}
    stages = {places[name] for name in threshold.stages} if threshold.stages else counted_stages(plan)
    kinds = {i for i, one in enumerate(plan.requests) if one.name == threshold.request} if threshold.request else None
    name = "+".join(threshold.stages) if threshold.stages else "run"
    return Scope(
        plan=plan,
        tally=tally,
        seconds=frozenset(at for at in seconds_of(plan, stages) if not any(at in fault for fault in exclude)),
        stages=stages,
        requests=kinds,
        name=name,
        where=_where(threshold),
        by_second=bool(exclude),
    )


def _where(threshold: Threshold) -> str:
    stages = threshold.stages or ()
    places = "the run" if not stages else f"stage{'s' if len(stages) > 1 else ''} {' + '.join(stages)}"
    return f"in {places}" + (f" for request {threshold.request}" if threshold.request else "")


def _judge(threshold: Threshold, scope: Scope) -> ThresholdResult:
    if threshold == ANY_SUCCESS:
        return _any_success(scope)
    seen = observe(threshold.metric, threshold.statistic, scope)
    judged = Judged(threshold, scope, seen)
    return ThresholdResult(
        name=threshold.name,
        result=judged.result,
        severity=threshold.severity,
        observed=judged.observed,
        wanted=judged.wanted,
        window=scope.name,
        message=judged.message,
    )


def _any_success(scope: Scope) -> ThresholdResult:
    counts = scope.selection.counts
    result = Result.PASSED if counts.succeeded else Result.FAILED if counts.planned else Result.UNKNOWN
    observed = f"{counts.succeeded} of {counts.planned} requests"
    return ThresholdResult(
        name=ANY_SUCCESS.name,
        result=result,
        severity=Severity.ERROR,
        observed=observed,
        wanted="> 0 successes",
        window=scope.name,
        message=f"{ANY_SUCCESS.name}: {observed} succeeded {scope.where}{scope.mostly}, wanted at least one",
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """A bound beside what was observed."""

    threshold: Threshold
    scope: Scope
    seen: Observation

    @property
    def result(self) -> Result:
        if self.seen.value is None:
            return Result.UNKNOWN
        return Result.PASSED if holds(self.threshold, self.seen.value) else Result.FAILED

    @property
    def observed(self) -> str:
        """With its unit, and with as many digits as tell it from the bound."""
        if self.seen.value is None:
            return self.seen.missing
        return f"{_digits(self.seen.value, float(self.threshold.value))} {self.seen.unit}"

    @property
    def wanted(self) -> str:
        return f"{SIGNS[self.threshold.operator]} {float(self.threshold.value):.10g} {self.seen.unit}"

    @property
    def message(self) -> str:
        head = f"{self.threshold.name}: {_title(self.threshold)}"
        if self.seen.value is None:
            return f"{head} cannot be judged {self.scope.where}: {self.seen.why}"
        said = f"{head} was {self.observed} {self.scope.where}, wanted {self.wanted}"
        return said if self.result is Result.PASSED else f"{said}{self._by_how_much(self.seen.value)}"

    def _by_how_much(self, value: float) -> str:
        bound = float(self.threshold.value)
        if value == bound:
            return " (just at the bound)"
        word = "too much" if self.threshold.operator in UPPER else "too little"
        if self.seen.unit == "%":
            return f" ({_short(abs(value - bound))} percentage points {word}{self._mostly})"
        return f" ({_short(100 * abs(value - bound) / bound)} % {word})" if bound else ""

    @property
    def _mostly(self) -> str:
        return self.scope.mostly if self.threshold.metric is Metric.ERROR_PERCENT else ""


def _title(criterion: Criterion) -> str:
    return f"{criterion.statistic} of {criterion.metric}" if criterion.statistic else str(criterion.metric)


def holds(criterion: Criterion, value: float) -> bool:
    """Whether the value keeps the bound."""
    bound = float(criterion.value)
    return {
        Operator.LESS_THAN: value < bound,
        Operator.LESS_THAN_OR_EQUAL: value <= bound,
        Operator.GREATER_THAN: value > bound,
        Operator.GREATER_THAN_OR_EQUAL: value >= bound,
    }[criterion.operator]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _digits(value: float, bound: float) -> str:
    """Three significant digits, whole numbers whole, and more where the value would read like the bound."""
    for digits in range(3, 17):
        text = f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"
        if float(text) != bound or value == bound:
            break
    return text


def beyond_doubt(threshold: Threshold, plan: Plan, tally: Tally, *, exclude: Sequence[range] = ()) -> str | None:
    """Why the threshold is violated whatever still comes, with 99 % confidence; None while that is open."""
    scope = _scope(threshold, plan, tally, exclude)
    if not _surely_violated(threshold, scope):
        return None
    return _judge(threshold, scope).message


def _surely_violated(threshold: Threshold, scope: Scope) -> bool:
    if threshold.metric.is_distribution:
        return threshold.operator in UPPER and _latency_surely_above(threshold, scope)
    if threshold.metric in SHARES:
        return _share_surely_violated(threshold, scope)
    over = scope.tally.last_second >= max(scope.seconds, default=0)
    return over and _judge(threshold, scope).result is Result.FAILED


def _latency_surely_above(threshold: Threshold, scope: Scope) -> bool:
    """The lower end of the confidence interval is past the bound. What is in flight can only be slower."""
    histogram = scope.histogram(threshold.metric)
    statistic = threshold.statistic
    if statistic is Statistic.MAX:
        return histogram.count > 0 and not holds(threshold, histogram.max / 1000)
    if statistic is None or histogram.count < max(FEWEST_FOR_ABORT, samples.floor(statistic)):
        return False
    if statistic is Statistic.MEAN:
        return not holds(threshold, (histogram.mean - 2.326 * histogram.stddev / histogram.count**0.5) / 1000)
    limits = samples.bounds(histogram, statistic)
    return limits is not None and not holds(threshold, limits[0])


SHARES = (Metric.ERROR_PERCENT, Metric.DROPPED_PERCENT, Metric.SLO_ATTAINMENT_PERCENT)


def _share_surely_violated(threshold: Threshold, scope: Scope) -> bool:
    """Wilson's bound of the share, with requests in flight counted as if they would end well."""
    counts = scope.selection.counts
    if counts.decided < FEWEST_FOR_ABORT:
        return False
    if threshold.metric is Metric.SLO_ATTAINMENT_PERCENT:
        best = samples.wilson(counts.planned - (counts.decided - counts.good), counts.planned)[1]
        return threshold.operator not in UPPER and not holds(threshold, 100 * best)
    bad = counts.dropped + (counts.failed if threshold.metric is Metric.ERROR_PERCENT else 0)
    return threshold.operator in UPPER and not holds(threshold, 100 * samples.wilson(bad, counts.planned)[0])


def auto_stop(plan: Plan, tally: Tally, now_second: int) -> str | None:
    """Why the run only hammers a broken target: too many of the requests that ended lately have failed."""
    rule = plan.load.auto_stop
    if rule.disabled or now_second < rule.window_seconds:
        return None
    lately: Collection[int] = range(now_second - rule.window_seconds, now_second)
    ended = tally.ended(lately)
    total = ended.succeeded + ended.bad
    if total < FEWEST_FOR_STOP or 100 * ended.bad < rule.error_percent * total:
        return None
    scope = Scope(plan, tally, frozenset(lately), None, None, name="run", where="in the run")
    return (
        f"{100 * ended.bad / total:.0f} % of the {total} requests that ended in the last {rule.window_seconds} s failed"
        f"{scope.mostly}; load.autoStop stops at {rule.error_percent} %"
    )
