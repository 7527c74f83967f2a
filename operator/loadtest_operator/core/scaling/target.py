"""The target as the API shows it: endpoints, workload, pods, autoscaler. Pure readings of objects, no judgement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.core.common import times
from loadtest_operator.core.fleet.pods import condition_time

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a pod of the Service listens."""

    address: str
    port: int
    pod: str = ""


@dataclass(frozen=True, slots=True)
class TargetPod:
    """A pod of the target and when it reached what."""

    name: str
    node: str = ""
    created: datetime | None = None
    scheduled: datetime | None = None
    started: datetime | None = None
    ready: datetime | None = None
    deleting: datetime | None = None
    waiting_for: str = ""
    """Why it has no node yet."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler as it shows itself."""

    name: str
    desired: int = 0
    current: int = 0
    minimum: int = 1
    maximum: int = 1
    metric: str = ""
    """Current values of its metrics against their targets, as kubectl shows them; `<unknown>` where it has none."""
    active: bool = True
    inactive_because: str = ""
    last_scale_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TargetView:
    """The target at one moment."""

    url: str
    namespace: str = ""
    found: bool = True
    workload: str = ""
    """`Deployment/chat`, or empty where it is not known."""
    desired: int | None = None
    """Replicas that the workload's spec asks for."""
    endpoints: tuple[Endpoint, ...] = ()
    pods: tuple[TargetPod, ...] = ()
    autoscaler: Autoscaler | None = None
    elsewhere: str = ""
    """Why its answers are not those of pods in its namespace; empty where they are."""
    selector: tuple[tuple[str, str], ...] = ()
    """The Service's pod selector."""

    @property
    def ready(self) -> int:
        return len(self.endpoints)


def service_port(service: Object, wanted: str) -> Object | None:
    """The Service's port by name or number."""
    for port in service["spec"].get("ports", []):
        if wanted in (port.get("name"), str(port["port"])):
            return port  # type: ignore[no-any-return]
    return None


def endpoints_of(slices: Iterable[Object], port_name: str) -> tuple[Endpoint, ...]:
    """Ready endpoints, sorted so that equal sets are equal."""
    found = [
        Endpoint(endpoint["addresses"][0], port["port"], (endpoint.get("targetRef") or {}).get("name", ""))
        for piece in slices
        for port in piece.get("ports") or []
        if (port.get("name") or "") == port_name
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True)
    ]
    return tuple(sorted(found, key=lambda endpoint: endpoint.address))


def target_pod(pod: Object) -> TargetPod:
    """From the API's object."""
    metadata, status = pod["metadata"], pod.get("status", {})
    running = [
        times.parse(container["state"]["running"]["startedAt"])
        for container in status.get("containerStatuses", [])
        if "running" in container.get("state", {})
    ]
    return TargetPod(
        name=metadata["name"],
        node=pod.get("spec", {}).get("nodeName", ""),
        created=times.parse(metadata.get("creationTimestamp")),
        scheduled=condition_time(pod, "PodScheduled"),
        started=max((moment for moment in running if moment), default=None),
        ready=condition_time(pod, "Ready"),
        deleting=times.parse(metadata.get("deletionTimestamp")),
        waiting_for=_waiting_for(status),
    )


def _waiting_for(status: Object) -> str:
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""


def autoscaler_of(hpa: Object) -> Autoscaler:
    """From a HorizontalPodAutoscaler (autoscaling/v2)."""
    spec, status = hpa["spec"], hpa.get("status", {})
    active = _condition(status, "ScalingActive")
    return Autoscaler(
        name=hpa["metadata"]["name"],
        desired=status.get("desiredReplicas", 0),
        current=status.get("currentReplicas", 0),
        minimum=spec.get("minReplicas", 1),
        maximum=spec["maxReplicas"],
        metric=_metrics(spec, status),
        active=active.get("status") == "True",
        inactive_because=f"{active.get('reason', 'NoCondition')}: {active.get('message', 'it has not synced yet')}",
        last_scale_time=times.parse(status.get("lastScaleTime")),
    )


def scales(hpa: Object, kind: str, name: str) -> bool:
    """Whether the HPA's target is this workload."""
    reference = hpa["spec"]["scaleTargetRef"]
    return bool(reference["kind"] == kind and reference["name"] == name)


def owner_of(thing: Object) -> tuple[str, str] | None:
    """Kind and name of the controller that made it."""
    for owner in thing["metadata"].get("ownerReferences", []):
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return None


def _condition(status: Object, kind: str) -> Object:
    return next((found for found in status.get("conditions") or [] if found["type"] == kind), {})


def _metrics(spec: Object, status: Object) -> str:
    current = status.get("currentMetrics") or []
    shown = [
        f"{_value(current[place], 'current') if place < len(current) else '<unknown>'}/{_value(metric, 'target')}"
        for place, metric in enumerate(spec.get("metrics") or [])
    ]
    return ", ".join(shown)


def _value(metric: Object, side: str) -> str:
    kind = metric.get("type", "")
    values = (metric.get(kind[:1].lower() + kind[1:]) or {}).get(side) or {}
    if "averageUtilization" in values:
        return f"{values['averageUtilization']}%"
    return str(values.get("averageValue") or values.get("value") or "<unknown>")
