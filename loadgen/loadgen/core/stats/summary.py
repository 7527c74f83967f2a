"""From a tally to a report: every aggregate of metrics.md, computed where it is defined.

A window is a set of seconds; W is their number, cut at the newest second that any shard has told of, so that a run's
figures are right while it goes on and after an abort. Counts, percentages and latencies are those of the requests
*intended* in the window. Rates are planned/W, sent/W and the successes that *ended* in the window /W, whichever
requests they were; goodput is the requests that kept every SLO /W. Output tokens are those that arrived in the
window.

Requests in flight and loop lag are told for all requests of a shard together: a window of one kind of request has no
such figures. Output tokens are told by kind; a kind that has none has no such rate.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen import __version__
from loadgen.core.schedule.spans import counted_stages, seconds_of, stage_at
from loadgen.core.stats import lags, samples
from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.record import record
from loadgen.model.plan import DISTRIBUTIONS, Metric, Statistic
from loadgen.model.report import Counts, Distribution, ErrorCount, Report, Second, Window, WorkerSummary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from loadgen.core.stats.tally import Selection, Tally
    from loadgen.model.plan import Plan
    from loadgen.model.report import ThresholdResult, Validity, Verdict

REUSED_SHARE = 0.01
"""Of requests, those that open a connection, up to which connections count as kept."""
GENERATOR = f"loadgen {__version__}"


def window(
    plan: Plan,
    tally: Tally,
    name: str,
    *,
    seconds: Collection[int] | None = None,
    stages: Collection[int] | None = None,
    requests: Collection[int] | None = None,
) -> Window:
    """Everything about these requests in these seconds; without `seconds`, in those of the stages."""
    span = _clipped(tally, seconds_of(plan, stages) if seconds is None else seconds)
    chosen = tally.select(seconds, stages, requests)
    ended = tally.ended(span, requests)
    length = max(len(span), 1)
    flow = _flow(plan, tally, span, chosen, requests)
    return Window(
        name=name,
        start_second=min(span, default=0),
        end_second=max(span, default=-1) + 1,
        warmup=stages is not None and all(plan.load.stages[index].warmup for index in stages),
        counts=_counts(chosen),
        error_percent=chosen.counts.error_percent,
        offered_per_second=chosen.counts.planned / length,
        sent_per_second=chosen.counts.sent / length,
        requests_per_second=ended.succeeded / length,
        goodput=chosen.counts.good / length,
        slo_attainment_percent=chosen.counts.slo_attainment_percent,
        output_token_throughput=flow.tokens_per_second,
        output_token_source=chosen.counts.token_source,
        concurrency_mean=flow.mean,
        concurrency_peak=flow.peak,
        little_law_error_percent=flow.little,
        latencies=_latencies(chosen, tally, span),
        errors=errors_of(chosen),
    )


def _clipped(tally: Tally, seconds: Iterable[int]) -> frozenset[int]:
    return frozenset(second for second in seconds if 0 <= second <= tally.last_second)


def _counts(chosen: Selection) -> Counts:
    return Counts(**{name: getattr(chosen.counts, name) for name in Counts.model_fields})


def errors_of(chosen: Selection) -> tuple[ErrorCount, ...]:
    """Failures by class, the most frequent first."""
    ordered = sorted(chosen.counts.errors.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ErrorCount(failure=failure, count=count) for failure, count in ordered)


@dataclass(frozen=True, slots=True)
class _Flow:
    """Tokens and requests in flight, by the time they were there."""

    tokens_per_second: float | None = None
    mean: float | None = None
    peak: int | None = None
    little: float | None = None


@dataclass(frozen=True, slots=True)
class _InFlight:
    """Requests in flight, on average over so many seconds, and connections opened for them."""

    mean: float
    length: int
    opened: int


def _flow(plan: Plan, tally: Tally, span: frozenset[int], chosen: Selection, requests: Collection[int] | None) -> _Flow:
    beats = list(tally.pulses(span))
    length = max(len(span), 1)
    arrived = tally.ended(span, requests).output_tokens
    tokens = max(0, arrived) / length if _have_tokens(plan, requests) else None
    if requests is not None and len(set(requests)) < len(plan.requests):
        return _Flow(tokens)
    mean = sum(beat.in_flight_microseconds for beat in beats) / 1e6 / length
    peak = max((beat.peak_in_flight for beat in beats), default=0)
    opened = sum(beat.connections_opened for beat in beats)
    return _Flow(tokens, mean, peak, _little(plan, chosen, _InFlight(mean, length, opened)))


def _have_tokens(plan: Plan, requests: Collection[int] | None) -> bool:
    chosen = (request for index, request in enumerate(plan.requests) if requests is None or index in requests)
    return any(request.http is None for request in chosen)


def _little(plan: Plan, chosen: Selection, flow: _InFlight) -> float | None:
    """|L − λW| / L in percent: requests in flight as counted, against sent rate × mean time in the system.

    Only where it must hold: nearly all requests have a latency, they are short beside the window, and they end with their
    last output. A stream's usage may come late, while the request is still in flight. Opening a connection is in flight too, and only the
    response time of open arrivals has it: where many are opened W is known between that and the latency from sending.
    """
    latency, length = chosen.histogram(Metric.E2E_LATENCY), flow.length
    settled = latency.count >= 0.99 * chosen.counts.sent
    if any(one.streams for one in plan.requests):
        return None
    if not (flow.mean and latency.count and settled and latency.mean / 1e6 * 10 <= length):
        return None
    low = latency.total / 1e6 / length
    high = max(low, _longest(plan, chosen, flow, low))
    return 100.0 * max(low - flow.mean, flow.mean - high, 0.0) / flow.mean


def _longest(plan: Plan, chosen: Selection, flow: _InFlight, low: float) -> float:
    """The most that λW can be."""
    if flow.opened <= REUSED_SHARE * chosen.counts.sent:
        return low
    if any(stage.concurrency for stage in plan.load.stages):
        return math.inf
    return chosen.histogram(Metric.RESPONSE_TIME).total / 1e6 / flow.length


def _latencies(chosen: Selection, tally: Tally, span: frozenset[int]) -> dict[Metric, Distribution]:
    present = chosen.histograms
    if not present:
        return {}
    lag = tally.loop_lag(span)
    return {metric: distribution(present[metric], lag) for metric in DISTRIBUTIONS if metric in present}


def distribution(histogram: Histogram, lag: Histogram | None = None) -> Distribution:
    """A merged histogram as people read it; what the sample is too small for is absent and says so."""
    if not histogram.count:
        return Distribution(count=0)
    found = {statistic: samples.missing(statistic, histogram.count) for statistic in samples.PERCENTS}
    shown = [statistic for statistic, why in found.items() if why is None]
    limits = {statistic: samples.bounds(histogram, statistic) for statistic in shown}
    late = lag or Histogram()
    return Distribution(
        count=histogram.count,
        mean=histogram.mean / 1000,
        stddev=histogram.stddev / 1000,
        within_one_stddev_percent=histogram.within_one_stddev,
        **{statistic.lower(): samples.milliseconds(histogram, statistic) for statistic in shown},
        max=histogram.max / 1000,
        bounds={str(statistic): limit for statistic, limit in limits.items() if limit},
        missing={str(statistic): why for statistic, why in found.items() if why},
        uncertainty=samples.milliseconds(late, Statistic.P99),
        uncertainties={str(one): off for one, off in lags.uncertainties(histogram, late, shown).items()},
        max_uncertainty=lags.longest(late) / 1000,
    )


def total(plan: Plan, tally: Tally) -> Window:
    """The run: all stages that are not warmup, all requests."""
    return window(plan, tally, "run", stages=counted_stages(plan))


def stage_windows(plan: Plan, tally: Tally) -> tuple[Window, ...]:
    """Each stage, all requests."""
    return tuple(window(plan, tally, stage.name, stages={index}) for index, stage in enumerate(plan.load.stages))


def request_windows(plan: Plan, tally: Tally) -> tuple[Window, ...]:
    """Each kind of request over the run, where there is more than one."""
    if len(plan.requests) == 1:
        return ()
    stages = counted_stages(plan)
    return tuple(
        window(plan, tally, request.name, stages=stages, requests={index})
        for index, request in enumerate(plan.requests)
    )


def series(plan: Plan, tally: Tally) -> tuple[Second, ...]:
    """The run second by second, by intended time; tokens and requests in flight by the time they were there."""
    return tuple(_second(plan, tally, at) for at in range(min(plan.load.duration_seconds, tally.last_second + 1)))


def _second(plan: Plan, tally: Tally, at: int) -> Second:
    chosen = tally.select(range(at, at + 1))
    beats = list(tally.pulses(range(at, at + 1)))
    counts = chosen.counts
    return Second(
        second=at,
        stage=plan.load.stages[stage_at(plan, at)].name,
        planned=counts.planned,
        succeeded=counts.succeeded,
        failed=counts.failed,
        dropped=counts.dropped,
        in_flight=sum(beat.in_flight_microseconds for beat in beats) / 1e6,
        output_tokens=max(0, tally.ended(range(at, at + 1)).output_tokens),
        response_time_p50=_if_enough(chosen, Metric.RESPONSE_TIME, Statistic.P50),
        response_time_p99=_if_enough(chosen, Metric.RESPONSE_TIME, Statistic.P99),
        ttft_p50=_if_enough(chosen, Metric.TIME_TO_FIRST_TOKEN, Statistic.P50),
        ttft_p99=_if_enough(chosen, Metric.TIME_TO_FIRST_TOKEN, Statistic.P99),
    )


def _if_enough(chosen: Selection, metric: Metric, statistic: Statistic) -> float | None:
    """None below the sample floor; no histogram is merged where so few requests ended that it cannot be reached."""
    if chosen.counts.decided < samples.floor(statistic):
        return None
    histogram = chosen.histogram(metric)
    return None if samples.missing(statistic, histogram.count) else samples.milliseconds(histogram, statistic)


def workers(tally: Tally, late_milliseconds: Mapping[int, float]) -> tuple[WorkerSummary, ...]:
    """Each worker's share; how late it started is known by whoever talks to it."""
    return tuple(
        WorkerSummary(
            worker=worker,
            shards=len(shards),
            requests=tally.sent[worker],
            started_late_milliseconds=late_milliseconds.get(worker, 0.0),
        )
        for worker, shards in sorted(tally.shards.items())
    )


def plan_hash(plan: Plan) -> str:
    """SHA-256 of the plan's canonical JSON."""
    document = json.dumps(plan.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()


def report(  # noqa: PLR0913  a report has as many parts
    plan: Plan,
    tally: Tally,
    *,
    target: str,
    start_time: str,
    verdict: Verdict,
    message: str,
    validity: Validity,
    thresholds: Sequence[ThresholdResult] = (),
    workers: Sequence[WorkerSummary] = (),
) -> Report:
    """The whole report of a run that has been judged."""
    return Report(
        generator=GENERATOR,
        plan=plan,
        plan_hash=plan_hash(plan),
        target=target,
        start_time=start_time,
        verdict=verdict,
        message=message,
        validity=validity,
        total=total(plan, tally),
        stages=stage_windows(plan, tally),
        requests=request_windows(plan, tally),
        thresholds=tuple(thresholds),
        workers=tuple(workers),
        series=series(plan, tally),
        record=record(plan, tally),
    )
