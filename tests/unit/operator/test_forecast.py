"""What is known of expectations before any load, and what a run does with it."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import conditions
from loadtest_operator.core.scaling import forecast
from loadtest_operator.core.scaling.autoscaler import Autoscaler, Direction, Metric
from loadtest_operator.core.scaling.target import TargetView
from unit.operator.film import HPA, a_view
from unit.operator.world import World

LOW, PEAK, IDLE = (
    a_stage("low"),
    a_stage("peak", arrivalRate=50, durationSeconds=60),
    a_stage("idle", durationSeconds=60),
)


def a_spec(*stages: Any, settle: int = 0, **kind: Any) -> Any:
    scaling = {"expectations": [{"name": "it", **kind}], "settleSeconds": settle}
    return a_valid_spec(*(stages or (LOW, PEAK, IDLE)), scaling=scaling)


def up(to: int = 3, within: int = 50, stage: str = "peak") -> dict[str, Any]:
    return {"scaleUp": {"toAtLeast": to, "withinSeconds": within, "fromStage": stage}}


def down(to: int = 1, within: int = 50) -> dict[str, Any]:
    return {"scaleDown": {"toAtMost": to, "withinSeconds": within, "fromStage": "idle"}}


REACTION: dict[str, Any] = {"reactionTime": {"maxSeconds": 30}}
CALM: dict[str, Any] = {"flapping": {"maxDirectionChanges": 0}}
FIXED = replace(HPA, minimum=2, maximum=2)
IMPOSSIBLE: dict[str, tuple[dict[str, Any], Autoscaler, str]] = {
    "beyond the maximum": (up(6), HPA, "toAtLeast 6 is beyond maxReplicas 5 of web"),
    "below the minimum": (down(1), replace(HPA, minimum=2), "toAtMost 1 is below minReplicas 2 of web"),
    "met by the minimum": (up(2), replace(HPA, minimum=2), "toAtLeast 2 is met by minReplicas 2"),
    "an autoscaler that cannot move up": (up(2), FIXED, "both 2, so it cannot do anything"),
    "an autoscaler that cannot move, to be calm": (CALM, FIXED, "both 2, so it cannot do anything"),
    "a direction that is switched off": (REACTION, replace(HPA, up=Direction(disabled=True)), "scaleUp.selectPolicy"),
}


@pytest.mark.parametrize(("kind", "scaler", "said"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible(kind: dict[str, Any], scaler: Autoscaler, said: str) -> None:
    (found,) = forecast.impossible(a_spec(**kind), a_view(1, scaler=scaler))

    assert said in found


BLIND = replace(HPA, active=False, inactive_because="FailedGetResourceMetric: none")
DOUBTFUL: dict[str, tuple[Any, TargetView, str]] = {
    "no autoscaler": (a_spec(**up()), a_view(1, scaler=None), "no autoscaler scales the target"),
    "not allowed to look": (a_spec(**up()), a_view(1, scaler=None, blind="the operator may not"), "may not"),
    "no metric": (a_spec(**up()), a_view(1, scaler=BLIND), "cannot act now (FailedGetResourceMetric: none)"),
    "a metric without a value": (a_spec(**up()), a_view(1, scaler=replace(HPA, metrics=(Metric("cpu"),))), "no value"),
    "0 replicas": (a_spec(**up()), a_view(0), "switched off: scale it to 1 or more"),
    "a rollout": (a_spec(**up()), a_view(1, rollout=True), "a rollout of Deployment/web is under way"),
    "at its maximum already": (a_spec(**REACTION), a_view(5), "at its maximum of 5 before any load"),
    "so many already": (a_spec(**up()), a_view(3), "wants 3 replicas before any load"),
    "a stage with less load": (a_spec(**up(stage="idle")), a_view(1), "name the stage in which the load rises"),
    "the plan cuts its time": (a_spec(**up(within=150)), a_view(1), "Raise settleSeconds by 30"),
    "stabilization makes it late": (a_spec(**down(), settle=600), a_view(1), "give withinSeconds 330"),
    "too short to swing": (a_spec(**CALM), a_view(1), "raise settleSeconds by 170"),
}


@pytest.mark.parametrize(("spec", "view", "said"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_doubtful(spec: Any, view: TargetView, said: str) -> None:
    found = forecast.doubtful(spec, view)

    assert any(said in sentence for sentence in found), found
    assert not forecast.impossible(spec, view)


FINE = {
    "a scale-up": a_spec(**up()),
    "a scale-down after stabilization": a_spec(settle=600, **down(within=500)),
    "a swing that can be seen": a_spec(settle=600, **CALM),
    "nothing expected": a_valid_spec(),
}


@pytest.mark.parametrize("spec", FINE.values(), ids=FINE)
def test_nothing_to_be_said(spec: Any) -> None:
    assert forecast.doubtful(spec, a_view(1)) == forecast.impossible(spec, a_view(1)) == ()


def test_readmes_own_scale_down_would_have_been_told() -> None:
    """300 s from a stage that loads for 180 s, on a default autoscaler."""
    crowd = a_stage("crowd", arrivalRate=50, durationSeconds=180)
    expected = {"toAtMost": 1, "withinSeconds": 300, "fromStage": "crowd"}

    (found,) = forecast.doubtful(a_spec(LOW, crowd, settle=300, scaleDown=expected), a_view(1))

    assert "the load falls in second 190, and web shrinks 300 s after that at the earliest" in found


def a_world(**kind: Any) -> World:
    world = World(a_spec(a_stage(durationSeconds=20), **kind))
    world.scale(1)
    return world


def test_what_cannot_be_met_is_refused_before_any_load() -> None:
    world = a_world(**up(11))

    status = world.run()

    assert (status.verdict, world.starts, world.job) == (Verdict.INCONCLUSIVE, 0, None)
    accepted = conditions.find(status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "ExpectationImpossible")
    assert "toAtLeast 11 is beyond maxReplicas 10 of web" in (status.message or "")


def test_what_is_doubtful_is_said_once_and_loaded_all_the_same() -> None:
    world = a_world(**up(3, within=300))

    world.run(Phase.RUNNING)

    assert world.events.count("ExpectationDoubtful") == 1
    found = conditions.find(world.status.conditions, ConditionType.SCALING_VERIFIED)
    assert found is not None
    assert "Raise settleSeconds by 280" in (found.message or "")
