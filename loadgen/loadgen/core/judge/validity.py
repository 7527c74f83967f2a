"""How far the measurement can be trusted: judged before any threshold, stage by stage, from what the generator measured of itself.

The rules are two lists of functions, each of which returns a reason (the cause with its figures, then the advice) or None for one stage;
the lists are the specification. In a stage that is GeneratorLimited nothing is judged: what was measured there is the generator, not
the target. An hour of calm does not outweigh the thirty seconds that matter. Degraded is a warning: latencies are blurred by about as much
as the reason says.

Whose fault is it? Ports, CPU, throttling, a loop that stands still are the generator's. A full in-flight cap while the generator is well
is the target's, which answers too slowly: its dropped requests count as errors, and no rule here excuses them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.judge import own
from loadgen.core.judge.own import Own
from loadgen.core.schedule.levels import spans
from loadgen.core.schedule.spans import counted_stages, seconds_of
from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram
from loadgen.model.plan import Operator, Statistic
from loadgen.model.report import Validity, ValidityLevel

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence

    from loadgen.core.schedule.levels import Span
    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan

CPU_SHARE = 0.8
CPU_SECONDS = 10
"""The longest stretch that CPU is averaged over; a shorter stage is judged as a whole."""
THROTTLED_SHARE = 0.05
DROPPED_PERCENT = 0.1
CEILING_SHARE = 0.6
LAG_SHARE_OF_BOUND = 0.1
LAG_MILLISECONDS = 5.0
STARVED_MILLISECONDS = 50.0
"""A loop this late at P99 that uses less than half of its CPU is kept waiting by others."""
LAG_SHARE_OF_TIME_OUT = 0.1
"""A loop this late tells time-outs of its own making."""


CPU_OF_THEIR_OWN = "give workers CPU of their own (workerTemplate: resources.requests, nodeSelector)"


@dataclass(frozen=True, slots=True)
class Busiest:
    """The shard that came nearest to its limit, in its busiest ten seconds of a stage."""

    worker: int = 0
    shard: int = 0
    cores: float = 0.0
    allowed: float = 1.0
    seconds: int = 0
    """Over how many seconds: ten, or the whole of a shorter stage."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at: one stage, of one run."""

    plan: Plan
    span: Span
    busiest: Busiest = Busiest()
    throttled_worker: int = 0
    throttled_share: float = 0.0
    dropped: int = 0
    planned: int = 0
    late: int = 0
    """Of the dropped, those that came too late."""
    ceilings: Mapping[int, int] = field(default_factory=dict)
    own: Own = field(default_factory=Own)
    schedule_lag: Histogram = field(default_factory=Histogram)
    loop_lag: Histogram = field(default_factory=Histogram)


Rule = Callable[[Evidence], str | None]


@dataclass(frozen=True, slots=True)
class Quality:
    """Validity for people, and where nothing can be judged."""

    validity: Validity
    limited: Mapping[int, str]
    """By stage, also those of warmup: why the generator was the limit."""


def judge(plan: Plan, tally: Tally, *, allowed_cores: float, ceilings: Mapping[int, int] | None = None) -> Validity:
    """`allowed_cores` is what one worker may use; `ceilings` are requests/s by worker against a null server."""
    return quality(plan, tally, allowed_cores=allowed_cores, ceilings=ceilings).validity


def quality(plan: Plan, tally: Tally, *, allowed_cores: float, ceilings: Mapping[int, int] | None = None) -> Quality:
    """The same, with every stage that is limited."""
    begun = [span for span in spans(plan) if span.start <= max(tally.last_second, 0)]
    every = {span.index: gather(plan, tally, span, allowed_cores, ceilings or {}) for span in begun}
    limited = {index: reasons[0] for index, seen in every.items() if (reasons := _reasons(LIMITED, seen))}
    counted = [seen for index, seen in every.items() if index in counted_stages(plan)]
    return Quality(_validity(plan, tally, counted, limited), limited)


def _validity(plan: Plan, tally: Tally, counted: Sequence[Evidence], limited: Mapping[int, str]) -> Validity:
    """Over the stages that count; CPU and throttling of the worst of them."""
    worst, degraded = _gathered(LIMITED, counted), _gathered(DEGRADED, counted)
    names = tuple(seen.span.stage.name for seen in counted if seen.span.index in limited)
    seconds = frozenset(seconds_of(plan, counted_stages(plan)))
    schedule_lag, loop_lag = tally.schedule_lag(seconds), tally.loop_lag(seconds)
    planned, dropped = sum(seen.planned for seen in counted), sum(seen.dropped for seen in counted)
    return Validity(
        level=_level(worst, degraded),
        reasons=_advised_once(worst + degraded),
        schedule_lag_p50=_lag(schedule_lag, Statistic.P50),
        schedule_lag_p99=_lag(schedule_lag, Statistic.P99),
        loop_lag_p99=_lag(loop_lag, Statistic.P99),
        cpu_percent=100.0 * max((seen.busiest.cores for seen in counted), default=0.0),
        throttled_percent=100.0 * max((seen.throttled_share for seen in counted), default=0.0),
        dropped_percent=100.0 * dropped / planned if planned else None,
        limited_stages=names,
        whole=bool(names) and len(names) == len(counted),
    )


def _level(limited: tuple[str, ...], degraded: tuple[str, ...]) -> ValidityLevel:
    if limited:
        return ValidityLevel.GENERATOR_LIMITED
    return ValidityLevel.DEGRADED if degraded else ValidityLevel.VALID


def _reasons(rules: tuple[Rule, ...], evidence: Evidence) -> tuple[str, ...]:
    return tuple(reason for rule in rules if (reason := rule(evidence)))


def _gathered(rules: tuple[Rule, ...], every: Sequence[Evidence]) -> tuple[str, ...]:
    """Each rule's reason once, from the first stage that it speaks of, with the other stages' names."""
    found = []
    for rule in rules:
        said = {seen.span.stage.name: reason for seen in every if (reason := rule(seen))}
        if said:
            (name, reason), *others = said.items()
            more = f" (and in {', '.join(other for other, _ in others)})" if others else ""
            found.append(f"stage {name}{more}: {reason}" if len(every) > 1 else reason)
    return tuple(found)


def _advised_once(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Where others have the CPU every reason ends in the same advice: the first one's is enough."""
    ending = f": {CPU_OF_THEIR_OWN}"
    first = next((index for index, reason in enumerate(reasons) if reason.endswith(ending)), 0)
    return reasons[: first + 1] + tuple(reason.removesuffix(ending) for reason in reasons[first + 1 :])


def gather(plan: Plan, tally: Tally, span: Span, allowed_cores: float, ceilings: Mapping[int, int]) -> Evidence:
    """What is known of one stage."""
    seconds = frozenset(span.seconds)
    counts = tally.select(stages={span.index}).counts
    worker, share = _most_throttled(tally, span)
    return Evidence(
        plan=plan,
        span=span,
        busiest=_busiest(tally, span, allowed_cores),
        throttled_worker=worker,
        throttled_share=share,
        dropped=counts.dropped,
        planned=counts.planned,
        late=counts.late,
        ceilings=ceilings,
        own=own.gather(plan, tally, {span.index}),
        schedule_lag=tally.schedule_lag(seconds),
        loop_lag=tally.loop_lag(seconds),
    )


def _busiest(tally: Tally, span: Span, allowed_cores: float) -> Busiest:
    """The shard that came nearest to its limit over ten seconds on end, or over the whole of a shorter stage."""
    found = Busiest()
    elapsed = min(span.end, tally.last_second + 1) - span.start
    for (worker, shard), used in tally.cpu.items():
        allowed = min(1.0, allowed_cores / len(tally.shards[worker]))
        during = used[span.start : span.end]
        seconds = min(CPU_SECONDS, max(elapsed, 1))
        cores = _sustained(during, seconds) / 1e6
        if cores / allowed > found.cores / found.allowed:
            found = Busiest(worker, shard, cores, allowed, seconds)
    return found


def _sustained(used: array[int], seconds: int) -> float:
    """The largest mean over so many seconds on end; what was not told of counts as nothing."""
    sums = np.concatenate([[0], np.cumsum(np.pad(used, (0, max(0, seconds - len(used)))))])
    return float(np.max(sums[seconds:] - sums[:-seconds], initial=0)) / seconds


def _most_throttled(tally: Tally, span: Span) -> tuple[int, float]:
    """The worker that was throttled for the largest share of the stage's time."""
    elapsed = max(min(span.end, tally.last_second + 1) - span.start, 1)
    shares = {worker: sum(times[span.start : span.end]) / 1e6 / elapsed for worker, times in tally.throttled.items()}
    return max(shares.items(), key=lambda item: item[1], default=(0, 0.0))


def cpu_limited(seen: Evidence) -> str | None:
    busy = seen.busiest
    share = busy.cores / busy.allowed
    if share <= CPU_SHARE:
        return None
    more = _workers(seen, share / CPU_SHARE)
    return (
        f"shard {busy.shard} of worker {busy.worker} used {busy.cores:.2f} of the {busy.allowed:.2f} cores it may use "
        f"for {busy.seconds} s ({100 * share:.0f} %, at most {100 * CPU_SHARE:.0f} % is sound): {more}, "
        f"or give workers more CPU"
    )


def throttled(seen: Evidence) -> str | None:
    if seen.throttled_share <= THROTTLED_SHARE:
        return None
    return (
        f"worker {seen.throttled_worker} was throttled by its CPU limit for {100 * seen.throttled_share:.1f} % "
        f"of the time (at most {100 * THROTTLED_SHARE:.0f} % is sound): raise or remove the workers' CPU limit, "
        f"or {_workers(seen, 1)}"
    )


def dropping(seen: Evidence) -> str | None:
    """Starts that came too late to be made up for. A full in-flight cap is the target's doing."""
    if not seen.planned or 100 * seen.late <= DROPPED_PERCENT * seen.planned:
        return None
    return (
        f"{seen.late} of {seen.planned} requests ({figure(100 * seen.late / seen.planned)} %) could not be started in time, more than a "
        f"second late: {CPU_OF_THEIR_OWN if _starved(seen) else _workers(seen, 2)}"
    )


def late_for_time_outs(seen: Evidence) -> str | None:
    """An answer that lies unread for as long as it may take is timed out by the generator."""
    lag, patience = _lag(seen.loop_lag, Statistic.P99), 1000.0 * shortest_time_out(seen.plan)
    if lag is None or lag <= LAG_SHARE_OF_TIME_OUT * patience:
        return None
    return (
        f"the event loop was {figure(lag)} ms late at P99, more than a tenth of the shortest time-out ({patience:.0f} ms), so "
        f"that time-outs may be of its own making: {CPU_OF_THEIR_OWN}"
    )


def exhausted(seen: Evidence) -> str | None:
    return own.exhausted(seen.own)


def at_ceiling(seen: Evidence) -> str | None:
    if not seen.ceilings or len(seen.ceilings) < seen.plan.load.workers:
        return None
    return own.at_ceiling(seen.own, min(seen.ceilings.values()) * len(seen.ceilings))


def near_ceiling(seen: Evidence) -> str | None:
    """An open stage against what the workers reached when nothing was in their way."""
    if not seen.ceilings or len(seen.ceilings) < seen.plan.load.workers:
        return None
    rate, name = _planned_rate(seen), seen.span.stage.name
    weakest = min(seen.ceilings.values()) * len(seen.ceilings)
    if weakest <= 0 or rate <= CEILING_SHARE * weakest:
        return None
    more = _workers(seen, rate / (CEILING_SHARE * weakest))
    return (
        f"stage {name} plans {rate:.10g} requests/s, {100 * rate / weakest:.0f} % of the {weakest} requests/s that "
        f"{len(seen.ceilings)} workers reach against a null server "
        f"(at most {100 * CEILING_SHARE:.0f} % is sound): {more}"
    )


def late_sending(seen: Evidence) -> str | None:
    return _blurred(seen, seen.schedule_lag, "requests were sent {lag} ms late")


def late_looping(seen: Evidence) -> str | None:
    return _blurred(seen, seen.loop_lag, "the event loop was {lag} ms late")


LIMITED: tuple[Rule, ...] = (
    cpu_limited,
    throttled,
    dropping,
    late_for_time_outs,
    exhausted,
    near_ceiling,
    at_ceiling,
)
DEGRADED: tuple[Rule, ...] = (late_sending, late_looping)


def _blurred(seen: Evidence, lags: Histogram, cause: str) -> str | None:
    if not lags.count:
        return None
    lag = samples.milliseconds(lags, Statistic.P99)
    bound = tightest_bound(seen.plan)
    limit = min(LAG_MILLISECONDS, LAG_SHARE_OF_BOUND * bound) if bound else LAG_MILLISECONDS
    if lag <= limit:
        return None
    advice = CPU_OF_THEIR_OWN if _starved(seen) else f"{_workers(seen, 2)}, or {CPU_OF_THEIR_OWN}"
    beside = f"a tenth of the tightest bound, {bound:.10g} ms" if bound and limit < LAG_MILLISECONDS else "sound timing"
    return (
        f"{cause.format(lag=figure(lag))} at P99, more than {figure(limit)} ms ({beside}); "
        f"latencies are blurred by as much: {advice}"
    )


def _starved(seen: Evidence) -> bool:
    """Whether others have the CPU: more workers on the same nodes would make it worse."""
    lag = _lag(seen.loop_lag, Statistic.P99)
    return lag is not None and lag > STARVED_MILLISECONDS and seen.busiest.cores < seen.busiest.allowed / 2


def tightest_bound(plan: Plan) -> float | None:
    """The smallest latency, in milliseconds, that an SLO or a threshold asks for."""
    bounds = [
        float(threshold.value)
        for threshold in plan.thresholds
        if threshold.metric.is_distribution and threshold.operator in (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
    ]
    for request in plan.requests:
        if request.slo:
            bounds += [float(bound) for bound in request.slo.model_dump(by_alias=False).values() if bound]
    return min((bound for bound in bounds if bound > 0), default=None)


def shortest_time_out(plan: Plan) -> int:
    """Seconds, of a request or a part of it."""
    given = (
        one
        for request in plan.requests
        for one in (request.timeout_seconds, request.first_byte_timeout_seconds, request.stall_timeout_seconds)
    )
    return min(one for one in given if one)


def figure(value: float) -> str:
    """Two significant digits, whole numbers whole, never an exponent: `110`, `3.2`, `0.0034`."""
    if value >= 10:
        return f"{value:.0f}"
    return f"{float(f'{value:.2g}'):.9f}".rstrip("0").rstrip(".")


def _planned_rate(seen: Evidence) -> float:
    """Of an open stage at its highest."""
    if seen.span.stage.arrival_rate is None:
        return 0.0
    trickles = sum(request.rate_per_second or 0 for request in seen.plan.requests)
    return float(max(seen.span.before, seen.span.level)) + float(trickles)


def _workers(seen: Evidence, factor: float) -> str:
    now = seen.plan.load.workers
    return f"use {max(math.ceil(now * factor), now + 1)} workers instead of {now}"


def _lag(lags: Histogram, statistic: Statistic) -> float | None:
    return samples.milliseconds(lags, statistic) if lags.count else None
