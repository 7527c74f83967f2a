"""The autoscaler's reaction to each load step, judged: every step is, whether anything followed it or not.

A step with a scale-up is judged by its first one, up to the first new pod that served; one that never served failed. A
step that was followed by nothing failed too, unless there was nothing to answer: the metric stayed within tolerance,
the autoscaler was at its maximum already, or earlier load had left replicas to spare. One that the next step
overtook before its time was over is judged with that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import ReactionTime
from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling import causes, load, spans
from loadtest_operator.core.scaling.load import Step
from loadtest_operator.core.scaling.scale_ups import ScaleUp
from loadtest_operator.core.scaling.spans import Span
from loadtest_operator.core.scaling.view import Finding, View

ORDER: Final = (Result.FAILED, Result.UNKNOWN, Result.PASSED)


@dataclass(frozen=True, slots=True)
class Try:
    """One step, to be judged."""

    view: View
    step: Step
    most: int
    begin: datetime
    next: datetime
    """When the next step comes, or the end of what was seen."""
    wanted: str
    up: ScaleUp | None = None

    @property
    def deadline(self) -> datetime:
        return self.begin + timedelta(seconds=self.most)

    def finding(self, result: Result, observed: str, why: str = "", late: float = 0.0) -> Finding:
        still_open = result is Result.UNKNOWN and not self.view.ended and self.view.until < self.deadline
        return Finding(result, observed, self.wanted, self.begin, self.deadline, why, still_open, late)

    def unknown(self, observed: str, why: str) -> tuple[Finding, ...]:
        return (self.finding(Result.UNKNOWN, observed, why),)


def reaction_time(asked: ReactionTime, view: View) -> Finding:
    """The worst of all steps."""
    wanted = f"at most {asked.max_seconds} s from load step to a new replica serving"
    blank = Finding(Result.UNKNOWN, "no load step so far", wanted, view.start, view.until, open=not view.ended)
    if view.started is None:
        return blank
    found = [finding for tried in _tries(asked.max_seconds, view, wanted) for finding in _judged(tried)]
    if not found:
        return blank if not view.ended else replace(blank, observed="no load step", why=NO_STEP)
    worst = min(found, key=lambda finding: (ORDER.index(finding.result), -finding.late))
    if worst.result is Result.PASSED and not view.ended:
        return replace(worst, result=Result.UNKNOWN, observed=f"{worst.observed} so far", open=True)
    return worst


NO_STEP = "the load never rises: give a stage more load than the one before"


def _tries(most: int, view: View, wanted: str) -> Iterator[Try]:
    """The steps that have begun; the load's own beginning where the autoscaler answered it."""
    every = load.steps(view.spec)
    asked, ups = load.judged_steps(view.spec), view.scale_ups
    for step in every:
        up = next((up for up in ups if up.reaction and up.step == step), None)
        begin = view.moment(step.second)
        if begin <= view.until and (step in asked or up is not None):
            following = view.moment(load.until_next(every, step, view.second(view.until)))
            yield Try(view, step, most, begin, following, wanted, up)


Answer = tuple[Finding, ...] | None
"""Nothing: the rule does not apply. No finding: the step is not judged."""


def _judged(tried: Try) -> tuple[Finding, ...]:
    return next((answer for rule in RULES if (answer := rule(tried)) is not None), ())


def _served(tried: Try) -> Answer:
    up = tried.up
    if up is None or up.served_by is None or up.unserved_until is None:
        return None
    most = timedelta(seconds=tried.most)
    said = f"{max(0.0, (up.served_by - tried.begin).total_seconds()):.0f} s ({up.before} → {up.after} replicas)"
    if up.served_by - tried.begin <= most:
        late = (up.served_by - tried.deadline).total_seconds()
        return (replace(tried.finding(Result.PASSED, said, late=late), met=up.served_by),)
    if doubt := _gap(tried):
        return tried.unknown(said, doubt)
    if up.unserved_until - tried.begin > most:
        return (tried.finding(Result.FAILED, said, late=(up.unserved_until - tried.deadline).total_seconds()),)
    least = max(0.0, (up.unserved_until - tried.begin).total_seconds())
    return tried.unknown(f"between {least:.1f} and {said}", "it began to serve between two looks, around the deadline")


def _never_served(tried: Try) -> Answer:
    up, view = tried.up, tried.view
    if up is None:
        return None
    said = f"no new replica served ({up.before} → {up.after} replicas)"
    if view.until < tried.deadline:
        return tried.unknown(f"{said} so far", _too_short(tried) if view.ended else "")
    if up.gap is not None and up.gap.start < tried.deadline:
        return tried.unknown(said, view.describe(Span(up.gap.start, up.gap.end, None, up.gap.because)))
    return (tried.finding(Result.FAILED, said, late=(view.until - tried.deadline).total_seconds()),)


def _overtaken(tried: Try) -> Answer:
    """The next step came first, and is judged itself."""
    over = tried.next < tried.deadline and tried.next < tried.view.until
    return () if over else None


def _not_over(tried: Try) -> Answer:
    if tried.view.until >= tried.deadline:
        return None
    return tried.unknown("no scale-up so far", _too_short(tried) if tried.view.ended else "")


def _unseen(tried: Try) -> Answer:
    doubt = _gap(tried)
    return tried.unknown(f"no scale-up was seen after {_named(tried.step)}", doubt) if doubt else None


def _nothing_to_answer(tried: Try) -> Answer:
    """Not known whether it would have: what was asked of it did not ask for more replicas."""
    said = f"no scale-up after {_named(tried.step)}"
    case = causes.Case(tried.view, tried.finding(Result.UNKNOWN, said), causes.Direction.UP, None)
    tolerant = causes.within_tolerance(case)
    if tolerant and not tried.step.comparable:
        return ()
    for cause, why in (
        (Cause.WITHIN_TOLERANCE, tolerant),
        (Cause.REPLICA_LIMIT, _at_maximum(tried)),
        (Cause.UNKNOWN, _left_by_earlier_load(tried) or _fell_again(tried) or _incomparable(tried)),
    ):
        if why:
            return (replace(tried.finding(Result.UNKNOWN, said, why), cause=cause),)
    return None


def _no_scale_up(tried: Try) -> Answer:
    late = (min(tried.next, tried.view.until) - tried.deadline).total_seconds()
    return (tried.finding(Result.FAILED, f"no scale-up after {_named(tried.step)}", late=late),)


RULES: Final[tuple[Callable[[Try], Answer], ...]] = (
    _served,
    _never_served,
    _overtaken,
    _not_over,
    _unseen,
    _nothing_to_answer,
    _no_scale_up,
)


def _named(step: Step) -> str:
    return f"the load step of stage {step.stage} ({step.says})"


def _gap(tried: Try) -> str:
    found = spans.spans(tried.view.timeline, lambda sample: bool(sample.levels), spans.scaled_in)
    unseen = (
        span for span in spans.within(found, tried.begin, tried.deadline) if span.value is not True and span.seconds
    )
    doubt = next(unseen, None)
    return tried.view.describe(doubt) if doubt else ""


def _too_short(tried: Try) -> str:
    missing = (tried.deadline - tried.view.until).total_seconds()
    return (
        f"it was watched for {(tried.view.until - tried.begin).total_seconds():.0f} s after {_named(tried.step)}: raise "
        f"scaling.settleSeconds by {missing:.0f}, or make the stage longer"
    )


def _at_maximum(tried: Try) -> str:
    sample = tried.view.sample_at(tried.begin)
    if sample is None or sample.scaler is None or max(sample.levels, default=0) < sample.scaler.maximum:
        return ""
    return f"the autoscaler was at its maximum of {sample.scaler.maximum} before the load rose: raise maxReplicas"


def _left_by_earlier_load(tried: Try) -> str:
    """Replicas above the minimum when the load began, and none added since."""
    first, now = tried.view.sample_at(tried.view.start), tried.view.sample_at(tried.begin)
    if first is None or now is None or first.scaler is None or (first.replicas or 0) <= first.scaler.minimum:
        return ""
    if (now.replicas or 0) > (first.replicas or 0):
        return ""
    return (
        f"the target had {first.replicas} replicas when the load began, above the minimum of {first.scaler.minimum}: "
        "what earlier load had left may have been enough. Start when the autoscaler is at rest"
    )


def _fell_again(tried: Try) -> str:
    """The load went before the autoscaler's time was over."""
    begin = tried.view.second(tried.begin)
    fall = next((second for second in load.falls(tried.view.spec) if second > begin), None)
    if fall is None or fall - begin >= tried.most:
        return ""
    return f"its load lasted only {fall - begin:.0f} s: make the stage at least {tried.most} s long"


def _incomparable(tried: Try) -> str:
    if tried.step.comparable or any(sample.scaler and sample.scaler.metrics for sample in tried.view.seen):
        return ""
    return "requests/s and requests in flight cannot be compared: nobody knows whether the load rose"
