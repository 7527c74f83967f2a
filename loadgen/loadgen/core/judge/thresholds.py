"""Each threshold judged once, in its own scope, in a sentence for the person on call.

First the guards (is there a sample, was the generator well?), then the claim, then the guards of what holds. A threshold that is Unknown
says by how much and what would decide it; it is never Passed and never Failed.

Two thresholds are there without being written: at most 5 % errors (`defaults.errorPercent`), and at least one success. Nobody asked for
more, so the observed value decides them (`Point`); no threshold replaces them. A run against a dead end cannot pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from loadgen.core.judge import guards
from loadgen.core.judge.claims import FAILED, PASSED, Answer, unknown
from loadgen.core.judge.latency import UPPER
from loadgen.core.judge.measures import MEASURES
from loadgen.core.judge.scope import of_threshold, of_window
from loadgen.core.stats.figure import Figure, short, telling
from loadgen.model.plan import RESERVED_NAMES, Criterion, Decision, Metric, Operator, Severity, Threshold
from loadgen.model.report import Doubt, Result, ThresholdResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.core.judge.scope import Scope
    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan

SIGNS = {
    Operator.LESS_THAN: "<",
    Operator.LESS_THAN_OR_EQUAL: "<=",
    Operator.GREATER_THAN: ">",
    Operator.GREATER_THAN_OR_EQUAL: ">=",
}
ERRORS_DEFAULT, ANY_SUCCESS = RESERVED_NAMES
NOBODY: Mapping[int, str] = {}


def effective(plan: Plan) -> tuple[Threshold, ...]:
    """The plan's thresholds and the two that are always there; no name twice, for theirs are reserved."""
    return (*plan.thresholds, errors_default(plan), any_success())


def errors_default(plan: Plan) -> Threshold:
    return Threshold.model_construct(
        name=ERRORS_DEFAULT,
        metric=Metric.ERROR_PERCENT,
        operator=Operator.LESS_THAN_OR_EQUAL,
        value=plan.defaults.error_percent,
        decision=Decision.POINT,
    )


def any_success() -> Threshold:
    """At least one success; judged by their number, for a rate of 0 in the window may hide a late one."""
    return Threshold.model_construct(
        name=ANY_SUCCESS,
        metric=Metric.REQUESTS_PER_SECOND,
        operator=Operator.GREATER_THAN,
        value=Decimal(0),
        decision=Decision.POINT,
    )


def evaluate(
    criteria: Sequence[Threshold],
    plan: Plan,
    tally: Tally,
    *,
    exclude: Sequence[range] = (),
    limited: Mapping[int, str] = NOBODY,
) -> tuple[ThresholdResult, ...]:
    """Each threshold, judged. `exclude` are the seconds of faults, `limited` says why the generator was the limit, by stage."""
    return tuple(judge(one, of_threshold(one, plan, tally, exclude), limited) for one in criteria)


def evaluate_window(
    criterion: Criterion, plan: Plan, tally: Tally, seconds: range, *, limited: Mapping[int, str] = NOBODY
) -> ThresholdResult:
    """One bound over the requests intended in these seconds, such as a fault's."""
    return judge(_named(criterion), of_window(plan, tally, seconds), limited)


def _named(criterion: Criterion) -> Threshold:
    if isinstance(criterion, Threshold):
        return criterion
    return Threshold(name=title(criterion).lower().replace(" of ", "-"), **criterion.model_dump(by_alias=False))


def judge(threshold: Threshold, scope: Scope, limited: Mapping[int, str]) -> ThresholdResult:
    """The result with its words."""
    if threshold.name == ANY_SUCCESS:
        return _success(scope, limited)
    about = guards.Question(threshold, scope, limited)
    measure = MEASURES[threshold.metric]
    answer = guards.first(guards.BEFORE, about) or measure.claim(threshold, scope).decide(threshold.decision)
    if answer.result is Result.PASSED and threshold.name != ERRORS_DEFAULT:
        answer = guards.first(guards.OF_PASSED, about) or answer
    said = Said(threshold, scope, measure.figure(threshold, scope), answer)
    return _result(threshold, scope, answer, said.observed, said.wanted, said.message)


def _result(
    threshold: Threshold, scope: Scope, answer: Answer, observed: str, wanted: str, message: str
) -> ThresholdResult:
    return ThresholdResult(
        name=threshold.name,
        result=answer.result,
        severity=threshold.severity,
        observed=observed,
        wanted=wanted,
        window=scope.name,
        decision=threshold.decision,
        doubt=answer.doubt,
        message=message,
    )


def _success(scope: Scope, limited: Mapping[int, str]) -> ThresholdResult:
    counts, threshold = scope.counts, any_success()
    observed = f"{counts.succeeded} of {counts.planned} requests"
    message = f"{ANY_SUCCESS}: {observed} succeeded {scope.where}{scope.mostly}, wanted at least one"
    answer = _any(scope, limited)
    if answer.result is Result.UNKNOWN:
        message = f"{message}: {answer.why}"
    return _result(threshold, scope, answer, observed, "> 0 successes", message)


def _any(scope: Scope, limited: Mapping[int, str]) -> Answer:
    """One success is one, however well the generator was."""
    counts = scope.counts
    if counts.succeeded:
        return PASSED
    if not counts.planned:
        return unknown(Doubt.NO_SAMPLE, "no request was planned there")
    about = guards.Question(any_success(), scope, limited)
    if counts.open:
        return unknown(
            Doubt.NO_ANSWER, f"{counts.open} had no answer when the run ended: raise load.gracefulStopSeconds"
        )
    return guards.generator_was_the_limit(about) or FAILED


@dataclass(frozen=True, slots=True)
class Said:
    """A bound beside what was observed, in words."""

    threshold: Threshold
    scope: Scope
    figure: Figure
    answer: Answer

    @property
    def observed(self) -> str:
        """With its unit, and with as many digits as tell it from the bound."""
        if self.figure.value is None:
            return self.figure.missing
        return f"{telling(self.figure.value, float(self.threshold.value))} {self.figure.unit}"

    @property
    def wanted(self) -> str:
        return f"{SIGNS[self.threshold.operator]} {float(self.threshold.value):.10g} {self.figure.unit}"

    @property
    def message(self) -> str:
        head = f"{self.threshold.name}: {title(self.threshold)}"
        said = f"{head} was {self.observed} {self.scope.where}, wanted {self.wanted}"
        if self.answer.result is Result.UNKNOWN:
            known = said if self.figure.value is not None else f"{head} cannot be judged {self.scope.where}"
            return f"{known}: {self.answer.why}"
        how = " (as observed)" if self.answer.as_observed else ""
        return f"{said}{self._by_how_much if self.answer.result is Result.FAILED else ''}{how}"

    @property
    def _by_how_much(self) -> str:
        bound, value = float(self.threshold.value), self.figure.value
        if value is None:
            return self._drops or self.scope.mostly
        if value == bound:
            return " (just at the bound)"
        word = "too much" if self.threshold.operator in UPPER else "too little"
        if self.figure.unit == "%":
            return f" ({short(abs(value - bound))} percentage points {word}{self._mostly}){self._drops}"
        return (f" ({short(100 * abs(value - bound) / bound)} % {word})" if bound else "") + self._drops

    @property
    def _mostly(self) -> str:
        return self.scope.mostly if self.threshold.metric is Metric.ERROR_PERCENT else ""

    @property
    def _drops(self) -> str:
        """What a full cap says of the target, by Little's law: L = λ·W."""
        counts = self.scope.counts
        if not counts.dropped or 2 * counts.dropped < counts.failed:
            return ""
        return f"; {drops(self.scope)}"


def drops(scope: Scope) -> str:
    """How many requests in flight would have been needed: arrivals a second times what an answer took on average."""
    counts, cap = scope.counts, scope.plan.load.max_in_flight
    said = f"{counts.dropped} requests were dropped because load.maxInFlight ({cap}) were in flight"
    waited = scope.selection.histogram(Metric.RESPONSE_TIME)
    if not waited.count or not scope.passed:
        return said
    rate, seconds = counts.planned / len(scope.passed), waited.mean / 1e6
    return (
        f"{said}: at {rate:.3g}/s and {seconds:.3g} s each at least {rate * seconds:.0f} would have been needed; if so many are meant to "
        "wait, raise load.maxInFlight"
    )


def title(criterion: Criterion) -> str:
    return f"{criterion.statistic} of {criterion.metric}" if criterion.statistic else str(criterion.metric)


def violated(results: Sequence[ThresholdResult]) -> list[ThresholdResult]:
    """Those that fail the run."""
    return [one for one in results if one.result is Result.FAILED and one.severity is Severity.ERROR]


def undecided(results: Sequence[ThresholdResult]) -> list[ThresholdResult]:
    """Those that leave the run open."""
    return [one for one in results if one.result is Result.UNKNOWN and one.severity is Severity.ERROR]
