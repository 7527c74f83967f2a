"""From what was seen of the target to what the autoscaler did."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.scaling import figures as scaling
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.target import Autoscaler, Endpoint, TargetPod, TargetView, autoscaler_of
from loadtest_operator.core.scaling.timeline import MOST_CHANGES, Timeline

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def a_view(replicas: int, *pods: TargetPod, ready: int | None = None, **scaler: Any) -> TargetView:
    serving = tuple(Endpoint(f"10.0.0.{place}", 80, pod.name) for place, pod in enumerate(pods) if pod.ready)
    return TargetView(
        url="http://web.demo.svc:80",
        desired=replicas,
        pods=pods,
        endpoints=serving if ready is None else serving[:ready],
        autoscaler=Autoscaler("web", **scaler),
    )


OLD = TargetPod("old", created=at(-60), scheduled=at(-60), ready=at(-50))
NEW = TargetPod("new", created=at(23), scheduled=at(24))
SPEC = a_valid_spec(a_stage("base"), a_stage("peak", durationSeconds=60, arrivalRate=50))


def a_timeline() -> Timeline:
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, NEW, last_scale_time=at(22)), at(25))
    return timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(30)), last_scale_time=at(22)), at(31))


def test_a_scale_up_is_taken_apart() -> None:
    (up,) = scaling.scale_ups(SPEC, a_timeline(), START)

    assert (up.from_replicas, up.to_replicas) == (1, 2)
    assert [up.load_step_time, up.decided_time, up.pod_scheduled_time, up.pod_ready_time, up.serving_time] == [
        at(10), at(22), at(24), at(30), at(31),
    ]  # fmt: skip
    assert (up.seconds.decided, up.seconds.serving) == ("12.0", "21.0")


def a_timeline_in_two_goes() -> Timeline:
    """1 → 2 replicas 24 s after the step of second 10, 2 → 3 after 66 s; a third step follows at second 70."""
    late = TargetPod("late", created=at(71), scheduled=at(72), ready=at(75))
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(33)), last_scale_time=at(22)), at(34))
    return timeline.extended(seen, a_view(3, OLD, replace(NEW, ready=at(33)), late, last_scale_time=at(69)), at(76))


def test_only_the_first_scale_up_after_a_step_is_a_reaction() -> None:
    ups = scaling.scale_ups(SPEC, a_timeline_in_two_goes(), START)

    assert [(up.to_replicas, up.reaction, up.load_step_time) for up in ups] == [(2, True, at(10)), (3, False, at(10))]
    assert [up.seconds.serving for up in ups] == ["24.0", "66.0"]


def test_a_later_scale_up_of_the_same_step_is_not_judged() -> None:
    spec = with_expectation(reactionTime={"maxSeconds": 60})

    (judged,) = scaling.judged(spec, a_timeline_in_two_goes(), START, at(90), ended=True)

    assert (judged.result, judged.observed) == ("Passed", "24 s (1 → 2 replicas)")


def test_every_step_has_its_own_reaction() -> None:
    stages = (a_stage("base"), a_stage("peak", durationSeconds=50, arrivalRate=50), a_stage("crowd", arrivalRate=90))
    spec = a_valid_spec(*stages, scaling={"expectations": [{"name": "it", "reactionTime": {"maxSeconds": 20}}]})

    ups = scaling.scale_ups(spec, a_timeline_in_two_goes(), START)
    (judged,) = scaling.judged(spec, a_timeline_in_two_goes(), START, at(90), ended=True)

    assert [(up.reaction, up.load_step_time) for up in ups] == [(True, at(10)), (True, at(60))]
    assert (judged.result, judged.observed) == ("Failed", "24 s (1 → 2 replicas)")


def test_a_scale_up_while_we_were_away_is_found_by_the_apis_times() -> None:
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(30)), last_scale_time=at(22)), at(58))

    (up,) = scaling.scale_ups(SPEC, seen, START)

    assert (up.decided_time, up.pod_ready_time, up.serving_time) == (at(22), at(30), at(58))


def test_effects_never_come_before_their_causes() -> None:
    cut = replace(NEW, created=at(21), scheduled=at(21), ready=at(21))
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, cut, last_scale_time=at(22)), at(25))

    (up,) = scaling.scale_ups(SPEC, seen, START)

    steps = [up.load_step_time, up.decided_time, up.pod_scheduled_time, up.pod_ready_time, up.serving_time]
    assert steps == sorted(step for step in steps if step)


def test_nothing_new_is_no_change() -> None:
    seen = a_timeline()

    last = a_view(2, OLD, replace(NEW, ready=at(30)), last_scale_time=at(22), metric="70%/60%")
    assert timeline.extended(seen, last, at(90)) is seen


def test_a_timeline_is_bounded_and_survives_the_operator() -> None:
    seen = Timeline()
    for second in range(MOST_CHANGES + 50):
        seen = timeline.extended(seen, a_view(second % 2 + 1, OLD), at(second))

    assert len(seen.changes) == MOST_CHANGES
    assert timeline.from_json(timeline.to_json(seen)) == seen


TURNS = {"steady": ([1, 1], 0), "up": ([1, 3, 5], 0), "up and down": ([1, 3, 1], 1), "swinging": ([1, 2, 1, 2, 1], 3)}


@pytest.mark.parametrize(("levels", "turns"), TURNS.values(), ids=TURNS)
def test_directions(levels: list[int], turns: int) -> None:
    assert timeline.directions(levels) == turns


def with_expectation(**kind: Any) -> LoadTestSpec:
    return a_valid_spec(a_stage("base"), a_stage("peak", durationSeconds=60, arrivalRate=50),
                        scaling={"expectations": [{"name": "it", **kind}]})  # fmt: skip


def result(spec: LoadTestSpec, second: float, *, ended: bool = False) -> str:
    (judged,) = scaling.judged(spec, a_timeline(), START, at(second), ended=ended)
    return str(judged.result)


def up(within: int) -> dict[str, Any]:
    return {"scaleUp": {"toAtLeast": 2, "withinSeconds": within, "fromStage": "peak"}}


def down(within: int) -> dict[str, Any]:
    return {"scaleDown": {"toAtMost": 1, "withinSeconds": within, "fromStage": "peak"}}


EXPECTATIONS = {
    "grew in time": (up(25), 40, False, "Passed"),
    "grew too late": (up(15), 60, False, "Failed"),
    "may still grow": (up(15), 20, False, "Unknown"),
    "its stage is not reached": (down(5), 5, False, "Unknown"),
    "had been that small already": (down(5), 20, False, "Passed"),
    "reacted in time": ({"reactionTime": {"maxSeconds": 21}}, 70, True, "Passed"),
    "reacted too late": ({"reactionTime": {"maxSeconds": 20}}, 70, True, "Failed"),
    "calm so far": ({"flapping": {"maxDirectionChanges": 0}}, 40, False, "Unknown"),
    "calm to the end": ({"flapping": {"maxDirectionChanges": 0}}, 70, True, "Passed"),
}


@pytest.mark.parametrize(("kind", "second", "ended", "expected"), EXPECTATIONS.values(), ids=EXPECTATIONS)
def test_expectations(kind: dict[str, Any], second: float, ended: bool, expected: str) -> None:
    assert result(with_expectation(**kind), second, ended=ended) == expected


def test_an_hpa_without_a_metric_shows_unknown() -> None:
    hpa = {
        "metadata": {"name": "web"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}}],
        },
        "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]},
    }

    seen = autoscaler_of(hpa)

    assert not seen.active
    assert seen.metric == "<unknown>/60%"
    assert "FailedGetResourceMetric" in seen.inactive_because
