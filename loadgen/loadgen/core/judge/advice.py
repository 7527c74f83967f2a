"""What a valid plan will not be able to tell: no reason to refuse it, and said before any load.

A threshold that asks for confidence needs so many attempts that even if not one of them is against it the bound is shown. Where a plan has
fewer, the threshold can only end Unknown (or Failed), and the sentence says how many are missing and what would do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loadgen.core.judge.claims import Share
from loadgen.core.judge.latency import UPPER, Latency, Speed
from loadgen.core.judge.measures import MEASURES
from loadgen.core.judge.scope import Scope, of_threshold, of_window
from loadgen.core.judge.thresholds import SIGNS, title
from loadgen.core.schedule.arrivals import expected
from loadgen.core.schedule.spans import counted_stages, seconds_of
from loadgen.core.stats import confidence
from loadgen.core.stats.figure import digits
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Decision, Metric, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadgen.model.plan import Criterion, Plan, Threshold
    from loadgen.model.requests import Request

REMEDY = "it would end Unknown; run longer, send more, ask for less, or set decision: Point"


def advice(plan: Plan) -> list[str]:
    """Every sentence; none is a reason to refuse the plan."""
    found = [_not_streamed(threshold, plan) for threshold in plan.thresholds]
    found += [_stops_nothing(threshold) for threshold in plan.thresholds]
    found += undecidable(plan)
    found += [_always_the_same(request) for request in plan.requests]
    return [one for one in (*found, _only_warmup(plan), _nothing_planned(plan)) if one]


def undecidable(plan: Plan, faults: Sequence[range] = ()) -> list[str]:
    """Each threshold that the plan cannot decide even in the best case. `faults` are seconds that are left out."""
    nothing = Tally(plan)
    found = ((one, _undecided(one, of_threshold(one, plan, nothing, faults))) for one in plan.thresholds)
    return [f"thresholds[{threshold.name}]: {reason}" for threshold, reason in found if reason]


def undecidable_within(criterion: Criterion, plan: Plan, seconds: range) -> str | None:
    """The same of a bound over a window, such as a fault's."""
    return _undecided(criterion, of_window(plan, Tally(plan), seconds))


def _undecided(asked: Criterion, scope: Scope) -> str | None:
    closed = any(scope.plan.load.stages[index].concurrency for index in scope.places)
    if asked.decision is Decision.POINT or closed or (_is_streamed(asked) and not scope.streams):
        return None
    return _too_few(asked, scope) or _too_much(asked, scope)


def _too_few(asked: Criterion, scope: Scope) -> str | None:
    """Fewer attempts than would show the bound if none of them were against it."""
    claim = MEASURES[asked.metric].claim(asked, scope)
    if not isinstance(claim, Share) or claim.about_these:
        return None
    needed, planned = confidence.needed(float(claim.limit)), _planned(asked, scope)
    if needed is None or planned >= needed:
        return None
    without = "a failure" if asked.metric is Metric.ERROR_PERCENT else "one against it"
    bound = f"{title(asked)} {SIGNS[asked.operator]} {float(asked.value):.10g}{_unit(asked)}"
    return f"{bound} needs {needed} {claim.kind} without {without}, and about {planned:.0f} are planned: {REMEDY}"


def _too_much(asked: Criterion, scope: Scope) -> str | None:
    """As many answers a second as there are arrivals cannot be shown: arrivals vary."""
    seconds = len(scope.seconds)
    if asked.metric not in (Metric.REQUESTS_PER_SECOND, Metric.GOODPUT) or asked.operator in UPPER or not seconds:
        return None
    rate = _planned(asked, scope) / seconds
    if float(asked.value) < rate:
        return None
    return (
        f"{asked.metric} {SIGNS[asked.operator]} {float(asked.value):.10g} asks for as many answers as are planned, "
        f"{digits(rate)} a second on average, or more: arrivals vary, so this cannot be shown; ask for less, or set decision: Point"
    )


def _unit(asked: Criterion) -> str:
    measure = MEASURES[asked.metric]
    return " ms" if isinstance(measure, Latency) else " tokens/s" if isinstance(measure, Speed) else " %"


def _planned(asked: Criterion, scope: Scope) -> float:
    """Requests to expect in the scope that can have the metric; a fault's seconds take their share away."""
    plan = scope.plan
    kinds = scope.streams if _is_streamed(asked) else scope.requests
    chosen = [one for index, one in enumerate(plan.requests) if kinds is None or index in kinds]
    share = sum(one.effective_weight for one in chosen) / sum(one.effective_weight for one in plan.requests)
    whole = len(seconds_of(plan, scope.places))
    trickles = float(sum(one.rate_per_second or 0 for one in chosen))
    return (expected(plan, scope.places) * share + whole * trickles) * len(scope.seconds) / max(whole, 1)


def _is_streamed(asked: Criterion) -> bool:
    """Whether only answers in pieces have the metric."""
    measure = MEASURES[asked.metric]
    latency = measure.of if isinstance(measure, Speed) else measure
    return isinstance(latency, Latency) and latency.streamed


def _not_streamed(threshold: Threshold, plan: Plan) -> str | None:
    """A metric of streams where nothing is streamed."""
    chosen = (one for one in plan.requests if threshold.request in (None, one.name))
    if not _is_streamed(threshold) or any(one.streams for one in chosen):
        return None
    remedy = "set stream: true (Gradio: protocol: Queue or QueueJoin)"
    return f"thresholds[{threshold.name}]: {threshold.metric} is measured on streamed answers only: {remedy}"


def _stops_nothing(threshold: Threshold) -> str | None:
    if threshold.severity is not Severity.WARNING or not threshold.abort_on_fail:
        return None
    return f"thresholds[{threshold.name}]: a Warning never fails a run, so abortOnFail stops none: leave it out, or use severity: Error"


def _always_the_same(request: Request) -> str | None:
    """A text that a prefix cache has after its first request; a trickle beside the load may be meant so."""
    prompt = request.prompt
    if prompt is None or prompt.text is None or prompt.cache_bust or not request.effective_weight:
        return None
    return (
        f"requests[{request.name}]: every request has the same prompt, which a server's prefix cache makes faster than "
        f"real ones: set prompt.cacheBust: true, or use prompt.synthetic"
    )


def _only_warmup(plan: Plan) -> str | None:
    if not all(stage.warmup for stage in plan.load.stages):
        return None
    return "every stage of load.stages is warmup, so warmup is judged; leave warmup out of the main stage"


def _nothing_planned(plan: Plan) -> str | None:
    stages = counted_stages(plan)
    closed = any(plan.load.stages[index].concurrency for index in stages)
    trickles = any(one.rate_per_second for one in plan.requests)
    if closed or trickles or not math.isclose(expected(plan, stages), 0):
        return None
    return "load.stages plan no request, so nothing can be said: give a stage an arrivalRate of more than 0"
