"""A call of a function of a Gradio app through its queue: one measured request, two exchanges.

POST …/call/NAME hands the inputs in and answers with the id of an event; GET …/call/NAME/ID then streams the function's
outputs. Browsers do it with POST …/queue/join and GET …/queue/data?session_hash=…: there the session is what both name.
Every request is a session of its own, or the stream would mix its outputs with those of others.

Both go over one connection where the server keeps it. The request ends when its function is complete; everything
counts from the POST: its intended start, its sending, its answer's head (TimeToFirstByte).
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from loadgen.core.protocols import gradio
from loadgen.core.protocols.openai import ChunkKind
from loadgen.core.protocols.sse import Document, Event, ParseError, SseParser, parser_for
from loadgen.model.wire import Failure
from loadgen.runtime.http.exchange import Consumer, Exchange, Following, Stream
from loadgen.runtime.kinds.completions import STAMPS_LIMIT, posted, stamp_outputs, successful, unsuccessful
from loadgen.runtime.recording.meter import Meter

KEY = "{key}"
"""Where the event's id, or the session's hash, goes in the second request's path."""
JOINED_LIMIT = 64 * 1024


class _Call(Stream):
    """What is kept of a call."""

    __slots__ = ("headers", "key", "last", "sent")

    def __init__(self, session: str) -> None:
        super().__init__(bytearray())
        self.key = session
        """What the second request is told: the session's hash, or the event's id once it is known."""
        self.sent = self.headers = self.last = 0
        """Of the POST, once it is answered; when the completion was read."""


@dataclass(slots=True)
class CallKind:
    """One function, with the inputs that `body` makes."""

    head: bytes
    """Of the POST, up to the value of Content-Length."""
    body: Callable[[], bytes]
    listening: list[bytes]
    """The GET, before and after the key."""
    timeout_ns: int
    meter: Meter
    decode: Callable[[Event], ChunkKind]
    session: Callable[[], str] | None = None
    """The hash of a new session, where sessions and not events are listened to."""
    consume: Consumer | None = None
    following: Following | None = None
    bodiless: bool = False
    idempotent: bool = True
    """As completions: calling twice does no harm."""

    def __post_init__(self) -> None:
        self.consume, self.following = self.take, self.listen

    def wire(self, exchange: Exchange) -> bytes:
        """Fresh inputs, or the second half of a call whose first one is answered."""
        call = cast("_Call | None", exchange.stream)
        if call is not None and call.sent:
            return call.key.encode().join(self.listening)
        body, session = self.body(), ""
        if self.session is not None:
            session = self.session()
            body = gradio.in_session(body, session)
        exchange.stream = _Call(session)
        return posted(self.head, body)

    def take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """The id's JSON, then the events; whether the function is complete."""
        if not successful(exchange.status):
            return False
        call = cast(_Call, exchange.stream)
        if isinstance(call.parser, bytearray):
            call.parser += body[: JOINED_LIMIT - len(call.parser)]
            return False
        if call.parser is None:
            call.parser = parser_for(body)
        return self._read(call, cast(SseParser, call.parser).feed(body), stamp)

    def _read(self, call: _Call, events: Iterable[Event], stamp: int) -> bool:
        outputs, decode = 0, self.decode
        for event in events:
            message = decode(event)
            outputs += self._is_new_output(call, message, outputs)
            if message.error is not None:
                call.error = Failure.STREAM_ERROR
            if message.over:
                call.finished, call.last = True, stamp
                break
        if outputs and len(call.stamps) < STAMPS_LIMIT:
            stamp_outputs(call, outputs, stamp, self.meter)
        return call.finished

    @staticmethod
    def _is_new_output(call: _Call, message: ChunkKind, before: int) -> bool:
        """A generator's last value comes again with its completion; that is no second output."""
        return message.has_output and not (message.done and (call.stamps or before))

    def listen(self, exchange: Exchange) -> bytes | None:
        """The second request, after a good answer to the first."""
        call = cast(_Call, exchange.stream)
        if call.sent or not successful(exchange.status):
            return None
        try:
            event = gradio.event_id(bytes(cast(bytearray, call.parser)))
        except ParseError:
            return None
        call.key, call.parser, call.cell = call.key or event, None, exchange.cell(self.meter.start)
        call.sent, call.headers = exchange.sent, exchange.headers
        return self.wire(exchange)

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is a 2xx for both halves, an output, and the completion."""
        if not successful(exchange.status):
            return unsuccessful(exchange.status)
        call = cast(_Call, exchange.stream)
        if not call.sent:
            return Failure.PARSE
        if not call.finished and call.parser is not None:
            self._close(call, exchange)
        if call.error or not call.finished:
            return call.error or Failure.STREAM_TRUNCATED
        if not call.stamps:
            return Failure.EMPTY_OUTPUT
        exchange.sent, exchange.headers, exchange.last = call.sent, call.headers, call.last
        return None

    def _close(self, call: _Call, exchange: Exchange) -> None:
        """The stream has ended without the completion, which may only lack its empty line."""
        parser = cast("SseParser | Document", call.parser)
        with contextlib.suppress(ParseError):
            if isinstance(parser, SseParser):
                self._read(call, parser.close(), exchange.heard)
                return
            call.error = Failure.PARSE
            if gradio.decode_predict(parser.close()[0].data).error is not None:
                call.error = Failure.STREAM_ERROR

    def truncated(self, exchange: Exchange) -> str:
        """Fewer bytes than announced: of the first answer, or of the stream."""
        call = cast(_Call, exchange.stream)
        return call.error or (Failure.STREAM_TRUNCATED if call.sent else Failure.CONNECTION_LOST)
