"""What one shard can do at most: the plan's own mix, closed-loop, against a null server in the pod.

The figure is requests per second of the shard's *CPU time*, so that the null server (a thread of the supervisor,
another process) and other shards on the same cores do not lower it. The plan's requests are written and its answers
parsed by the very code that does so in the run.

A stream costs what its events cost, and an event costs ten times as much in a read of its own, as real servers send it, as
among others. So the null server paces streams, an event of each at a time. Long ones would take longer than a calibration
may: two lengths are measured, and the line through them gives the cost of as many events as the plan asks for tokens.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from loadgen.core.protocols.null import Pieces, answers
from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Load, Plan, Stage
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.requests import Request
from loadgen.runtime.clock import SECOND, cpu_ns, monotonic_ns
from loadgen.runtime.http.client import client
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.pacing.executor import Executor
from loadgen.runtime.recording.meter import Meter
from loadgen.runtime.recording.recorder import Recorder
from loadgen.runtime.recording.steps import finish

SECONDS = 0.25
"""For each of the measurements: thousands of pages, and dozens of streams."""
CONCURRENCY = 16
FEW, MANY = 4, 40
"""Events of the streams that are measured."""
USUAL_EVENTS, MOST_EVENTS = 64, 256
"""Where the plan says no bound; and where it says more than answers usually have: a bound is seldom reached."""
GAP_SECONDS = 0.001
"""Between two events of a stream."""
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ", b"OPTIONS ")


def base_of(request: int, events: int) -> str:
    """What stands before a path, so that the null server knows what is asked and how many events the answer has."""
    return f"/{request}-{events}"


class NullServer:
    """Answers of a plan's requests, and the streams that are under way."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = requests
        self.answers = cache(self._answers)
        self._streams: list[tuple[asyncio.Transport, Pieces, int]] = []

    def _answers(self, base: bytes) -> tuple[Pieces, ...]:
        request, _, events = base.partition(b"-")
        return answers(self._requests[int(request)].asked, int(events))

    def play(self, transport: asyncio.Transport, pieces: Pieces) -> None:
        """The first piece now, the others one by one."""
        transport.write(pieces[0])
        if len(pieces) > 1:
            self._streams.append((transport, pieces, 1))
            if len(self._streams) == 1:
                asyncio.get_running_loop().call_later(GAP_SECONDS, self._go_on)

    def _go_on(self) -> None:
        """The next piece of every stream."""
        streams, self._streams = self._streams, []
        for transport, pieces, place in streams:
            if transport.is_closing():
                continue
            transport.write(pieces[place])
            if place + 1 < len(pieces):
                self._streams.append((transport, pieces, place + 1))
        if self._streams:
            asyncio.get_running_loop().call_later(GAP_SECONDS, self._go_on)


class NullResponder(asyncio.Protocol):
    """One connection to the null server."""

    def __init__(self, server: NullServer) -> None:
        self._server = server
        self._turn = 0
        """Exchanges of the request under way that are answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A shard calibrates."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no instance of it

    def data_received(self, data: bytes) -> None:
        """A request."""
        if not data.startswith(_METHODS):
            return  # the rest of a long body
        exchanges = self._server.answers(data[:64].split(b"/", 2)[1])
        pieces = exchanges[self._turn % len(exchanges)]
        self._turn += 1
        self._server.play(self._transport, pieces)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of the mix's mean request."""

    requests: int
    cpu_ns: int

    @property
    def each(self) -> float:
        return self.cpu_ns / self.requests if self.requests else 0.0


async def ceiling(plan: Plan, port: int, material: Material = NO_MATERIAL) -> int:
    """Requests per CPU second; 0 where nothing could be measured."""
    streams = [request for request in plan.requests if request.streams and request.effective_weight]
    if not streams:
        return _per_second((await _measured(plan, port, material, FEW, SECONDS)).each)
    few = await _measured(plan, port, material, FEW, SECONDS)
    many = await _measured(plan, port, material, MANY, SECONDS)
    if not few.requests or not many.requests:
        return _per_second(few.each)
    weights = sum(request.effective_weight for request in streams)
    events = sum(request.effective_weight * expected_events(request) for request in streams) / weights
    return _per_second(few.each + max(0.0, many.each - few.each) * (events - FEW) / (MANY - FEW))


def expected_events(request: Request) -> int:
    """Output events of an answer, as far as the plan tells: one a token."""
    return min(getattr(request.asked, "output_limit", None) or USUAL_EVENTS, MOST_EVENTS)


def _per_second(cost_ns: float) -> int:
    return round(SECOND / cost_ns) if cost_ns > 0 else 0


async def _measured(plan: Plan, port: int, material: Material, events: int, seconds: float) -> _Cost:
    """What a request of the mix costs whose streams have so many events."""
    stage = Stage(name="calibration", duration_seconds=1, concurrency=CONCURRENCY)
    load = Load(stages=(stage,), client=plan.load.client, max_in_flight=CONCURRENCY)
    alone = plan.model_copy(update={"load": load})
    meter = Meter(watch_throttling=False)
    recorder = Recorder(alone)
    one = Segment(0, 1)
    target = Target.parse(f"http://127.0.0.1:{port}")
    bases = [base_of(index, events) for index in range(len(plan.requests))]
    sent = kinds(alone, one, target, meter, material, bases)
    executor = Executor(alone, one, sent, recorder, meter)
    pool = executor.pool = client(alone, target, executor, sent, proxies=False)
    start, cpu = monotonic_ns(), cpu_ns()
    recorder.begin(start)
    executor.begin(start)
    for slot in executor.slots:
        executor.wake(0, slot.index, 0)
    await asyncio.sleep(seconds)
    used, done = cpu_ns() - cpu, sum(cell.planned for cell in finish(recorder.harvest()))
    executor.stop()
    executor.cut_off()
    pool.close()
    return _Cost(done, used)
