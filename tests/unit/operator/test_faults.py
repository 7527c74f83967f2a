"""What becomes of faults: each by its own record, its true length and its effect; and never the target's fault."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import Object, a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.faults import Fault
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import FaultResult, FaultStatus
from loadtest_operator.core.actions import Delete, InjectFault, RecoverFault
from loadtest_operator.core.common import conditions
from loadtest_operator.core.faults import machine, providers, windows
from loadtest_operator.core.faults.machine import Look
from loadtest_operator.core.faults.view import Reading, View
from unit.operator.world import NOON, World

ERRORS = {"name": "errors", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}


def a_fault(name: str = "slow", start: int = 3, seconds: int = 10, **changes: Any) -> Object:
    return {
        "name": name, "startInStage": "peak", "startAfterSeconds": start, "durationSeconds": seconds,
        "networkDelay": {"latencyMilliseconds": 300}, **changes,
    }  # fmt: skip


def a_world(*faults: Object, seconds: int = 40, **changes: Any) -> World:
    return World(a_valid_spec(a_stage(durationSeconds=seconds), faults=list(faults), **changes))


def length(status: FaultStatus) -> float:
    assert status.injected_time is not None
    assert status.recovered_time is not None
    return (status.recovered_time - status.injected_time).total_seconds()


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


# One fault and one look at it.

FAULT = Fault.model_validate(a_fault())


def a_look(result: FaultResult, now: float, **changes: Any) -> Look:
    """A fault of ten seconds that is due at second 3."""
    status = {"injected_time": changes.pop("injected", None), "recovering_time": changes.pop("told", None)}
    effects = changes.pop("effects", 5)
    return Look(
        fault=FAULT,
        status=FaultStatus(name="slow", result=result, effects=effects, **status),
        planned=at(3),
        now=at(now),
        **changes,
    )


P, INJ, F, R = FaultResult.PENDING, FaultResult.INJECTING, FaultResult.IN_FORCE, FaultResult.RECOVERING
SINCE = Reading(since=at(3), effects=5)


def gone(second: float, **changes: Any) -> Reading:
    return replace(SINCE, gone=at(second), **changes)


MOVES: dict[str, tuple[Look, FaultResult, str]] = {
    "not due": (a_look(P, 2), P, ""),
    "due: it is ordered": (a_look(P, 3), INJ, "inject"),
    "due, and its maker does not answer: it is waited for": (a_look(P, 4, why_not="away"), P, ""),
    "due, and its maker is gone": (a_look(P, 4, why_not="dead", lost="dead"), FaultResult.NOT_INJECTED, ""),
    "its maker is gone before it is due": (a_look(P, 1, why_not="dead", lost="dead"), FaultResult.NOT_INJECTED, ""),
    "too late": (a_look(P, 18.1, why_not="away"), FaultResult.NOT_INJECTED, ""),
    "the load ends before it is due": (a_look(P, 2, running=False), FaultResult.NOT_INJECTED, ""),
    "found in force by an operator that did not order it": (a_look(P, 5, reading=SINCE), F, ""),
    "found gone by an operator that was away": (a_look(P, 20, reading=gone(13)), FaultResult.RECOVERED, ""),
    "ordered and not seen yet: ordered again": (a_look(INJ, 4), INJ, "inject"),
    "ordered and never seen: taken back, to be sure": (a_look(INJ, 18.1), FaultResult.NOT_INJECTED, "recover"),
    "ordered when the load ended": (a_look(INJ, 4, running=False), FaultResult.NOT_INJECTED, "recover"),
    "in force": (a_look(F, 5, reading=SINCE), F, ""),
    "in force and silent": (a_look(F, 5, injected=at(3), why_not="away"), F, ""),
    "in force a second after its end: told to go": (a_look(F, 14.1, reading=SINCE), R, "recover"),
    "in force when the load ends: told to go": (a_look(F, 5, reading=SINCE, running=False, stopped=True), R, "recover"),
    "over as asked for": (a_look(F, 14, reading=gone(13)), FaultResult.RECOVERED, ""),
    "a kill whose pods are back before its time": (
        a_look(F, 5, reading=gone(4.1), until_well=True), FaultResult.RECOVERED, "",
    ),
    "a kill whose pods are not back in its time": (
        a_look(R, 20, reading=gone(16.1), told=at(14), until_well=True), FaultResult.NOT_RECOVERED, "",
    ),
    "a kill of which the record is lost": (
        a_look(F, 5, injected=at(3), until_well=True), FaultResult.NOT_INJECTED, "",
    ),
    "over after a ninth of its time": (a_look(F, 14, reading=gone(4.1)), FaultResult.NOT_INJECTED, ""),
    "just long enough": (a_look(F, 14, reading=gone(12)), FaultResult.RECOVERED, ""),
    "just too short": (a_look(F, 14, reading=gone(11.9)), FaultResult.NOT_INJECTED, ""),
    "just not too long": (a_look(R, 17, reading=gone(16), told=at(14)), FaultResult.RECOVERED, ""),
    "too long": (a_look(R, 17, reading=gone(16.1), told=at(14)), FaultResult.NOT_RECOVERED, ""),
    "never felt": (a_look(F, 14, reading=gone(13, effects=0), effects=0), FaultResult.NOT_INJECTED, ""),
    "felt by a part": (a_look(F, 14, reading=gone(13, not_covered="2 of 5")), FaultResult.PARTIAL, ""),
    "cut short by the end of a stopped run": (
        a_look(R, 6, reading=gone(5.5), told=at(5), running=False, stopped=True), FaultResult.RECOVERED, "",
    ),
    "cut short by the end of the load": (
        a_look(R, 6, reading=gone(5.5), told=at(5), running=False), FaultResult.NOT_INJECTED, "",
    ),
    "its maker is gone in the middle": (
        a_look(F, 5, injected=at(3), why_not="dead", lost="dead"), FaultResult.NOT_INJECTED, "",
    ),
    "its maker is gone when it was almost over": (
        a_look(F, 12.5, injected=at(3), why_not="dead", lost="dead"), FaultResult.RECOVERED, "",
    ),
    "its maker is another one": (a_look(F, 5, injected=at(3)), FaultResult.NOT_INJECTED, ""),
    "told and still there: told again": (a_look(R, 15, reading=SINCE, told=at(14)), R, "recover"),
    "told, still there, no load: its maker goes": (a_look(R, 23, reading=SINCE, told=at(14), running=False), R, "force"),
    "told, still there, under load: its maker stays": (a_look(R, 23, reading=SINCE, told=at(14)), R, "recover"),
    "told and not seen to go": (a_look(R, 45, reading=SINCE, told=at(14)), FaultResult.NOT_RECOVERED, "recover"),
    "over is over": (a_look(FaultResult.RECOVERED, 5, reading=SINCE), FaultResult.RECOVERED, ""),
}  # fmt: skip


@pytest.mark.parametrize(("look", "result", "does"), MOVES.values(), ids=MOVES)
def test_the_table(look: Look, result: FaultResult, does: str) -> None:
    """Where a fault goes from where it is, and what is ordered for it."""
    status, move = machine.moved(look)
    ordered = [name for name in ("inject", "force", "recover") if getattr(move, name)]

    assert (status.result, ordered[:1]) == (result, [does] if does else [])
    assert move.due is None or move.due > look.now, "a next look is never now"


@pytest.mark.parametrize("result", list(FaultResult))
@pytest.mark.parametrize("second", [1, 4, 14.5, 30, 90])
@pytest.mark.parametrize("reading", [Reading(), SINCE, gone(13)], ids=["nothing", "in force", "gone"])
def test_a_second_look_at_the_same_world_changes_nothing(result: FaultResult, second: float, reading: Reading) -> None:
    """The operator that wrote the status may have been killed before it did anything."""
    once, _ = machine.moved(a_look(result, second, reading=reading, injected=reading.since))
    again, _ = machine.moved(replace(a_look(result, second, reading=reading), status=once))

    assert again.result is once.result or once.result is F
    assert again.injected_time == once.injected_time


def test_an_incomplete_table_of_providers_is_an_error() -> None:
    """At import, not when the first such fault is due."""
    with pytest.raises(TypeError, match="volcano"):
        providers.by_kind(providers.PROVIDERS, ("network_delay", "volcano"))


# Whole runs.


def test_adjacent_faults_do_not_cut_each_other_short() -> None:
    """The second begins when the first ends, and each has its whole time."""
    world = a_world(a_fault("a", 2, 6), a_fault("b", 8, 14))

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert [(fault.name, fault.result) for fault in status.faults] == [("a", "Recovered"), ("b", "Recovered")]
    assert [round(length(fault)) for fault in status.faults] == [6, 14]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 15)), min_size=1, max_size=5))
def test_faults_adjoin_overlap_and_repeat(times: list[tuple[int, int]]) -> None:
    """Whatever the others do, each is in force for its own time, and the windows are where they were."""
    world = a_world(*(a_fault(f"f{number}", start, seconds) for number, (start, seconds) in enumerate(times)))

    status = world.run()

    for fault, (start, seconds) in zip(status.faults, times, strict=True):
        assert fault.result is FaultResult.RECOVERED, fault
        assert length(fault) == pytest.approx(seconds, abs=0.1)
        assert status.run.load_start_time is not None
        assert fault.injected_time is not None
        assert start <= (fault.injected_time - status.run.load_start_time).total_seconds() <= start + 2


def test_a_fault_that_is_repeated_is_one_fault_each_time() -> None:
    """Three of two seconds, five apart, each with its own record, order and window; what lies between is not left out."""
    world = a_world(a_fault(seconds=2, repeat={"everySeconds": 5, "times": 3}))
    world.run()

    assert [status.name for status in world.status.faults] == ["slow-1", "slow-2", "slow-3"]
    assert [status.result for status in world.status.faults] == [FaultResult.RECOVERED] * 3
    starts = [status.planned_time for status in world.status.faults]
    assert [(after - before).total_seconds() for before, after in itertools.pairwise(starts)] == [5, 5]  # type: ignore[operator]
    assert [length(status) for status in world.status.faults] == [2, 2, 2]
    assert world.status.verdict is Verdict.PASSED, world.status.message
    assert [order.fault for order in world.done if isinstance(order, InjectFault)] == ["slow-1", "slow-2", "slow-3"]


def test_a_fault_that_was_never_felt_was_not_injected() -> None:
    """The proxy's record alone is no proof."""
    world = a_world(a_fault())
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.effects = 0

    status = world.run()

    assert (status.verdict, status.faults[0].result) == (Verdict.INCONCLUSIVE, FaultResult.NOT_INJECTED)
    assert "effect was never seen" in (status.message or "")


def test_a_fault_that_cannot_be_injected_is_tried_with_patience() -> None:
    """Once a second, not twenty times, and then it says why."""
    world = a_world(a_fault())
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.refuses = True

    status = world.run()

    assert 5 <= world.proxy_orders <= 17
    assert (status.verdict, status.faults[0].result) == (Verdict.INCONCLUSIVE, FaultResult.NOT_INJECTED)


def test_a_due_fault_without_a_maker_costs_a_look_a_second() -> None:
    """Its maker does not answer: nothing is ordered, and nobody looks twenty times a second."""
    world = a_world(a_fault(start=2))
    world.run_to_second(1)
    world.proxy_answers = View(trouble="no answer in time")
    looks = 0
    while world.look().second < 16:
        world.step()
        looks += 1

    assert looks <= 22
    assert not [action for action in world.done if isinstance(action, InjectFault)]


STOPS: dict[str, Callable[[World], None]] = {
    "spec.abort": lambda world: setattr(world, "spec", world.spec.model_copy(update={"abort": True})),
    "activeDeadlineSeconds": lambda world: setattr(
        world, "spec", world.spec.model_copy(update={"active_deadline_seconds": 1})
    ),
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_stop_with_the_proxy_gone_ends_at_once(stop: Callable[[World], None]) -> None:
    """The fault went with the proxy: nobody waits for the rest of its 300 s."""
    world = a_world(a_fault(seconds=300), seconds=600)
    world.run_to_second(6)
    stop(world)
    world.lose_proxy()
    stopped = world.now

    status = world.run()

    assert status.verdict is (Verdict.ABORTED if world.spec.abort else Verdict.INCONCLUSIVE), status.message
    assert world.now - stopped < timedelta(seconds=70), "the last look is a minute's sleep"
    assert status.run.load_end_time is not None
    assert status.run.load_end_time - stopped < timedelta(seconds=3)
    assert status.faults[0].result is FaultResult.NOT_INJECTED, "six seconds of 300, and not by our doing"
    assert "gone with what made it" in (status.faults[0].message or "")


def test_a_stop_with_a_deaf_proxy_takes_the_proxy_away() -> None:
    """It does not take the fault back: its pod goes, and the fault with it. The load's end is when the load ended."""
    world = a_world(a_fault(seconds=300), seconds=600)
    world.run_to_second(6)
    assert world.proxy is not None
    world.proxy.never_ends = True
    world.spec = world.spec.model_copy(update={"abort": True})
    stopped = world.now

    status = world.run()

    assert status.verdict is Verdict.ABORTED, status.message
    assert status.faults[0].result is FaultResult.RECOVERED
    assert any(isinstance(action, Delete) and action.kind.kind == "Pod" for action in world.done)
    assert status.run.load_end_time is not None
    assert status.run.load_end_time - stopped < timedelta(seconds=3)


def test_a_fault_without_a_working_end_is_told_to_go() -> None:
    """Its dead-man's switch is broken, and it does not listen: the load goes on, and the run says so in the end."""
    world = a_world(a_fault(seconds=3), seconds=60)
    world.run_to_second(5)
    assert world.proxy is not None
    world.proxy.never_ends = True

    status = world.run()

    assert status.verdict is Verdict.ERROR
    assert status.faults[0].result is FaultResult.NOT_RECOVERED
    assert len([action for action in world.done if isinstance(action, RecoverFault)]) < 40


ALLOWED = {"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 90}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"thresholds": [{**ERRORS, "abortOnFail": True}]}, id="abortOnFail"),
        pytest.param({"load": {"autoStop": {"windowSeconds": 5}}, "thresholds": [ERRORS]}, id="autoStop"),
    ],
)
def test_errors_that_a_fault_may_make_do_not_stop_the_run(rule: dict[str, Any]) -> None:
    """Also while it is in force, when nobody knows yet when it will end."""
    world = a_world(a_fault(start=5, seconds=15, tolerate=[ALLOWED]), **rule)
    world.errors_percent, world.errors_in = 60, range(5, 21)

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert conditions.is_true(status.conditions, ConditionType.LOAD_COMPLETED)


def test_errors_before_a_fault_still_stop_the_run() -> None:
    """Only the fault's own seconds are left out."""
    world = a_world(a_fault(start=15, seconds=5, tolerate=[ALLOWED]), thresholds=[{**ERRORS, "abortOnFail": True}])
    world.errors_percent, world.errors_in = 60, range(3, 30)

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert "abortOnFail" in (status.message or "")


def test_windows_are_known_by_name_while_a_fault_is_in_force() -> None:
    """Overlapping ones each have their seconds; the one in force goes up to now."""
    world = a_world(a_fault("a", 3, 5), a_fault("b", 6, 20))
    world.run_to_second(13)
    found = windows.in_force(world.look(), margin=0)

    assert set(found) == {"a", "b"}
    assert 3 <= found["a"].start <= 5 <= found["a"].stop <= 10
    assert 6 <= found["b"].start <= 8
    assert 13 <= found["b"].stop <= 15


def test_an_optional_fault_that_failed_is_told_and_no_more() -> None:
    """required: false."""
    world = a_world(a_fault(required=False))
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.refuses = True

    status = world.run()

    assert status.verdict is Verdict.PASSED
    found = conditions.find(status.conditions, ConditionType.FAULTS_INJECTED)
    assert found is not None
    assert found.reason == "OptionalNotInjected"


def test_a_status_from_before_the_upgrade_can_be_read() -> None:
    """Its fault was in force."""
    assert FaultStatus.model_validate({"name": "slow", "result": "Injected"}).result is FaultResult.IN_FORCE


def test_every_end_of_a_run_takes_its_faults_back() -> None:
    """The deadline passes while the autoscaler is watched: no fault is left InForce for ever."""
    world = a_world(a_fault(seconds=300), seconds=600)
    world.run_to_second(6)
    world.lose(1)

    status = world.run()

    assert status.faults[0].result is FaultResult.RECOVERED
    assert world.proxy is None


def test_a_refused_order_is_told_in_its_makers_words() -> None:
    """And nobody else's trouble is."""
    world = a_world(a_fault("a"), a_fault("b"))
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.refuses = True
    world.run_to_second(5)
    trouble = f"timeline: 500; {machine.trouble_of('a')}durationSeconds is 0; use more"

    a, b = machine.advanced(world.look(trouble=trouble)).statuses

    assert (a.message, b.message) == ("durationSeconds is 0; use more", None)


def test_bounds_of_a_fault_that_was_not_the_one_asked_for_are_not_judged() -> None:
    """It was optional and never felt: that P50 did not rise is not the target's fault."""
    rises = {"metric": "ResponseTime", "statistic": "P50", "operator": "GreaterThanOrEqual", "value": 300}
    world = a_world(a_fault(required=False, tolerate=[rises]))
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.effects = 0

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert status.faults[0].tolerate == ()


def test_a_deadline_leaves_no_fault_open() -> None:
    """It passes after the load, while a proxy that does not listen is told to take its fault back."""
    world = a_world(a_fault(seconds=36), activeDeadlineSeconds=47)
    world.run_to_second(5)
    assert world.proxy is not None
    world.proxy.never_ends = True

    status = world.run()

    assert status.faults[0].result is FaultResult.NOT_RECOVERED
    assert (status.verdict, world.proxy) == (Verdict.ERROR, None)
