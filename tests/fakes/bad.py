"""Servers that misbehave, as a table: what each does, and which outcomes of a request are right answers to it.

`plain` are the right outcomes of a plain GET that expects status 200, `chat` those of a streamed chat completion;
both with a time-out of a second or so. `SUCCEEDED` stands for no failure at all. Where two classes are listed, the
bytes on the wire do not decide between them (a reset may overtake the data before it).
"""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from fakes.serving import Handler, Server, serving

SUCCEEDED = "Succeeded"
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
ERROR_EVENT = b'data: {"error":{"message":"out of memory","type":"server_error","code":500}}\n\n'
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the last one when empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def body(data: bytes) -> bytes:
    """A whole correct plain answer."""
    return PLAIN_HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


async def letter(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request; return its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0]) if lengths else 0)


async def request(reader: asyncio.StreamReader) -> bytes:
    """Read one request, with its body where it has one; return its head."""
    return (await letter(reader))[0]


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(data: bytes, *, hang: bool = False, rst: bool = False) -> Handler:
    """After a request: send `data` as it is, then close, hang or reset."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(data)
        await writer.drain()
        if hang:
            await asyncio.sleep(3600)
        if rst:
            await asyncio.sleep(0.05)
            reset(writer)

    return behave


def repeating(head: bytes, piece: bytes, *, pause: float = 0.0, limit: int = 1 << 30) -> Handler:
    """After a request: send `head`, then `piece` again and again up to a gibibyte."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(head)
        for _ in range(limit // len(piece)):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


def answering_always(data: bytes) -> Handler:
    """A correct keep-alive server that has one answer."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(data)
            await writer.drain()

    return behave


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, then close before reading anything."""


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, and not TLS."""
    writer.write(body(b"ok"))
    await writer.drain()
    await reader.read(1)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and never answer."""
    await request(reader)
    await asyncio.sleep(3600)


@dataclass(frozen=True)
class Bad:
    """One way of misbehaving."""

    behave: Handler
    plain: frozenset[str]
    chat: frozenset[str]
    scheme: str = "http"


def row(behave: Handler, plain: str, chat: str | None = None, *, scheme: str = "http") -> Bad:
    """`plain` and `chat` are right outcomes separated by blanks; `chat` is as `plain` unless given."""
    return Bad(behave, frozenset(plain.split()), frozenset((chat or plain).split()), scheme)


TIMED_OUT = "TotalTimeout StallTimeout FirstByteTimeout"
CUT = "ConnectionLost StreamTruncated"
FULL_STREAM = STREAM_HEAD + chunk(DELTA) + chunk(DELTA) + chunk(DONE) + chunk(b"")

BAD: dict[str, Bad] = {
    "garbage": row(answering(b"\x16\x00\xffnonsense\r\n\r\n" * 50), "Parse"),
    "garbage-in-body": row(
        answering(STREAM_HEAD + chunk(b"data: {not json}\n\n") + chunk(DONE) + chunk(b"")), SUCCEEDED, "Parse"
    ),
    "garbage-chunk-size": row(answering(STREAM_HEAD + b"zz\r\nhello\r\n"), "Parse"),
    "not-utf8": row(
        answering(STREAM_HEAD + chunk(DELTA.replace(b"word", b"\xff\xfe")) + chunk(DONE) + chunk(b"")),
        SUCCEEDED,
        "Parse Succeeded",
    ),
    "silence": row(silence, TIMED_OUT),
    "half-a-chunk": row(answering(STREAM_HEAD + b"400\r\n" + DELTA[:40], hang=True), TIMED_OUT),
    "one-event-then-silence": row(answering(STREAM_HEAD + chunk(DELTA), hang=True), TIMED_OUT),
    "endless-headers": row(repeating(b"HTTP/1.1 200 OK\r\n", b"X-Pad: " + b"a" * 4000 + b"\r\n"), "Parse"),
    "endless-header-line": row(repeating(b"HTTP/1.1 200 OK\r\nX-Pad: ", b"a" * 4096), "Parse"),
    "endless-stream": row(
        repeating(STREAM_HEAD, chunk(DELTA * 20)), "TotalTimeout Parse UnexpectedBody", "TotalTimeout"
    ),
    "endless-event": row(
        repeating(STREAM_HEAD + chunk(b"data: "), chunk(b"a" * 4096)), "TotalTimeout Parse UnexpectedBody", "Parse"
    ),
    "endless-slow-stream": row(repeating(STREAM_HEAD, chunk(DELTA), pause=0.05), "TotalTimeout"),
    "slow-headers": row(repeating(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a", pause=0.2), TIMED_OUT),
    "reset-in-body": row(answering(STREAM_HEAD + chunk(DELTA), rst=True), CUT),
    "reset-in-headers": row(answering(b"HTTP/1.1 200 OK\r\nX-", rst=True), "ConnectionLost"),
    "close-in-body": row(answering(STREAM_HEAD + chunk(DELTA)), CUT),
    "close-in-chunk": row(answering(STREAM_HEAD + b"400\r\n" + DELTA), CUT),
    "close-at-once": row(close_at_once, "ConnectionLost Send"),
    "close-after-request": row(answering(b""), "ConnectionLost"),
    "close-in-headers": row(answering(b"HTTP/1.1 200 OK\r\nContent-Le"), "ConnectionLost Parse"),
    "not-tls": row(greet, "Tls", scheme="https"),
    "tls-closed": row(close_at_once, "Tls", scheme="https"),
    "error-event": row(
        answering(STREAM_HEAD + chunk(DELTA) + chunk(ERROR_EVENT) + chunk(DONE) + chunk(b"")), SUCCEEDED, "StreamError"
    ),
    "error-event-first": row(answering(STREAM_HEAD + chunk(ERROR_EVENT) + chunk(b"")), SUCCEEDED, "StreamError"),
    "no-output": row(answering(STREAM_HEAD + chunk(DONE) + chunk(b"")), SUCCEEDED, "EmptyOutput"),
    "no-terminal-event": row(answering(STREAM_HEAD + chunk(DELTA) + chunk(b"")), SUCCEEDED, "StreamTruncated"),
    "content-length-short": row(
        answering(PLAIN_HEAD + b"Content-Length: 5\r\n\r\nhello and fifteen bytes more"),
        "Succeeded Parse",
        "Parse StreamTruncated EmptyOutput",
    ),
    "content-length-long": row(answering(PLAIN_HEAD + b"Content-Length: 1000\r\n\r\nhello"), CUT),
    "content-length-negative": row(answering(PLAIN_HEAD + b"Content-Length: -1\r\n\r\nhello"), "Parse"),
    "empty-body": row(answering_always(body(b"")), SUCCEEDED, "EmptyOutput StreamTruncated Parse"),
    "not-found": row(
        answering_always(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found"),
        "Http404 UnexpectedStatus",
        "Http404",
    ),
    "unavailable": row(
        answering_always(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"),
        "Http503 UnexpectedStatus",
        "Http503",
    ),
    "closes-after-response": row(answering(body(b"ok")), SUCCEEDED, "EmptyOutput StreamTruncated Parse"),
    "closes-after-stream": row(answering(FULL_STREAM), SUCCEEDED),
    "says-close-and-closes": row(
        answering(body(b"ok").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")),
        SUCCEEDED,
        "EmptyOutput StreamTruncated Parse",
    ),
    "until-close": row(
        answering(PLAIN_HEAD + b"\r\nno length, ends at the close"), SUCCEEDED, "EmptyOutput Parse " + CUT
    ),
}
"""Name → behaviour."""


def serve(name: str) -> AbstractContextManager[Server]:
    """Run the bad server of this name on loopback until the block is left."""
    return serving(BAD[name].behave, scheme=BAD[name].scheme)


def unused_port() -> int:
    """A loopback port on which nobody listens (connections are refused)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def black_hole() -> Iterator[str]:
    """A URL whose connections are never accepted: its backlog is full."""
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        more = socket.socket()
        more.setblocking(False)
        more.connect_ex(listener.getsockname())
        with more:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
