"""What is sent for each kind of request, and what its answers mean.

A kind writes requests (a constant head, a length, a body from the core's factory) and judges answers. An answer is
right when the protocol says so, not when its status is 200: a stream must have had output and its terminal event, and
no error object on the way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from loadgen import __version__
from loadgen.core import openai
from loadgen.core.segment import Segment
from loadgen.core.sse import SseParser
from loadgen.core.workload import BodyFactory
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.requests import ExpectBody, Http, OpenAI, Request
from loadgen.model.wire import Failure, http_failure
from loadgen.runtime.clock import SECOND
from loadgen.runtime.exchange import Consumer, Exchange, Kind, Stream
from loadgen.runtime.meter import Meter
from loadgen.runtime.target import Target

BODY_LIMIT = 4 * 1024 * 1024
EXPECT_LIMIT = 64 * 1024
"""Bytes of a body in which `expectBody` is looked for."""
STAMPS_LIMIT = 1_000_000
"""Output events whose times are kept; no plan may ask for more tokens."""
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(slots=True)
class HttpKind:
    """A plain request: the status decides, and the body where the plan expects something of it; else bodies are dropped."""

    data: bytes
    expected: frozenset[int]
    bodiless: bool
    idempotent: bool
    timeout_ns: int
    holds: Callable[[bytes], object] | None = None
    """Whether a body is right."""
    consume: Consumer | None = None

    def __post_init__(self) -> None:
        self.consume = self.keep if self.holds else None

    def wire(self) -> bytes:
        """Always the same bytes."""
        return self.data

    def keep(self, exchange: Exchange, body: bytes, stamp: int) -> None:
        """Collect the beginning of the body."""
        stream = exchange.stream = exchange.stream or Stream(bytearray())
        kept = cast(bytearray, stream.parser)
        kept += body[: EXPECT_LIMIT - len(kept)]

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is an expected status."""
        status = exchange.status
        if status in self.expected:
            return None if self.holds is None or self._is_right(exchange.stream) else Failure.UNEXPECTED_BODY
        return http_failure(status) if status >= 400 else Failure.UNEXPECTED_STATUS

    def _is_right(self, stream: Stream | None) -> bool:
        assert self.holds is not None  # noqa: S101  asked only where something is expected
        return bool(self.holds(bytes(cast(bytearray, stream.parser)) if stream else b""))

    def truncated(self, exchange: Exchange) -> str:
        """Fewer bytes than announced."""
        return Failure.CONNECTION_LOST


@dataclass(slots=True)
class WholeKind:
    """A completion answered in one piece of JSON."""

    head: bytes
    body: Callable[[], bytes]
    timeout_ns: int
    meter: Meter
    consume: Consumer | None = None
    bodiless: bool = False
    idempotent: bool = (
        True  # generating twice does no harm, and llama.cpp's server closes after a stream without announcing it
    )

    def __post_init__(self) -> None:
        self.consume = self.keep

    def wire(self) -> bytes:
        """A fresh prompt."""
        body = self.body()
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)

    def keep(self, exchange: Exchange, body: bytes, stamp: int) -> None:
        """Collect the body of a success, up to a limit."""
        if exchange.status != 200:
            return
        stream = exchange.stream = exchange.stream or Stream(bytearray(), exchange.cell(self.meter.start))
        kept = stream.parser
        if isinstance(kept, bytearray):
            kept += body
            if len(kept) > BODY_LIMIT:
                stream.error, stream.parser = Failure.PARSE, None

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is a 200 whose message has output."""
        if exchange.status != 200:
            return _unsuccessful(exchange.status)
        stream = exchange.stream
        kept = stream.parser if stream else None
        if stream is None or not isinstance(kept, bytearray):
            return stream.error if stream else Failure.EMPTY_OUTPUT
        try:
            message = openai.decode(bytes(kept))
        except ValueError:
            return Failure.PARSE
        if message.error is not None:
            return Failure.STREAM_ERROR
        stream.tokens = message.tokens or 0
        self.meter.tokens[stream.cell] += stream.tokens
        return None if message.has_output else Failure.EMPTY_OUTPUT

    def truncated(self, exchange: Exchange) -> str:
        """Fewer bytes than announced."""
        return Failure.CONNECTION_LOST


@dataclass(slots=True)
class StreamKind:
    """A completion streamed as server-sent events; the stamps of its output events are the measurement."""

    head: bytes
    body: Callable[[], bytes]
    timeout_ns: int
    meter: Meter
    consume: Consumer | None = None
    bodiless: bool = False
    idempotent: bool = True  # as above
    decode: Callable[[bytes], openai.ChunkKind] = field(default=openai.decode)

    def __post_init__(self) -> None:
        self.consume = self.events

    def wire(self) -> bytes:
        """A fresh prompt."""
        body = self.body()
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)

    def events(self, exchange: Exchange, body: bytes, stamp: int) -> None:
        """Stamp every output event in this piece with the time of its read."""
        stream = exchange.stream
        if stream is None:
            if exchange.status != 200:
                return
            stream = exchange.stream = Stream(SseParser(), exchange.cell(self.meter.start))
        outputs, decode = 0, self.decode
        for event in cast(SseParser, stream.parser).feed(body):
            message = decode(event.data)
            if message.has_output:
                outputs += 1
            if message is not openai.OUTPUT:
                self._note(stream, message)
        if outputs and len(stream.stamps) < STAMPS_LIMIT:
            self._stamp(stream, outputs, stamp)

    def _stamp(self, stream: Stream, outputs: int, stamp: int) -> None:
        stream.stamps.extend([stamp] * outputs) if outputs > 1 else stream.stamps.append(stamp)
        meter = self.meter
        meter.events += outputs
        meter.tokens[stream.cell] += outputs
        if stamp != meter.last_read:
            meter.last_read = stamp
            meter.reads += 1

    def _note(self, stream: Stream, message: openai.ChunkKind) -> None:
        if message.error is not None:
            stream.error = Failure.STREAM_ERROR
        if message.tokens is not None:
            stream.tokens = message.tokens
        stream.finished = stream.finished or message.done

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is a 200 with output and a terminal event, and no error."""
        if exchange.status != 200:
            return _unsuccessful(exchange.status)
        stream = exchange.stream
        if stream is None:
            return Failure.STREAM_TRUNCATED
        if stream.error or not stream.finished:
            return stream.error or Failure.STREAM_TRUNCATED
        if not stream.stamps:
            return Failure.EMPTY_OUTPUT
        exchange.last = stream.stamps[-1]
        if stream.tokens:
            self.meter.tokens[stream.cell] += stream.tokens - len(stream.stamps)
        return None

    def truncated(self, exchange: Exchange) -> str:
        """No terminal event, or one without the end of the body."""
        return (exchange.stream and exchange.stream.error) or Failure.STREAM_TRUNCATED


def _unsuccessful(status: int) -> str:
    return http_failure(status) if status >= 400 else Failure.UNEXPECTED_STATUS


def kinds(
    plan: Plan, segment: Segment, target: Target, meter: Meter, material: Material = NO_MATERIAL
) -> tuple[Kind, ...]:
    """One per request of the plan, in its order."""
    bodies = BodyFactory(plan, segment, material)
    return tuple(_kind(request, index, bodies, target, meter) for index, request in enumerate(plan.requests))


def _kind(request: Request, index: int, bodies: BodyFactory, target: Target, meter: Meter) -> Kind:
    timeout = request.timeout_seconds * SECOND
    if request.http is not None:
        return _http(request.http, bodies.body(index), timeout, target)
    assert request.open_ai is not None  # noqa: S101  the model allows nothing else
    head = _open_ai_head(request.open_ai, target)
    kind = StreamKind if request.open_ai.stream else WholeKind
    return kind(head, lambda: bodies.body(index), timeout, meter)


def _http(http: Http, body: bytes, timeout: int, target: Target) -> HttpKind:
    headers = dict(http.headers)
    if body or http.method in {"POST", "PUT", "PATCH"}:
        headers["Content-Length"] = str(len(body))
    data = _head(http.method, http.path, headers, target) + b"\r\n" + body
    return HttpKind(
        data=data,
        expected=frozenset(http.expect_status),
        bodiless=http.method == "HEAD",
        idempotent=http.method in _IDEMPOTENT,
        timeout_ns=timeout,
        holds=_holds(http.expect_body),
    )


def _holds(expected: ExpectBody | None) -> Callable[[bytes], object] | None:
    if expected is None:
        return None
    if expected.matches is not None:
        return re.compile(expected.matches.encode()).search
    wanted = (expected.contains or "").encode()
    return lambda body: wanted in body


def _open_ai_head(asked: OpenAI, target: Target) -> bytes:
    accept = "text/event-stream" if asked.stream else "application/json"
    head = _head("POST", asked.path, {"Accept": accept, "Content-Type": "application/json"}, target)
    return head + b"Content-Length: "


def _head(method: str, path: str, headers: dict[str, str], target: Target) -> bytes:
    """A request's head without its empty line; the plan's headers win over ours, the target's come last."""
    defaults = {
        "Host": target.authority,
        "User-Agent": f"loadgen/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    given = {name.lower() for name in headers}
    lines = [f"{method} {target.base}{path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in defaults.items() if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in (*headers.items(), *target.headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8")
