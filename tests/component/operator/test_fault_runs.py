"""Runs with faults through the whole operator: what gather sees, what act orders, what is left behind."""

import asyncio
from datetime import timedelta
from typing import Any

from builders import a_stage
from component.operator.theatre import PROXY, Theatre, clean, theatre
from loadgen.model.report import Verdict
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import JOB, LOAD_TEST, NETWORK_POLICY, POD, SERVICE
from loadtest_operator.handlers.run import farewell


def a_fault(name: str, start: int, seconds: int) -> dict[str, Any]:
    delay = {"latencyMilliseconds": 300}
    return {
        "name": name, "startInStage": "peak", "startAfterSeconds": start, "durationSeconds": seconds, "networkDelay": delay,
    }  # fmt: skip


async def load_until(play: Theatre, second: float) -> None:
    await play.run(Phase.RUNNING)
    start = play.status.run.load_start_time
    assert start is not None
    await play.run_for((start - play.now).total_seconds() + second)


def without_workers(play: Theatre) -> None:
    """The garbage collector and the kubelet."""
    pods = play.cluster.objects["/api/v1", "pods"]
    for place in [place for place in pods if place[1].startswith("worker-")]:
        del pods[place]


async def test_two_faults_that_adjoin_and_one_that_overlaps() -> None:
    """Each for its own time; afterwards nothing of the proxy is left."""
    faults = [a_fault("a", 2, 6), a_fault("b", 8, 12), a_fault("c", 10, 4)]
    async with theatre(a_stage(durationSeconds=30), faults=faults) as play:
        status = await play.run()

        assert status.verdict is Verdict.PASSED, status.message
        assert [fault.result for fault in status.faults] == [FaultResult.RECOVERED] * 3
        lengths = [fault.recovered_time - fault.injected_time for fault in status.faults]  # type: ignore[operator]
        assert lengths == [timedelta(seconds=6), timedelta(seconds=12), timedelta(seconds=4)]
        assert play.cluster.get(POD, "demo", PROXY) is None
        assert play.cluster.get(SERVICE, "demo", PROXY) is None


async def test_an_operator_that_starts_in_a_fault_goes_on_with_it() -> None:
    """It knows the fault by the status and the proxy, and pulls the proxy's own record anew."""
    async with theatre(a_stage(durationSeconds=30), faults=[a_fault("a", 2, 12)]) as play:
        await load_until(play, 6)
        play.operator_starts()
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert status.faults[0].result is FaultResult.RECOVERED


async def test_aborted_with_the_proxy_deleted_it_ends_at_once() -> None:
    """Not after the fault's 300 s, and not in Error."""
    async with theatre(a_stage(durationSeconds=600), faults=[a_fault("a", 2, 300)]) as play:
        await load_until(play, 8)
        del play.cluster.objects["/api/v1", "pods"]["demo", PROXY]
        play.cluster.put(LOAD_TEST, {**play.body, "spec": {**play.body["spec"], "abort": True}})
        stopped = play.now
        status = await play.run()

    assert status.verdict is Verdict.ABORTED, status.message
    assert status.run.completion_time is not None
    assert status.run.completion_time - stopped < timedelta(seconds=15)
    assert status.run.load_end_time is not None
    assert status.run.load_end_time - stopped < timedelta(seconds=12)


async def test_aborted_with_worker_and_proxy_frozen_it_ends_at_once() -> None:
    """Nobody is left who could be told: what does not listen is taken away."""
    async with theatre(a_stage(durationSeconds=600), faults=[a_fault("a", 2, 300)]) as play:
        await load_until(play, 8)
        play.frozen = {PROXY, "worker-0"}
        play.cluster.put(LOAD_TEST, {**play.body, "spec": {**play.body["spec"], "abort": True}})
        stopped = play.now
        status = await play.run()

        assert status.verdict is Verdict.ABORTED, status.message
        assert status.faults[0].result is FaultResult.RECOVERED
        assert status.run.completion_time is not None
        assert status.run.completion_time - stopped <= timedelta(seconds=3)
        assert play.cluster.get(POD, "demo", PROXY) is None
        assert play.cluster.get(JOB, "demo", "test-1-workers") is None


async def test_a_proxy_that_is_deleted_ends_the_run_inconclusive() -> None:
    """After its fault, in the middle of the load."""
    async with theatre(a_stage(durationSeconds=60), faults=[a_fault("a", 2, 4)]) as play:
        await load_until(play, 20)
        del play.cluster.objects["/api/v1", "pods"]["demo", PROXY]
        play.world.errors_percent, play.world.errors_in = 100, range(20, 60)
        lost = play.now
        status = await play.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "the delay proxy was lost: its pod is gone" in (status.message or "")
    assert status.run.completion_time is not None
    assert status.run.completion_time - lost < timedelta(seconds=20)


async def test_deleted_with_a_fault_in_force_it_is_taken_back_first() -> None:
    """Then the proxy goes, with all that is the run's."""
    async with theatre(a_stage(durationSeconds=120), faults=[a_fault("a", 2, 100)]) as play:
        await load_until(play, 8)
        proxy = play.world.proxy
        leaving = asyncio.create_task(farewell.farewell(play.context, play.body))
        while play.cluster.get(JOB, "demo", "test-1-workers"):  # noqa: ASYNC110 - the operator does it
            await asyncio.sleep(0.01)
        without_workers(play)
        await asyncio.wait_for(leaving, 10)

        assert proxy is not None
        assert proxy.readings["a"].gone is not None
        assert play.cluster.get(POD, "demo", PROXY) is None
        assert clean(play.cluster, NETWORK_POLICY)
