"""What is wrong with a pod, in words: the kubelet's and the scheduler's complaints, read from the pod's status.

A problem is `final` when waiting cannot help; others are shown at once and end the run when its patience is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.core.common import reasons, times
from loadtest_operator.core.common.names import INDEX_ANNOTATION
from loadtest_operator.core.common.reasons import Reason

Object = Mapping[str, Any]

HOPELESS_IMAGE = frozenset({"ErrImageNeverPull", "InvalidImageName"})
IMAGE = HOPELESS_IMAGE | {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}
CONTAINER = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a pod does not run."""

    reason: Reason
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class WorkerPod:
    """A worker's pod, as far as decisions need it."""

    index: int
    name: str
    ip: str = ""
    node: str = ""
    phase: str = "Pending"
    deleting: bool = False
    problem: Problem | None = None
    created: datetime | None = None

    @property
    def alive(self) -> bool:
        return self.phase in ("Pending", "Running") and not self.deleting


def worker_pod(pod: Object) -> WorkerPod:
    """From the API's object."""
    metadata, status = pod["metadata"], pod.get("status", {})
    return WorkerPod(
        index=int(metadata.get("annotations", {}).get(INDEX_ANNOTATION, 0)),
        name=metadata["name"],
        ip=status.get("podIP", ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        phase=status.get("phase", "Pending"),
        deleting="deletionTimestamp" in metadata,
        problem=problem_of(pod),
        created=times.parse(metadata.get("creationTimestamp")),
    )


def newest_by_index(pods: Iterable[WorkerPod]) -> tuple[WorkerPod, ...]:
    """One pod for each index, a living one first."""
    found: dict[int, WorkerPod] = {}
    for pod in pods:
        if pod.index not in found or pod.alive:
            found[pod.index] = pod
    return tuple(found[index] for index in sorted(found))


def problem_of(pod: Object) -> Problem | None:
    """The most telling complaint about a pod."""
    return _unschedulable(pod) or _container_problem(pod) or _failed(pod)


def _unschedulable(pod: Object) -> Problem | None:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Problem(reasons.UNSCHEDULABLE, f"pod {_name(pod)} found no node: {condition.get('message', '')}")
    return None


def _container_problem(pod: Object) -> Problem | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        state = container.get("state", {})
        if problem := _waiting(pod, state.get("waiting")) or _terminated(pod, state.get("terminated")):
            return problem
    return None


def _waiting(pod: Object, waiting: Object | None) -> Problem | None:
    why = (waiting or {}).get("reason", "")
    message = f"pod {_name(pod)}: {why}: {(waiting or {}).get('message', '')}"
    if why in IMAGE:
        return Problem(reasons.IMAGE_PULL_ERROR, message, final=why in HOPELESS_IMAGE)
    if why in CONTAINER:
        return Problem(reasons.CONTAINER_ERROR, message)
    return None


def _terminated(pod: Object, terminated: Object | None) -> Problem | None:
    if not terminated or terminated.get("exitCode") == 0:
        return None
    if terminated.get("reason") == "OOMKilled":
        return Problem(reasons.OOM_KILLED, f"pod {_name(pod)} was killed at its memory limit", final=True)
    words = (terminated.get("message") or "").strip()[-400:]
    return Problem(
        reasons.WORKER_CRASHED,
        f"pod {_name(pod)} ended with exit code {terminated['exitCode']}: {words or terminated.get('reason', '')}",
        final=True,
    )


def _failed(pod: Object) -> Problem | None:
    status = pod.get("status", {})
    if status.get("phase") != "Failed":
        return None
    return Problem(
        reasons.WORKER_CRASHED, f"pod {_name(pod)}: {status.get('reason', '')} {status.get('message', '')}", final=True
    )


def _name(pod: Object) -> str:
    name: str = pod["metadata"]["name"]
    return name


def condition_time(pod: Object, kind: str) -> datetime | None:
    """When a condition of the pod became true."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == kind and condition["status"] == "True":
            return times.parse(condition.get("lastTransitionTime"))
    return None
