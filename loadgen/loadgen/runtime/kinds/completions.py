"""Completions: JSON is posted, and the answer is one piece of JSON or a stream of events.

An answer is right when the protocol says so, not when its status is 200: there must have been output, a stream must
have had its terminal event, and no error object on the way. A stream is over with [DONE], as for every client of OpenAI's,
whatever its body still brings; a last event needs no empty line; an answer in one piece is no stream, whatever it says.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loadgen.core.protocols import openai
from loadgen.core.protocols.sse import Document, Event, ParseError, SseParser, parser_for
from loadgen.model.wire import Failure, http_failure
from loadgen.runtime.http.exchange import Consumer, Exchange, Following, Stream
from loadgen.runtime.recording.meter import Meter

BODY_LIMIT = 4 * 1024 * 1024
STAMPS_LIMIT = 1_000_000
"""Output events whose times are kept; no plan may ask for more tokens."""


@dataclass(slots=True)
class _Completion:
    """What both have in common."""

    head: bytes
    """Up to the value of Content-Length."""
    body: Callable[[], bytes]
    timeout_ns: int
    meter: Meter
    decode: Callable[[bytes], openai.ChunkKind] = openai.decode
    """What an event, or the whole body, means."""
    consume: Consumer | None = None
    following: Following | None = None
    bodiless: bool = False
    idempotent: bool = True
    """Generating twice does no harm, and llama.cpp's server closes after a stream without announcing it."""

    def __post_init__(self) -> None:
        self.consume = self.take

    def wire(self, exchange: Exchange) -> bytes:
        """A fresh prompt."""
        return posted(self.head, self.body())

    def take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """The consumer."""
        raise NotImplementedError


@dataclass(slots=True)
class WholeKind(_Completion):
    """A completion answered in one piece of JSON."""

    def take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """Collect the body of a success, up to a limit."""
        if not successful(exchange.status):
            return False
        stream = exchange.stream = exchange.stream or Stream(bytearray(), exchange.cell(self.meter.start))
        kept = stream.parser
        if isinstance(kept, bytearray):
            kept += body
            if len(kept) > BODY_LIMIT:
                stream.error, stream.parser = Failure.PARSE, None
        return False

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is a 2xx whose message has output."""
        if not successful(exchange.status):
            return unsuccessful(exchange.status)
        stream = exchange.stream
        kept = stream.parser if stream else None
        if stream is None or not isinstance(kept, bytearray):
            return stream.error if stream else Failure.EMPTY_OUTPUT
        try:
            message = self.decode(bytes(kept))
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
class StreamKind(_Completion):
    """A completion streamed as server-sent events; the stamps of its output events are the measurement.

    How many tokens an event carries is told when the answer is over. Until then it counts as many as those of the answers before it did:
    tokens that came before a second's end must not count after it.
    """

    told: int = 0
    events: int = 0
    """Output tokens and events of the answers that told their tokens."""
    more: float = 0.0
    """Tokens of an event beyond its first, on average."""

    def take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """Stamp every output event in this piece with the time of its read; whether the stream is over with it."""
        stream = exchange.stream
        if stream is None:
            if not successful(exchange.status):
                return False
            stream = exchange.stream = Stream(parser_for(body), exchange.cell(self.meter.start))
        return self._read(stream, stream.parser.feed(body), stamp)

    def _read(self, stream: Stream, events: Iterable[Event], stamp: int) -> bool:
        outputs, over, decode = 0, False, self.decode
        for event in events:
            message = decode(event.data)
            if message.has_output:
                outputs += 1
            if message is not openai.OUTPUT:
                note(stream, event, message)
                if message.over:
                    over, stream.parser = True, None
                    break
        if outputs and len(stream.stamps) < STAMPS_LIMIT:
            stamp_outputs(stream, outputs, stamp, self.meter)
            if self.more:
                self._book(stream, int(self.more * len(stream.stamps)))
        return over

    def _book(self, stream: Stream, more: int) -> None:
        """So many tokens beyond the events so far."""
        self.meter.tokens[stream.cell] += more - stream.booked
        stream.booked = more

    def _learn(self, stream: Stream) -> None:
        self.told += stream.tokens
        self.events += len(stream.stamps)
        self.more = self.told / self.events - 1
        self._book(stream, stream.tokens - len(stream.stamps))

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is a 2xx with output and a terminal event, and no error."""
        if not successful(exchange.status):
            return unsuccessful(exchange.status)
        stream = exchange.stream
        if stream is None:
            return Failure.STREAM_TRUNCATED
        if stream.parser is not None:
            self._close(stream, exchange)
        if stream.error or not stream.finished:
            return stream.error or Failure.STREAM_TRUNCATED
        if not stream.stamps:
            return Failure.EMPTY_OUTPUT
        exchange.last = stream.stamps[-1]
        if stream.tokens:
            self._learn(stream)
        return None

    def _close(self, stream: Stream, exchange: Exchange) -> None:
        """The body has ended without [DONE]: what is left of it may be an event, or a piece of one."""
        parser: SseParser | Document = stream.parser
        with contextlib.suppress(ParseError):
            self._read(stream, parser.close(), exchange.heard)
        if isinstance(parser, Document):
            stream.error = stream.error or Failure.PARSE

    def truncated(self, exchange: Exchange) -> str:
        """No terminal event, or one without the end of the body."""
        return (exchange.stream and exchange.stream.error) or Failure.STREAM_TRUNCATED


def posted(head: bytes, body: bytes) -> bytes:
    """A request whose head goes up to the value of Content-Length."""
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


def note(stream: Stream, event: Event, message: openai.ChunkKind) -> None:
    """What an event says besides output; one that is named so is an error whatever its data."""
    if message.error is not None or event.event == b"error":
        stream.error = Failure.STREAM_ERROR
    if message.tokens is not None:
        stream.tokens = message.tokens
    stream.finished = stream.finished or message.done


def stamp_outputs(stream: Stream, outputs: int, stamp: int, meter: Meter) -> None:
    """So many output events came with the read at `stamp`."""
    stream.stamps.extend([stamp] * outputs) if outputs > 1 else stream.stamps.append(stamp)
    meter.events += outputs
    meter.tokens[stream.cell] += outputs
    if stamp != meter.last_read:
        meter.last_read = stamp
        meter.reads += 1


def successful(status: int) -> bool:
    """Any 2xx: some frameworks answer a POST with 201."""
    return 200 <= status < 300


def unsuccessful(status: int) -> str:
    """The class of an answer whose status no request of its kind expects; a redirect is named by its number too."""
    return http_failure(status) if status >= 300 else Failure.UNEXPECTED_STATUS
