"""A shard: one process, one event loop, one segment of the load.

A fork of its worker, or `python -m loadgen.runtime.worker.shard FD`; either way one end of a socket pair is its only link to the
world besides the target. When the supervisor is gone the shard stops: there is nobody left to report to, and no load may
outlive its worker.
"""

import asyncio
import contextlib
import resource
import signal
import socket
import sys

import uvloop

from loadgen.core.schedule.segment import Segment
from loadgen.model.access import Access
from loadgen.model.errors import LoadgenError
from loadgen.model.plan import Plan
from loadgen.model.wire import Delta
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.target import Target
from loadgen.runtime.pacing.run import Run
from loadgen.runtime.worker.calibration import ceiling
from loadgen.runtime.worker.messages import (
    Abort,
    Arm,
    Done,
    Draining,
    Failed,
    Message,
    Ready,
    Running,
    Setup,
    frames,
    pack,
)


class Shard:
    """The far end of a supervisor's link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._run: Run | None = None
        self._playing: asyncio.Task[None] | None = None

    def _say(self, message: Message | Delta) -> None:
        self._writer.write(pack(message))

    async def serve(self) -> None:
        """Until the supervisor is gone."""
        async for message in frames(self._reader):
            try:
                await self._obey(message)
            except (LoadgenError, OSError) as error:
                self._say(Failed(str(error)))
        if self._playing is not None:
            self._playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._playing

    async def _obey(self, message: Message | bytes) -> None:
        match message:
            case Setup():
                await self._set_up(message)
            case Arm(start_ns) if self._run is not None and self._playing is None:
                self._playing = asyncio.create_task(self._play(self._run, start_ns))
            case Abort() if self._run is not None and self._playing is not None:
                self._run.abort()
            case Abort():
                self._say(Done())

    async def _set_up(self, setup: Setup) -> None:
        plan = Plan.model_validate_json(setup.plan)
        segment = Segment.of(setup.worker, setup.workers, setup.shard, setup.shards)
        access = Access.model_validate_json(setup.access)
        target = Target.parse(setup.target, access, setup.material, setup.via)
        measured = await ceiling(plan, setup.null_port, setup.material) if setup.null_port else 0
        self._run = Run(plan, segment, setup.worker, setup.shard, target, setup.material)
        self._say(Ready(measured))

    async def _play(self, run: Run, start_ns: int) -> None:
        try:
            await asyncio.sleep(max(0.0, (start_ns - monotonic_ns()) / SECOND - 0.2))
            self._say(Running(max(0, monotonic_ns() - start_ns) // 1000))
            await run.play(start_ns, self._say, lambda: self._say(Draining()))
            self._say(Done())
        except Exception as error:  # the outermost guard of the task: the supervisor must learn of it
            self._say(Failed(f"shard broke: {type(error).__name__}: {error}"))
            raise


def run(link: socket.socket) -> None:
    """Until the supervisor at the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C and SIGTERM are the supervisor's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_main(link))


async def _main(link: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=link)
    await Shard(reader, writer).serve()


if __name__ == "__main__":
    run(socket.socket(fileno=int(sys.argv[1])))
