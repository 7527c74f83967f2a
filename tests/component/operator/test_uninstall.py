"""The operator is taken out: in the middle of a run, before one, and with what it cannot read. Nothing may keep an object."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from builders import a_stage
from component.operator.theatre import Theatre, clean, theatre
from fakes.kube import Object
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.meta import FINALIZER, ConditionStatus, ConditionType
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import (
    JOB,
    LOAD_TEST,
    LOAD_TEST_SCHEDULE,
    LOAD_TEST_SWEEP,
    NETWORK_POLICY,
    SECRET,
    Kind,
)
from loadtest_operator.handlers import uninstall

FAULT = {"name": "slow", "startInStage": "hold", "startAfterSeconds": 2, "durationSeconds": 100}
DELAY: Object = {**FAULT, "networkDelay": {"latencyMilliseconds": 300}}


def held(play: Theatre, kind: Kind, body: Object) -> None:
    """As kopf leaves it, with somebody else's finalizer beside."""
    play.cluster.put(kind, {**body, "metadata": {**body["metadata"], "finalizers": ["a.example/b", FINALIZER]}})


def finalizers(play: Theatre, kind: Kind, name: str) -> Any:
    found = play.cluster.get(kind, "demo", name)
    assert found is not None
    return found["metadata"]["finalizers"]


async def taken_out(play: Theatre) -> list[str]:
    """By a process that knows nothing yet; the kubelet and the garbage collector do their part."""
    play.operator_starts()
    leaving = asyncio.create_task(uninstall.uninstall(play.context))
    pods = play.cluster.objects["/api/v1", "pods"]
    while not leaving.done():
        await asyncio.sleep(0.02)
        if not play.cluster.get(JOB, "demo", "test-1-workers"):
            for place in [place for place in pods if place[1].startswith("worker-")]:
                del pods[place]
    return leaving.result()


@asynccontextmanager
async def under_load(**changes: Any) -> AsyncIterator[Theatre]:
    async with theatre(a_stage(name="hold", durationSeconds=120), **changes) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(8)
        held(play, LOAD_TEST, play.body)
        yield play


async def test_a_run_with_a_fault_in_force_ends_and_is_not_known() -> None:
    async with under_load(faults=[DELAY]) as play:
        assert play.world.proxy is not None
        assert play.world.proxy.readings["slow"].gone is None, "the fault is not in force"
        problems = await asyncio.wait_for(taken_out(play), 20)

        assert problems == []
        assert {worker.phase for worker in play.world.workers.values()} == {WorkerPhase.ABORTED}
        assert play.world.proxy.readings["slow"].gone is not None
        assert clean(play.cluster, JOB, SECRET, NETWORK_POLICY)
        assert finalizers(play, LOAD_TEST, "test") == ["a.example/b"]
        status = play.status
        assert (status.phase, status.verdict) == (Phase.FINISHED, Verdict.INCONCLUSIVE)
        assert "uninstalled in the middle of the run" in (status.message or "")
        said = {each.type: each.status for each in status.conditions}
        assert (said[ConditionType.FINISHED], said[ConditionType.STALLED]) == (
            ConditionStatus.TRUE, ConditionStatus.FALSE,
        )  # fmt: skip


async def test_what_has_not_begun_stays_as_it_was_asked_for() -> None:
    """An operator that is installed again runs it."""
    async with theatre() as play:
        held(play, LOAD_TEST, play.body)
        held(play, LOAD_TEST_SCHEDULE, {"metadata": {"name": "nightly", "namespace": "demo"}})
        sweep = {"metadata": {"name": "knee", "namespace": "demo"}, "status": {"phase": "Running"}}
        held(play, LOAD_TEST_SWEEP, sweep)
        problems = await taken_out(play)

        assert problems == []
        assert finalizers(play, LOAD_TEST_SWEEP, "knee") == ["a.example/b"]
        assert finalizers(play, LOAD_TEST, "test") == ["a.example/b"]
        assert finalizers(play, LOAD_TEST_SCHEDULE, "nightly") == ["a.example/b"]
        assert play.body.get("status") is None


async def test_a_status_that_nobody_can_read_keeps_no_finalizer_and_no_load() -> None:
    async with under_load() as play:
        odd = {**play.body, "status": {**play.body["status"], "scaling": {"replicas": "many"}}}
        play.cluster.put(LOAD_TEST, odd)
        problems = await asyncio.wait_for(taken_out(play), 20)

        assert problems == []
        assert finalizers(play, LOAD_TEST, "test") == ["a.example/b"]
        assert clean(play.cluster, JOB)


async def test_a_finalizer_that_stays_is_named() -> None:
    async with theatre() as play:
        held(play, LOAD_TEST, play.body)
        play.cluster.trouble = lambda request: 403 if request.method == "PATCH" else None
        (problem,) = await taken_out(play)

        assert problem.startswith(f"LoadTest demo/test keeps its finalizer {FINALIZER}: ")
        assert "trouble on demand" in problem
