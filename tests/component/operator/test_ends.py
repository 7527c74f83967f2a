"""Ends that nobody planned: a LoadTest that is deleted, a bug of ours, a look that hangs."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from builders import a_stage
from component.operator.theatre import clean, theatre
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import JOB, NETWORK_POLICY, POD, SECRET
from loadtest_operator.handlers.run import act, farewell, reconcile


def without_workers(play: Any) -> None:
    """The garbage collector and the kubelet: what the Job owned goes."""
    pods = play.cluster.objects["/api/v1", "pods"]
    for place in [place for place in pods if place[1].startswith("worker-")]:
        del pods[place]


async def test_deleted_under_load_the_load_stops_and_everything_goes() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(8)
        leaving = asyncio.create_task(farewell.farewell(play.context, play.body))
        while play.cluster.get(JOB, "demo", "test-1-workers"):  # noqa: ASYNC110 - the operator does it
            await asyncio.sleep(0.01)
        without_workers(play)
        await asyncio.wait_for(leaving, 10)

        assert {worker.phase for worker in play.world.workers.values()} == {WorkerPhase.ABORTED}
        assert clean(play.cluster, JOB, SECRET, NETWORK_POLICY)


async def test_deleted_with_a_fault_in_force_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    recovered: list[str] = []

    async def noted(_context: object, _observed: object, _run: object, action: Any) -> None:
        recovered.append(action.fault)

    monkeypatch.setitem(act.PERFORMERS, act.RecoverFault, noted)
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        memory = play.context.memory("uid-of-test")
        assert memory.status is not None
        fault = {"name": "slow", "via": "DelayProxy", "plannedTime": play.now, "result": FaultResult.IN_FORCE}
        memory.status = memory.status.model_validate({**memory.status.model_dump(by_alias=True), "faults": [fault]})
        without_workers(play)
        await asyncio.wait_for(farewell.farewell(play.context, play.body), 10)

    assert recovered == ["slow"]


async def test_a_run_whose_every_look_fails_on_a_bug_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_observed: object) -> Any:
        raise ZeroDivisionError("ours")

    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        monkeypatch.setattr(reconcile, "decide", broken)
        begun = play.now
        status = await play.run(most=10)

        assert (status.verdict, play.now - begun < timedelta(minutes=2)) == (Verdict.ERROR, True)
        assert "ZeroDivisionError: ours" in (status.message or "")
        assert clean(play.cluster, JOB, SECRET)


async def test_one_bug_does_not_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_observed: object) -> Any:
        raise ZeroDivisionError("once")

    async with theatre(a_stage(durationSeconds=60)) as play:
        await play.run(Phase.RUNNING)
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "decide", broken)
            await play.look()
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message


async def test_a_look_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives the lock back: the next look is another chance."""

    async def hanging(*_: object) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(reconcile, "LONGEST_LOOK_SECONDS", 0.05)
    async with theatre() as play:
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "gather", hanging)
            seconds = await asyncio.wait_for(reconcile.reconcile(play.context, play.body), 10)

        assert seconds == reconcile.RETRY_SECONDS
        assert not play.context.memory("uid-of-test").lock.locked()
        assert play.cluster.get(POD, "demo", "web-1")
