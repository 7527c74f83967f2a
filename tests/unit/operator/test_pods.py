"""What is wrong with a pod, in words."""

from typing import Any

import pytest

from builders import a_pod
from loadtest_operator.core.fleet import pods


def waiting(reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "why"}}}]}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"containerStatuses": [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]}


UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "Insufficient nvidia.com/gpu"}]}

TROUBLES = {
    "an image that is not there": (waiting("ErrImagePull"), "ImagePullError", False),
    "an image that may not be pulled": (waiting("ErrImageNeverPull"), "ImagePullError", True),
    "a name that is no image": (waiting("InvalidImageName"), "ImagePullError", True),
    "a missing Secret": (waiting("CreateContainerConfigError"), "ContainerError", False),
    "no node": (UNSCHEDULED, "Unschedulable", False),
    "out of memory": (ended(137, "OOMKilled"), "OOMKilled", True),
    "a crash": (ended(1), "WorkerCrashed", True),
    "an eviction": ({"phase": "Failed", "reason": "Evicted"}, "WorkerCrashed", True),
}


@pytest.mark.parametrize(("status", "reason", "final"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_named(status: dict[str, Any], reason: str, final: bool) -> None:
    problem = pods.problem_of(a_pod(**status))

    assert problem is not None
    assert (problem.reason.name, problem.final) == (reason, final)


@pytest.mark.parametrize("status", [waiting("ContainerCreating"), ended(0), {}], ids=["starting", "done", "new"])
def test_no_trouble(status: dict[str, Any]) -> None:
    assert pods.problem_of(a_pod(**status)) is None


def test_the_scheduler_is_quoted() -> None:
    problem = pods.problem_of(a_pod(**UNSCHEDULED))

    assert problem is not None
    assert "Insufficient nvidia.com/gpu" in problem.message


def test_of_two_pods_with_one_index_the_living_one_counts() -> None:
    dead, alive = pods.WorkerPod(0, "a", phase="Failed"), pods.WorkerPod(0, "b", phase="Running")

    assert pods.newest_by_index([alive, dead]) == (alive,)
    assert pods.newest_by_index([dead, alive]) == (alive,)
