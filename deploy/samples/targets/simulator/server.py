"""HTTP/1.1 on a raw asyncio.Protocol: parses requests, routes them, writes answers in the order of the requests.

A plain request whose bytes equal those of the connection's last one gets the same answer without being parsed again;
so one core serves a load generator's identical requests as fast as the event loop can.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httptools
import replies
from engine import MILLISECOND, Engine, Job
from ticker import Ticker

MAX_BODY = 16 << 20
HEALTHY = replies.plain(200, b'{"status":"ok"}')


class Request:
    """One parsed request."""

    __slots__ = ("body", "keep_alive", "method", "path", "query")

    def __init__(self, method: str, target: str, body: bytes, keep_alive: bool) -> None:
        parts = urlsplit(target)
        self.method, self.path, self.query = method, parts.path, parse_qs(parts.query)
        self.body, self.keep_alive = body, keep_alive


@dataclass(frozen=True, slots=True)
class App:
    """What all connections share."""

    engine: Engine
    ticker: Ticker

    @property
    def plain_at_once(self) -> bool:
        """A plain request needs no draw and no delay."""
        return not self.engine.profile.fail_percent and not self.engine.profile.plain_ms


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.answer: Answer | None = None
        self.paused = False
        self._transport = cast(asyncio.Transport, None)
        self._descriptor = -1
        self._requests: deque[Request] = deque()
        self._busy = False
        self._repeatable: bytes | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._descriptor = transport.get_extra_info("socket").fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        self._requests.clear()
        if self.answer is not None:
            self.answer.cancel()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.answer is not None:
            self.answer.resume()

    def data_received(self, data: bytes) -> None:
        if data == self._repeatable and not self._busy:
            self.write(HEALTHY)
            return
        self._repeatable = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.write(replies.error(400, "not HTTP"))
            self._transport.close()
            return
        if len(self._requests) == 1 and not self._busy and self._is_repeatable(self._requests[0], data):
            self._repeatable = data
        self._next()

    def _is_repeatable(self, request: Request, data: bytes) -> bool:
        """The bytes were exactly one plain GET: no part of another message before or after it."""
        whole = data.startswith(b"GET ") and data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1
        return whole and request.path in PLAIN_PATHS and request.keep_alive and self.app.plain_at_once

    def on_message_begin(self) -> None:
        self._target, self._body = b"", []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        if sum(map(len, self._body)) > MAX_BODY:
            self._transport.abort()

    def on_message_complete(self) -> None:
        method, keep_alive = self._parser.get_method().decode(), self._parser.should_keep_alive()
        self._requests.append(Request(method, self._target.decode("latin-1"), b"".join(self._body), keep_alive))

    def _next(self) -> None:
        while self._requests and not self._busy:
            self._busy = True
            self._keep_alive = self._requests[0].keep_alive
            route(self, self._requests.popleft())

    def write(self, data: bytes) -> None:
        """To the kernel at once: uvloop would wait for the end of the loop's turn, and a stamp would be too early."""
        transport = self._transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.write(data)
            return
        try:
            written = os.write(self._descriptor, data)
        except BlockingIOError:
            written = 0
        except OSError:  # the client is gone; connection_lost follows
            return
        if written < len(data):
            transport.write(data[written:])

    def done(self, data: bytes = b"", *, close: bool = False) -> None:
        """Write the rest of the answer and take the next request."""
        self.write(data)
        self.answer, self._busy = None, False
        if close or not self._keep_alive:
            self._transport.close()
        else:
            asyncio.get_running_loop().call_soon(self._next) if self._requests else None


class Answer:
    """One completion on its connection: the engine's sink."""

    def __init__(self, connection: Connection, shape: replies.Shape, *, stream: bool, prompt: int, usage: bool) -> None:
        self._connection = connection
        self._engine = connection.app.engine
        self._shape = shape
        self._stream = stream
        self._prompt = prompt
        self._usage = usage
        self._before, self._after = shape.template() if stream else (b"", b"")
        self._event = self._before + shape.text().encode() + self._after
        self._job: Job | None = None

    @property
    def paused(self) -> bool:
        return self._connection.paused

    def start(self, path: str, tokens: int) -> None:
        self._connection.answer = self
        self._engine.gauges.prompt_tokens += self._prompt
        self._job = Job(self, path, tokens)
        self._engine.submit(self._job)

    def cancel(self) -> None:
        if self._job is not None:
            self._engine.cancel(self._job)

    def resume(self) -> None:
        if self._job is not None:
            self._engine.resume(self._job)

    def begin(self) -> None:
        if self._stream:
            self._connection.write(self._shape.begin())

    def emit(self, stamp: int, events: int) -> None:
        if not self._stream:
            return
        data = b"%b%020d%b" % (self._before, stamp, self._after) if self._shape.stamped else self._event
        self._connection.write(data * events if events > 1 else data)

    def end(self, job: Job) -> None:
        usage = replies.usage(self._prompt, job.tokens)
        finish = ENDINGS[job.fate, self._stream]
        finish(self._connection, self._shape, job, usage if self._usage or not self._stream else None)


def _end_stream(connection: Connection, shape: replies.Shape, job: Job, usage: dict[str, int] | None) -> None:
    connection.done(shape.end(usage))


def _end_whole(connection: Connection, shape: replies.Shape, job: Job, usage: dict[str, int] | None) -> None:
    connection.done(shape.whole(job.events, usage or {}))


def _end_with_error_event(connection: Connection, *_: object) -> None:
    failure = replies.event({"error": replies.error_object(500, "simulated failure in a stream")})
    connection.done(failure + replies.DONE + replies.LAST_CHUNK)


def _end_with_500(connection: Connection, *_: object) -> None:
    connection.done(replies.error(500, "simulated failure"))


def _end_without_terminal(connection: Connection, *_: object) -> None:
    connection.done(replies.LAST_CHUNK)


def _end_in_half(connection: Connection, shape: replies.Shape, job: Job, usage: dict[str, int] | None) -> None:
    whole = shape.whole(job.events, usage or {})
    connection.done(whole[: -len(whole) // 3], close=True)


ENDINGS: dict[tuple[str, bool], Callable[..., None]] = {
    ("ok", True): _end_stream,
    ("ok", False): _end_whole,
    ("error-event", True): _end_with_error_event,
    ("error-event", False): _end_with_500,
    ("truncated", True): _end_without_terminal,
    ("truncated", False): _end_in_half,
}
"""By the job's fate and whether it streams."""


def route(connection: Connection, request: Request) -> None:
    """Answer one request, now or later."""
    handler = ROUTES.get((request.method, request.path))
    if handler is None:
        connection.done(replies.error(404, f"no {request.method} {request.path} here"))
    else:
        handler(connection, request)


def _refused(connection: Connection) -> bool:
    engine = connection.app.engine
    engine.seen()
    if not engine.fails():
        return False
    connection.done(replies.error(engine.profile.fail_status, "simulated failure"))
    return True


def _health(connection: Connection, request: Request) -> None:
    if _refused(connection):
        return
    body = HEALTHY.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else HEALTHY
    delay = round(connection.app.engine.profile.plain_ms * MILLISECOND)
    if delay:
        connection.app.ticker.at(monotonic_ns() + delay, lambda: connection.done(body))
    else:
        connection.done(body)


def _echo(connection: Connection, request: Request) -> None:
    if not _refused(connection):
        connection.done(replies.plain(200, request.body, "application/octet-stream"))


def _completion(connection: Connection, request: Request) -> None:
    if _refused(connection):
        return
    try:
        wanted = json.loads(request.body)
        answer, tokens = _answer(connection, wanted, chat="chat" in request.path)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        connection.done(replies.error(400, f"bad request: {problem!r}"))
        return
    answer.start(request.path, tokens)


def _answer(connection: Connection, wanted: dict[str, Any], *, chat: bool) -> tuple[Answer, int]:
    profile = connection.app.engine.profile
    texts = [str(message["content"]) for message in wanted["messages"]] if chat else [str(wanted["prompt"])]
    limit = wanted.get("max_completion_tokens") or wanted.get("max_tokens") or profile.tokens
    options = wanted.get("stream_options") or {}
    shape = replies.Shape(next(NUMBERS), profile.model, chat, profile.tokens_per_event, profile.stamp)
    prompt = sum(len(text.split()) for text in texts)
    stream = bool(wanted.get("stream"))
    answer = Answer(connection, shape, stream=stream, prompt=prompt, usage=bool(options.get("include_usage")))
    return answer, max(1, min(int(limit), profile.tokens))


def _metrics(connection: Connection, request: Request) -> None:
    connection.done(replies.metrics(connection.app.engine))


def _models(connection: Connection, request: Request) -> None:
    connection.done(replies.models(connection.app.engine.profile.model))


def _truth(connection: Connection, request: Request) -> None:
    connection.done(replies.as_json(200, connection.app.engine.truth()))


def _forget(connection: Connection, request: Request) -> None:
    connection.app.engine.ledger.clear()
    connection.app.engine.stalls.clear()
    connection.done(replies.as_json(200, {}))


def _stall(connection: Connection, request: Request) -> None:
    seconds = request.query.get("seconds")
    connection.app.engine.stall(float(seconds[0]) if seconds else None)
    connection.done(replies.as_json(200, {}))


def _ready(connection: Connection, request: Request) -> None:
    connection.done(HEALTHY)


PLAIN_PATHS = frozenset({"/", "/health"})
ROUTES: dict[tuple[str, str], Callable[[Connection, Request], None]] = {
    **{(method, path): _health for method in ("GET", "HEAD") for path in PLAIN_PATHS},
    ("GET", "/ready"): _ready,
    ("GET", "/metrics"): _metrics,
    ("GET", "/v1/models"): _models,
    ("GET", "/truth"): _truth,
    ("DELETE", "/truth"): _forget,
    ("POST", "/stall"): _stall,
    ("POST", "/echo"): _echo,
    ("POST", "/v1/chat/completions"): _completion,
    ("POST", "/v1/completions"): _completion,
}
NUMBERS = iter(range(1, 1 << 62))
