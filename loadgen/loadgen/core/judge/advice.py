"""What a valid plan will not be able to tell: no reason to refuse it, and said before any load.

A threshold that asks for confidence needs so many attempts that even if not one of them is against it the bound is shown. Where a plan has
fewer, the threshold can only end Unknown (or Failed), and the sentence says how many are missing and what would do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loadgen.core.judge.claims import Share
from loadgen.core.judge.figure import digits
from loadgen.core.judge.latency import UPPER, Latency, Speed
from loadgen.core.judge.measures import MEASURES
from loadgen.core.judge.scope import Scope, of_threshold
from loadgen.core.judge.thresholds import SIGNS, title
from loadgen.core.schedule.arrivals import expected
from loadgen.core.schedule.spans import counted_stages, seconds_of
from loadgen.core.stats import confidence
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Decision, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadgen.model.plan import Plan, Threshold
    from loadgen.model.requests import Request

REMEDY = "it would end Unknown; run longer, send more, ask for less, or set decision: Point"


def advice(plan: Plan) -> list[str]:
    """Every sentence; none is a reason to refuse the plan."""
    found = [_not_streamed(threshold, plan) for threshold in plan.thresholds]
    found += undecidable(plan)
    found += [_always_the_same(request) for request in plan.requests]
    return [one for one in (*found, _only_warmup(plan), _nothing_planned(plan)) if one]


def undecidable(plan: Plan, faults: Sequence[range] = ()) -> list[str]:
    """Each threshold that the plan cannot decide even in the best case. `faults` are seconds that are left out."""
    return list(_undecidable(plan, faults))


def _undecidable(plan: Plan, faults: Sequence[range]) -> Iterator[str]:
    nothing = Tally(plan)
    for threshold in plan.thresholds:
        scope = of_threshold(threshold, plan, nothing, faults)
        closed = any(plan.load.stages[index].concurrency for index in scope.places)
        if threshold.decision is Decision.CONFIDENT and not closed and not _not_streamed(threshold, plan):
            reason = _too_few(threshold, scope) or _too_much(threshold, scope)
            if reason:
                yield f"thresholds[{threshold.name}]: {reason}"


def _too_few(threshold: Threshold, scope: Scope) -> str | None:
    """Fewer attempts than would show the bound if none of them were against it."""
    claim = MEASURES[threshold.metric].claim(threshold, scope)
    if not isinstance(claim, Share) or claim.about_these:
        return None
    needed, planned = confidence.needed(float(claim.limit)), _planned(threshold, scope)
    if needed is None or planned >= needed:
        return None
    without = "a failure" if threshold.metric is Metric.ERROR_PERCENT else "one against it"
    bound = f"{title(threshold)} {SIGNS[threshold.operator]} {float(threshold.value):.10g}{_unit(threshold)}"
    return f"{bound} needs {needed} {claim.kind} without {without}, and about {planned:.0f} are planned: {REMEDY}"


def _too_much(threshold: Threshold, scope: Scope) -> str | None:
    """As many answers a second as there are arrivals cannot be shown: arrivals vary."""
    seconds = len(scope.seconds)
    if (
        threshold.metric not in (Metric.REQUESTS_PER_SECOND, Metric.GOODPUT)
        or threshold.operator in UPPER
        or not seconds
    ):
        return None
    rate = _planned(threshold, scope) / seconds
    if float(threshold.value) < rate:
        return None
    return (
        f"{threshold.metric} {SIGNS[threshold.operator]} {float(threshold.value):.10g} asks for as many answers as are planned, "
        f"{digits(rate)} a second on average, or more: arrivals vary, so this cannot be shown; ask for less, or set decision: Point"
    )


def _unit(threshold: Threshold) -> str:
    measure = MEASURES[threshold.metric]
    return " ms" if isinstance(measure, Latency) else " tokens/s" if isinstance(measure, Speed) else " %"


def _planned(threshold: Threshold, scope: Scope) -> float:
    """Requests to expect in the scope that can have the metric; a fault's seconds take their share away."""
    plan, measure = scope.plan, MEASURES[threshold.metric]
    latency = measure.of if isinstance(measure, Speed) else measure
    streamed = isinstance(latency, Latency) and latency.streamed
    chosen = [one for one in plan.requests if threshold.request in (None, one.name) and (one.streams or not streamed)]
    share = sum(one.effective_weight for one in chosen) / sum(one.effective_weight for one in plan.requests)
    whole = len(seconds_of(plan, scope.places))
    trickles = float(sum(one.rate_per_second or 0 for one in chosen))
    return (expected(plan, scope.places) * share + whole * trickles) * len(scope.seconds) / max(whole, 1)


def _not_streamed(threshold: Threshold, plan: Plan) -> str | None:
    """A metric of streams where nothing is streamed."""
    measure = MEASURES[threshold.metric]
    latency = measure.of if isinstance(measure, Speed) else measure
    chosen = [one for one in plan.requests if threshold.request in (None, one.name)]
    if not isinstance(latency, Latency) or not latency.streamed or any(one.streams for one in chosen):
        return None
    remedy = "set stream: true (Gradio: protocol: Queue or QueueJoin)"
    return f"thresholds[{threshold.name}]: {threshold.metric} is measured on streamed answers only: {remedy}"


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
