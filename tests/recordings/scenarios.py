"""What is recorded: one autoscaler each, what it is told, and what happens to it."""

from dataclasses import dataclass, field
from typing import Any, Final

Object = dict[str, Any]
Plan = tuple[tuple[float, Any], ...]
"""From which second on which value holds. A value of None: the metrics API answers 500; of (): it answers nothing."""
REQUEST = 10
"""Milli-CPU that a burning container asks for."""


@dataclass(frozen=True)
class Scenario:
    """One autoscaler and its workload."""

    metrics: tuple[Object, ...]
    served: dict[str, Plan] = field(default_factory=dict)
    """Values of our own metrics API by metric; a dictionary gives Pods metrics by the pod's place in order of age."""
    burn: Plan = ()
    """Milli-CPU of each pod; none: the pods do nothing."""
    behavior: Object | None = None
    low: int = 1
    high: int = 5
    replicas: int = 1
    seconds: float = 120
    ready_after: float = 0.0
    slow_from: float = -1000.0
    """Only pods that start after this second are ready that late."""
    memory: bool = False
    sidecar: bool = False
    apart: bool = False
    """At most one pod a node: the second one stays Pending."""
    acts: tuple[tuple[float, int], ...] = ()
    """When somebody else sets the replicas to what."""


def cpu(percent: int) -> Object:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
    }


def external(name: str, **target: str) -> Object:
    return {"type": "External", "external": {"metric": {"name": name}, "target": _target(**target)}}


def pods(name: str, average: str) -> Object:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": _target(averageValue=average)}}


def object_(name: str, **target: str) -> Object:
    described = {"apiVersion": "v1", "kind": "Service", "name": "front"}
    return {
        "type": "Object",
        "object": {"metric": {"name": name}, "describedObject": described, "target": _target(**target)},
    }


def rules(select: str, window: int, *policies: tuple[str, int, int], **more: Any) -> Object:
    listed = [{"type": kind, "value": value, "periodSeconds": seconds} for kind, value, seconds in policies]
    return {"selectPolicy": select, "stabilizationWindowSeconds": window, "policies": listed, **more}


def _target(**target: str) -> Object:
    return {"type": "AverageValue" if "averageValue" in target else "Value", **target}


STEPS: Plan = ((0, 1), (25, 14), (75, 1))
ALL: Final = ("Percent", 100, 15)

SCENARIOS: Final[dict[str, Scenario]] = {
    # What pods use.
    "cpu-steps": Scenario((cpu(50),), burn=STEPS, high=4, seconds=150),
    "cpu-tolerance": Scenario((cpu(100),), burn=((0, 10.4), (60, 15)), high=3, replicas=2, seconds=110),
    "cpu-average-value": Scenario(
        ({"type": "Resource", "resource": {"name": "cpu", "target": _target(averageValue="6m")}},),
        burn=STEPS, high=4, seconds=150,
    ),
    "cpu-of-one-container": Scenario(
        (
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu", "container": "main", "target": {"type": "Utilization", "averageUtilization": 60},
                },
            },
        ),
        burn=STEPS, high=3, seconds=140, sidecar=True,
    ),
    "cpu-and-memory": Scenario(
        (cpu(60), {"type": "Resource", "resource": {"name": "memory", "target": _target(averageValue="9Mi")}}),
        burn=((0, 1), (20, 12), (60, 1)), high=3, seconds=110, memory=True,
    ),
    "cpu-slow-ready": Scenario((cpu(50),), burn=((0, 9),), high=6, seconds=120, ready_after=25),
    "cpu-unready-holds": Scenario(
        (cpu(60),), burn=((0, 9), (90, 1)), high=6, replicas=2, seconds=140, ready_after=200, slow_from=5,
    ),
    "cpu-pending": Scenario((cpu(50),), burn=((0, 9), (70, 1)), high=4, seconds=140, apart=True),
    "cpu-policies": Scenario(
        (cpu(40),), burn=STEPS, high=5, seconds=160,
        behavior={
            "scaleUp": rules("Max", 0, ("Pods", 1, 15)),
            "scaleDown": rules("Max", 10, ("Percent", 50, 20)),
        },
    ),
    "cpu-and-external": Scenario(
        (cpu(60), external("and_rate", averageValue="10")),
        burn=((0, 1), (20, 10), (60, 1)), served={"and_rate": ((0, "5"), (50, "32"), (80, "4"))}, high=5, seconds=150,
    ),
    "cpu-somebody-else": Scenario(
        (cpu(60),), burn=((0, 7),), high=6, replicas=2, seconds=110, acts=((30, 4), (60, 8), (80, 0)),
    ),
    # What a metrics API says.
    "external-average": Scenario(
        (external("avg_rate", averageValue="10"),),
        served={"avg_rate": ((0, "8"), (20, "26"), (45, "31"), (60, "72"), (80, "12"))}, high=6, seconds=140,
    ),
    "external-value": Scenario(
        (external("val_depth", value="10"),),
        served={"val_depth": ((0, "10"), (15, "19"), (30, "10"), (50, "4"), (80, "10500m"), (90, "13"))},
        high=6, replicas=2, seconds=130,
    ),
    "external-value-slow-ready": Scenario(
        (external("slow_depth", value="10"),),
        served={"slow_depth": ((0, "10"), (15, "20"), (60, "10"), (80, "5"))},
        burn=((0, 0),), ready_after=20, high=6, seconds=130,
    ),
    "external-policies-max": Scenario(
        (external("max_rate", averageValue="10"),),
        served={"max_rate": ((0, "10"), (15, "100"), (75, "10"))}, high=10, seconds=150,
        behavior={
            "scaleUp": rules("Max", 0, ("Pods", 1, 15), ("Percent", 50, 15)),
            "scaleDown": rules("Max", 0, ("Pods", 1, 10), ("Percent", 20, 10)),
        },
    ),
    "external-policies-min": Scenario(
        (external("min_rate", averageValue="10"),),
        served={"min_rate": ((0, "20"), (15, "100"), (80, "10"))}, high=10, replicas=2, seconds=150,
        behavior={
            "scaleUp": rules("Min", 0, ("Pods", 4, 15), ("Percent", 50, 20)),
            "scaleDown": rules("Min", 0, ("Pods", 3, 15), ("Percent", 50, 15)),
        },
    ),
    "external-disabled": Scenario(
        (external("off_rate", averageValue="10"),),
        served={"off_rate": ((0, "10"), (15, "45"), (40, "10"))}, high=6, seconds=110,
        behavior={"scaleUp": rules("Max", 0, ALL), "scaleDown": rules("Disabled", 0, ALL)},
    ),
    "external-stabilized": Scenario(
        (external("flap_rate", averageValue="10"),),
        served={
            "flap_rate": (
                (0, "20"), (15, "50"), (22, "20"), (30, "50"), (62, "20"), (70, "50"), (78, "20"), (110, "50"),
            ),
        },
        high=6, replicas=2, seconds=150,
        behavior={"scaleUp": rules("Max", 20, ALL), "scaleDown": rules("Max", 15, ALL)},
    ),
    "external-tolerances": Scenario(
        (external("tol_rate", averageValue="10"),),
        served={"tol_rate": ((0, "40"), (15, "46"), (30, "51"), (45, "54"), (60, "47500m"), (75, "45"), (95, "40"))},
        high=10, replicas=4, seconds=120,
        behavior={
            "scaleUp": rules("Max", 0, ALL, tolerance="300m"),
            "scaleDown": rules("Max", 0, ALL, tolerance="20m"),
        },
    ),
    "external-limits": Scenario(
        (external("lim_rate", averageValue="10"),),
        served={"lim_rate": ((0, "200"), (40, "1"))}, low=2, high=5, replicas=8, seconds=110,
        acts=((20, 1), (90, 7)),
    ),
    "external-missing": Scenario(
        (external("gap_rate", averageValue="10"),),
        served={"gap_rate": ((0, "20"), (25, None), (45, "40"), (60, ()), (80, "10"))}, high=6, seconds=130,
    ),
    "two-metrics-one-lost": Scenario(
        (external("two_rate", averageValue="10"), external("two_depth", averageValue="5")),
        served={"two_rate": ((0, "10"), (15, "30"), (40, "10")), "two_depth": ((0, "5"), (50, None), (100, "5"))},
        high=6, seconds=150,
    ),
    "pods-average": Scenario(
        (pods("pod_queue", "10"),),
        served={"pod_queue": ((0, {"*": "8"}), (20, {"*": "21"}), (50, {"*": "10"}), (60, {"*": "3"}))},
        high=6, seconds=130,
    ),
    "pods-some-missing": Scenario(
        (pods("part_queue", "10"),),
        served={
            "part_queue": (
                (0, {"*": "10"}), (15, {"0": "25", "1": "25"}), (45, {"0": "2", "1": "2"}), (75, {"0": "2"}), (100, {}),
            ),
        },
        high=8, replicas=3, seconds=130,
    ),
    "object-value": Scenario(
        (object_("obj_depth", value="100"),),
        served={"obj_depth": ((0, "100"), (15, "240"), (30, "100"), (50, "30"))}, high=6, replicas=2, seconds=110,
    ),
    "object-average": Scenario(
        (object_("obj_rate", averageValue="10"),),
        served={"obj_rate": ((0, "20"), (15, "45"), (40, "15"))}, high=6, replicas=2, seconds=110,
    ),
}  # fmt: skip
"""By the name of its recording."""
