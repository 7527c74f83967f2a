"""The target as the API shows it: endpoints, workload, pods. Pure readings of objects, no judgement."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loadtest_operator.core.common import times
from loadtest_operator.core.fleet.pods import condition_time
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.metrics.readings import Reading
from loadtest_operator.core.scaling.shadow.orders import Orders

Object = Mapping[str, Any]
ENDED = ("Failed", "Succeeded")
"""Phases of a pod that does nothing any more."""
SCALED_BY_AUTOSCALERS = "kube-controller-manager"
"""Who writes spec.replicas where a HorizontalPodAutoscaler does."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a pod of the Service listens."""

    address: str
    port: int
    pod: str = ""

    @property
    def identity(self) -> str:
        """Of the pod; an endpoint without one is its address."""
        return self.pod or self.address


@dataclass(frozen=True, slots=True)
class TargetPod:
    """A pod of the target and when it reached what."""

    name: str
    created: datetime | None = None
    scheduled: datetime | None = None
    initialized: datetime | None = None
    """When its init containers were done."""
    started: datetime | None = None
    """When the last of its containers started; nothing until all run."""
    ready: datetime | None = None
    """Since when it has been ready; nothing while it is not."""
    deleting: datetime | None = None
    """By when it has to be gone: its grace period's end."""
    told_to_go: datetime | None = None
    """When its deletion was asked for."""
    waiting_for: str = ""
    """Why it has no node yet."""
    uid: str = ""
    ended: bool = False
    """Failed or Succeeded: it is no replica any more."""
    on_node: bool = False
    """It has its node's network: its address is the node's."""

    @property
    def identity(self) -> str:
        """A StatefulSet's pods come back under the same name."""
        return self.uid or self.name


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
    metrics: tuple[Reading, ...] = ()
    """What the autoscaler steers by, as the metrics APIs served it last; in the order of its spec."""
    orders: Orders | None = None
    """What the autoscaler's spec tells the controller."""
    elsewhere: str = ""
    """Why its answers are not those of pods in its namespace; empty where they are."""
    selector: tuple[tuple[str, str], ...] = ()
    """The Service's pod selector."""
    blind: str = ""
    """Why the workload or its autoscaler could not be looked at, such as a missing permission."""
    rollout: bool = False
    """Whether the workload replaces its pods by others."""
    writer: str = ""
    """Who wrote the workload's spec.replicas last, where somebody other than an autoscaler did."""
    read: datetime | None = None
    """When the oldest part of it was asked for that only looking tells."""

    @property
    def ready(self) -> int:
        """Pods in the Service's endpoints, each counted once."""
        return len({endpoint.identity for endpoint in self.endpoints})


def service_port(service: Object, wanted: str) -> Object | None:
    """The Service's port by name or number."""
    for port in service["spec"].get("ports", []):
        if wanted in (port.get("name"), str(port["port"])):
            return port  # type: ignore[no-any-return]
    return None


def endpoints_of(slices: Iterable[Object], port_name: str) -> tuple[Endpoint, ...]:
    """Ready endpoints, one a pod, sorted so that equal sets are equal.

    A dual-stack Service has a slice for each family, and an endpoint that moves stands in two slices for a moment: the
    pod is one all the same, and IPv4 is what it is reached by.
    """
    found: dict[str, Endpoint] = {}
    for endpoint in sorted(_ready(slices, port_name), key=_family_first, reverse=True):
        found[endpoint.identity] = endpoint
    return tuple(sorted(found.values(), key=lambda endpoint: endpoint.address))


def _ready(slices: Iterable[Object], port_name: str) -> Iterator[Endpoint]:
    for piece in slices:
        ports = [port for port in piece.get("ports") or [] if (port.get("name") or "") == port_name]
        for endpoint in piece.get("endpoints") or []:
            if ports and (endpoint.get("conditions") or {}).get("ready", True):
                name = (endpoint.get("targetRef") or {}).get("name", "")
                yield Endpoint(endpoint["addresses"][0], ports[0]["port"], name)


def _family_first(endpoint: Endpoint) -> tuple[bool, str]:
    return ":" in endpoint.address, endpoint.address


def target_pod(pod: Object) -> TargetPod:
    """From the API's object."""
    metadata, status = pod["metadata"], pod.get("status", {})
    return TargetPod(
        name=metadata["name"],
        created=times.parse(metadata.get("creationTimestamp")),
        scheduled=condition_time(pod, "PodScheduled"),
        initialized=condition_time(pod, "Initialized"),
        started=_started(status),
        ready=condition_time(pod, "Ready"),
        deleting=times.parse(metadata.get("deletionTimestamp")),
        told_to_go=_told_to_go(metadata),
        waiting_for=_waiting_for(status),
        uid=metadata.get("uid", ""),
        ended=status.get("phase") in ENDED,
        on_node=bool(pod.get("spec", {}).get("hostNetwork")),
    )


def _told_to_go(metadata: Object) -> datetime | None:
    """deletionTimestamp is the end of the grace period."""
    end = times.parse(metadata.get("deletionTimestamp"))
    grace = metadata.get("deletionGracePeriodSeconds") or 0
    return end - timedelta(seconds=grace) if end is not None else None


def _started(status: Object) -> datetime | None:
    found = [times.parse(_running(container).get("startedAt")) for container in status.get("containerStatuses") or ()]
    known = [moment for moment in found if moment is not None]
    return max(known) if known and len(known) == len(found) else None


def _running(container: Object) -> Object:
    running: Object = (container.get("state") or {}).get("running") or {}
    return running


def _waiting_for(status: Object) -> str:
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""


def owner_of(thing: Object) -> tuple[str, str, str] | None:
    """API version, kind and name of the controller that made it."""
    for owner in thing["metadata"].get("ownerReferences", []):
        if owner.get("controller"):
            return owner.get("apiVersion", "apps/v1"), owner["kind"], owner["name"]
    return None


def is_rolling_out(workload: Object) -> bool:
    """Whether pods of an older template are still to be replaced: a Deployment's or a StatefulSet's."""
    status, generation = workload.get("status") or {}, workload["metadata"].get("generation", 0)
    if status.get("observedGeneration", generation) < generation:
        return True
    if "updateRevision" in status:
        return bool(status.get("currentRevision", status["updateRevision"]) != status["updateRevision"])
    return bool("updatedReplicas" in status and status["updatedReplicas"] < status.get("replicas", 0))


def other_writer(workload: Object) -> str:
    """Who wrote spec.replicas last (metadata.managedFields), unless that is how autoscalers do it."""
    entries = [
        entry
        for entry in workload["metadata"].get("managedFields") or []
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    newest: Object = max(entries, key=lambda entry: str(entry.get("time", "")), default={})
    by_subresource = newest.get("subresource") == "scale" and newest.get("manager") == SCALED_BY_AUTOSCALERS
    return "" if by_subresource else str(newest.get("manager", ""))
