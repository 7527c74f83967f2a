"""Thresholds: what is judged, what cannot be, and the sentences."""

from typing import Any

import pytest

from loadgen.core.judge.thresholds import effective, evaluate, evaluate_window
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Criterion, Decision, Defaults, Plan
from loadgen.model.report import Result, ThresholdResult
from unit.loadgen.deltas import a_cell, a_delta, a_tally, steady
from unit.loadgen.plans import a_plan, opened

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
            "P95 of ResponseTime was 1710 ms in stage peak, wanted < 1500 ms (14 % too much)",
        ),
        (
            bound(**P95, operator="LessThanOrEqual", value=1710, stages=["peak", "idle"]),
            "Passed",
            "P95 of ResponseTime was 1710 ms in stages peak + idle, wanted <= 1710 ms",
        ),
        (
            bound(**P95, operator="LessThan", value=1710, stages=["peak", "idle"]),
            "Unknown",
            "P95 of ResponseTime was 1710 ms in stages peak + idle, wanted < 1710 ms: of 255 requests 30 are so near the "
            "bound that three digits cannot tell on which side, and whether it holds depends on them: "
            "move the bound a little, or give workers CPU of their own",
        ),
        (
            bound("ResponseTime", "LessThan", "99.9", statistic="P50", request="get"),
            "Failed",
            "P50 of ResponseTime was 100 ms in the run for request get, wanted < 99.9 ms (0.13 % too much)",
        ),
        (
            bound("ResponseTime", "LessThan", 2000, statistic="P99"),
            "Unknown",
            "P99 of ResponseTime was 1710 ms in the run, wanted < 2000 ms: with 255 requests it may be anything; "
            "about 44 more would decide",
        ),
        (
            bound("ResponseTime", "LessThan", 2000, statistic="P99", decision="Point"),
            "Passed",
            "P99 of ResponseTime was 1710 ms in the run, wanted < 2000 ms (as observed)",
        ),
        (
            bound("ResponseTime", "LessThan", 1000, statistic="P90"),
            "Unknown",
            "P90 of ResponseTime was 1710 ms in the run, wanted < 1000 ms: with 255 requests it may be as high as 1710 ms; "
            "about 607 more would decide",
        ),
        (
            bound("ResponseTime", "GreaterThanOrEqual", 150, statistic="P50"),
            "Failed",
            "P50 of ResponseTime was 100 ms in the run, wanted >= 150 ms (33 % too little)",
        ),
        (
            bound("ResponseTime", "LessThan", 1800, statistic="Max"),
            "Passed",
            "Max of ResponseTime was 1710 ms in the run, wanted < 1800 ms (as observed)",
        ),
        (
            bound("TimeToFirstToken", "LessThan", 2000, statistic="Mean"),
            "Unknown",
            "Mean of TimeToFirstToken cannot be judged in the run: no request gave a value",
        ),
        (
            bound("RequestsPerSecond", "GreaterThanOrEqual", 20),
            "Failed",
            "RequestsPerSecond was 17 requests/s in the run, wanted >= 20 requests/s (15 % too little)",
        ),
        (
            bound("ErrorPercent", "LessThanOrEqual", 1),
            "Unknown",
            "ErrorPercent was 0 % in the run, wanted <= 1 %: with 255 requests it may be as high as 1.17 %; "
            "about 44 more would decide",
        ),
        (bound("ErrorPercent", "LessThanOrEqual", 2), "Passed", "ErrorPercent was 0 % in the run, wanted <= 2 %"),
        (
            bound("ErrorPercent", "LessThanOrEqual", 0),
            "Passed",
            "ErrorPercent was 0 % in the run, wanted <= 0 % (as observed)",
        ),
        (
            bound("SloAttainmentPercent", "GreaterThanOrEqual", "99.9"),
            "Unknown",
            "SloAttainmentPercent was 100 % in the run, wanted >= 99.9 %: with 255 requests it may be as low as 98.8 %; "
            "about 2740 more would decide",
        ),
        (
            bound("SloAttainmentPercent", "GreaterThanOrEqual", 98),
            "Passed",
            "SloAttainmentPercent was 100 % in the run, wanted >= 98 %",
        ),
        (bound("Goodput", "GreaterThan", 10), "Passed", "Goodput was 17 requests/s in the run, wanted > 10 requests/s"),
        (bound("DroppedPercent", "LessThan", 2), "Passed", "DroppedPercent was 0 % in the run, wanted < 2 %"),
        (bound("RejectedPercent", "LessThan", 2), "Passed", "RejectedPercent was 0 % in the run, wanted < 2 %"),
        (
            bound("OutputTokenThroughput", "GreaterThan", 1),
            "Failed",
            "OutputTokenThroughput was 0 tokens/s in the run, wanted > 1 tokens/s (100 % too little)",
        ),
    ],
)
def test_results_in_words(threshold: dict[str, Any], result: str, message: str) -> None:
    """What, how much, where, how sure, and what would decide."""
    plan = planned(threshold)
    said = judged(plan, steady(plan, ms=SLOW))
    assert (said.result, said.message) == (result, f"t: {message}")


def test_an_error_percentage_names_the_usual_failure() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5))
    said = judged(plan, steady(plan, errors={"Http503": 2, "Http404": 1}))
    assert said.result is Result.FAILED
    assert said.message == (
        "t: ErrorPercent was 23.1 % in the run, wanted <= 5 % (18 percentage points too much, mostly Http503)"
    )


def test_what_was_turned_away_is_told_from_what_broke() -> None:
    plan = planned(bound("RejectedPercent", "LessThanOrEqual", 5))
    turned_away = judged(plan, steady(plan, errors={"Http503": 2, "Http429": 1}))
    assert (turned_away.result, turned_away.observed) == (Result.FAILED, "23.1 %")
    assert judged(plan, steady(plan, errors={"Http500": 2, "TotalTimeout": 1})).result is Result.PASSED


def test_a_request_that_was_never_sent_may_have_been_turned_away() -> None:
    plan = planned(bound("RejectedPercent", "LessThanOrEqual", 5))
    said = judged(plan, steady(plan, dropped=3))
    assert said.result is Result.UNKNOWN
    assert "were not sent or had no answer when the run ended" in said.message


def test_digits_tell_a_value_from_its_bound() -> None:
    plan = planned(bound("ResponseTime", "LessThan", 1500, statistic="Mean"))
    assert judged(plan, steady(plan, ms=[1500, 1500.01])).observed == "1500.01 ms"


def test_a_result_has_a_short_form_for_tables() -> None:
    plan = planned(
        bound("ResponseTime", "LessThan", "0.5", statistic="P999", stages=["peak", "idle"], severity="Warning")
    )
    said = judged(plan, steady(plan))
    assert (said.observed, said.wanted, said.window, said.severity) == (
        "100 ms",
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
    point = criterion.model_copy(update={"decision": Decision.POINT})
    assert evaluate_window(point, plan, tally, range(8, 10)).result is Result.PASSED
    assert evaluate_window(criterion, plan, tally, range(8, 10)).result is Result.UNKNOWN
    assert evaluate_window(criterion, plan, tally, range(10, 12)).result is Result.UNKNOWN


def test_a_faults_percentile_has_a_name() -> None:
    criterion = Criterion.model_validate({**P95, "operator": "LessThan", "value": 5})
    assert evaluate_window(criterion, planned(), steady(planned()), range(0, 16)).name == "p95-responsetime"


def test_tokens_are_judged_by_kind() -> None:
    """One kind's tokens never help another's bound."""
    requests = [CHAT, {**CHAT, "name": "other"}]
    chat, other = (
        planned(bound("OutputTokenThroughput", "GreaterThan", 1, request=name), requests=requests)
        for name in ("chat", "other")
    )
    cells = ((a_cell(at, 1, ms=[1], output_tokens=20), a_cell(at, 1, 1, ms=[1])) for at in range(2, 12))
    deltas = [a_delta(at, *some) for at, some in zip(range(2, 12), cells, strict=True)] + [a_delta(16)]
    assert judged(chat, a_tally(chat, *deltas)).observed == "13.3 tokens/s"
    assert judged(other, a_tally(other, *deltas)).result is Result.FAILED


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


@pytest.mark.parametrize(
    "more", [{}, {"request": "rare"}, {"severity": "Warning"}, {"stages": ["idle"]}, {"decision": "Point"}]
)
def test_no_bound_on_errors_replaces_the_default(more: dict[str, Any]) -> None:
    """Whatever it is about: 43 % of errors elsewhere stay 43 %."""
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 100, **more), requests=[GET, {"name": "rare", "http": {}}])
    found = results(plan, steady(plan, ms=(100,) * 4, errors={"Http500": 3}))
    assert found["errors-default"] is Result.FAILED


def test_the_default_is_changed_by_name_only() -> None:
    """In a plan of its own words."""
    plan = a_plan().model_copy(update={"defaults": Defaults.model_validate({"errorPercent": 50})})
    assert results(plan, steady(plan, ms=(100,) * 4, errors={"Http500": 3}))["errors-default"] is Result.PASSED
    assert results(a_plan(), steady(a_plan(), ms=(100,) * 4, errors={"Http500": 3}))["errors-default"] is Result.FAILED


def test_a_default_is_judged_as_observed() -> None:
    """Nobody asked for more: four requests without a failure pass."""
    plan = a_plan()
    tally = a_tally(plan, a_delta(9, a_cell(9, ms=[1] * 4)))
    assert results(plan, tally) == {"errors-default": Result.PASSED, "any-success": Result.PASSED}


def test_no_name_is_there_twice() -> None:
    plan = planned(bound("ErrorPercent", "LessThan", 1), {**bound("Goodput", "GreaterThan", 1), "name": "u"})
    names = [one.name for one in effective(plan)]
    assert len(names) == len(set(names)) == 4


def test_a_success_after_the_last_stage_is_one() -> None:
    plan = a_plan()
    tally = a_tally(plan, a_delta(9, a_cell(9, planned=1)), a_delta(15, a_cell(9, planned=0, ms=[6000])))
    assert results(plan, tally)["any-success"] is Result.PASSED


def test_schedule_lag_is_a_latency_like_others() -> None:
    plan = planned(bound("ScheduleLag", "LessThan", 1, statistic="Max"))
    tally = a_tally(plan, a_delta(3, a_cell(3, 1, ms=[5], metrics={"ScheduleLag": [2]})))
    assert judged(plan, tally).observed == "2 ms"
