"""Means, rates, largest values and speeds at their bounds: what decides, what is left open, and the sentence for it."""

from typing import Any

import pytest

from loadgen.core.judge.advice import undecidable_within
from loadgen.core.judge.early import beyond_doubt
from loadgen.core.judge.thresholds import evaluate, evaluate_window
from loadgen.core.judge.validity import judge
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Criterion, Metric, Plan
from loadgen.model.report import ThresholdResult
from unit.loadgen.deltas import a_cell, a_delta, a_tally, micros, steady
from unit.loadgen.plans import a_plan, closed, opened
from unit.loadgen.test_thresholds import CHAT, GET, bound

LARGEST = {"metric": "ResponseTime", "statistic": "Max"}
MEAN = {"metric": "ResponseTime", "statistic": "Mean"}
SPEED = {"metric": "OutputTokensPerSecondPerUser", "statistic": "P50"}


def asked(operator: str, value: Any, *, seconds: int = 20, request: dict[str, Any] = GET, **metric: Any) -> Plan:
    threshold = bound(metric.pop("metric"), operator, value, **metric)
    return a_plan(opened(10, seconds), requests=[request], thresholds=[threshold])


def one(plan: Plan, tally: Tally) -> ThresholdResult:
    (found,) = evaluate(plan.thresholds, plan, tally)
    return found


def late(plan: Plan, ms: float, lag: float, **cell: Any) -> Tally:
    """Every answer takes so long, and the loop is always so late."""
    told = {"loop_lag": micros([lag] * 50)}
    return a_tally(plan, *(a_delta(at, a_cell(at, ms=[ms] * 10, **cell), **told) for at in range(20)))


@pytest.mark.parametrize("metric", [LARGEST, MEAN])
def test_failures_alone_have_no_length(metric: dict[str, Any]) -> None:
    plan = asked("LessThan", 100, **metric)
    found = one(plan, steady(plan, ms=(), errors={"Http500": 9}))
    assert (found.result, found.doubt, found.observed) == ("Unknown", "NoSample", "n/a")
    assert (
        found.message
        == f"t: {metric['statistic']} of ResponseTime cannot be judged in the run: no request gave a value"
    )


@pytest.mark.parametrize(
    ("operator", "value", "result"),
    [
        ("LessThan", 100, "Failed"),
        ("LessThanOrEqual", 100, "Passed"),
        ("GreaterThan", 100, "Failed"),
        ("GreaterThanOrEqual", 100, "Passed"),
        ("LessThan", "100.01", "Passed"),
        ("GreaterThan", "99.99", "Passed"),
        ("GreaterThan", "100.01", "Failed"),
    ],
)
@pytest.mark.parametrize("metric", [LARGEST, {**MEAN, "decision": "Point"}])
def test_a_value_at_its_bound_keeps_it_only_where_the_bound_is_allowed(
    metric: dict[str, Any], operator: str, value: Any, result: str
) -> None:
    plan = asked(operator, value, **metric)
    found = one(plan, steady(plan, ms=[100] * 10))
    assert found.result == result
    assert found.message.endswith("(as observed)")
    assert ("(just at the bound)" in found.message) is (result == "Failed" and value == 100)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (LARGEST, "the generator's own lag of 14 ms decides on which side it is"),
        (MEAN, "the generator's own lag of 10 ms decides on which side of the bound it is"),
    ],
)
def test_what_the_generators_lag_decides_is_not_known(metric: dict[str, Any], words: str) -> None:
    """105 ms against 100 ms: a lag of 10 ms may have made it so, one of half a millisecond did not.

    A largest value may have met 4 ms more: as far may two probes be apart."""
    plan = asked("LessThan", 100, **metric)
    found = one(plan, late(plan, 105, 10))
    assert (found.result, found.doubt) == ("Unknown", "AtTheBound")
    assert found.message.endswith(f": {words}")
    assert one(plan, late(plan, 105, 0.5)).result == "Failed"
    assert one(plan, late(plan, 95, 10)).result == "Passed"


def test_a_largest_value_stops_a_run_where_no_lag_excuses_it() -> None:
    plan = asked("LessThan", 100, seconds=600, **LARGEST, abortOnFail=True)
    assert beyond_doubt(plan.thresholds[0], plan, late(plan, 105, 0.5))
    assert beyond_doubt(plan.thresholds[0], plan, late(plan, 105, 10)) is None


def test_a_lower_bound_on_the_largest_value_stops_no_run() -> None:
    """The next answer may be the slow one; nor does a lag that is longer than the answer."""
    lower = asked("GreaterThan", 100, seconds=600, **LARGEST, abortOnFail=True)
    assert beyond_doubt(lower.thresholds[0], lower, late(lower, 50, 0.1)) is None
    fast = asked("LessThan", "0.5", seconds=600, **LARGEST, abortOnFail=True)
    assert beyond_doubt(fast.thresholds[0], fast, late(fast, 5, 10)) is None


@pytest.mark.parametrize(
    ("operator", "value", "result"),
    [
        ("LessThan", 200, "Unknown"),
        ("LessThan", 50, "Failed"),
        ("GreaterThan", 50, "Passed"),
        ("GreaterThan", 200, "Unknown"),
    ],
)
@pytest.mark.parametrize("metric", [LARGEST, MEAN])
def test_what_has_no_answer_may_be_larger_than_all(
    metric: dict[str, Any], operator: str, value: int, result: str
) -> None:
    plan = asked(operator, value, **metric)
    found = one(plan, steady(plan, incomplete=1))
    assert (found.result, found.doubt) == (result, "NoAnswer" if result == "Unknown" else None)
    if result == "Unknown":
        assert "of requests 20 had no answer when the run ended, and whether it holds depends on them" in found.message
        assert found.message.endswith("look for a hanging target, or raise load.gracefulStopSeconds")


def test_the_greater_doubt_is_told_first() -> None:
    """Both, each with what to do about it."""
    plan = asked("LessThan", 200, **MEAN)
    tally = steady(plan, incomplete=1, errors={"TotalTimeout": 2})
    found = one(plan, tally)
    assert found.doubt == "Censored"
    assert (
        "of requests 40 timed out, and how long they would have taken is not known and 20 had no answer"
        in found.message
    )


def test_a_mean_of_four_seconds_is_too_short_to_judge() -> None:
    plan = asked("LessThan", 150, seconds=4, **MEAN)
    found = one(plan, steady(plan))
    assert (found.result, found.doubt) == ("Unknown", "TooFew")
    assert found.message == (
        "t: Mean of ResponseTime was 100 ms in the run, wanted < 150 ms: it lasted too short to tell how much it varies: "
        "run longer, or set decision: Point"
    )


def test_a_mean_that_varies_from_batch_to_batch_says_between_what_it_may_be() -> None:
    """Never less than nothing."""
    plan = asked("LessThan", 150, **MEAN)
    told = [a_delta(at, a_cell(at, ms=[2000 if at == 7 else 1] * 10)) for at in range(20)]
    found = one(plan, a_tally(plan, *told))
    assert (found.result, found.doubt) == ("Unknown", "TooFew")
    assert found.message.endswith(
        "wanted < 150 ms: from batch to batch it varies so much that it may be between 0 and 273.8 ms: "
        "run longer, or set decision: Point"
    )


@pytest.mark.parametrize(
    ("operator", "value", "result"),
    [
        ("GreaterThanOrEqual", 7, "Passed"),
        ("GreaterThanOrEqual", 9, "Unknown"),
        ("GreaterThanOrEqual", 12, "Failed"),
        ("LessThan", 9, "Unknown"),
        ("LessThan", 12, "Passed"),
        ("LessThan", 7, "Failed"),
    ],
)
def test_what_may_have_been_good_counts_both_ways(operator: str, value: int, result: str) -> None:
    """Eight a second were good, of three it is not known: 8 to 11 a second."""
    plan = asked(operator, value, metric="Goodput", request={**CHAT, "slo": {"ttftMilliseconds": 500}})
    found = one(plan, steady(plan, ms=[100] * 11, good=8, unsure=3))
    assert (found.result, found.doubt) == (result, "OneRead" if result == "Unknown" else None)


def paced(plan: Plan, tpot: float, number: int = 10) -> Tally:
    metrics = {Metric.TIME_TO_FIRST_TOKEN: [100] * number, Metric.TIME_PER_OUTPUT_TOKEN: [tpot] * number}
    return a_tally(plan, *(a_delta(at, a_cell(at, ms=[500] * number, metrics=metrics)) for at in range(20)))


@pytest.mark.parametrize(
    ("operator", "value", "result"),
    [
        ("GreaterThan", 0, "Passed"),
        ("GreaterThanOrEqual", 49, "Passed"),
        ("GreaterThanOrEqual", 51, "Failed"),
        ("LessThan", 49, "Failed"),
        ("LessThanOrEqual", 51, "Passed"),
    ],
)
def test_a_speed_is_judged_by_its_inverse(operator: str, value: int, result: str) -> None:
    """20 ms a token are 50 tokens a second."""
    plan = asked(operator, value, request=CHAT, **SPEED)
    assert one(plan, paced(plan, 20)).result == result


def test_a_speed_that_is_not_shown_says_how_low_it_may_be() -> None:
    """Of 200 readers ten had half the speed: P95 is near its bound from below, though the time a token takes may be longer."""
    plan = asked("GreaterThanOrEqual", 30, request=CHAT, metric=SPEED["metric"], statistic="P95")
    metrics = {Metric.TIME_TO_FIRST_TOKEN: [100] * 10, Metric.TIME_PER_OUTPUT_TOKEN: [20] * 9 + [40]}
    slow = {**metrics, Metric.TIME_PER_OUTPUT_TOKEN: [20] * 10}
    tally = a_tally(
        plan, *(a_delta(at, a_cell(at, ms=[500] * 10, metrics=metrics if at % 2 else slow)) for at in range(20))
    )
    found = one(plan, tally)
    assert (found.result, found.doubt) == ("Unknown", "TooFew")
    assert "it may be as low as 25 tokens/s" in found.message


def test_a_bound_over_a_window_that_nothing_can_decide_is_told() -> None:
    """Forty requests are planned in four seconds, where 59 without a failure would show 5 %."""
    plan = a_plan(opened(10, 20))
    criterion = Criterion.model_validate({"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 5})
    assert undecidable_within(criterion, plan, range(3, 7)) == (
        "ErrorPercent <= 5 % needs 59 requests without a failure, and about 40 are planned: "
        "it would end Unknown; run longer, send more, ask for less, or set decision: Point"
    )
    assert undecidable_within(criterion, plan, range(3, 9)) is None


def test_a_bound_on_a_speed_is_told_with_its_unit() -> None:
    plan = asked("GreaterThanOrEqual", 30, request=CHAT, metric=SPEED["metric"], statistic="P99")
    (threshold,) = plan.thresholds
    assert str(undecidable_within(threshold, plan, range(20))).startswith(
        "P99 of OutputTokensPerSecondPerUser >= 30 tokens/s needs 299 requests without one against it, and about 200 "
    )


def test_a_threshold_over_a_window_keeps_its_name_and_a_bound_gets_one() -> None:
    plan = asked("LessThan", 500, seconds=40, metric="ResponseTime", statistic="P50")
    (threshold,) = plan.thresholds
    criterion = Criterion.model_validate(
        {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 500, "decision": "Point"}
    )
    names = [evaluate_window(each, plan, steady(plan), range(40)).name for each in (threshold, criterion)]
    assert names == ["t", "p50-responsetime"]


def test_a_closed_stage_near_its_workers_ceiling_says_so() -> None:
    """Two stages: each by the requests and the seconds of its own, as far as they have passed."""
    plan = a_plan(closed(1, 20, name="calm"), closed(9, 20, name="peak"))
    calm = [a_delta(at, a_cell(at, 0, ms=[10] * 2)) for at in range(20)]
    peak = [a_delta(at, a_cell(at, 1, ms=[10] * 90)) for at in range(20, 30)]
    found = judge(plan, a_tally(plan, *calm, *peak), allowed_cores=1.0, ceilings={0: 100})
    assert found.reasons == (
        "stage peak: closed stage peak sent 90 requests/s, 90 % of the 100 requests/s that its workers reach against a null "
        "server (at most 80 % is sound): use more workers",
    )
    assert judge(plan, a_tally(plan, *calm, *peak), allowed_cores=1.0, ceilings={0: 113}).level == "Valid"


@pytest.mark.parametrize(("ceiling", "level"), [(19, "GeneratorLimited"), (21, "Valid")])
def test_a_ceiling_must_leave_room_for_trickles_too(ceiling: int, level: str) -> None:
    """Ten of the mix and two of a trickle are 60 % of twenty."""
    requests = [GET, {"name": "trickle", "http": {}, "ratePerSecond": 2}]
    plan = a_plan(opened(10, 20), requests=requests)
    found = judge(plan, a_tally(plan, a_delta(0)), allowed_cores=1.0, ceilings={0: ceiling})
    assert found.level == level
    assert "stage s0 plans 12 requests/s, 63 % of the 19 requests/s" in found.reasons[0] if found.reasons else True


def test_a_rate_is_that_of_the_kind_that_is_asked_about() -> None:
    """Eight a second of one kind and two of the other."""
    requests = [GET, {**GET, "name": "other"}]
    for name, observed in (("get", "8 requests/s"), ("other", "2 requests/s")):
        threshold = bound("RequestsPerSecond", "GreaterThan", 1, request=name)
        plan = a_plan(opened(10, 20), requests=requests, thresholds=[threshold])
        told = [a_delta(at, a_cell(at, ms=[1] * 8), a_cell(at, 0, 1, ms=[1] * 2)) for at in range(20)]
        assert one(plan, a_tally(plan, *told)).observed == observed
