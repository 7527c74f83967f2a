"""What makes the faults stands in the load's way: how well it does is judged, and it is never the target's fault."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import Object, a_stage, a_valid_spec
from loadgen.core.stats.histogram import sparse_of
from loadgen.model.proxy import AtRest
from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Create
from loadtest_operator.core.common import conditions
from loadtest_operator.core.faults import path
from unit.operator.world import World

LATE = sparse_of([400_000] * 50)


def a_world(fault: Object, **changes: Any) -> World:
    return World(a_valid_spec(a_stage(durationSeconds=40), faults=[fault], **changes))


def a_fault(name: str = "slow", start: int = 3, seconds: int = 10, **changes: Any) -> Object:
    return {
        "name": name, "startInStage": "peak", "startAfterSeconds": start, "durationSeconds": seconds,
        "networkDelay": {"latencyMilliseconds": 300}, **changes,
    }  # fmt: skip


MOMENTS = {"before the fault": 2, "in the fault": 6, "after the fault": 20}


@pytest.mark.parametrize("second", MOMENTS.values(), ids=MOMENTS)
def test_a_proxy_that_dies_is_not_the_targets_fault(second: int) -> None:
    """Every request fails from then on; auto-stop would say that the target is broken."""
    world = a_world(a_fault(), load={"autoStop": {"windowSeconds": 5, "errorPercent": 20}})
    world.run_to_second(second)
    world.errors_percent = 60
    world.lose_proxy()

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE, status.message
    assert (status.message or "").startswith("the delay proxy was lost: its pod is gone")
    found = conditions.find(status.conditions, ConditionType.WORKERS_READY)
    assert found is not None
    assert found.reason == "FaultProviderLost"


def test_a_proxy_that_died_between_the_errors_and_the_look() -> None:
    """The run has stopped itself before anybody could know; the verdict is given later, and then it is known."""
    world = a_world(a_fault(start=1, seconds=3), load={"autoStop": {"windowSeconds": 5}})
    world.run_to_second(12)
    world.errors_percent = 60
    while world.status.phase is Phase.RUNNING:
        world.step()
    world.lose_proxy()
    world.proxy_told = replace(world.proxy_told, answered=world.now - timedelta(seconds=8))

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE, status.message
    assert "the delay proxy was lost while load was offered" in (status.message or "")


UNWELL: dict[str, tuple[dict[str, Any], str]] = {
    "it has no CPU left": ({"cpu": 0.97}, "the delay proxy used 0.97 of the 1.00 cores"),
    "its loop is late": ({"lag": LATE}, "the delay proxy passed everything on 400 ms late"),
    "it has no files or ports left": ({"refused": 15}, "the delay proxy could not take or open"),
}


@pytest.mark.parametrize("stopping", [True, False], ids=["auto-stop fires", "no auto-stop"])
@pytest.mark.parametrize(("how", "says"), UNWELL.values(), ids=UNWELL)
def test_a_saturated_proxy_is_not_the_targets_fault(how: dict[str, Any], says: str, stopping: bool) -> None:
    """Before, in or after a fault: here long after it."""
    stop = {"windowSeconds": 5} if stopping else {"disabled": True}
    world = a_world(a_fault(start=1, seconds=3), load={"autoStop": stop})
    world.run_to_second(10)
    for name, value in how.items():
        setattr(world.proxy, name, value)
    world.run_to_second(24)
    world.errors_percent = 60

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE, status.message
    assert says in (status.message or "")


def test_a_well_proxy_hides_no_broken_target() -> None:
    """The same errors, and nothing speaks against the proxy."""
    world = a_world(a_fault(start=1, seconds=3), load={"autoStop": {"windowSeconds": 5}})
    world.run_to_second(24)
    world.errors_percent = 60

    assert world.run().verdict is Verdict.FAILED


def test_a_proxy_that_is_not_heard_is_not_known_to_be_well() -> None:
    """It does not answer from some second on, though its pod is there and requests go well."""
    world = a_world(a_fault())
    world.run_to_second(25)
    view = world.look().providers["DelayProxy"]
    world.proxy_answers = replace(view, ready=False, trouble="no answer in time")

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "the delay proxy last answered" in (status.message or "")


def test_a_proxy_that_was_started_anew_is_noticed() -> None:
    """Its record begins in the middle of the load."""
    world = a_world(a_fault(start=30, seconds=5))
    world.run_to_second(10)
    assert world.proxy is not None
    world.proxy = replace(world.proxy, born=world.now, pulses=[])

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "the delay proxy was started anew" in (status.message or "")


def test_a_missing_proxy_is_made_again_before_the_load() -> None:
    """The Job was made and the pod was refused: it is asked for again, not waited for in vain."""
    world = a_world(a_fault())
    while world.job is None:
        world.step()
    world.lose_proxy()

    assert world.run().verdict is Verdict.PASSED
    assert len([each for each in world.done if isinstance(each, Create) and each.body["kind"] == "Pod"]) > 1


def test_a_slow_look_is_no_silence() -> None:
    """The proxy answered in this look; that the rest of the look took seconds makes no broken target Inconclusive."""
    world = a_world(a_fault(start=1, seconds=3))
    world.run_to_second(20)
    view = world.look().providers["DelayProxy"]
    world.pass_time(6)

    assert not path.doubt(world.look(providers={"DelayProxy": view}))
    assert path.doubt(world.look(providers={"DelayProxy": replace(view, ready=False, trouble="no answer")}))


def test_what_the_proxy_tells_is_in_the_report() -> None:
    """Its worst ten seconds and what it adds at rest, for every provider in the load's way."""
    world = a_world(a_fault(start=1, seconds=3))
    world.run_to_second(20)
    view = world.look().providers["DelayProxy"]
    assert view.path is not None
    view = replace(view, path=replace(view.path, at_rest=AtRest(200, 120, 900)))

    (told,) = path.told(world.look(providers={"DelayProxy": view}))

    assert (told["name"], told["atRestP50Milliseconds"], told["atRestP99Milliseconds"]) == (
        "the delay proxy",
        0.12,
        0.9,
    )
    assert told["busiestCores"] == pytest.approx(0.1)


DEGRADED = {
    "late by 8 ms": ({"lag": sparse_of([8_000] * 50)}, "the delay proxy was 8 ms late at P99"),
    "late by 1 ms": ({"lag": sparse_of([1_000] * 50)}, ""),
}


@pytest.mark.parametrize(("how", "says"), DEGRADED.values(), ids=DEGRADED)
def test_a_proxy_that_blurs_a_little_degrades(how: dict[str, Any], says: str) -> None:
    """As a worker's loop does; the verdict stands."""
    world = a_world(a_fault(start=1, seconds=3))
    world.run_to_second(5)
    for name, value in how.items():
        setattr(world.proxy, name, value)

    status = world.run()

    assert status.verdict is Verdict.PASSED
    assert status.summary is not None
    assert status.summary.validity is not None
    assert status.summary.validity.level == ("Degraded" if says else "Valid")
    assert says in "; ".join(status.summary.validity.reasons)


LATENESS = {
    "60 ms where 100 ms are asked for": (100, 60, True),
    "60 ms where a second is asked for": (1000, 60, False),
    "220 ms where a second is asked for": (1000, 220, True),
    "220 ms where nothing is asked for": (None, 220, False),
}


@pytest.mark.parametrize(("bound", "lag", "limited"), LATENESS.values(), ids=LATENESS)
def test_how_late_is_too_late_goes_by_what_is_asked_for(bound: int | None, lag: int, limited: bool) -> None:
    """What cannot matter makes no run Inconclusive."""
    ask = {"name": "fast", "metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": bound}
    world = a_world(a_fault(start=1, seconds=3), thresholds=[ask] if bound else [])
    world.run_to_second(5)
    assert world.proxy is not None
    world.proxy.lag = sparse_of([lag * 1000] * 50)

    assert world.run().verdict is (Verdict.INCONCLUSIVE if limited else Verdict.PASSED)
