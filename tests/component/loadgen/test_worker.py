"""A worker process from outside: the control API that the operator uses, and every way to end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientConnectionError, ClientSession
from plans import PAGE, a_plan
from servers import OK, Script, answering, serving, slowly

from fakes.bad import unused_port
from fakes.processes import stopped
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Plan
from loadgen.model.wire import Delta, Snapshot, WorkerPhase
from loadgen.runtime.worker.supervisor import Assignment, Supervisor

GRACE_SECONDS = 5
"""What the operator gives a pod that is deleted."""


@dataclass
class Worker:
    """A running worker and a client of its API."""

    process: asyncio.subprocess.Process
    session: ClientSession
    plan: Plan
    port: int
    metrics_url: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, path, json=body) as answer:
            return answer.status, await answer.json()

    async def reach(self, *phases: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                try:
                    state: dict[str, Any] = (await self.call("GET", "/v1/state"))[1]
                    if state["phase"] in phases:
                        return state
                except ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)

    async def start(self) -> int:
        at = time.time_ns() + 300_000_000
        assert (await self.call("POST", "/v1/start", {"startAt": at}))[0] == 200
        return at

    async def deltas(self, after: int = 0) -> Snapshot:
        async with self.session.get("/v1/deltas", params={"after": after}) as answer:
            return msgspec.msgpack.decode(await answer.read(), type=Snapshot)

    async def line(self) -> str:
        """The next of its log."""
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode()

    async def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in (await asyncio.to_thread(path.read_text)).split()]

    async def exited(self) -> str:
        output, _ = await asyncio.wait_for(self.process.communicate(), 20)
        assert self.process.returncode == 0
        return output.decode()


@asynccontextmanager
async def working(plan: Plan, url: str, folder: Path, **environment: str) -> AsyncIterator[Worker]:
    """A worker with two shards, ready."""
    (folder / "plan.json").write_text(plan.model_dump_json())
    (folder / "token").write_text("secret\n")
    port, metrics_port = unused_port(), unused_port()
    variables = {
        "LOADTEST_PLAN": str(folder / "plan.json"),
        "LOADTEST_TOKEN_FILE": str(folder / "token"),
        "LOADTEST_TARGET": url,
        "LOADTEST_PORT": str(port),
        "LOADTEST_METRICS_PORT": str(metrics_port),
        "LOADTEST_SHARDS": "2",
        "LOADTEST_CALIBRATE": "0",
        "LOADTEST_NAMESPACE": "shop",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadgen",
        "worker",
        env=os.environ | variables | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    headers = {"Authorization": "Bearer secret"}
    try:
        async with ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            worker = Worker(process, session, plan, port, f"http://127.0.0.1:{metrics_port}")
            await worker.reach("Ready")
            yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def loaded(script: Script, folder: Path) -> AsyncIterator[Worker]:
    """A worker in the midst of ten minutes of load."""
    plan = a_plan(PAGE, {"arrivalRate": 50, "durationSeconds": 600})
    async with serving(script) as url, working(plan, url, folder) as worker:
        await worker.start()
        await worker.reach("Running")
        yield worker


async def test_a_run_from_ready_to_release(tmp_path: Path) -> None:
    """Start twice, follow, collect twice, release."""
    async with serving(answering(OK)) as url, working(a_plan(PAGE, {"arrivalRate": 100}), url, tmp_path) as worker:
        at = await worker.start()
        again = await worker.call("POST", "/v1/start", {"startAt": at})
        other = await worker.call("POST", "/v1/start", {"startAt": at + 1})
        state = await worker.reach("Finished")
        first, second = await worker.deltas(), await worker.deltas()
        newer = await worker.deltas(first.last)
        async with ClientSession(worker.metrics_url) as nobody, nobody.get("/metrics") as answer:
            metrics = await answer.text()
        assert (await worker.call("POST", "/v1/release"))[0] == 200
        output = await worker.exited()

    assert again[0] == 200
    assert other[0] == 409
    assert state["startAt"] == at
    assert state["last"] == first.last == newer.last
    assert (first.deltas == second.deltas, newer.deltas) == (True, [])
    assert {delta.shard for delta in first.deltas} == {0, 1}
    tally = Tally(worker.plan)
    for delta in first.deltas:
        tally.add(delta)
    assert tally.select().counts.succeeded == 100
    assert 'outcome="Succeeded",request="page",run="",stage="stage-0"} 100.0' in metrics
    assert 'namespace="shop"' in metrics
    assert output == ""


async def test_nobody_gets_in_without_the_token(tmp_path: Path) -> None:
    """Only /healthz is open; the metrics port knows nothing else; the token is on no command line."""
    async with serving(answering(OK)) as url, working(a_plan(PAGE, {"arrivalRate": 1}), url, tmp_path) as worker:
        wrong = {"Authorization": "Bearer wrong"}
        for method, path in (
            ("GET", "/v1/state"),
            ("POST", "/v1/start"),
            ("GET", "/v1/deltas"),
            ("POST", "/v1/release"),
        ):
            async with worker.session.request(method, path, headers=wrong) as answer:
                assert answer.status == 401
        async with worker.session.get("/healthz", headers=wrong) as answer:
            assert answer.status == 200
        async with worker.session.get("/metrics", headers=wrong) as answer:
            assert answer.status == 401
        async with ClientSession(worker.metrics_url) as nobody:
            for path in ("/v1/state", "/v1/deltas", "/healthz"):
                async with nobody.get(path) as answer:
                    assert answer.status == 404
        command = await asyncio.to_thread(Path(f"/proc/{worker.process.pid}/cmdline").read_text)

    assert "secret" not in command.partition("\0")[2]  # the interpreter's own path may have the word


@pytest.mark.parametrize("body", [{"startAt": "soon"}, {}, {"startAt": 1, "more": 2}])
async def test_bad_orders_are_refused(body: dict[str, Any], tmp_path: Path) -> None:
    """400 and a sentence; the worker lives on."""
    async with serving(answering(OK)) as url, working(a_plan(PAGE, {"arrivalRate": 1}), url, tmp_path) as worker:
        status, answer = await worker.call("POST", "/v1/start", body)

        assert status == 400
        assert answer["error"]
        await worker.reach("Ready")


async def test_abort(tmp_path: Path) -> None:
    """Stops sending at once; complete deltas; the reason is in the state."""
    async with loaded(answering(OK), tmp_path) as worker:
        await asyncio.sleep(0.5)
        await worker.call("POST", "/v1/abort", {"reason": "enough"})
        state = await worker.reach("Aborted")

    assert state["message"] == "enough"


@pytest.mark.parametrize("end", ["deadline", "SIGTERM"])
async def test_a_worker_that_nobody_collects_says_what_it_measured(end: str, tmp_path: Path) -> None:
    """Exit 0 and one line of JSON as the last line of the log, with what hung in flight as incomplete."""
    plan = a_plan(PAGE, {"arrivalRate": 50}, {"arrivalRate": 1, "durationSeconds": 600})
    deadline = {"LOADTEST_DEADLINE_SECONDS": "15"} if end == "deadline" else {}
    async with serving(slowly(0.01)) as url, working(plan, url, tmp_path, **deadline) as worker:
        await worker.start()
        await worker.reach("Running")
        await asyncio.sleep(1.5)
        if end == "SIGTERM":
            worker.process.send_signal(signal.SIGTERM)
        report = json.loads((await worker.exited()).splitlines()[-1])

    assert report["phase"] == "Aborted"
    succeeded = report["stages"]["stage-0"]["succeeded"]
    assert succeeded == 50 if end == "SIGTERM" else 0 < succeeded <= 50  # the deadline counts from the process's start
    assert report["stages"]["stage-0"]["ResponseTimeMilliseconds"]["p50"] >= 10


async def test_told_to_end_it_speaks_before_it_is_collected(tmp_path: Path) -> None:
    """Who collects may be gone any moment, and the pod too; a last collection is possible all the same."""
    async with loaded(answering(OK), tmp_path) as worker:
        await asyncio.sleep(1.5)
        worker.process.send_signal(signal.SIGTERM)
        await worker.reach("Aborted")
        collected = await worker.deltas()
        await worker.call("POST", "/v1/release")
        report = json.loads(await worker.exited())

    tally = Tally(worker.plan)
    for delta in collected.deltas:
        tally.add(delta)
    assert report["stages"]["stage-0"]["succeeded"] == tally.select().counts.succeeded > 0


async def test_a_worker_that_nobody_collects_is_gone_within_its_pods_grace(tmp_path: Path) -> None:
    """Also with an answer in flight that never comes."""
    async with loaded(slowly(60), tmp_path) as worker:
        await asyncio.sleep(0.5)
        async with asyncio.timeout(GRACE_SECONDS):
            worker.process.send_signal(signal.SIGTERM)
            output = await worker.exited()

    assert json.loads(output)["stages"]["stage-0"]["incomplete"] > 0


async def test_shards_that_stand_still_do_not_keep_their_worker_from_speaking(tmp_path: Path) -> None:
    """It says within the pod's grace what it has until then."""
    async with loaded(answering(OK), tmp_path) as worker:
        await asyncio.sleep(1.5)
        with stopped(await worker.children()):
            async with asyncio.timeout(GRACE_SECONDS):
                worker.process.send_signal(signal.SIGTERM)
                line = await worker.line()
            await worker.exited()

    assert json.loads(line)["stages"]["stage-0"]["succeeded"] > 0


@asynccontextmanager
async def half_an_order(worker: Worker) -> AsyncIterator[None]:
    """The rest never comes."""
    _, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(b"POST /v1/abort HTTP/1.1\r\nHost: w\r\nAuthorization: Bearer secret\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    await worker.reach("Ready")
    try:
        yield
    finally:
        writer.transport.abort()
        await asyncio.sleep(0.01)  # closings take a turn of the loop


async def test_half_an_order_does_not_hold_a_worker_that_ends(tmp_path: Path) -> None:
    """Whoever is in the middle of saying something does not get a minute to finish."""
    async with (
        serving(answering(OK)) as url,
        working(a_plan(PAGE, {"arrivalRate": 1}), url, tmp_path) as worker,
        half_an_order(worker),
    ):
        await worker.call("POST", "/v1/release")
        await worker.exited()


async def test_what_breaks_while_a_shard_is_listened_to_ends_the_worker() -> None:
    """Nobody else listens to that shard: a worker that lived on would never be done."""

    def breaking(_delta: Delta) -> None:
        raise KeyError("no such second")

    async with serving(answering(OK)) as url:
        supervisor = Supervisor(Assignment(a_plan(PAGE, {"arrivalRate": 5}), url, calibrate=False), breaking)
        try:
            await supervisor.start()
            await supervisor.wait_for(WorkerPhase.READY)
            supervisor.arm(time.time_ns())
            async with asyncio.timeout(30):
                phase = await supervisor.wait_for()
        finally:
            await supervisor.close()

    assert phase is WorkerPhase.FAILED
    assert "no such second" in supervisor.state().message
