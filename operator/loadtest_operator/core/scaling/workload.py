"""What runs the target's pods, whatever its kind: anything with a scale subresource can be followed.

Kinds of `apps` are read whole, which also tells of rollouts and of who wrote the replicas; of others the subresource
is enough, and no more than that has to be granted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest_operator.core.common.kinds import WORKLOADS, Kind
from loadtest_operator.core.scaling.metrics.questions import labels_text
from loadtest_operator.core.scaling.target import is_rolling_out, other_writer

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """What an autoscaler scales."""

    kind: str
    name: str
    replicas: int
    """What its spec asks for."""
    rollout: bool = False
    writer: str = ""
    selector: str = ""
    """Of the pods that an autoscaler counts."""
    counted: int | None = None
    """How many pods its status counts."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def known(api_version: str, kind: str) -> Kind | None:
    """A kind that is read whole."""
    found = WORKLOADS.get(kind)
    return found if found is not None and found.api_version == api_version else None


def scalable(resources: Iterable[Object], api_version: str, kind: str) -> Kind | None:
    """The kind, as discovery shows it, if it has a scale subresource."""
    names = {found["name"] for found in resources if found.get("kind") == kind and "/" not in found["name"]}
    every = {found["name"] for found in resources}
    plural = next((name for name in sorted(names) if f"{name}/scale" in every), None)
    return Kind(api_version, kind, plural) if plural else None


def of_object(kind: Kind, thing: Object) -> Workload:
    """From the whole object."""
    replicas = (thing.get("spec") or {}).get("replicas", 1)
    selector, counted = (thing.get("spec") or {}).get("selector"), (thing.get("status") or {}).get("replicas")
    name, rolls, writer = thing["metadata"]["name"], is_rolling_out(thing), other_writer(thing)
    return Workload(kind.kind, name, replicas, rolls, writer, labels_text(selector), counted)


def of_scale(kind: Kind, scale: Object) -> Workload:
    """From a Scale (autoscaling/v1), in which no replicas means none; without a status nobody has counted."""
    name, status = scale["metadata"]["name"], scale.get("status") or {}
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    counted = status.get("replicas", 0) if status else None
    return Workload(kind.kind, name, replicas, selector=status.get("selector", ""), counted=counted)
