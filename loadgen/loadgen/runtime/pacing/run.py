"""One shard's run: from an armed start over all stages to the last outcome, a delta a second.

There is one time axis: open arrivals and slot spans are offsets from second 0, so stages follow each other without a
gap. After the last stage nothing starts any more; what is in flight may finish within the graceful stop, the rest is
incomplete.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator

from loadgen.core.schedule.arrivals import schedule
from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.wire import Cell, Delta, Pulse
from loadgen.runtime.clock import MILLISECOND, SECOND, monotonic_ns
from loadgen.runtime.http.client import client
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.pacing.alarm import alarm
from loadgen.runtime.pacing.executor import Executor
from loadgen.runtime.pacing.pacer import Batch, Pacer
from loadgen.runtime.pacing.slots import Slot
from loadgen.runtime.recording.meter import Meter, Probe
from loadgen.runtime.recording.recorder import Recorder
from loadgen.runtime.recording.steps import Aside, Steps, finish

ABORT_GRACE_SECONDS = 1.0
CATCH_UP_SECONDS = 5.0
_EMIT_AFTER_NS = 2 * MILLISECOND
"""Past the second's end, so that its last events are in."""


class Run:
    """Everything one shard needs for one run."""

    def __init__(
        self,
        plan: Plan,
        segment: Segment,
        worker: int,
        shard: int,
        target: Target,
        material: Material = NO_MATERIAL,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._plan, self._worker, self._shard = plan, worker, shard
        self._recorder = Recorder(plan)
        self._meter = Meter(watch_throttling=shard == 0)
        sent = kinds(plan, segment, target, self._meter, material)
        self._executor = Executor(plan, segment, sent, self._recorder, self._meter)
        self._pool = self._executor.pool = client(plan, target, self._executor, sent)
        self._pacers = [
            Pacer(loop, _batches(plan, segment), self._executor.arrive),
            Pacer(loop, iter([Slot.wakes(self._executor.slots)]), self._executor.wake),
        ]
        for pacer in self._pacers:
            pacer.prepare()
        self._aside = Aside(loop)
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()
        self._start = 0
        self._second = 0
        self._emit: Callable[[Delta], None]

    async def play(self, start_ns: int, emit: Callable[[Delta], None], draining: Callable[[], None]) -> None:
        """Run from second 0 at `start_ns` to the last outcome."""
        self._begin(start_ns, emit)
        probe = Probe(self._meter, start_ns)
        probes = alarm(asyncio.get_running_loop(), lambda: probes.set(self._probe(probe)))
        probes.set(start_ns)
        ticks = alarm(asyncio.get_running_loop(), lambda: ticks.set(self._tick()))
        ticks.set(start_ns + SECOND + _EMIT_AFTER_NS)
        try:
            await self._until(start_ns + self._plan.load.duration_seconds * SECOND)
            draining()
            await self._drain()
        finally:
            probes.close()
            ticks.close()
            self._end()

    def abort(self) -> None:
        """Start nothing more and finish within a second."""
        self._stop.set()

    def _begin(self, start_ns: int, emit: Callable[[Delta], None]) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._start, self._emit = start_ns, emit
        self._recorder.begin(start_ns)
        self._meter.begin(start_ns)
        self._executor.begin(start_ns)
        for pacer in self._pacers:
            pacer.start(start_ns)

    async def _until(self, end_ns: int) -> None:
        """The stages' end, or an abort."""
        try:
            async with asyncio.timeout((end_ns - monotonic_ns()) / SECOND):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _drain(self) -> None:
        if not self._stop.is_set():
            await self._caught_up()
        for pacer in self._pacers:
            pacer.stop()
        self._executor.stop()
        self._executor.on_idle = self._idle.set
        if not self._meter.in_flight:
            return
        grace = ABORT_GRACE_SECONDS if self._stop.is_set() else float(self._plan.load.graceful_stop_seconds)
        waits = [asyncio.create_task(self._settled())]
        if not self._stop.is_set():
            waits.append(asyncio.create_task(self._aborted()))
        await asyncio.wait(waits, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _caught_up(self) -> None:
        """Arrivals that a busy moment at the end has left behind still belong to the plan: sent late, or dropped and counted."""
        waits = [asyncio.create_task(pacer.ended()) for pacer in self._pacers]
        await asyncio.wait(waits, timeout=CATCH_UP_SECONDS)
        for wait in waits:
            wait.cancel()

    async def _settled(self) -> None:
        await self._idle.wait()

    async def _aborted(self) -> None:
        await self._stop.wait()
        await asyncio.sleep(ABORT_GRACE_SECONDS)

    def _end(self) -> None:
        """Whatever is left is incomplete; the last, partial second goes out."""
        for pacer in self._pacers:
            pacer.stop()
        self._executor.stop()
        self._executor.cut_off()
        self._pool.close()
        now = monotonic_ns()
        self._aside.finish()
        if now > self._start:
            finish(self._delta(self._second, now))
        gc.enable()
        gc.unfreeze()

    def _probe(self, probe: Probe) -> int:
        now = monotonic_ns()
        following = probe.ring(now)
        self._executor.expire(now)
        return following

    def _tick(self) -> int:
        """A second has ended."""
        now = monotonic_ns()
        self._aside.begin(self._delta(self._second, now))
        self._second = max(self._second + 1, (now - self._start - _EMIT_AFTER_NS) // SECOND)
        self._pool.retire()
        gc.collect(0)
        return self._start + (self._second + 1) * SECOND + _EMIT_AFTER_NS

    def _delta(self, second: int, now: int) -> Steps[None]:
        """Take at once what there is, and make a delta of it in steps."""
        cells = self._recorder.harvest(self._meter.tokens)
        return self._send(second, cells, self._meter.pulse(now, self._pool))

    def _send(self, second: int, cells: Steps[list[Cell]], pulse: Steps[Pulse]) -> Steps[None]:
        found = yield from cells
        self._emit(Delta(self._worker, self._shard, second, found, (yield from pulse)))


def _batches(plan: Plan, segment: Segment) -> Iterator[Batch]:
    for chunk in schedule(plan, segment):
        yield Batch(chunk.offsets_ns.tolist(), chunk.stages.tolist(), chunk.requests.tolist())
