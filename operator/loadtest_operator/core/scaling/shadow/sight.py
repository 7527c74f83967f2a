"""What one sync of the controller sees: the scale, the pods, and what the metrics APIs say. Values in thousandths."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FAILED: Final = "Failed"
PENDING: Final = "Pending"
RUNNING: Final = "Running"

Served = int | Mapping[str, int] | None
"""A metric's value (of several series: their sum), its values by pod, or nothing: the API did not answer."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the workload."""

    name: str
    phase: str = RUNNING
    deleting: bool = False
    started: float | None = None
    """Its status.startTime, when the kubelet took it over."""
    ready: bool | None = True
    """Its condition Ready; nothing where it has none yet."""
    since: float | None = None
    """When that became so."""
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By container, by resource."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the resource metrics API says of a pod."""

    at: float
    window: float
    """Seconds over which it was measured."""
    containers: Mapping[str, Mapping[str, int]]
    """By container, by resource."""


@dataclass(frozen=True, slots=True)
class Sight:
    """All of it at one moment."""

    replicas: int
    """What the scale's spec asks for: the controller's idea of the current number."""
    counted: int
    """How many pods the scale's status counts."""
    pods: tuple[Pod, ...] = ()
    usage: Mapping[str, Usage] | None = None
    """By pod; nothing: the API did not answer."""
    served: Mapping[str, Served] = field(default_factory=dict)
    """By the name of a metric of the type Pods, Object or External."""
