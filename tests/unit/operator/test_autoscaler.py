"""A HorizontalPodAutoscaler, read."""

from typing import Any

import pytest

from loadtest_operator.core.scaling.autoscaler import autoscaler_of, quantity

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
QUEUE = {"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "2"}}}
ACTIVE = {
    "type": "ScalingActive",
    "status": "True",
    "reason": "ValidMetricFound",
    "lastTransitionTime": "2026-01-01T12:00:00Z",
}


def an_hpa(*metrics: Any, current: Any = (), conditions: Any = (ACTIVE,), **spec: Any) -> dict[str, Any]:
    reference = {"kind": "Deployment", "name": "web"}
    return {
        "metadata": {"name": "web"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": reference, "metrics": list(metrics), **spec},
        "status": {"conditions": list(conditions), "currentMetrics": list(current), "desiredReplicas": 2},
    }


def test_without_a_metric_it_shows_unknown() -> None:
    failed = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}

    seen = autoscaler_of(an_hpa(CPU, conditions=[failed]))

    assert not seen.active
    assert seen.metric == "<unknown>/60%"
    assert "FailedGetResourceMetric" in seen.blind_because


def test_one_metric_of_two_has_no_value() -> None:
    """It may grow by the other one, and it never shrinks."""
    now = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 90, "averageValue": "450m"}},
    }

    seen = autoscaler_of(an_hpa(CPU, QUEUE, current=[now, {"type": ""}]))

    assert [(metric.name, str(metric), metric.ratio) for metric in seen.metrics] == [
        ("cpu", "90%/60%", 1.5), ("queue", "<unknown>/2", None),
    ]  # fmt: skip
    assert seen.blind_because == "no value for metric queue"


def test_quantities_are_compared_in_their_units() -> None:
    now = {"type": "Pods", "pods": {"metric": {"name": "queue"}, "current": {"averageValue": "2500m"}}}

    assert autoscaler_of(an_hpa(QUEUE, current=[now])).metrics[0].ratio == 1.25


def test_an_able_one_without_conditions_has_not_synced_yet() -> None:
    assert autoscaler_of(an_hpa(conditions=[])).blind_because == "NoCondition: it has not synced yet"


def test_one_that_cannot_scale_says_why() -> None:
    unable = {"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "forbidden"}

    assert autoscaler_of(an_hpa(conditions=[ACTIVE, unable])).blind_because == "FailedGetScale: forbidden"


BEHAVIORS: dict[str, tuple[dict[str, Any], tuple[int, int, float]]] = {
    "the defaults": ({}, (0, 300, 0.1)),
    "its own": (
        {
            "scaleUp": {"stabilizationWindowSeconds": 15},
            "scaleDown": {"stabilizationWindowSeconds": 0, "tolerance": "50m"},
        },
        (15, 0, 0.05),
    ),
}


@pytest.mark.parametrize(("behavior", "expected"), BEHAVIORS.values(), ids=BEHAVIORS)
def test_behavior(behavior: dict[str, Any], expected: tuple[int, int, float]) -> None:
    seen = autoscaler_of(an_hpa(behavior=behavior))

    assert (seen.up.stabilization, seen.down.stabilization, seen.down.tolerance) == expected


@pytest.mark.parametrize(("text", "value"), [("500m", 0.5), ("2Gi", 2**31), ("1k", 1000), ("7", 7), ("much", None)])
def test_quantities(text: str, value: float | None) -> None:
    found = quantity(text)

    assert (None if found is None else float(found)) == value
