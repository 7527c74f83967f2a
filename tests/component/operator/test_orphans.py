"""What faults have left is removed by an operator that knows nothing of it, and what is in use is left alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from builders import a_stage
from component.operator.theatre import PROXY, Theatre, theatre
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import LOAD_TEST, POD
from loadtest_operator.handlers import orphans

FAULT = {
    "name": "slow", "startInStage": "peak", "durationSeconds": 20, "networkDelay": {"latencyMilliseconds": 300},
}  # fmt: skip


@pytest.fixture
async def play() -> AsyncIterator[Theatre]:
    """A run whose proxy stands in the load's way."""
    async with theatre(a_stage(durationSeconds=60), faults=[FAULT]) as play:
        await play.run(Phase.RUNNING)
        yield play


def told(play: Theatre) -> list[str]:
    return [event["message"] for _, event in play.cluster.objects.get(("/api/v1", "events"), {}).items()
            if event["reason"] == "FaultOrphan"]  # fmt: skip


def stored(play: Theatre, **status: Any) -> None:
    """The LoadTest as somebody else left it."""
    body = play.cluster.get(LOAD_TEST, "demo", "test")
    assert body is not None
    play.cluster.put(LOAD_TEST, {**body, "status": {**body["status"], **status}})


async def test_a_run_that_goes_on_keeps_its_proxy(play: Theatre) -> None:
    assert await orphans.sweep(play.context) == 0
    assert play.cluster.get(POD, "demo", PROXY) is not None
    assert told(play) == []


FORGOTTEN: dict[str, dict[str, Any]] = {
    "the run is over": {"phase": "Finished"},
    "another run goes on": {"run": {"number": 2}},
    "a next run waits": {"phase": "Pending"},
}


@pytest.mark.parametrize("status", FORGOTTEN.values(), ids=FORGOTTEN)
async def test_a_proxy_of_no_run_that_goes_on_goes(play: Theatre, status: dict[str, Any]) -> None:
    """In the first sweep, by an operator that has never seen the LoadTest, with an Event about it."""
    play.operator_starts()
    stored(play, **status)

    assert await orphans.sweep(play.context) == 0
    assert play.cluster.get(POD, "demo", PROXY) is None
    assert told(play) == [f"Pod {PROXY}, which made faults for run 1, was left behind and has been removed"]


async def test_a_proxy_whose_load_test_is_gone_goes(play: Theatre) -> None:
    """Also where its owner reference does not lead Kubernetes to it."""
    del play.cluster.objects["/apis/loadtest.dev/v1alpha1", "loadtests"]["demo", "test"]

    assert await orphans.sweep(play.context) == 0
    assert play.cluster.get(POD, "demo", PROXY) is None


async def test_what_cannot_be_removed_is_counted_and_said_how_to_remove(play: Theatre) -> None:
    stored(play, phase="Finished")
    play.cluster.trouble = lambda request: 403 if request.method == "DELETE" else None

    assert await orphans.sweep(play.context) == 1
    (message,) = told(play)
    assert message.endswith(f"kubectl delete pods {PROXY} -n demo")
    assert "could not be removed" in message


async def test_a_pod_with_our_label_that_is_not_ours_is_left_alone(play: Theatre) -> None:
    """Somebody else's, whatever they have written on it."""
    proxy = play.cluster.get(POD, "demo", PROXY)
    assert proxy is not None
    labels = proxy["metadata"]["labels"]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "x"}
    for name, owners in {"bare": [], "owned": [owner]}.items():
        metadata = {"name": name, "namespace": "demo", "labels": labels, "ownerReferences": owners}
        play.cluster.put(POD, {"metadata": metadata, "spec": {}})

    assert await orphans.sweep(play.context) == 0
    assert play.cluster.get(POD, "demo", "bare") is not None
    assert play.cluster.get(POD, "demo", "owned") is not None
