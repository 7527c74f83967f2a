"""A server that plays scripted answers and keeps the true times of each: `python server.py SCRIPT.json SECONDS`.

The script is a list of answers, played in turn; times are milliseconds after the request was read whole:

    {"status": 200, "headers": 5, "first": 40, "gaps": [10, 10], "perEvent": 1, "together": 1, "usageAfter": 0, "end": "done"}

`perEvent` tokens are counted by each event; `together` events leave in one write; the usage comes `usageAfter` after the last event;
`end` is `done` (usage, [DONE]) or `cut` (the connection closes in mid-answer). An answer without `first` is plain JSON.
Times are of CLOCK_MONOTONIC, which all processes of a machine share, taken just before the bytes are handed to the kernel.
GET /truth answers with everything so far.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Truth:
    """One request as the server saw it; nanoseconds."""

    read: int
    headers: int = 0
    events: list[int] = field(default_factory=list)
    tokens: int = 0
    ended: int = 0
    """The last output event, or the whole answer."""
    done: int = 0
    """The end of the protocol: of a stream, its [DONE]."""
    failure: str = ""
    """The class that the generator should book it under; empty for a success."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    return chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


async def until(moment: int) -> None:
    """May come back a little early or late: what counts is when the bytes really leave."""
    await asyncio.sleep(max(0, moment - time.monotonic_ns()) / 1e9)


class Answers:
    """Plays the script, one answer a request, whatever the connection."""

    def __init__(self, script: list[dict[str, Any]]) -> None:
        self._script, self._next = script, 0
        self.truths: list[Truth] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, transport: asyncio.WriteTransport, read: int) -> None:
        """A request was read whole at this moment."""
        truth, answer = Truth(read), self._script[self._next % len(self._script)]
        self._next += 1
        self.truths.append(truth)
        task = asyncio.get_running_loop().create_task(self._answer(transport, answer, truth))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, transport: asyncio.WriteTransport, answer: dict[str, Any], truth: Truth) -> None:
        await until(truth.read + int(answer.get("headers", 0) * 1e6))
        truth.headers = time.monotonic_ns()
        if "first" in answer:
            transport.write(HEAD)
            await self._stream(transport, answer, truth)
            return
        status = answer.get("status", 200)
        truth.failure = "" if status == 200 else f"Http{status}"
        truth.ended = truth.done = truth.headers
        transport.write(plain(status, "{}"))

    async def _stream(self, transport: asyncio.WriteTransport, answer: dict[str, Any], truth: Truth) -> None:
        together, each = answer.get("together", 1), answer.get("perEvent", 1)
        moment, kept = truth.read + int(answer["first"] * 1e6), b""
        for number, gap in enumerate([0, *answer["gaps"]]):
            moment += int(gap * 1e6)
            await until(moment)
            kept += event({"choices": [{"index": 0, "delta": {"content": "word " * each}}]})
            truth.tokens += each
            if (number + 1) % together == 0 or number == len(answer["gaps"]):
                now = time.monotonic_ns()
                count = number + 1 - len(truth.events)
                truth.events += [now] * count
                transport.write(kept)
                kept = b""
        truth.ended = truth.events[-1]
        if answer.get("end", "done") == "cut":
            truth.failure = "StreamTruncated"
            transport.close()
            return
        await until(truth.events[-1] + int(answer.get("usageAfter", 0) * 1e6))
        truth.done = time.monotonic_ns()
        usage = {"prompt_tokens": 3, "completion_tokens": truth.tokens, "total_tokens": truth.tokens + 3}
        reason = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        transport.write(reason + event({"choices": [], "usage": usage}) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


class Connection(asyncio.Protocol):
    """Reads requests; the time is taken first thing when bytes come."""

    def __init__(self, answers: Answers) -> None:
        self._answers, self._unread = answers, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        read = time.monotonic_ns()
        self._unread += data
        head, ended, body = self._unread.partition(b"\r\n\r\n")
        lines = [line.lower() for line in head.split(b"\r\n")]
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if not ended or len(body) < length:
            return
        self._unread = body[length:]
        if head.startswith(b"GET /truth"):
            told = {
                "monotonic": read,
                "wall": time.time_ns(),
                "requests": [asdict(truth) for truth in self._answers.truths],
            }
            self._transport.write(plain(200, json.dumps(told)))
        else:
            self._answers.begin(self._transport, read)


def plain(status: int, text: str) -> bytes:
    head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text.encode()


async def main(script: list[dict[str, Any]], seconds: float) -> None:
    answers = Answers(script)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answers), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])))
