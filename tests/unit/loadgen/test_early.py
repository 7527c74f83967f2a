"""Stopping early: what is beyond doubt, and what only looks like it."""

from typing import Any

import numpy as np
import pytest

from loadgen.core.judge.advice import advice
from loadgen.core.judge.early import auto_stop, beyond_doubt
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Plan
from unit.loadgen.deltas import a_cell, a_delta, a_tally, steady
from unit.loadgen.plans import a_plan, closed, opened
from unit.loadgen.test_thresholds import P95, bound, planned

ABORT = {"abortOnFail": True}


@pytest.mark.parametrize(
    ("threshold", "counts", "sure"),
    [
        (bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), {"errors": {"Http500": 5}}, True),
        (bound("ErrorPercent", "LessThanOrEqual", 30, **ABORT), {"errors": {"Http500": 5}}, False),
        (bound("ErrorPercent", "LessThanOrEqual", 0, **ABORT), {"errors": {"Http500": 1}}, True),
        (bound("ErrorPercent", "GreaterThan", 50, **ABORT), {}, True),
        (bound("DroppedPercent", "LessThan", 1, **ABORT), {"dropped": 5}, True),
        (bound("RejectedPercent", "LessThan", 1, **ABORT), {"errors": {"Http429": 3, "Http503": 2}}, True),
        (bound("RejectedPercent", "LessThan", 1, **ABORT), {"errors": {"Http500": 5}}, False),
        (bound("SloAttainmentPercent", "GreaterThan", 99, **ABORT), {"good": 5}, True),
        (bound("SloAttainmentPercent", "GreaterThan", 40, **ABORT), {"good": 5}, False),
        (bound(**P95, operator="LessThan", value=90, **ABORT), {"ms": [100] * 40}, True),
        (bound(**P95, operator="LessThan", value=110, **ABORT), {"ms": [100] * 40}, False),
        (bound(**P95, operator="GreaterThan", value=110, **ABORT), {"ms": [100] * 40}, True),
        (bound("ResponseTime", "LessThan", 90, statistic="Mean", **ABORT), {"ms": [100] * 40}, False),
        (bound("ResponseTime", "LessThan", 90, statistic="Max", **ABORT), {"ms": [100]}, True),
        (bound("RequestsPerSecond", "GreaterThan", 50, **ABORT), {}, False),
    ],
)
def test_beyond_doubt(threshold: dict[str, Any], counts: dict[str, Any], sure: bool) -> None:
    """After six seconds of six hundred; a mean or a rate may still become any other."""
    plan = planned(threshold, stages=(opened(10, 600),))
    assert bool(beyond_doubt(plan.thresholds[0], plan, steady(plan, seconds=6, **counts))) is sure


def test_a_rate_is_beyond_doubt_when_its_stages_are_over() -> None:
    plan = planned(bound("RequestsPerSecond", "GreaterThan", 50, stages=["peak"], **ABORT))
    assert beyond_doubt(plan.thresholds[0], plan, steady(plan, seconds=13))


def test_a_few_early_failures_prove_nothing_while_many_requests_are_in_flight() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5, **ABORT), stages=(opened(10, 600),))
    tally = a_tally(plan, a_delta(3, a_cell(3, planned=1000, errors={"Http500": 35})))
    assert beyond_doubt(plan.thresholds[0], plan, tally) is None


def said(plan: Plan, tally: Tally, **more: Any) -> str | None:
    return beyond_doubt(plan.thresholds[0], plan, tally, **more)


def test_four_seconds_are_too_few_to_tell_how_alike_seconds_are() -> None:
    """A burst at the beginning stops nothing; that not one may fail is a fact at once."""
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), stages=(opened(10, 600),))
    assert said(plan, steady(plan, seconds=5, errors={"Http500": 5})) is None
    assert said(plan, steady(plan, seconds=6, errors={"Http500": 5}))
    none = planned(bound("ErrorPercent", "LessThanOrEqual", 0, **ABORT), stages=(opened(10, 600),))
    assert said(none, steady(none, seconds=3, errors={"Http500": 1}))


def test_the_message_says_so_far() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), stages=(opened(10, 600),))
    assert said(plan, steady(plan, seconds=9, errors={"Http500": 5})) == (
        "t: ErrorPercent was 33.3 % in the run so far, wanted <= 1 % (32 percentage points too much, mostly Http500)"
    )


@pytest.mark.parametrize(
    "bound_",
    [
        bound("SloAttainmentPercent", "GreaterThan", 90, **ABORT),
        bound("Goodput", "GreaterThanOrEqual", 9, **ABORT),
        bound("ErrorPercent", "LessThan", 5, **ABORT),
    ],
)
def test_answers_in_flight_are_not_bad(bound_: dict[str, Any]) -> None:
    """Every answer is good, and takes ten seconds."""
    plan = planned(bound_, stages=(opened(10, 60),))
    begun = [a_delta(at, a_cell(at, planned=10)) for at in range(60)]
    ended = [a_delta(at + 10, a_cell(at, planned=0, ms=[10_000] * 10)) for at in range(60)]
    for now in range(1, 70):
        told = [delta for delta in (*begun, *ended) if delta.second <= now]
        assert said(plan, a_tally(plan, *told)) is None, now


def test_slow_answers_do_not_leave_the_fast_failures_alone_in_the_sample() -> None:
    """One in fifty fails at once, the others take five seconds: what is known early is a prefix of seconds, not of answers."""
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5, **ABORT), stages=(opened(50, 60),))
    begun = [a_delta(at, a_cell(at, planned=50, errors={"Http500": 1})) for at in range(60)]
    ended = [a_delta(at + 5, a_cell(at, planned=0, ms=[5000] * 49)) for at in range(60)]
    for now in range(1, 66):
        assert said(plan, a_tally(plan, *(delta for delta in (*begun, *ended) if delta.second <= now))) is None, now


def test_what_a_closed_stage_has_in_flight_is_waited_for() -> None:
    """It is not told of before it ends: fast failures would be alone."""
    requests = [{"name": "get", "http": {}, "timeoutSeconds": 10}]
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 5, **ABORT), stages=(closed(20, 60),), requests=requests)
    failing = [a_delta(at, a_cell(at, errors={"Http500": 5})) for at in range(30)]
    assert said(plan, a_tally(plan, *failing[:9])) is None
    assert said(plan, a_tally(plan, *failing))


def test_a_rate_does_not_take_a_second_that_a_shard_has_not_told_of() -> None:
    """Two shards of 50/s each, one of them a second behind: 100/s and not 95."""
    plan = planned(bound("RequestsPerSecond", "GreaterThanOrEqual", 99, **ABORT), stages=(opened(100, 10),))
    ahead = [a_delta(at, a_cell(at, ms=[1] * 50)) for at in range(12)]
    behind = [a_delta(at, a_cell(at, ms=[1] * 50), shard=1) for at in range(9)]
    assert said(plan, a_tally(plan, *ahead, *behind)) is None


def test_seconds_of_faults_stop_no_run() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), stages=(opened(10, 60),))
    fine = [a_delta(at, a_cell(at, ms=[1] * 10)) for at in (*range(5), *range(15, 30))]
    broken = [a_delta(at, a_cell(at, errors={"Http500": 10})) for at in range(5, 15)]
    tally = a_tally(plan, *fine, *broken)
    assert said(plan, tally)
    assert said(plan, tally, exclude=[range(5, 15)]) is None


def test_a_warning_stops_no_run() -> None:
    """It never fails one either."""
    warning = bound("ErrorPercent", "LessThanOrEqual", 1, severity="Warning", **ABORT)
    plan = planned(warning, stages=(opened(10, 60),))
    assert said(plan, steady(plan, seconds=9, errors={"Http500": 5})) is None
    assert "so abortOnFail stops none" in advice(plan)[0]


def test_a_generator_that_is_the_limit_stops_no_run() -> None:
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), stages=(opened(10, 60),))
    tally = steady(plan, seconds=9, errors={"Http500": 5})
    assert said(plan, tally, limited=lambda: {0: "CPU was short"}) is None


def test_looking_every_second_does_not_stop_what_holds() -> None:
    """At a true error rate of just the bound, 1 %, in at most one of a hundred runs; a bound that is asked again every second is passed
    sooner or later."""
    plan = planned(bound("ErrorPercent", "LessThanOrEqual", 1, **ABORT), stages=(opened(20, 120),))
    draw = np.random.default_rng(11)
    stopped = 0
    for _ in range(15):
        tally = Tally(plan)
        for at in range(120):
            failed = int(draw.binomial(20, 0.01))
            tally.add(a_delta(at, a_cell(at, ms=[1] * (20 - failed), errors={"Http500": failed} if failed else {})))
            if at % 10 == 9 and said(plan, tally):
                stopped += 1
                break
    assert stopped <= 1


def failing(errors: int) -> tuple[Plan, Tally]:
    plan = a_plan(opened(10, 600), closed(5))
    return plan, steady(plan, seconds=60, errors={"ConnectRefused": errors})


def test_auto_stop_says_why() -> None:
    plan, tally = failing(30)
    assert auto_stop(plan, tally, 60) == (
        "900 of the 1200 requests of the last 30 s failed (75 %, mostly ConnectRefused); load.autoStop stops at 50 %"
    )


def test_auto_stop_waits_for_its_window_and_its_share() -> None:
    assert auto_stop(*failing(30), 29) is None
    assert auto_stop(*failing(5), 60) is None


def test_auto_stop_can_be_turned_off() -> None:
    plan = a_plan(opened(10, 600), autoStop={"disabled": True})
    assert auto_stop(plan, steady(plan, seconds=60, ms=(), errors={"Dns": 9}), 60) is None


def test_auto_stop_sees_time_outs_that_are_longer_than_its_window() -> None:
    """Once as many seconds as its window have had their time."""
    plan = a_plan(opened(10, 600))
    begun = [a_delta(at, a_cell(at, planned=10)) for at in range(120)]
    ended = [a_delta(at + 60, a_cell(at, planned=0, errors={"TotalTimeout": 10})) for at in range(60)]
    tally = a_tally(plan, *begun, *ended)
    assert auto_stop(plan, tally, 80) is None
    assert auto_stop(plan, tally, 120) == (
        "300 of the 300 requests of seconds 30 to 60 failed (100 %, mostly TotalTimeout); load.autoStop stops at 50 %"
    )


@pytest.mark.parametrize("stage", [opened(10, 600), closed(360, 600)])
def test_auto_stop_does_not_take_fast_failures_for_all(stage: dict[str, Any]) -> None:
    """A tenth fails at once, the others are answered after forty seconds: before that only failures have ended."""
    plan = a_plan(stage)
    known = 1 if stage.get("concurrency") else 10
    begun = [a_delta(at, a_cell(at, planned=known, errors={"Http500": 1})) for at in range(120)]
    ended = [a_delta(at + 40, a_cell(at, planned=10 - known, ms=[40_000] * 9)) for at in range(120)]
    for now in range(30, 160, 10):
        told = a_tally(plan, *(delta for delta in (*begun, *ended) if delta.second < now))
        assert auto_stop(plan, told, now) is None, now
