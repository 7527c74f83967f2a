"""A worker pod's main process: environment in, control API up, load on command, out by the deadline whatever happens.

Nobody needs to be alive for a worker to end: at its deadline it stops the load, and whenever it ends without having
been released it prints what it measured as the last line of its log. Told to end, it does so as soon as the load has
stopped, before anything that may take time: the pod's grace is five seconds, and what is not said by then is never said.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from loadgen.core.schedule.shards import shards
from loadgen.core.stats.tally import Totals
from loadgen.model.access import Access
from loadgen.model.errors import ExitCode, InvalidPlanError
from loadgen.model.plan import Plan
from loadgen.model.wire import FINAL_PHASES, WorkerPhase
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.recording.cgroup import Cgroup
from loadgen.runtime.worker import folder, processes, shard
from loadgen.runtime.worker.control import Control, read_token
from loadgen.runtime.worker.exporter import Exporter
from loadgen.runtime.worker.final import final_line
from loadgen.runtime.worker.processes import Newborn
from loadgen.runtime.worker.supervisor import Assignment, Supervisor

STOP_SECONDS = 3.0
"""After SIGTERM or the deadline: for the shards to finish, which takes them one, and for a last collection."""
CLOSE_SECONDS = 0.5
"""For whoever is in the middle of a request when the ports close."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator put into the environment."""

    assignment: Assignment
    token_file: str
    port: int
    metrics_port: int
    deadline_seconds: float

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables of the contract."""
        plan = read_plan(environment.get("LOADTEST_PLAN", "/etc/loadtest/plan.json"))
        workers, cgroup = int(environment.get("LOADTEST_WORKERS") or 1), Cgroup()
        fitting = shards(plan, workers, cgroup.cores(), cgroup.memory_bytes())
        access = Access.model_validate_json(environment.get("LOADTEST_ACCESS") or "{}")
        assignment = Assignment(
            plan=plan,
            target=_required(environment, "LOADTEST_TARGET"),
            worker=int(environment.get("JOB_COMPLETION_INDEX") or 0),
            workers=workers,
            shards=int(environment.get("LOADTEST_SHARDS") or 0) or fitting,
            calibrate=environment.get("LOADTEST_CALIBRATE", "1") != "0",
            access=access,
            material=folder.mounted(plan, access, Path(environment.get("LOADTEST_DATA", "/etc/loadtest/data"))),
            via=environment.get("LOADTEST_VIA", ""),
        )
        return cls(
            assignment=assignment,
            token_file=environment.get("LOADTEST_TOKEN_FILE", "/etc/loadtest/token"),
            port=int(environment.get("LOADTEST_PORT") or 8090),
            metrics_port=int(environment.get("LOADTEST_METRICS_PORT") or 8092),
            deadline_seconds=float(environment.get("LOADTEST_DEADLINE_SECONDS") or 86400),
        )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise InvalidPlanError([f"environment variable {name} is not set"])
    return value


def read_plan(path: str) -> Plan:
    """The plan, as JSON."""
    try:
        return Plan.model_validate_json(Path(path).read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidPlanError([f"plan {path}: {error}"]) from error


class Worker:
    """Supervisor, control API and the three reasons to end."""

    def __init__(self, settings: Settings, shards: list[Newborn]) -> None:
        self._settings = settings
        self._born = monotonic_ns()
        self._totals = Totals()
        self._supervisor = Supervisor(settings.assignment, self._totals.add, newborns=shards)
        self._released = asyncio.Event()
        self._terminated = asyncio.Event()
        self._exporter = Exporter(self._supervisor, self._totals)
        self._control = Control(self._supervisor, self._released.set)

    async def main(self) -> None:
        """Until released, terminated or past the deadline."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, self._terminated.set)
        async with contextlib.AsyncExitStack() as stack:
            control = self._control.application(read_token(self._settings.token_file))
            await _serve(stack, control, self._settings.port)
            await _serve(stack, self._exporter.application(), self._settings.metrics_port)
            stack.push_async_callback(self._supervisor.close)
            await self._supervisor.start()
            await self._live()

    async def _live(self) -> None:
        left = self._settings.deadline_seconds - (monotonic_ns() - self._born) / SECOND
        ended = await _first(left, self._released, self._terminated)
        if ended is self._released:
            return
        self._supervisor.abort("terminated" if ended is self._terminated else "the worker's deadline has passed")
        stop = monotonic_ns() + int(STOP_SECONDS * SECOND)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._supervisor.wait_for(*FINAL_PHASES)
        if not self._released.is_set():
            sys.stdout.write(final_line(self._supervisor, self._totals) + "\n")
            sys.stdout.flush()
        if ended is self._terminated and self._supervisor.phase is not WorkerPhase.FAILED:
            await self._collected(stop)

    async def _collected(self, until_ns: int) -> None:
        """Until somebody has fetched the last delta, or released."""
        event = self._control.collected(len(self._supervisor.deltas))
        await _first((until_ns - monotonic_ns()) / SECOND, event, self._released)


async def _serve(stack: contextlib.AsyncExitStack, application: web.Application, port: int) -> None:
    """Until the stack is left."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, port=port).start()


async def _first(seconds: float, *events: asyncio.Event) -> asyncio.Event | None:
    """The event that came first, or None when the time is up."""
    waits = {asyncio.ensure_future(_set(event)): event for event in events}
    done, pending = await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
    return waits[done.pop()] if done else None


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def main() -> int:
    """`python -m loadgen worker`."""
    try:
        settings = Settings.of(os.environ)
    except InvalidPlanError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    asyncio.run(_main(settings, processes.forked(settings.assignment.shards, shard.run)))
    return ExitCode.PASSED


async def _main(settings: Settings, shards: list[Newborn]) -> None:
    await Worker(settings, shards).main()
