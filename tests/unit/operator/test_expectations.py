"""Expectations about the autoscaler: what is met, what is not, and what nobody can know."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.outcome import Cause, ExpectationStatus
from loadtest_operator.core.scaling import figures
from loadtest_operator.core.scaling.autoscaler import Direction, Metric
from loadtest_operator.core.scaling.target import TargetView
from loadtest_operator.core.scaling.timeline import Timeline
from unit.operator.film import BUSY, HPA, IDLE, START, a_pod, a_view, at, grown, watched

STAGES = (
    a_stage("base"),
    a_stage("peak", durationSeconds=60, arrivalRate=50),
    a_stage("idle", arrivalRate=1, durationSeconds=600),
)
"""Second 0, 10 and 70."""
QUICK_DOWN = replace(HPA, down=Direction(30))


def a_spec(*stages: Any, **kind: Any) -> LoadTestSpec:
    return a_valid_spec(
        *(stages or STAGES), scaling={"expectations": [{"name": "it", **kind}]}, activeDeadlineSeconds=80000
    )


def up(to: int = 3, within: int = 50, stage: str = "peak") -> dict[str, Any]:
    return {"scaleUp": {"toAtLeast": to, "withinSeconds": within, "fromStage": stage}}


def down(to: int = 1, within: int = 100, stage: str = "idle") -> dict[str, Any]:
    return {"scaleDown": {"toAtMost": to, "withinSeconds": within, "fromStage": stage}}


def reaction(most: int = 40) -> dict[str, Any]:
    return {"reactionTime": {"maxSeconds": most}}


def flapping(most: int = 0) -> dict[str, Any]:
    return {"flapping": {"maxDirectionChanges": most}}


def judged(spec: LoadTestSpec, seen: Timeline, now: float | None = None, *, ended: bool = True) -> ExpectationStatus:
    moment = at(now) if now is not None else seen.until or START
    (found,) = figures.judged(spec, seen, START, moment, ended=ended)
    return found


def three_in(seconds: float, **scaler: Any) -> dict[float, TargetView]:
    """One replica, three wanted in second 20, serving `seconds` after the load step of second 10."""
    hpa = replace(HPA, last_scale_time=at(20), **scaler)
    return {
        -5: a_view(1, scaler=replace(HPA, **scaler)),
        20.5: a_view(3, *grown(3, ready=None), scaler=hpa),
        10 + seconds: a_view(3, *grown(3, ready=10 + seconds), scaler=hpa),
    }


def and_back(seconds: float, low: int = 1) -> dict[float, TargetView]:
    """Three replicas by second 40, and down again so long after stage idle has begun."""
    shrunk = a_view(low, scaler=replace(QUICK_DOWN, last_scale_time=at(70 + seconds)))
    return {**three_in(30, down=QUICK_DOWN.down), 70 + seconds: shrunk}


def test_what_was_true_at_the_deadline_decides_and_is_what_is_said() -> None:
    """Two replicas at the deadline, the third served 12 s later: the message has the two."""
    seen = watched({-5: a_view(1), 20: a_view(3, *grown(2, ready=22)), 34.5: a_view(3, *grown(3, ready=34))}, 200)

    found = judged(a_spec(**up(within=12)), seen)

    assert (found.result, found.observed) == ("Failed", "2 replicas after 12 s")
    assert found.cause is Cause.SLOW_START
    assert "took" in found.message


IN_TIME: Mapping[str, tuple[dict[str, Any], Mapping[float, TargetView], float, bool, str, str]] = {
    "grew in time": (up(), three_in(30), 90, False, "Passed", "3 replicas after 30 s"),
    "grew too late": (up(within=15), three_in(30), 90, False, "Failed", "1 replica after 15 s"),
    "may still grow": (up(within=50), three_in(45), 40, False, "Unknown", "1 replica so far"),
    "its stage is not reached": (down(), three_in(30), 40, False, "Unknown", "stage not reached"),
    "never grew": (up(), {-5: a_view(1)}, 90, True, "Failed", "1 replica after 50 s"),
    "grew, and lost one before the deadline": (
        up(within=50), {**three_in(20), 45: a_view(3, *grown(2, ready=30))}, 90, True, "Passed",
        "3 replicas after 20 s (2 replicas at the deadline)",
    ),
    "shrank in time": (down(), and_back(80), 300, True, "Passed", "1 replica after 80 s"),
    "shrank too late": (down(within=60), and_back(80), 300, True, "Failed", "3 replicas after 60 s"),
    "shrank too little": (down(), and_back(80, low=2), 300, True, "Failed", "2 replicas after 100 s"),
    "reacted in time": (reaction(31), three_in(30), 120, True, "Passed", "30 s (1 → 3 replicas)"),
    "reacted too late": (reaction(20), three_in(30), 120, True, "Failed", "30 s (1 → 3 replicas)"),
    "reacted in time so far": (reaction(31), three_in(30), 60, False, "Unknown", "30 s (1 → 3 replicas) so far"),
    "calm so far": (flapping(), three_in(30), 60, False, "Unknown", "0 changes of direction"),
    "calm to the end": (flapping(), three_in(30), 400, True, "Passed", "0 changes of direction"),
    "turned once": (flapping(), and_back(80), 400, True, "Failed", "1 change of direction"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "views", "until", "ended", "result", "observed"), IN_TIME.values(), ids=IN_TIME)
def test_in_time(
    kind: dict[str, Any], views: Mapping[float, TargetView], until: float, *, ended: bool, result: str, observed: str
) -> None:
    """The plain cases, watched all the time."""
    found = judged(a_spec(**kind), watched(views, until), ended=ended)

    assert (found.result, found.observed) == (result, observed), found.message


BLIND = replace(HPA, active=False, inactive_because="FailedGetResourceMetric: no metrics")
HIDDEN = Metric("cpu", target="60%")


def blind_from(second: float, until: float | None = None, **changes: Any) -> dict[float, TargetView]:
    """An autoscaler that loses its metric, and may get it back."""
    back = {until: a_view(1)} if until is not None else {}
    return {-5: a_view(1), second: a_view(1, scaler=replace(BLIND, **changes)), **back}


HELD: Mapping[str, tuple[dict[str, Any], Mapping[float, TargetView], str]] = {
    "swings cannot be excluded without a metric": (flapping(9), blind_from(2, 710), "from second 2 to 710"),
    "it did not shrink, and had no metric": (
        down(), {-5: a_view(1), 40: a_view(3), 75: a_view(3, scaler=BLIND), 500: a_view(3)}, "MetricUnavailable",
    ),
    "it did not grow, and had no metric": (up(), blind_from(12), "FailedGetResourceMetric"),
    "it did not grow, and its metric had no value": (
        up(), {-5: a_view(1, scaler=replace(HPA, metrics=(IDLE,))), 12: a_view(1, scaler=replace(HPA, metrics=(HIDDEN,)))},
        "no value for metric cpu",
    ),
    "it did not grow, and could not scale": (
        up(), {-5: a_view(1), 12: a_view(1, scaler=replace(HPA, able=False, inactive_because="FailedGetScale"))},
        "FailedGetScale",
    ),
    "nobody reacted, and it had no metric": (reaction(), blind_from(12), "MetricUnavailable"),
    "replicas grew while it had no metric": (
        up(), {key: replace(view, autoscaler=BLIND) for key, view in three_in(30).items()}, "never had a metric",
    ),
    "there is no autoscaler": (
        up(), {key: replace(view, autoscaler=None) for key, view in three_in(30).items()}, "no autoscaler scales",
    ),
    "the operator may not look at it": (
        up(), {-5: a_view(1, scaler=None, blind="the operator may not list HorizontalPodAutoscalers")}, "may not list",
    ),
    "it had so many before the load": (up(), {-5: a_view(3)}, "not caused by the load"),
    "the minimum asks for as many": (
        up(), {-5: a_view(3, *grown(3, ready=None), scaler=replace(HPA, minimum=3)),
               30: a_view(3, *grown(3, ready=30), scaler=replace(HPA, minimum=3))}, "minReplicas is 3",
    ),
    "they were ordered before the load rose": (
        up(), {-5: a_view(3, *grown(3, ready=None)), 30: a_view(3, *grown(3, ready=30))}, "before the load rose",
    ),
    "it was at its maximum before the load rose": (
        up(), {-5: a_view(3, *grown(3, ready=None), scaler=replace(HPA, maximum=3)),
               30: a_view(3, *grown(3, ready=30), scaler=replace(HPA, maximum=3))}, "the maximum of web",
    ),
    "minimum and maximum are one": (
        up(), {-5: a_view(1, scaler=replace(HPA, minimum=3, maximum=3)),
               30: a_view(3, *grown(3, ready=30), scaler=replace(HPA, minimum=3, maximum=3))}, "both 3",
    ),
    "minimum and maximum are one and nothing swings": (
        flapping(), {-5: a_view(3, scaler=replace(HPA, minimum=3, maximum=3))}, "ReplicaLimit",
    ),
    "another hand scaled": (
        up(), {-5: a_view(1), 30: a_view(3, *grown(3, ready=30), wanted=1, writer="kubectl")}, "kubectl wrote",
    ),
    "the autoscaler was edited": (
        up(), {-5: a_view(1), 15: a_view(1, scaler=replace(HPA, minimum=2)), 30: a_view(3, *grown(3, ready=30))},
        "minReplicas 1 → 2",
    ),
    "the load does not rise": (up(stage="idle"), three_in(90), "less load"),
    "there was nothing to come down from": (down(), {-5: a_view(1)}, "stayed so"),
    "it came down from what an earlier run left": (
        down(stage="peak"), {-5: a_view(3), 60: a_view(1)}, "an earlier run left",
    ),
    "it swings by what an earlier run left": (
        flapping(), {-5: a_view(3), 60: a_view(1), 100: a_view(3)}, "what was there before the load",
    ),
    "the workload shrank, its autoscaler still wants more": (
        down(), {**and_back(80), 150: a_view(1, wanted=3)}, "contradicts itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "views", "said"), HELD.values(), ids=HELD)
def test_nobody_can_know(kind: dict[str, Any], views: Mapping[float, TargetView], said: str) -> None:
    """Neither good nor bad, and the message says why."""
    found = judged(a_spec(**kind), watched(views, 710))

    assert found.result == "Unknown", found.message
    assert said in found.message
    assert found.cause is not None


def test_a_scale_down_is_no_scale_down_when_pods_turn_unready() -> None:
    """Desired stays 3; all are unready for 5 s."""
    unready = a_view(3, *grown(3, ready=None))
    seen = watched({**three_in(30), 80: replace(unready, endpoints=()), 85: a_view(3, *grown(3, ready=40))}, 300)

    assert judged(a_spec(**down()), seen).result == "Failed"


def test_a_scale_down_that_grew_again_failed() -> None:
    """1 → 2 → 3, and it ends at 3: "1 replica after 0 s" is no scale-down."""
    found = judged(a_spec(**down(stage="peak", within=300)), watched(three_in(30), 400))

    assert (found.result, found.observed) == ("Failed", "3 replicas after 300 s")
    assert found.cause is Cause.STABILIZED


GONE = ((30, 80),)


def test_nobody_looked_around_the_deadline() -> None:
    """The operator was away from second 30 to 80, the deadline was 60: it may have been met and lost."""
    found = judged(a_spec(**up()), watched({-5: a_view(1)}, 200, away=GONE))

    assert found.result == "Unknown"
    assert "nobody looked: the operator was away, for 50.0 s from second 30.0 to 80.0" in found.message


def test_the_pods_own_times_tell_what_nobody_saw() -> None:
    """Ready since second 31 by the pods' own times: in time, though it was seen 20 s after the deadline."""
    seen = watched(
        {-5: a_view(1), 20: a_view(3, *grown(3, ready=None)), 31: a_view(3, *grown(3, ready=31))}, 200, away=GONE
    )

    found = judged(a_spec(**up()), seen)

    assert (found.result, found.observed) == ("Passed", "3 replicas after 22 s")


def test_the_autoscalers_own_time_tells_what_nobody_saw() -> None:
    """It decided nothing while nobody looked, by its lastScaleTime: there was nothing to be missed."""
    never = a_view(2, *grown(2, ready=-20, created=-30), scaler=replace(HPA, last_scale_time=at(-30), since=at(-60)))

    assert judged(a_spec(**up()), watched({-5: never}, 200, away=GONE)).result == "Failed"
    assert judged(a_spec(**flapping()), watched({-5: never}, 400, away=GONE)).result == "Passed"


def test_a_gap_may_hide_a_swing() -> None:
    found = judged(a_spec(**flapping(3)), watched({-5: a_view(1)}, 400, away=GONE))

    assert (found.result, "50.0 s" in found.message) == ("Unknown", True)


def test_a_metric_that_blinks_hides_nothing() -> None:
    """Twenty seconds without a metric, as in a rollout."""
    seen = watched(
        {**three_in(30), 50: a_view(3, *grown(3, ready=40), scaler=BLIND), 70: a_view(3, *grown(3, ready=40))}, 400
    )

    assert judged(a_spec(**flapping()), seen).result == "Passed"
    assert judged(a_spec(**up()), seen).result == "Passed"


def test_a_blink_of_the_metric_does_not_excuse_what_came_much_later() -> None:
    """Blind for five seconds, and late by minutes."""
    seen = watched({-5: a_view(1), 12: a_view(1, scaler=BLIND), 17: a_view(1)}, 300)

    assert judged(a_spec(**up()), seen).result == "Failed"


def test_watching_ended_too_early() -> None:
    found = judged(a_spec(**up()), watched({-5: a_view(1)}, 45))

    assert (found.result, found.observed) == ("Unknown", "1 replica when last seen in time")
    assert "watched until second 45 only, 15 s too short: raise scaling.settleSeconds by 15" in found.message


def test_what_may_not_shrink_yet_cannot_swing() -> None:
    found = judged(a_spec(**flapping()), watched(three_in(30), 120))

    assert (found.result, "raise scaling.settleSeconds by 180" in found.message) == ("Unknown", True)


def test_a_ramp_is_the_load_step_of_the_stage_that_holds_it() -> None:
    """Grown during the ramp that leads to the peak: caused by the load, before the stage began."""
    stages = (
        a_stage("base"),
        a_stage("ramp", durationSeconds=60, arrivalRate=50, rampSeconds=60),
        a_stage(durationSeconds=60, arrivalRate=50),
    )

    found = judged(a_spec(*stages, **up()), watched(three_in(30), 130))

    assert (found.result, found.observed) == ("Passed", "3 replicas 30 s before the stage began")


STEPS = (
    a_stage("base"),
    a_stage("peak", durationSeconds=60, arrivalRate=50),
    a_stage("crowd", durationSeconds=130, arrivalRate=90),
)


def later(
    views: Mapping[float, TargetView], second: float, *, ready: float | None, **scaler: Any
) -> dict[float, TargetView]:
    """And a fourth replica, decided in `second`."""
    pods = (*grown(3, ready=40), a_pod("web-3", second, ready))
    hpa = replace(HPA, last_scale_time=at(second), **scaler)
    return {**views, second + 1: a_view(4, *pods, scaler=hpa)}


NOTHING = "no scale-up after the load step of stage crowd (50 requests/s → 90 requests/s)"
REACTIONS: Mapping[str, tuple[Mapping[float, TargetView], str, str]] = {
    "each step was answered": (later(three_in(30), 80, ready=81), "Passed", "30 s (1 → 3 replicas)"),
    "the second step's pod waits for ever": (later(three_in(30), 80, ready=None), "Failed", "no new replica served (3 → 4 replicas)"),
    "nothing followed the second step": (three_in(30), "Failed", NOTHING),
    "nothing followed, and the metric was high": (three_in(30, metrics=(BUSY,)), "Failed", NOTHING),
    "nothing followed, and the metric asked for nothing": (three_in(30, metrics=(IDLE,)), "Unknown", NOTHING),
    "it was at its maximum": (three_in(30, maximum=3), "Unknown", NOTHING),
}  # fmt: skip


@pytest.mark.parametrize(("views", "result", "observed"), REACTIONS.values(), ids=REACTIONS)
def test_every_step_is_judged(views: Mapping[float, TargetView], result: str, observed: str) -> None:
    """Whether anything followed it or not."""
    found = judged(a_spec(*STEPS, **reaction()), watched(views, 200))

    assert (found.result, found.observed) == (result, observed), found.message


def test_requests_in_flight_are_a_step_of_their_own() -> None:
    """100 requests/s, then 50 in flight: the later reaction belongs to the later step, and is too slow."""
    stages = (
        a_stage("base"),
        a_stage("peak", durationSeconds=60, arrivalRate=100),
        a_stage("crowd", durationSeconds=130, concurrency=50),
    )

    found = judged(a_spec(*stages, **reaction()), watched(later(three_in(30), 150, ready=151), 200))

    assert (found.result, found.observed) == ("Failed", "81 s (3 → 4 replicas)")


def test_what_status_cuts_is_judged_all_the_same() -> None:
    """Twenty steps, each answered in time but for the last, whose pod never comes; and 100 changes of replicas."""
    stages = [a_stage(f"s{number}", arrivalRate=10 + number, durationSeconds=60) for number in range(21)]
    views: dict[float, TargetView] = {-5: a_view(1)}
    for number in range(1, 21):
        new = [
            a_pod(f"new-{step}", 60 * step + 10, None if step == 20 else 60 * step + 20)
            for step in range(1, number + 1)
        ]
        hpa = replace(HPA, maximum=50, last_scale_time=at(60 * number + 10))
        views[60 * number + 21] = a_view(number + 1, a_pod("web-0"), *new, scaler=hpa)
    spec = a_spec(*stages, **reaction())

    seen = figures.status_of(spec, watched(views, 1320), START, at(1320), workload="", ended=True)

    assert (len(seen.scale_ups), seen.more_scale_ups) == (16, 4)
    assert seen.expectations[0].result == "Failed"
    assert "no new replica served (20 → 21" in seen.expectations[0].message
