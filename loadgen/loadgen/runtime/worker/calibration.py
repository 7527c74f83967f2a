"""What one shard can do at most: the plan's own mix, closed-loop, against a null server in the pod.

The figure is requests per second of the shard's *CPU time*, so that the null server (a thread of the supervisor,
another process) and other shards on the same cores do not lower it. The plan's requests are written and its answers
parsed by the very code that does so in the run; streams get as many events as they ask for tokens.
"""

import asyncio
from typing import cast

from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Load, Plan, Stage
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.runtime.clock import SECOND, cpu_ns, monotonic_ns
from loadgen.runtime.http.client import client
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.pacing.executor import Executor
from loadgen.runtime.recording.meter import Meter
from loadgen.runtime.recording.recorder import Recorder
from loadgen.runtime.recording.steps import finish

SECONDS = 0.5
CONCURRENCY = 16
EVENTS = 64
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
_EVENT = b'data: {"id":"0","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'
_WHOLE = b'{"choices":[{"message":{"role":"assistant","content":"word"}}],"usage":{"completion_tokens":1},'
_WHOLE += b'"event_id":"0","data":["word"]}'


class NullResponder(asyncio.Protocol):
    """Answers at once, whatever is asked, with what the kind of request calls for."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A shard calibrates."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no instance of it

    def data_received(self, data: bytes) -> None:
        """A request; heads are told apart by what our own kinds write."""
        if not data.startswith(_METHODS):
            return  # the rest of a long body
        head = data[:1024]
        if b"text/event-stream" in head:
            answer = self._streamed(head)
        elif b"Accept: application/json" in head:
            answer = _JSON
        else:
            answer = _EMPTY
        self._transport.write(answer)

    def _streamed(self, head: bytes) -> bytes:
        if not head.startswith(b"GET "):
            return self._stream
        return _JOIN if b"/queue/data?" in head else _CALL


_JSON = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_WHOLE) + _WHOLE
_CALL_BODY = b'event: generating\ndata: ["word"]\n\n' * EVENTS + b'event: complete\ndata: ["word"]\n\n'
_CALL = _STREAM_HEAD % len(_CALL_BODY) + _CALL_BODY
_MESSAGE = b'data: {"msg":"process_%b","event_id":"0","output":{"data":[%b],"duration":0.1,"render_config":null},"success":true}\n\n'
_JOIN_BODY = _MESSAGE % (b"generating", b'[["append",[]," word"]]') * EVENTS + _MESSAGE % (b"completed", b'"word"')
_JOIN = _STREAM_HEAD % len(_JOIN_BODY) + _JOIN_BODY
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ", b"OPTIONS ")


def stream_answer(plan: Plan) -> bytes:
    """A whole event stream as long as the plan's longest, within reason."""
    asked = [request.open_ai.max_tokens or EVENTS for request in plan.requests if request.open_ai]
    body = _EVENT * min(max(asked, default=1), EVENTS) + b"data: [DONE]\n\n"
    return _STREAM_HEAD % len(body) + body


async def ceiling(plan: Plan, segment: Segment, port: int, material: Material = NO_MATERIAL) -> int:
    """Requests per CPU second."""
    stage = Stage(name="calibration", duration_seconds=1, concurrency=CONCURRENCY)
    load = Load(stages=(stage,), client=plan.load.client, max_in_flight=CONCURRENCY)
    alone = plan.model_copy(update={"load": load})
    meter = Meter(watch_throttling=False)
    recorder = Recorder(alone)
    one = Segment(0, 1)
    target = Target.parse(f"http://127.0.0.1:{port}")
    sent = kinds(alone, one, target, meter, material)
    executor = Executor(alone, one, sent, recorder, meter)
    pool = executor.pool = client(alone, target, executor, sent, proxies=False)
    start, cpu = monotonic_ns(), cpu_ns()
    recorder.begin(start)
    executor.begin(start)
    for slot in executor.slots:
        executor.wake(0, slot.index, 0)
    await asyncio.sleep(SECONDS)
    used, done = cpu_ns() - cpu, sum(cell.planned for cell in finish(recorder.harvest()))
    executor.stop()
    executor.cut_off()
    pool.close()
    return round(done * SECOND / used) if used else 0
