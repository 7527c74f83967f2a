"""Every fall of the replicas, step by step: when the load fell, when it was decided, when pods were told to go and were gone."""

from dataclasses import replace

from builders import a_stage, a_valid_spec
from loadtest_operator.api.outcome import ScaleDownStatus, ScalingStatus
from loadtest_operator.core.scaling import figures as scaling
from loadtest_operator.core.scaling.target import TargetPod, TargetView, target_pod
from unit.operator.film import HPA, START, a_pod, a_view, at, watched

SPEC = a_valid_spec(a_stage("peak", durationSeconds=20, arrivalRate=50), a_stage("calm", durationSeconds=80))
FIRST, SECOND, THIRD = (a_pod(f"web-{number}") for number in range(3))


def going(pod: TargetPod, told: float, grace: float = 30) -> TargetPod:
    return replace(pod, told_to_go=at(told), deleting=at(told + grace), ready=None)


def status(views: dict[float, TargetView], until: float = 90) -> ScalingStatus:
    return scaling.status_of(SPEC, watched(views, until), START, at(until), workload="Deployment/web", ended=True)


def a_fall() -> dict[float, TargetView]:
    """3 → 1: decided in second 52, told to go in 53 and 54, gone in 60 and 71; the load had fallen in second 20."""
    later = replace(HPA, last_scale_time=at(52))
    return {
        -5: a_view(3, FIRST, SECOND, THIRD),
        53: a_view(1, FIRST, going(SECOND, 53), THIRD, scaler=later),
        54: a_view(1, FIRST, going(SECOND, 53), going(THIRD, 54), scaler=later),
        60: a_view(1, FIRST, going(THIRD, 54), scaler=later),
        71: a_view(1, FIRST, scaler=later),
    }


def test_a_scale_down_is_taken_apart() -> None:
    (down,) = status(a_fall()).scale_downs

    assert (down.from_replicas, down.to_replicas) == (3, 1)
    assert (down.load_fall_time, down.decided_time) == (at(20), at(52))
    assert (down.terminating_time, down.gone_time) == (at(53), at(71))
    assert (down.seconds.decided, down.seconds.terminating, down.seconds.gone) == ("32", "33", "51")


def test_one_that_is_not_gone_has_no_end() -> None:
    views = {second: view for second, view in a_fall().items() if second < 71}
    (down,) = status(views).scale_downs

    assert (down.terminating_time, down.gone_time, down.seconds.gone) == (at(53), None, None)


def test_a_scale_down_before_the_load_fell_has_no_fall() -> None:
    """Seconds then count from the decision."""
    later = replace(HPA, last_scale_time=at(9))
    views = {
        -5: a_view(2, FIRST, SECOND),
        10: a_view(1, FIRST, going(SECOND, 10), scaler=later),
        15: a_view(1, FIRST, scaler=later),
    }
    (down,) = status(views).scale_downs

    assert (down.load_fall_time, down.decided_time, down.seconds.decided, down.seconds.gone) == (None, at(9), "0", "6")


def test_each_pod_belongs_to_one_scale_down() -> None:
    """Also where one follows the other within the seconds that the API's times are cut by."""
    first, second = replace(HPA, last_scale_time=at(30)), replace(HPA, last_scale_time=at(31))
    views = {
        -5: a_view(3, FIRST, SECOND, THIRD),
        30: a_view(2, FIRST, SECOND, going(THIRD, 30), scaler=first),
        31: a_view(1, FIRST, going(SECOND, 31), going(THIRD, 30), scaler=second),
        35: a_view(1, FIRST, going(SECOND, 31), scaler=second),
        56: a_view(1, FIRST, scaler=second),
    }
    found: tuple[ScaleDownStatus, ...] = status(views).scale_downs

    assert [(down.from_replicas, down.to_replicas, down.gone_time) for down in found] == [
        (3, 2, at(35)),
        (2, 1, at(56)),
    ]


def test_when_a_pod_was_told_to_go_is_not_when_it_has_to_be_gone() -> None:
    """The API's deletionTimestamp is the end of the grace period."""
    metadata = {"name": "web-1", "deletionTimestamp": "2026-01-01T12:01:00Z", "deletionGracePeriodSeconds": 30}
    found = target_pod({"metadata": metadata})

    assert (found.told_to_go, found.deleting) == (at(30), at(60))


def test_what_left_in_a_gap_is_gone_when_it_was_looked_again() -> None:
    later = replace(HPA, last_scale_time=at(40))
    views = {-5: a_view(2, FIRST, SECOND), 39: a_view(1, FIRST, scaler=later)}
    seen = watched(views, 90, away=[(38, 60)])
    (down,) = scaling.status_of(SPEC, seen, START, at(90), workload="Deployment/web", ended=True).scale_downs

    assert (down.decided_time, down.terminating_time, down.gone_time) == (at(40), None, at(60))
