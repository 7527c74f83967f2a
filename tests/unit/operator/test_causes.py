"""Why an expectation was not met: each cause on its own, and the order among them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling.autoscaler import Direction, Metric
from loadtest_operator.core.scaling.target import TargetView
from unit.operator.film import BUSY, HPA, IDLE, a_pod, a_view, at, grown, watched
from unit.operator.test_expectations import a_spec, down, flapping, judged, reaction, three_in, up

NEAR = Metric("cpu", "65%", "60%", 65 / 60)
SEES = replace(HPA, metrics=(BUSY,))
WAITING = a_pod("web-2", 21, None, waiting_for="0/3 nodes are available: Insufficient nvidia.com/gpu")
SLOW = replace(a_pod("web-1", 21, 66))
LATE = replace(WAITING, scheduled=at(62), ready=at(65), waiting_for="")
PATIENT = replace(HPA, down=Direction(40))
STABLE = a_view(3, scaler=replace(PATIENT, doing="ScaleDownStabilized"))
HELD = Metric("cpu", "57%", "60%", 57 / 60)
CAUSES: Mapping[Cause, tuple[dict[str, Any], Mapping[float, TargetView], str]] = {
    Cause.SCALING_DISABLED: (
        up(), {-5: a_view(1, scaler=replace(HPA, up=Direction(disabled=True)))}, "selectPolicy is Disabled",
    ),
    Cause.METRIC_UNAVAILABLE: (
        up(), {-5: a_view(1), 12: a_view(1, scaler=replace(HPA, active=False, inactive_because="none")), 43: a_view(1)},
        "could not act (none) for 31 s, from second 12 to 43",
    ),
    Cause.REPLICA_LIMIT: (up(7), {-5: a_view(1, scaler=SEES)}, "maxReplicas is 5"),
    Cause.REPLICAS_OWNED_ELSEWHERE: (
        up(), {-5: a_view(1, scaler=SEES), 20: a_view(1, scaler=SEES, wanted=3, writer="argocd")},
        "wanted 3 and spec.replicas of the workload was 1, argocd wrote it",
    ),
    Cause.ROLLOUT_IN_PROGRESS: (up(), {-5: a_view(1), 15: a_view(1, rollout=True)}, "from second 15 on"),
    Cause.WITHIN_TOLERANCE: (
        up(), {-5: a_view(1, scaler=replace(HPA, metrics=(NEAR,)))}, "cpu was 65%/60% at most, within the tolerance of 10%",
    ),
    Cause.STABILIZED: (down(), {**three_in(30), 300: a_view(3)}, "stabilizationWindowSeconds is 300, the expectation gave 100 s"),
    Cause.BLOCKED_BY_UNREADY: (
        up(3), {-5: a_view(2, a_pod("web-0"), a_pod("web-1", -60, None), scaler=SEES)}, "pod web-1 was not ready",
    ),
    Cause.UNSCHEDULABLE: (
        up(), {-5: a_view(1), 20: a_view(3, a_pod("web-0"), a_pod("web-1", 21, 30), replace(WAITING, scheduled=None))},
        "pod web-2 found no node: 0/3 nodes are available: Insufficient nvidia.com/gpu",
    ),
    Cause.SLOW_START: (
        up(), {-5: a_view(1), 20: a_view(3, *grown(3, ready=None)), 66: a_view(3, *grown(3, ready=66))},
        "pod web-1 took 44 s from having a node to being ready, in second 66",
    ),
    Cause.UNKNOWN: (up(), {-5: a_view(1)}, "wanted at least 3"),
}  # fmt: skip


def test_every_cause_has_an_example() -> None:
    assert set(CAUSES) == set(Cause)


@pytest.mark.parametrize(("cause", "case"), CAUSES.items(), ids=CAUSES)
def test_causes(cause: Cause, case: tuple[dict[str, Any], Mapping[float, TargetView], str]) -> None:
    """Failed, for this cause, with the evidence in the message."""
    kind, views, said = case

    found = judged(a_spec(**kind), watched(views, 400))

    assert (found.result, found.cause) == ("Failed", cause), found.message
    assert said in found.message


FIRSTS: Mapping[str, tuple[dict[str, Any], Mapping[float, TargetView], Cause]] = {
    "no metric, and beyond the maximum": (
        up(7), {-5: a_view(1), 12: a_view(1, scaler=replace(HPA, active=False)), 43: a_view(1)}, Cause.METRIC_UNAVAILABLE,
    ),
    "beyond the maximum, and no metric at two syncs": (
        up(7), {-5: a_view(1), 12: a_view(1, scaler=replace(HPA, active=False)), 42: a_view(1)}, Cause.REPLICA_LIMIT,
    ),
    "waits at the deadline": (down(), {**three_in(30, down=PATIENT.down), 80: STABLE, 200: a_view(3, scaler=PATIENT)}, Cause.STABILIZED),
    "waited, and went no farther afterwards": (
        down(), {**three_in(30, down=PATIENT.down), 80: STABLE, 130: a_view(2, scaler=PATIENT)}, Cause.UNKNOWN,
    ),
    "shrank no more, within tolerance": (
        down(), {-5: a_view(1, scaler=SEES), 20: a_view(3, scaler=SEES), 70: a_view(3, scaler=replace(HPA, metrics=(HELD,)))},
        Cause.WITHIN_TOLERANCE,
    ),
    "had no node in time, and one later": (
        up(), {-5: a_view(1), 20: a_view(2, a_pod("web-0"), replace(WAITING, scheduled=None)), 66: a_view(2, a_pod("web-0"), LATE)},
        Cause.UNSCHEDULABLE,
    ),
    "no time to look at the load": (
        up(within=8), {-5: a_view(1, scaler=replace(HPA, metrics=(IDLE,))), 20: a_view(1, scaler=SEES)}, Cause.UNKNOWN,
    ),
    "a reaction at the maximum": (
        reaction(20), {**three_in(60, maximum=3)}, Cause.REPLICA_LIMIT,
    ),
    "swings that nothing explains": (
        flapping(0), {-5: a_view(1), 20: a_view(2), 50: a_view(1), 80: a_view(2)}, Cause.UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "views", "cause"), FIRSTS.values(), ids=FIRSTS)
def test_the_first_in_causal_order_is_named(
    kind: dict[str, Any], views: Mapping[float, TargetView], cause: Cause
) -> None:
    found = judged(a_spec(**kind), watched(views, 400))

    assert (found.result, found.cause) == ("Failed", cause), found.message


def test_an_autoscaler_that_goes_is_no_missing_metric() -> None:
    """Deleted in mid-run, the same one made again, or another one in its place: not known, and nobody's metric."""
    for views in (
        {-5: a_view(1), 20: a_view(1, scaler=None)},
        {-5: a_view(1), 20: a_view(1, scaler=None), 25: a_view(1)},
    ):
        found = judged(a_spec(**up()), watched(views, 400))
        assert (found.result, found.cause) == ("Unknown", Cause.UNKNOWN), found.message
        assert "the target had no autoscaler for" in found.message
    other = judged(a_spec(**up()), watched({-5: a_view(1), 20: a_view(1, scaler=replace(HPA, name="keda"))}, 400))
    assert (other.result, other.cause) == ("Unknown", Cause.UNKNOWN)
    assert "keda took the place of web" in other.message
