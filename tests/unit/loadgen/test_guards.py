"""Bounds that hold without meaning anything, each way by name; and what is not known counted against certainty."""

from typing import Any

import pytest

from loadgen.core.judge.judgement import Measured, measured
from loadgen.core.judge.thresholds import evaluate, evaluate_window
from loadgen.core.judge.validity import quality
from loadgen.core.judge.verdict import judge
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import DISTRIBUTIONS, Criterion, Metric, Plan
from loadgen.model.report import ThresholdResult
from loadgen.model.wire import Delta
from unit.loadgen.deltas import a_cell, a_delta, a_tally, micros, steady
from unit.loadgen.plans import a_plan, closed, opened
from unit.loadgen.test_thresholds import CHAT, GET, bound

TPOT = {"metric": "TimePerOutputToken", "statistic": "P95", "operator": "LessThan", "value": 100}
GAPS = {"metric": "InterChunkLatency", "statistic": "P99", "operator": "LessThan", "value": 100}
TTFT = {"metric": "TimeToFirstToken", "statistic": "P95", "operator": "LessThan", "value": 500}


def one(plan: Plan, tally: Tally, **more: Any) -> ThresholdResult:
    return evaluate(plan.thresholds, plan, tally, **more)[0]


def judged_alone(plan: Plan, tally: Tally) -> Measured:
    """All of it, on one core."""
    return measured(plan, tally, quality(plan, tally, allowed_cores=1))


def asked(threshold: dict[str, Any], *stages: dict[str, Any], request: dict[str, Any] = GET) -> Plan:
    return a_plan(*(stages or (opened(10, 20),)), requests=[request], thresholds=[{"name": "t", **threshold}])


def streams(seconds: int = 20, number: int = 10, at_once: int = 0, gaps: int = 20, **more: Any) -> list[Delta]:
    """So many streams a second, of which some came in one read."""
    paced = number - at_once
    metrics = {
        Metric.TIME_TO_FIRST_TOKEN: [100] * number,
        Metric.TIME_PER_OUTPUT_TOKEN: [20] * paced,
        Metric.MAX_STALL: [30] * paced,
        Metric.INTER_CHUNK_LATENCY: [20] * (paced * gaps),
    }
    return [
        a_delta(at, a_cell(at, ms=[500] * number, metrics=metrics, at_once=at_once, **more)) for at in range(seconds)
    ]


@pytest.mark.parametrize("threshold", [TPOT, GAPS, {**TPOT, "metric": "MaxStall"}])
@pytest.mark.parametrize("decision", ["Confident", "Point"])
def test_answers_in_one_read_are_no_evidence_of_a_pace(threshold: dict[str, Any], decision: str) -> None:
    """A gateway that buffers whole answers never passes a bound on their pace."""
    plan = asked({**threshold, "decision": decision}, request=CHAT)
    assert one(plan, a_tally(plan, *streams(number=15))).result == "Passed"
    for at_once in (10, 5):
        found = one(plan, a_tally(plan, *streams(at_once=at_once)))
        assert (found.result, found.doubt) == ("Unknown", "OneRead")
        assert "in one read" in found.message


def test_a_speed_is_the_inverse_of_a_pace() -> None:
    """P95 of a user's speed is what 95 % of the requests reach; one read is no evidence of it either."""
    speed = {"metric": "OutputTokensPerSecondPerUser", "statistic": "P95", "operator": "GreaterThanOrEqual"}
    holds, broken = asked({**speed, "value": 40}, request=CHAT), asked({**speed, "value": 60}, request=CHAT)
    found = one(holds, a_tally(holds, *streams()))
    assert (found.result, found.observed, found.wanted) == ("Passed", "50 tokens/s", ">= 40 tokens/s")
    assert one(broken, a_tally(broken, *streams())).result == "Failed"
    assert one(holds, a_tally(holds, *streams(at_once=10))).doubt == "OneRead"


@pytest.mark.parametrize(("number", "result"), [(1, "Unknown"), (100, "Unknown"), (299, "Passed")])
def test_gaps_of_one_stream_are_one_observation(number: int, result: str) -> None:
    """Seven hundred gaps of one stream are no sample of streams; 299 streams without a long gap show P99."""
    plan = asked(GAPS, request=CHAT)
    found = one(plan, a_tally(plan, *streams(1, number, gaps=700)))
    assert found.result == result
    if number < 299:
        assert f"with {number} answers" in found.message


def test_gaps_within_one_read_are_no_pace() -> None:
    """Eight tokens a read, every 400 ms: most gaps are nothing, and P50 of them says how it was read."""
    plan = asked({**GAPS, "statistic": "P50"}, request=CHAT)
    gaps = {Metric.INTER_CHUNK_LATENCY: [*[0] * 70, *[400] * 10], Metric.MAX_STALL: [400] * 10}
    deltas = [a_delta(at, a_cell(at, ms=[4000] * 10, metrics=gaps)) for at in range(40)]
    found = one(plan, a_tally(plan, *deltas))
    assert (found.result, found.doubt) == ("Unknown", "OneRead")
    assert "2800 of 3200 outputs were read together with the one before" in found.message


def test_a_request_that_hung_before_its_first_token_is_over_every_limit() -> None:
    """Six in a hundred of them break P95, though every token that came was fast."""
    plan = asked(TTFT, request=CHAT)
    hung = {"errors": {"TotalTimeout": 1}}
    found = one(plan, a_tally(plan, *streams(20, 10, **hung)))
    assert (found.result, found.observed) == ("Failed", "n/a (9.09 % failed)")


def test_a_long_steady_stage_does_not_hide_a_peak_that_hangs() -> None:
    """Each threshold has its own unanswered requests: 60 % of the peak's have no answer, of the run's under 5 %."""
    stages = (opened(10, 600, name="steady"), opened(10, 20, name="peak"))
    errors = {"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 5, "stages": ["peak"]}
    fast = {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 500, "stages": ["peak"]}
    calm = [a_delta(at, a_cell(at, 0, ms=[10] * 10)) for at in range(600)]
    peak = [a_delta(at, a_cell(at, 1, ms=[10] * 4, incomplete=6)) for at in range(600, 620)]
    for threshold in (errors, fast):
        plan = asked(threshold, *stages)
        found = one(plan, a_tally(plan, *calm, *peak))
        assert (found.result, found.doubt) == ("Unknown", "NoAnswer")
        assert "of 200 requests 120 had no answer" in found.message


def test_an_answer_that_could_not_change_the_result_is_no_doubt() -> None:
    """Violated at both ends is violated."""
    plan = asked({"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1})
    assert one(plan, steady(plan, errors={"Http500": 5}, incomplete=2)).result == "Failed"


@pytest.mark.parametrize("statistic", ["Mean", "Max"])
def test_a_time_out_is_no_length(statistic: str) -> None:
    """It took at least so long: enough to be over a bound, never enough to keep one."""
    timeout = {"errors": {"TotalTimeout": 1}}
    for value, result in ((200_000, "Unknown"), (50, "Failed")):
        plan = asked({"metric": "ResponseTime", "statistic": statistic, "operator": "LessThan", "value": value})
        cells = [a_delta(at, a_cell(at, ms=[100] * 10, **timeout)) for at in range(20)]
        for delta in cells:
            delta.cells[0].censored[0] = micros([60_000])
        found = one(plan, a_tally(plan, *cells))
        assert found.result == result
    assert found.doubt is None


def test_few_answers_are_no_sample_of_a_load() -> None:
    """A mean of the four in a hundred that were answered says nothing, however fast they were."""
    plan = asked({"metric": "ResponseTime", "statistic": "Mean", "operator": "LessThan", "value": 500})
    found = one(plan, steady(plan, ms=[10], errors={"Http503": 99}))
    assert (found.result, found.doubt) == ("Unknown", "Collapsed")
    assert "20 of about 2000 planned requests were answered, mostly Http503" in found.message


def test_a_plan_that_was_not_followed_passes_nothing() -> None:
    """Two of two hundred planned arrivals were there."""
    plan = asked({"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 5, "decision": "Point"})
    tally = a_tally(plan, a_delta(3, a_cell(3, ms=[1] * 2)), a_delta(19))
    assert one(plan, tally).doubt == "Collapsed"


def test_answers_that_shrink_to_nothing_are_others() -> None:
    """A hundred tokens an answer, then two: fast, without an error, and not what was asked for."""
    fast = {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 500}
    chat, page = asked(fast, request=CHAT), asked(fast)
    tokens = [a_delta(at, a_cell(at, ms=[10] * 10, output_tokens=1000 if at < 10 else 20)) for at in range(20)]
    sizes = [a_delta(at, a_cell(at, ms=[10] * 10), bytes_received=50_000 if at < 12 else 900) for at in range(20)]
    for plan, deltas, what in ((chat, tokens, "100 output tokens"), (page, sizes, "5000 bytes")):
        found = one(plan, a_tally(plan, *deltas))
        assert (found.result, found.doubt) == ("Unknown", "Changed")
        assert f"answers had {what} at first" in found.message
    assert one(chat, a_tally(chat, *tokens[:10])).result == "Passed"


@pytest.mark.parametrize("metric", ["OutputTokenThroughput", "TimePerOutputToken"])
def test_tokens_of_two_sources_make_no_figure(metric: str) -> None:
    statistic = {"statistic": "P50"} if metric == "TimePerOutputToken" else {}
    plan = asked({"metric": metric, "operator": "GreaterThan", "value": 1, **statistic}, request=CHAT)
    found = one(plan, a_tally(plan, *streams(told=5, untold=5)))
    assert (found.result, found.doubt) == ("Unknown", "MixedSources")
    assert one(plan, a_tally(plan, *streams(told=10, output_tokens=200))).result == "Passed"


def test_nothing_is_judged_where_the_generator_was_the_limit() -> None:
    """Neither way; elsewhere everything is."""
    stages = (opened(10, 10, name="calm"), opened(10, 10, name="peak"))
    thresholds = [
        bound("ErrorPercent", "LessThanOrEqual", 20, stages=["peak"]),
        {**bound("ErrorPercent", "LessThanOrEqual", 20, stages=["calm"]), "name": "u"},
        {**bound("ErrorPercent", "LessThanOrEqual", 90, stages=["peak"]), "name": "v"},
    ]
    plan = a_plan(*stages, thresholds=thresholds)
    tally = steady(plan, ms=[1] * 5, errors={"Http500": 5})
    found = {each.name: each for each in evaluate(plan.thresholds, plan, tally, limited={1: "CPU was short"})}
    assert {name: str(each.result) for name, each in found.items()} == {"t": "Unknown", "u": "Failed", "v": "Unknown"}
    assert "the generator was the limit in stage peak: CPU was short" in found["t"].message
    window = Criterion.model_validate({"metric": "ErrorPercent", "operator": "LessThan", "value": 1})
    assert evaluate_window(window, plan, tally, range(8, 14), limited={1: "x"}).doubt == "ScopeNotValid"


def test_a_limited_stage_leaves_the_others_word_standing() -> None:
    """Violated in a valid scope is Failed, whatever another scope is; nothing violated anywhere valid is Inconclusive."""
    stages = (opened(10, 10, name="calm"), opened(10, 10, name="peak"))
    bad = bound("ErrorPercent", "LessThanOrEqual", 20, stages=["calm"])
    throttled = {"throttled_microseconds": 900_000}
    for errors, word in (({"errors": {"Http500": 5}}, "Failed"), ({}, "Inconclusive")):
        plan = a_plan(*stages, thresholds=[bad])
        tally = steady(plan, ms=[1] * 5, **errors)
        for at in range(10, 20):
            tally.add(a_delta(at, **throttled))
        found = judged_alone(plan, tally)
        assert judge(found.findings())[0] == word


def test_a_full_cap_is_the_targets_while_the_generator_is_well() -> None:
    """Dropped requests are over every limit, and Little's law says how many would have had to wait."""
    plan = a_plan(opened(20, 30), maxInFlight=100, thresholds=[bound("ErrorPercent", "LessThanOrEqual", 1)])
    found = judged_alone(plan, steady(plan, ms=[9000] * 11, dropped=9))
    word, message = judge(found.findings())
    assert (word, found.validity.level) == ("Failed", "Valid")
    assert "mostly Dropped" in message
    assert "270 requests were dropped because load.maxInFlight (100) were in flight" in message
    assert "at 20/s and 9 s each at least 180 would have been needed" in message


def test_a_lag_of_its_own_is_not_held_against_the_target() -> None:
    """The loop was 20 ms late at P99: what is over the bound by less may have been on time. What keeps it keeps it."""
    late = {"loop_lag": micros([20] * 50)}
    plan = asked({"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 100})
    for ms, result in ((110, "Unknown"), (150, "Failed"), (90, "Passed")):
        tally = a_tally(plan, *(a_delta(at, a_cell(at, ms=[ms] * 10), **late) for at in range(20)))
        assert one(plan, tally).result == result


@pytest.mark.parametrize(
    ("statistic", "values", "result"),
    [
        ("P50", [110] * 100, "Failed"),
        ("P50", [90] * 100, "Passed"),
        ("P99", [*[50] * 97, *[550] * 3], "Unknown"),
        ("P99", [*[50] * 90, *[550] * 10], "Failed"),
        ("P90", [*[50] * 97, *[550] * 3], "Passed"),
    ],
)
def test_a_loop_that_is_seldom_late_explains_a_few_late_answers_and_not_many(
    statistic: str, values: list[int], result: str
) -> None:
    """Two in a hundred probes were 500 ms late: three in a hundred answers may be its doing, ten or all of them are not."""
    plan = asked({"metric": "ResponseTime", "statistic": statistic, "operator": "LessThan", "value": 100})
    late = {"loop_lag": micros([*[0.1] * 98, *[500] * 2])}
    tally = a_tally(plan, *(a_delta(at, a_cell(at, ms=values), **late) for at in range(20)))
    assert one(plan, tally).result == result


def test_time_that_never_came_says_nothing() -> None:
    plan = asked(
        {"metric": "RequestsPerSecond", "operator": "LessThan", "value": 5, "stages": ["s1"]}, opened(1), opened(1)
    )
    assert one(plan, steady(plan, seconds=5)).doubt == "NoSample"


@pytest.mark.parametrize("operator", ["LessThan", "GreaterThanOrEqual"])
@pytest.mark.parametrize("metric", [*DISTRIBUTIONS, *(one for one in Metric if one not in DISTRIBUTIONS)])
def test_without_a_request_nothing_holds_and_nothing_is_violated(metric: Metric, operator: str) -> None:
    """Every metric, both ways."""
    statistic = {"statistic": "P50"} if metric.needs_statistic else {}
    plan = asked({"metric": metric, "operator": operator, "value": 5, **statistic}, closed(1), request=CHAT)
    assert one(plan, a_tally(plan)).result == "Unknown"
    assert one(plan, a_tally(plan, a_delta(9))).result == "Unknown"


def test_the_judgement_leaves_out_the_seconds_of_faults_and_what_the_generator_limited() -> None:
    """One judgement for laptop and operator: all requests fail while the fault is there, and none beside it."""
    plan = asked(bound("ErrorPercent", "LessThanOrEqual", 20, decision="Point"), opened(10, 30))
    broken = [a_delta(at, a_cell(at, errors={"Http500": 10})) for at in range(5, 15)]
    fine = [a_delta(at, a_cell(at, ms=[1] * 10)) for at in (*range(5), *range(15, 30))]
    tally = a_tally(plan, *broken, *fine)
    well = quality(plan, tally, allowed_cores=1)
    assert measured(plan, tally, well).thresholds[0].result == "Failed"
    assert measured(plan, tally, well, exclude=[range(5, 15)]).thresholds[0].result == "Passed"
    for delta in fine:
        tally.add(a_delta(delta.second, throttled_microseconds=900_000))
    found = measured(plan, tally, quality(plan, tally, allowed_cores=1))
    assert (found.thresholds[0].doubt, list(found.limited), found.validity.whole) == ("ScopeNotValid", [0], True)
    assert found.total.counts.planned == 300
