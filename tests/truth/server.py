"""A server that plays scripted answers and keeps the true times of each: `python server.py SCRIPT.json SECONDS`.

The script is a list of answers, played in turn; times are milliseconds after the request was read whole:

    {"status": 200, "headers": 5, "first": 40, "gaps": [10, 10], "perEvent": 1, "together": 1, "usageAfter": 0, "end": "done"}

`perEvent` tokens are counted by each event; `together` events leave in one write; the usage comes `usageAfter` after the last event;
`end` is `done` (usage, [DONE]) or `cut` (the connection closes in mid-answer). An answer without `first` is plain JSON.
Times are of CLOCK_MONOTONIC, which all processes of a machine share. A request was there when the kernel says that its last bytes came
(SO_TIMESTAMPNS), however late this server reads them; an answer left between two readings of the clock, before its bytes were handed to the
kernel and after.
GET /truth answers with everything so far.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SO_TIMESTAMPNS = 35
Span = tuple[int, int]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Truth:
    """One request as it was; nanoseconds, of what left a pair: after the first and before the second."""

    read: int
    """When the kernel had it whole."""
    headers: Span = (0, 0)
    events: list[Span] = field(default_factory=list)
    tokens: int = 0
    ended: Span = (0, 0)
    """The last output event, or the whole answer."""
    done: Span = (0, 0)
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

    def begin(self, line: "Connection", read: int) -> None:
        """A request was read whole at this moment."""
        truth, answer = Truth(read), self._script[self._next % len(self._script)]
        self._next += 1
        self.truths.append(truth)
        task = asyncio.get_running_loop().create_task(self._answer(line, answer, truth))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, line: "Connection", answer: dict[str, Any], truth: Truth) -> None:
        await until(truth.read + int(answer.get("headers", 0) * 1e6))
        if "first" in answer:
            truth.headers = line.write(HEAD)
            await self._stream(line, answer, truth)
            return
        status = answer.get("status", 200)
        truth.failure = "" if status == 200 else f"Http{status}"
        truth.headers = truth.ended = truth.done = line.write(plain(status, "{}"))

    async def _stream(self, line: "Connection", answer: dict[str, Any], truth: Truth) -> None:
        together, each = answer.get("together", 1), answer.get("perEvent", 1)
        moment, kept = truth.read + int(answer["first"] * 1e6), b""
        for number, gap in enumerate([0, *answer["gaps"]]):
            moment += int(gap * 1e6)
            await until(moment)
            kept += event({"choices": [{"index": 0, "delta": {"content": "word " * each}}]})
            truth.tokens += each
            if (number + 1) % together == 0 or number == len(answer["gaps"]):
                count = number + 1 - len(truth.events)
                truth.events += [line.write(kept)] * count
                kept = b""
        truth.ended = truth.events[-1]
        if answer.get("end", "done") == "cut":
            truth.failure = "StreamTruncated"
            line.close()
            return
        await until(truth.ended[0] + int(answer.get("usageAfter", 0) * 1e6))
        usage = {"prompt_tokens": 3, "completion_tokens": truth.tokens, "total_tokens": truth.tokens + 3}
        reason = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        end = reason + event({"choices": [], "usage": usage}) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        truth.done = line.write(end)


class Connection:
    """Reads requests, with the time at which the kernel got them, and says when answers left. Its buffers hold an answer."""

    def __init__(self, sock: socket.socket, answers: Answers) -> None:
        self._sock, self._answers, self._unread = sock, answers, b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asyncio.get_running_loop().add_reader(sock, self._ready)

    def _ready(self) -> None:
        with contextlib.suppress(ConnectionError):
            data, told, *_ = self._sock.recvmsg(65536, 64)
            if data:
                self._take(data, came(told))
                return
        self.close()

    def write(self, data: bytes) -> Span:
        """At once; when."""
        before = time.monotonic_ns()
        with contextlib.suppress(ConnectionError):
            if self._sock.send(data) != len(data):
                raise RuntimeError("the client reads too slowly for a truth to be known")
        return before, time.monotonic_ns()

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()

    def _take(self, data: bytes, read: int) -> None:
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
                "wall": read + ahead(),
                "requests": [asdict(truth) for truth in self._answers.truths],
            }
            self._sock.setblocking(True)
            self._sock.sendall(plain(200, json.dumps(told)))
        else:
            self._answers.begin(self, read)


def ahead() -> int:
    """How far the wall clock, which the kernel tells, is ahead of the monotonic one."""
    before, wall = time.monotonic_ns(), time.time_ns()
    return wall - (before + time.monotonic_ns()) // 2


def came(told: list[tuple[int, int, bytes]]) -> int:
    """When the last bytes of a read came, by the kernel."""
    seconds, nanoseconds = next(struct.unpack("qq", data) for _, kind, data in told if kind == SO_TIMESTAMPNS)
    return int(seconds) * 1_000_000_000 + int(nanoseconds) - ahead()


def plain(status: int, text: str) -> bytes:
    head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text.encode()


async def main(script: list[dict[str, Any]], seconds: float) -> None:
    answers = Answers(script)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)  # what is accepted has it from its first byte
        asyncio.get_running_loop().add_reader(listener, lambda: Connection(listener.accept()[0], answers))
        print(listener.getsockname()[1], flush=True)
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])))
