"""The worker's one process that is not under load: starts the shards, arms them, keeps what they say.

It merges nothing: deltas are numbered in the order of their arrival and kept packed (`store`), so its memory grows with
the run's seconds, not with its requests, and whoever asks for those after K gets them again after any crash of the
asking side. Each is unpacked once, when it comes, for the store and for whoever adds them up (`on_delta`): a worker its
totals, the command line its tally.

The life of a worker is a table: (phase, event) → phase; what is not in it changes nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
from msgspec import Struct

from loadgen.core.prompts.material import OPEN
from loadgen.model.access import Access
from loadgen.model.errors import WorkerError
from loadgen.model.plan import Plan
from loadgen.model.references import Material
from loadgen.model.wire import FINAL_PHASES, WIRE_VERSION, Delta, WorkerPhase, WorkerState
from loadgen.runtime.clock import monotonic_of, wall_ns
from loadgen.runtime.worker.calibration import NullResponder, NullServer
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
from loadgen.runtime.worker.processes import Newborn, Process, started
from loadgen.runtime.worker.store import Store

SNAPSHOT_BYTES = 4 * 1024 * 1024
_EXIT_SECONDS = 1.0
"""For a shard to go by itself; nobody waits any more for what it could still say."""
_SHARD = "loadgen.runtime.worker.shard"
_decode = msgspec.msgpack.Decoder(Delta).decode


class Event(StrEnum):
    """What moves a worker from phase to phase."""

    READY = "every shard is ready"
    ARMED = "a start time came"
    RUNNING = "second 0 passed"
    DRAINING = "the stages are over"
    DONE = "every shard is done"
    FAILED = "a shard broke"


TRANSITIONS: dict[tuple[WorkerPhase, Event], WorkerPhase] = {
    (WorkerPhase.STARTING, Event.READY): WorkerPhase.READY,
    (WorkerPhase.READY, Event.ARMED): WorkerPhase.ARMED,
    (WorkerPhase.ARMED, Event.RUNNING): WorkerPhase.RUNNING,
    (WorkerPhase.RUNNING, Event.DRAINING): WorkerPhase.DRAINING,
    **{(phase, Event.DONE): WorkerPhase.FINISHED for phase in WorkerPhase if phase not in FINAL_PHASES},
    **{(phase, Event.FAILED): WorkerPhase.FAILED for phase in WorkerPhase if phase not in FINAL_PHASES},
}


class AlreadyArmedError(WorkerError):
    """Another start time was given before."""


class NotReadyError(WorkerError):
    """The shards are not ready, or the run is over."""


class _PackedSnapshot(Struct):
    """Looks like `wire.Snapshot` on the wire; its deltas are never unpacked."""

    version: int
    last: int
    deltas: list[msgspec.Raw]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker does."""

    plan: Plan
    target: str
    worker: int = 0
    workers: int = 1
    shards: int = 1
    calibrate: bool = True
    access: Access = OPEN
    material: Material = field(default_factory=dict, repr=False)
    via: str = ""
    """A proxy before the target, host:port."""


@dataclass(slots=True, eq=False)
class _Link:
    """One shard, from here."""

    process: Process
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader
    ready: bool = False
    done: bool = False
    ceiling: int = 0
    task: "asyncio.Task[None] | None" = None

    def say(self, message: Message) -> None:
        if not self.writer.is_closing():
            self.writer.write(pack(message))


@dataclass(slots=True, eq=False)
class Supervisor:
    """A worker without its network interface."""

    assignment: Assignment
    on_delta: Callable[[Delta], None]
    """Called with each delta as it arrives."""
    phase: WorkerPhase = WorkerPhase.STARTING
    deltas: Store = field(default_factory=Store)
    newborns: list[Newborn] = field(default_factory=list)
    """Processes for its shards that were made before; where they do not suffice, others are started."""
    _links: list[_Link] = field(default_factory=list)
    _start_at: int | None = None
    _late: int | None = None
    _message: str = ""
    _aborted: bool = False
    _null: asyncio.Server | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """The shards begin; they report ready on their own."""
        port = await self._null_server() if self.assignment.calibrate else 0
        plan = self.assignment.plan.model_dump_json().encode()
        for shard in range(self.assignment.shards):
            link = await _linked(self.newborns.pop() if self.newborns else await started(_SHARD))
            link.task = asyncio.create_task(self._listen(link))
            self._links.append(link)
            link.say(
                Setup(
                    plan=plan,
                    target=self.assignment.target,
                    worker=self.assignment.worker,
                    workers=self.assignment.workers,
                    shard=shard,
                    shards=self.assignment.shards,
                    null_port=port,
                    access=self.assignment.access.model_dump_json(exclude_none=True).encode(),
                    material=dict(self.assignment.material),
                    via=self.assignment.via,
                )
            )

    async def _null_server(self) -> int:
        server = NullServer(self.assignment.plan.requests)
        loop = asyncio.get_running_loop()
        self._null = await loop.create_server(lambda: NullResponder(server), "127.0.0.1", 0)
        port = self._null.sockets[0].getsockname()[1]
        return int(port)

    async def _listen(self, link: _Link) -> None:
        """A shard's words, to its end. Whatever breaks here must end the worker: nobody else listens to this shard."""
        try:
            async for message in frames(link.reader):
                if isinstance(message, bytes):
                    self.keep(message)
                else:
                    self._heed(link, message)
        except Exception as error:  # the outermost guard of the task, as in the shard
            self._fail(f"what a shard says could not be taken: {type(error).__name__}: {error}")
            return
        if not link.done:
            self._fail("a shard process ended before its run did (killed? out of memory?)")

    def keep(self, packed: bytes) -> None:
        """A shard's delta."""
        delta = _decode(packed)
        self.deltas.add(packed, delta)
        self.on_delta(delta)

    def _heed(self, link: _Link, message: Message) -> None:
        match message:
            case Ready(ceiling):
                link.ready, link.ceiling = True, ceiling
                if all(one.ready for one in self._links) and len(self._links) == self.assignment.shards:
                    self._close_null()
                    self._move(Event.READY)
            case Running(late):
                self._late = min(late, self._late) if self._late is not None else late
                self._move(Event.RUNNING)
            case Draining():
                self._move(Event.DRAINING)
            case Done():
                link.done = True
                if all(one.done for one in self._links):
                    self._move(Event.DONE)
            case Failed(text):
                self._fail(text)

    def _move(self, event: Event) -> None:
        phase = TRANSITIONS.get((self.phase, event), self.phase)
        self.phase = WorkerPhase.ABORTED if phase is WorkerPhase.FINISHED and self._aborted else phase
        self._changed.set()
        self._changed = asyncio.Event()

    def _fail(self, text: str) -> None:
        if self.phase not in FINAL_PHASES:
            self._message = text
            for link in self._links:
                link.say(Abort())
        self._move(Event.FAILED)

    def _close_null(self) -> None:
        if self._null is not None:
            self._null.close()
            self._null = None

    async def wait_for(self, *phases: WorkerPhase) -> WorkerPhase:
        """Until the worker is in one of these phases or in a final one."""
        while self.phase not in phases and self.phase not in FINAL_PHASES:
            await self._changed.wait()
        return self.phase

    def state(self) -> WorkerState:
        """For the control API."""
        return WorkerState(
            version=WIRE_VERSION,
            worker=self.assignment.worker,
            workers=self.assignment.workers,
            shards=self.assignment.shards,
            phase=self.phase,
            now=wall_ns(),
            last=len(self.deltas),
            start_at=self._start_at,
            started_late_microseconds=self._late or 0,
            message=self._message,
            ceiling_requests_per_second=sum(link.ceiling for link in self._links),
        )

    def arm(self, start_at: int) -> None:
        """Start at this wall time of this machine. The same time again changes nothing."""
        if self._start_at is not None and self._start_at != start_at:
            raise AlreadyArmedError(f"already armed for {self._start_at}; a worker runs once")
        if self._start_at == start_at:
            return
        if self.phase is not WorkerPhase.READY:
            raise NotReadyError(f"the worker is {self.phase}, not Ready")
        self._start_at = start_at
        start_ns = monotonic_of(start_at)
        for link in self._links:
            link.say(Arm(start_ns))
        self._move(Event.ARMED)

    def abort(self, reason: str) -> None:
        """Stop sending now; what is in flight has a second."""
        if self._aborted or self.phase in FINAL_PHASES:
            return
        self._aborted, self._message = True, reason
        for link in self._links:
            link.say(Abort())

    def snapshot(self, after: int) -> bytes:
        """The packed deltas numbered after+1 …, as many as fit."""
        last, size = after, 0
        chosen: list[msgspec.Raw] = []
        for delta in self.deltas.after(after):
            if chosen and size + len(delta) > SNAPSHOT_BYTES:
                break
            chosen.append(msgspec.Raw(delta))
            size += len(delta)
            last += 1
        return msgspec.msgpack.encode(_PackedSnapshot(WIRE_VERSION, last, chosen, last < len(self.deltas)))

    async def close(self) -> None:
        """End the shards: their links close and they stop; one that does not is killed."""
        self._close_null()
        for link in self._links:
            link.done = True
            link.writer.close()
        await asyncio.gather(*(_gone(link) for link in self._links))


async def _linked(newborn: Newborn) -> _Link:
    reader, writer = await asyncio.open_unix_connection(sock=newborn.link)
    return _Link(newborn.process, writer, reader)


async def _gone(link: _Link) -> None:
    try:
        await asyncio.wait_for(link.process.wait(), _EXIT_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            link.process.kill()
        await link.process.wait()
    if link.task is not None:
        link.task.cancel()
        await asyncio.gather(link.task, return_exceptions=True)
