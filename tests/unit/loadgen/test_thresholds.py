"""Thresholds: what is judged, what cannot be, and the sentences."""

from typing import Any

import pytest

from loadgen.core.judge.thresholds import auto_stop, beyond_doubt, effective, evaluate, evaluate_window
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Criterion, Plan
from loadgen.model.report import Result, ThresholdResult
from unit.loadgen.deltas import a_cell, a_delta, a_tally, steady
from unit.loadgen.plans import a_plan, closed, opened

STAGES = (opened(10, 2, name="warm", warmup=True), opened(10, 10, name="peak"), opened(10, 5, name="idle"))
CHAT = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "x"}}}
GET = {"name": "get", "http": {}}


def bound(metric: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    statistic = {"statistic": more.pop("statistic")} if "statistic" in more else {}
    return {"name": "t", "metric": metric, "operator": operator, "value": value, **statistic, **more}


def planned(*thresholds: dict[str, Any], stages: tuple[dict[str, Any], ...] = STAGES, **more: Any) -> Plan:
    return a_plan(*stages, thresholds=list(thresholds), **more)


def judged(plan: Plan, tally: Tally, **more: Any) -> ThresholdResult:
    (result,) = evaluate(plan.thresholds, plan, tally, **more)
    return result


P95 = {"metric": "ResponseTime", "statistic": "P95"}
SLOW = (*[100] * 15, 1710, 1710)


@pytest.mark.parametrize(
    ("threshold", "result", "message"),
    [
        (
            bound(**P95, operator="LessThan", value=1500, stages=["peak"]),
            "Failed",
            "t: P95 of ResponseTime was 1710 ms in stage peak, wanted < 1500 ms (14 % too much)",
        ),
        (
            bound(**P95, operator="LessThan", value=1710, stages=["peak", "idle"]),
            "Failed",
            "t: P95 of ResponseTime was 1710 ms in stages peak + idle, wanted < 1710 ms (just at the bound)",
        ),
        (
            bound(**P95, operator="LessThanOrEqual", value=2000),
            "Passed",
            "t: P95 of ResponseTime was 1710 ms in the run, wanted <= 2000 ms",
        ),
        (
            bound("ResponseTime", "LessThan", 100, statistic="P50", request="get"),
            "Failed",
            "t: P50 of ResponseTime was 100.03 ms in the run for request get, wanted < 100 ms (0.031 % too much)",
        ),
        (
            bound("ResponseTime", "LessThan", 2000, statistic="P99"),
            "Unknown",
            "t: P99 of ResponseTime cannot be judged in the run: there are 255 values and 662 are needed, "
            "407 more: run longer or send more",
        ),
        (
            bound("TimeToFirstToken", "LessThan", 2000, statistic="Mean"),
            "Unknown",
            "t: Mean of TimeToFirstToken cannot be judged in the run: no request gave a value",
        ),
        (
            bound("RequestsPerSecond", "GreaterThanOrEqual", 20),
            "Failed",
            "t: RequestsPerSecond was 17 requests/s in the run, wanted >= 20 requests/s (15 % too little)",
        ),
        (
            bound("ErrorPercent", "LessThanOrEqual", 1),
            "Passed",
            "t: ErrorPercent was 0 % in the run, wanted <= 1 %",
        ),
        (
            bound("SloAttainmentPercent", "GreaterThanOrEqual", "99.9"),
            "Passed",
            "t: SloAttainmentPercent was 100 % in the run, wanted >= 99.9 %",
        ),
        (
            bound("Goodput", "GreaterThan", 10),
            "Passed",
            "t: Goodput was 17 requests/s in the run, wanted > 10 requests/s",
        ),
        (bound("DroppedPercent", "LessThan", 1), "Passed", "t: DroppedPercent was 0 % in the run, wanted < 1 %"),
        (
            bound("OutputTokensPerSecond", "GreaterThan", 1),
            "Failed",
            "t: OutputTokensPerSecond was 0 tokens/s in the run, wanted > 1 tokens/s (100 % too little)",
        ),
    ],
)
def test_results_in_words(threshold: dict[str, Any], result: str, message: str) -> None:
    plan = planned(threshold)
    said = judged(plan, steady(plan, ms=SLOW))
    assert (said.result, said.message) == (result, message)


def test_an_error_percentage_names_the_usual_failure() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5))
    said = judged(plan, steady(plan, errors={"Http503": 2, "Http404": 1}))
    assert said.message == (
        "t: ErrorPercent was 23.1 % in the run, wanted <= 5 % (18 percentage points too much, mostly Http503)"
    )


def test_digits_tell_a_value_from_its_bound() -> None:
    plan = planned(bound("ResponseTime", "LessThan", 1500, statistic="Mean"))
    assert judged(plan, steady(plan, ms=[1500, 1500.01])).observed == "1500.01 ms"


def test_a_result_has_a_short_form_for_tables() -> None:
    plan = planned(
        bound("ResponseTime", "LessThan", "0.5", statistic="P999", stages=["peak", "idle"], severity="Warning")
    )
    said = judged(plan, steady(plan))
    assert (said.observed, said.wanted, said.window, said.severity) == (
        "n/a (n < 6636)",
        "< 0.5 ms",
        "peak+idle",
        "Warning",
    )


def test_warmup_and_the_seconds_of_faults_are_left_out() -> None:
    plan = planned(bound("ResponseTime", "LessThan", 500, statistic="Max"))
    slow = [a_delta(at, a_cell(at, 1, ms=[900])) for at in (5, 6)]
    warm = a_delta(1, a_cell(1, 0, ms=[9000]))
    tally = a_tally(plan, warm, *slow, a_delta(9, a_cell(9, 1, ms=[100])))
    assert judged(plan, tally).observed == "900 ms"
    assert judged(plan, tally, exclude=[range(5, 7)]).observed == "100 ms"


def test_rates_are_over_the_time_without_the_fault() -> None:
    plan = planned(bound("RequestsPerSecond", "GreaterThan", 1), stages=(opened(10, 10),))
    assert judged(plan, steady(plan), exclude=[range(2, 6)]).observed == "10 requests/s"


def test_a_faults_window_is_judged_alone() -> None:
    plan = planned()
    tally = a_tally(plan, a_delta(5, a_cell(5, 1, errors={"Http500": 1}, ms=[1])), a_delta(9, a_cell(9, 1, ms=[100])))
    criterion = Criterion.model_validate({"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 5})
    said = evaluate_window(criterion, plan, tally, range(4, 7))
    assert said.message.startswith("errorpercent: ErrorPercent was 50 % in second 4 to 7, wanted <= 5 %")
    assert evaluate_window(criterion, plan, tally, range(8, 10)).result is Result.PASSED
    assert evaluate_window(criterion, plan, tally, range(10, 12)).result is Result.UNKNOWN


def test_a_faults_percentile_has_a_name() -> None:
    criterion = Criterion.model_validate({**P95, "operator": "LessThan", "value": 5})
    assert evaluate_window(criterion, planned(), steady(planned()), range(0, 16)).name == "p95-responsetime"


def test_tokens_are_judged_by_kind() -> None:
    """One kind's tokens never help another's bound."""
    requests = [CHAT, {**CHAT, "name": "other"}]
    chat, other = (
        planned(bound("OutputTokensPerSecond", "GreaterThan", 1, request=name), requests=requests)
        for name in ("chat", "other")
    )
    told = {"output_tokens": 20}
    assert judged(chat, steady(chat, **told)).observed == "20 tokens/s"
    assert judged(other, steady(other, **told)).result is Result.FAILED


def results(plan: Plan, tally: Tally) -> dict[str, Result]:
    return {result.name: result.result for result in evaluate(effective(plan), plan, tally)}


def test_what_nobody_wrote_is_judged_too() -> None:
    plan = a_plan()
    assert results(plan, steady(plan)) == {"errors-default": Result.PASSED, "any-success": Result.PASSED}
    assert results(plan, steady(plan, ms=(), errors={"Http404": 9})) == {
        "errors-default": Result.FAILED,
        "any-success": Result.FAILED,
    }
    assert results(plan, a_tally(plan)) == {"errors-default": Result.UNKNOWN, "any-success": Result.UNKNOWN}


def test_a_bound_on_errors_replaces_the_default_but_not_the_success() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 100))
    assert results(plan, steady(plan, ms=(), errors={"Http404": 9})) == {
        "t": Result.PASSED,
        "any-success": Result.FAILED,
    }


def test_a_success_after_the_last_stage_is_one() -> None:
    plan = a_plan()
    tally = a_tally(plan, a_delta(9, a_cell(9, planned=1)), a_delta(15, a_cell(9, planned=0, ms=[6000])))
    assert results(plan, tally)["any-success"] is Result.PASSED


ABORT = {"abortOnFail": True}


@pytest.mark.parametrize(
    ("threshold", "counts", "sure"),
    [
        (bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), {"errors": {"Http500": 5}}, True),
        (bound("ErrorPercent", "LessThanOrEqual", 30, **ABORT), {"errors": {"Http500": 5}}, False),
        (bound("ErrorPercent", "GreaterThan", 50, **ABORT), {}, False),
        (bound("DroppedPercent", "LessThan", 1, **ABORT), {"dropped": 5}, True),
        (bound("SloAttainmentPercent", "GreaterThan", 99, **ABORT), {"good": 5}, True),
        (bound("SloAttainmentPercent", "GreaterThan", 40, **ABORT), {"good": 5}, False),
        (bound(**P95, operator="LessThan", value=90, **ABORT), {"ms": [100] * 40}, True),
        (bound(**P95, operator="LessThan", value=90, **ABORT), {"ms": [100] * 5}, False),
        (bound(**P95, operator="LessThan", value=110, **ABORT), {"ms": [100] * 40}, False),
        (bound(**P95, operator="GreaterThan", value=110, **ABORT), {"ms": [100] * 40}, False),
        (bound("ResponseTime", "LessThan", 90, statistic="Mean", **ABORT), {"ms": [100] * 40}, True),
        (bound("ResponseTime", "LessThan", 90, statistic="Max", **ABORT), {"ms": [100]}, True),
        (bound("RequestsPerSecond", "GreaterThan", 50, **ABORT), {}, False),
    ],
)
def test_beyond_doubt(threshold: dict[str, Any], counts: dict[str, Any], sure: bool) -> None:
    plan = planned(threshold, stages=(opened(10, 600),))
    assert bool(beyond_doubt(plan.thresholds[0], plan, steady(plan, seconds=6, **counts))) is sure


def test_a_rate_is_beyond_doubt_when_its_stages_are_over() -> None:
    plan = planned(bound("RequestsPerSecond", "GreaterThan", 50, stages=["peak"], **ABORT))
    assert beyond_doubt(plan.thresholds[0], plan, steady(plan, seconds=13))


def test_a_few_early_failures_prove_nothing_while_many_requests_are_in_flight() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5, **ABORT), stages=(opened(10, 600),))
    tally = a_tally(plan, a_delta(3, a_cell(3, planned=1000, errors={"Http500": 35})))
    assert beyond_doubt(plan.thresholds[0], plan, tally) is None


def failing(errors: int) -> tuple[Plan, Tally]:
    plan = a_plan(opened(10, 600), closed(5))
    return plan, steady(plan, seconds=60, errors={"ConnectRefused": errors})


def test_auto_stop_says_why() -> None:
    plan, tally = failing(30)
    assert auto_stop(plan, tally, 60) == (
        "75 % of the 1200 requests that ended in the last 30 s failed, mostly ConnectRefused; "
        "load.autoStop stops at 50 %"
    )


def test_auto_stop_waits_for_its_window_and_its_share() -> None:
    assert auto_stop(*failing(30), 29) is None
    assert auto_stop(*failing(5), 60) is None


def test_auto_stop_can_be_turned_off() -> None:
    plan = a_plan(opened(10, 600), autoStop={"disabled": True})
    assert auto_stop(plan, steady(plan, seconds=60, ms=(), errors={"Dns": 9}), 60) is None


def test_auto_stop_sees_time_outs_that_are_longer_than_its_window() -> None:
    plan = a_plan(opened(10, 600))
    tally = a_tally(plan, *(a_delta(at + 60, a_cell(at, errors={"TotalTimeout": 10})) for at in range(60)))
    assert auto_stop(plan, tally, 120)


def test_schedule_lag_is_a_latency_like_others() -> None:
    plan = planned(bound("ScheduleLag", "LessThan", 1, statistic="Max"))
    tally = a_tally(plan, a_delta(3, a_cell(3, 1, ms=[5], metrics={"ScheduleLag": [2]})))
    assert judged(plan, tally).observed == "2 ms"
