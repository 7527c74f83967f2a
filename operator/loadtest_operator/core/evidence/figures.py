"""Measured figures for the status: bounded, decimal strings, the same for a live look and for the end."""

from collections.abc import Mapping
from typing import Any

from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric, Plan
from loadgen.model.report import Distribution, ThresholdResult, Validity, Window
from loadtest_operator.api.status import (
    ErrorClass,
    MeasurementValidity,
    Percentiles,
    RequestCounts,
    StageFigures,
    Summary,
    ThresholdStatus,
)
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.observed import Observed

TOP_ERRORS = 5
MOST_THRESHOLDS = 68
MOST_REASONS = 8
RANKS = ("p50", "p90", "p95", "p99")
LATENCIES = {
    "response_time_milliseconds": Metric.RESPONSE_TIME,
    "ttft_milliseconds": Metric.TIME_TO_FIRST_TOKEN,
    "tpot_milliseconds": Metric.TIME_PER_OUTPUT_TOKEN,
}


def live(plan: Plan, tally: Tally) -> Summary:
    """The run so far and each stage that has begun."""
    return summarised(summary.total(plan, tally), begun(plan, tally), None)


def begun(plan: Plan, tally: Tally) -> list[Window]:
    """Stages that something was planned in."""
    return [window for window in summary.stage_windows(plan, tally) if window.counts.planned]


def summarised(run: Window, stages: list[Window], validity: Validity | None) -> Summary:
    return Summary(
        **_figures(run),
        requests=RequestCounts(**run.counts.model_dump(by_alias=False)),
        validity=_validity(validity),
        stages=tuple(StageFigures(name=stage.name, **_figures(stage)) for stage in stages),
        errors=tuple(
            ErrorClass(failure=error.failure, count=error.count)
            for error in sorted(run.errors, key=lambda error: -error.count)[:TOP_ERRORS]
        ),
    )


def threshold_statuses(results: tuple[ThresholdResult, ...]) -> tuple[ThresholdStatus, ...]:
    return tuple(ThresholdStatus(**result.model_dump(by_alias=False)) for result in results[:MOST_THRESHOLDS])


def judged(observed: Observed, judgement: Judgement) -> dict[str, Any]:
    """Sections of the status that follow from the judgement; the stored report has the same."""
    sections: dict[str, Any] = {
        "verdict": judgement.verdict,
        "thresholds": threshold_statuses(judgement.thresholds),
        "faults": judgement.faults or observed.status.faults,
        "scaling": judgement.scaling or observed.status.scaling,
    }
    if observed.tally is not None and judgement.total is not None:
        sections["summary"] = summarised(judgement.total, begun(observed.plan, observed.tally), judgement.validity)
    return sections


def _figures(window: Window) -> dict[str, object]:
    return {
        "requests_per_second": window.requests_per_second,
        "output_token_throughput": window.output_token_throughput,
        "output_token_source": window.output_token_source,
        "error_percent": window.error_percent,
        "goodput": window.goodput,
        "slo_attainment_percent": window.slo_attainment_percent,
        **{field: _percentiles(window.latencies, metric) for field, metric in LATENCIES.items()},
    }


def _percentiles(latencies: Mapping[Metric, Distribution], metric: Metric) -> Percentiles | None:
    found = latencies.get(metric)
    if found is None or not found.count:
        return None
    shown = {name: getattr(found, name) for name in (*RANKS, "max")}
    known = Percentiles(**shown)
    highest = next((f"{name.upper()} {value}" for name in reversed(RANKS) if (value := getattr(known, name))), "n/a")
    return known.model_copy(update={"highest": highest})


def _validity(validity: Validity | None) -> MeasurementValidity | None:
    if validity is None:
        return None
    return MeasurementValidity(
        level=validity.level,
        schedule_lag_p99_milliseconds=validity.schedule_lag_p99,
        reasons=validity.reasons[:MOST_REASONS],
    )
