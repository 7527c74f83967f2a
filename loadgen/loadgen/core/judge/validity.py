"""How far the measurement can be trusted: judged before any threshold, from what the generator measured of itself.

The rules are two lists of functions, each of which returns a reason (the cause with its figures, then the advice) or
None; the lists are the specification. GeneratorLimited makes a verdict Inconclusive: what was measured is the
generator, not the target. Degraded is a warning: latencies are blurred by about as much as the reason says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.judge import own
from loadgen.core.judge.own import Own
from loadgen.core.schedule.levels import level_of
from loadgen.core.schedule.spans import counted_stages, seconds_of
from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram
from loadgen.model.plan import Operator, Statistic
from loadgen.model.report import Validity, ValidityLevel

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping

    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan

CPU_SHARE = 0.8
CPU_SECONDS = 10
THROTTLED_SHARE = 0.05
DROPPED_PERCENT = 0.1
HEALTHY_ERROR_PERCENT = 5.0
CEILING_SHARE = 0.6
LAG_SHARE_OF_BOUND = 0.1
LAG_MILLISECONDS = 5.0
STARVED_MILLISECONDS = 50.0
"""A loop this late at P99 that uses less than half of its CPU is kept waiting by others."""


CPU_OF_THEIR_OWN = "give workers CPU of their own (workerTemplate: resources.requests, nodeSelector)"


@dataclass(frozen=True, slots=True)
class Busiest:
    """The shard that came nearest to its limit, in its busiest ten seconds."""

    worker: int = 0
    shard: int = 0
    cores: float = 0.0
    allowed: float = 1.0
    seconds: int = 0
    """Over how many seconds; fewer than ten are too few to judge by."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at."""

    plan: Plan
    busiest: Busiest = Busiest()
    throttled_worker: int = 0
    throttled_share: float = 0.0
    dropped: int = 0
    planned: int = 0
    failed_percent: float = 0.0
    """Of the requests that were sent."""
    ceilings: Mapping[int, int] = field(default_factory=dict)
    own: Own = field(default_factory=Own)
    schedule_lag: Histogram = field(default_factory=Histogram)
    loop_lag: Histogram = field(default_factory=Histogram)

    @property
    def dropped_percent(self) -> float | None:
        return 100.0 * self.dropped / self.planned if self.planned else None


Rule = Callable[[Evidence], str | None]


def judge(plan: Plan, tally: Tally, *, allowed_cores: float, ceilings: Mapping[int, int] | None = None) -> Validity:
    """`allowed_cores` is what one worker may use; `ceilings` are requests/s by worker against a null server."""
    evidence = gather(plan, tally, allowed_cores, ceilings or {})
    limited = _reasons(LIMITED, evidence)
    degraded = _reasons(DEGRADED, evidence)
    return Validity(
        level=_level(limited, degraded),
        reasons=_advised_once(limited + degraded),
        schedule_lag_p50=_lag(evidence.schedule_lag, Statistic.P50),
        schedule_lag_p99=_lag(evidence.schedule_lag, Statistic.P99),
        loop_lag_p99=_lag(evidence.loop_lag, Statistic.P99),
        cpu_percent=100.0 * evidence.busiest.cores,
        throttled_percent=100.0 * evidence.throttled_share,
        dropped_percent=evidence.dropped_percent,
    )


def _level(limited: tuple[str, ...], degraded: tuple[str, ...]) -> ValidityLevel:
    if limited:
        return ValidityLevel.GENERATOR_LIMITED
    return ValidityLevel.DEGRADED if degraded else ValidityLevel.VALID


def _reasons(rules: tuple[Rule, ...], evidence: Evidence) -> tuple[str, ...]:
    return tuple(reason for rule in rules if (reason := rule(evidence)))


def _advised_once(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Where others have the CPU every reason ends in the same advice: the first one's is enough."""
    ending = f": {CPU_OF_THEIR_OWN}"
    first = next((index for index, reason in enumerate(reasons) if reason.endswith(ending)), 0)
    return reasons[: first + 1] + tuple(reason.removesuffix(ending) for reason in reasons[first + 1 :])


def gather(plan: Plan, tally: Tally, allowed_cores: float, ceilings: Mapping[int, int]) -> Evidence:
    """The evidence: resources over the whole load, requests and lags over the stages that count."""
    stages = counted_stages(plan)
    seconds = frozenset(seconds_of(plan, stages))
    counts = tally.select(stages=stages).counts
    worker, share = _most_throttled(plan, tally)
    return Evidence(
        plan=plan,
        busiest=_busiest(plan, tally, allowed_cores),
        throttled_worker=worker,
        throttled_share=share,
        dropped=counts.dropped,
        planned=counts.planned,
        failed_percent=100.0 * counts.failed / counts.sent if counts.sent else 0.0,
        ceilings=ceilings,
        own=own.gather(plan, tally, stages),
        schedule_lag=tally.schedule_lag(seconds),
        loop_lag=tally.loop_lag(seconds),
    )


def _busiest(plan: Plan, tally: Tally, allowed_cores: float) -> Busiest:
    """The shard that came nearest to its limit over ten seconds on end."""
    found = Busiest()
    for (worker, shard), used in tally.cpu.items():
        allowed = min(1.0, allowed_cores / len(tally.shards[worker]))
        during = used[: plan.load.duration_seconds]
        seconds = min(CPU_SECONDS, max(len(during), 1))
        cores = _sustained(during, seconds) / 1e6
        if cores / allowed > found.cores / found.allowed:
            found = Busiest(worker, shard, cores, allowed, seconds)
    return found


def _sustained(used: array[int], seconds: int) -> float:
    """The largest mean over so many seconds on end."""
    sums = np.concatenate([[0], np.cumsum(used)])
    return float(np.max(sums[seconds:] - sums[:-seconds], initial=0)) / seconds


def _most_throttled(plan: Plan, tally: Tally) -> tuple[int, float]:
    """The worker that was throttled for the largest share of the load's time."""
    elapsed = max(min(plan.load.duration_seconds, tally.last_second + 1), 1)
    shares = {worker: sum(times[:elapsed]) / 1e6 / elapsed for worker, times in tally.throttled.items()}
    return max(shares.items(), key=lambda item: item[1], default=(0, 0.0))


def cpu_limited(seen: Evidence) -> str | None:
    busy = seen.busiest
    share = busy.cores / busy.allowed
    if share <= CPU_SHARE or busy.seconds < CPU_SECONDS:
        return None
    more = _workers(seen, share / CPU_SHARE)
    return (
        f"shard {busy.shard} of worker {busy.worker} used {busy.cores:.2f} of the {busy.allowed:.2f} cores it may use "
        f"for {CPU_SECONDS} s ({100 * share:.0f} %, at most {100 * CPU_SHARE:.0f} % is sound): {more}, "
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
    percent = seen.dropped_percent
    if percent is None or percent <= DROPPED_PERCENT or seen.failed_percent >= HEALTHY_ERROR_PERCENT:
        return None
    return (
        f"{seen.dropped} of {seen.planned} requests ({figure(percent)} %) could not be started though the target was "
        f"healthy ({seen.failed_percent:.1f} % errors): {_relief_for_drops(seen)}"
    )


def _relief_for_drops(seen: Evidence) -> str:
    if _starved(seen):
        return CPU_OF_THEIR_OWN
    return f"raise load.maxInFlight (now {seen.plan.load.max_in_flight}), or {_workers(seen, 2)}"


def near_ceiling(seen: Evidence) -> str | None:
    """The heaviest open stage against what the workers reached when nothing was in their way."""
    if not seen.ceilings or len(seen.ceilings) < seen.plan.load.workers:
        return None
    rate, name = _heaviest(seen.plan)
    weakest = min(seen.ceilings.values()) * len(seen.ceilings)
    if weakest <= 0 or rate <= CEILING_SHARE * weakest:
        return None
    more = _workers(seen, rate / (CEILING_SHARE * weakest))
    return (
        f"stage {name} plans {rate:.10g} requests/s, {100 * rate / weakest:.0f} % of the {weakest} requests/s that "
        f"{len(seen.ceilings)} workers reach against a null server "
        f"(at most {100 * CEILING_SHARE:.0f} % is sound): {more}"
    )


def exhausted(seen: Evidence) -> str | None:
    return own.exhausted(seen.own)


def at_ceiling(seen: Evidence) -> str | None:
    if not seen.ceilings or len(seen.ceilings) < seen.plan.load.workers:
        return None
    return own.at_ceiling(seen.own, min(seen.ceilings.values()) * len(seen.ceilings))


def late_sending(seen: Evidence) -> str | None:
    return _blurred(seen, seen.schedule_lag, "requests were sent {lag} ms late")


def late_looping(seen: Evidence) -> str | None:
    return _blurred(seen, seen.loop_lag, "the event loop was {lag} ms late")


LIMITED: tuple[Rule, ...] = (cpu_limited, throttled, dropping, exhausted, near_ceiling, at_ceiling)
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


def figure(value: float) -> str:
    """Two significant digits, whole numbers whole, never an exponent: `110`, `3.2`, `0.0034`."""
    if value >= 10:
        return f"{value:.0f}"
    return f"{float(f'{value:.2g}'):.9f}".rstrip("0").rstrip(".")


def _heaviest(plan: Plan) -> tuple[float, str]:
    trickles = float(sum(request.rate_per_second or 0 for request in plan.requests))
    rates = [(float(level_of(stage)), stage.name) for stage in plan.load.stages if stage.arrival_rate is not None]
    rate, name = max(rates, default=(0.0, ""))
    return rate + trickles, name


def _workers(seen: Evidence, factor: float) -> str:
    now = seen.plan.load.workers
    return f"use {max(math.ceil(now * factor), now + 1)} workers instead of {now}"


def _lag(lags: Histogram, statistic: Statistic) -> float | None:
    return samples.milliseconds(lags, statistic) if lags.count else None
