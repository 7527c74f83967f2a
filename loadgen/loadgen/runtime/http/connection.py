"""One HTTP/1.1 connection: a raw asyncio protocol on llhttp, one request at a time.

The time is taken first thing in `data_received`, before anything is parsed: a stamp is when the bytes were read, not
when Python got round to them. Only the callbacks that are needed exist, since llhttp's binding builds objects for
each one that does (no `on_header`: where a header matters, see `_ends_by_closing`, the kept head is parsed again on
that rare path).

Requests go straight to the socket's descriptor: uvloop would queue them to the end of the loop's turn, tens of
microseconds after the stamp. What the kernel does not take at once, and everything under TLS, goes through the
transport.

Most servers give the same plain answer again and again, byte for byte. What llhttp said of such an answer is kept
(`Known`, for each kind of request in the pool) and said again, which saves a tenth of a request's cost. Only what has been
one whole, reusable answer in one read is known, so equal bytes where an answer begins are that answer and no more.

An answer is over when its protocol says so, even if its body is not: the exchange ends at once, and the connection, once the
rest has passed unread, may serve again (`ended`, `drained`).

However much a server sends, a connection is read at most once a turn of the loop, and what is due to others comes in between
(`REST_AFTER`): libuv would read one that is always full 32 times on end.

Whatever a server sends must end here as a failure with a class. A head of more than 64 KiB is refused; after it
nothing is buffered (llhttp keeps no trailers when nobody asks for headers), so an endless answer costs time until its
time-out, not memory.
"""

import asyncio
import os
from typing import Protocol, cast

import httptools

from loadgen.core.protocols.sse import ParseError
from loadgen.model.wire import Failure
from loadgen.runtime.clock import MILLISECOND, monotonic_ns
from loadgen.runtime.http.encoding import Decoder, EncodingError, Unknown, decoder_of
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.faults import LOCAL_ERRORS
from loadgen.runtime.http.heads import encoding_of, ends_by_closing

HEAD_LIMIT = 65536
REST_AFTER = 65536
"""Bytes in one read after which a connection rests until the loop's next turn: they take about two milliseconds to parse as events."""
STALE_NS = 100 * MILLISECOND
"""A kept connection that closes without an answer this soon after a request, and after the time that news takes, was closed
before it arrived."""

Known = tuple[bytes, int, str | None]
"""An answer that nobody wants the body of: its bytes, its status and the kind's verdict, which then depends on nothing else."""
NOTHING: Known = (b"", 0, None)


class Owner(Protocol):
    """Whom a connection reports to (the pool)."""

    received: int
    """Bytes read, counted by the connections."""
    known: list[Known]
    """By request of the plan: the last answer; its bytes are empty where there is none."""

    @property
    def stale_ns(self) -> int:
        """How soon after a request a closing must be seen to have crossed it on the way."""

    def opened(self, connection: "Connection") -> None:
        """It can be used."""

    def finished(self, connection: "Connection", exchange: Exchange, failure: str | None, stamp: int) -> None:
        """The exchange is over; the connection may be reusable."""

    def ended(self, connection: "Connection", exchange: Exchange, failure: str | None, stamp: int) -> None:
        """The exchange is over, but its answer's body is not: the connection is of no use until `drained`."""

    def drained(self, connection: "Connection") -> None:
        """The rest of an ended exchange's answer has passed: the connection may be reusable."""

    def stale(self, exchange: Exchange) -> None:
        """The exchange met a connection that the server had already closed, or closes before it is over: send it again."""

    def lost(self, connection: "Connection") -> None:
        """The connection is gone."""


class Connection(asyncio.Protocol):
    """A client's end of one connection."""

    __slots__ = (
        "_complete", "_decoder", "_exchange", "_fd", "_head", "_owner", "_parser", "_passing", "_pieces", "_reusable", "_spilled",
        "_stamp", "_transport", "alive", "opened_at", "served",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._exchange: Exchange | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._complete = False
        self._decoder: Decoder | None = None
        self._passing = False
        """The exchange is over, the rest of its answer is not."""
        self._reusable = False
        self._pieces: list[bytes] = []
        self._spilled = False
        self._stamp = 0
        self._head = b""
        self.alive = False
        self.served = 0
        self.opened_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)
        if transport.get_extra_info("ssl_object") is None:
            self._fd = transport.get_extra_info("socket").fileno()
        self.opened_at = monotonic_ns()
        self.alive = True
        self._owner.opened(self)

    @property
    def heard(self) -> int:
        """When the last bytes were read; ns, 0 before the first."""
        return self._stamp

    @property
    def head(self) -> bytes:
        """The answer's head, and perhaps more, until the exchange is over."""
        return self._head

    def send(self, exchange: Exchange) -> None:
        """Start an exchange on this idle connection."""
        data = exchange.kind.wire(exchange)
        self._exchange = exchange
        exchange.connection = self
        exchange.sent = monotonic_ns()
        if self._fd < 0:
            self._write(data)
            return
        try:
            written = os.write(self._fd, data)
        except BlockingIOError:
            written = 0
        except OSError as error:  # most often the peer has closed it, and connection_lost is on its way
            self._broken(exchange, error)
            return
        if written != len(data):
            self._write(data[written:])

    def _write(self, data: bytes) -> None:
        self._spilled = True
        if self._transport is not None:
            self._transport.write(data)

    def _broken(self, exchange: Exchange, error: OSError) -> None:
        """Nothing could be written: no server has seen the request."""
        self._exchange, reused = None, self.served > 0
        self.abort()
        if error.errno in LOCAL_ERRORS:
            self._owner.finished(self, exchange, Failure.LOCAL, monotonic_ns())
        elif reused and not exchange.retried:
            self._owner.stale(exchange)
        else:
            self._owner.finished(self, exchange, Failure.SEND, monotonic_ns())

    def data_received(self, data: bytes) -> None:
        """Stamp, recognise or parse, and finish the exchange if that was all of it."""
        stamp = monotonic_ns()
        exchange, owner = self._exchange, self._owner
        size = len(data)
        if size >= REST_AFTER:
            self._rest()
        if exchange is None:
            self._let_pass(data)
            return
        owner.received += size
        known, status, failure = owner.known[exchange.request]
        if data == known and not exchange.headers and not self._head:
            exchange.headers, exchange.status = stamp, status
            self._exchange = None
            self.served += 1
            if self._spilled and self._unsent():
                self.close()
            owner.finished(self, exchange, failure, stamp)
        else:
            self._parse(exchange, data, stamp)

    def _rest(self) -> None:
        """Until the loop's next turn."""
        if self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _parse(self, exchange: Exchange, data: bytes, stamp: int) -> None:
        parser = self._parser
        if parser is None:
            return
        self._stamp = stamp
        if not exchange.headers:
            self._head += data
        over = False
        try:
            parser.feed_data(data)
            if self._pieces:
                over = self._consume(exchange, stamp)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ParseError):
            self._fail(exchange, Failure.PARSE, stamp)
            return
        except EncodingError:
            self._fail(exchange, Failure.ENCODING, stamp)
            return
        if self._complete:
            if exchange.headers == stamp and self._head == data:
                self._learn(exchange, data)
            self._finish(exchange, stamp)
        elif over:
            self._end(exchange, stamp)
        elif not exchange.headers and len(self._head) > HEAD_LIMIT:
            self._fail(exchange, Failure.PARSE, stamp)

    def _learn(self, exchange: Exchange, data: bytes) -> None:
        kind = exchange.kind
        if self._reusable and kind.consume is None and not kind.bodiless:
            self._owner.known[exchange.request] = data, exchange.status, kind.verdict(exchange)

    def _consume(self, exchange: Exchange, stamp: int) -> bool:
        """Hand on what the read brought of the body, at once: all of it has the same stamp. Whether the answer is over."""
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        consume = exchange.kind.consume
        if consume is None:
            return False
        if self._decoder is not None:
            if exchange.status >= 300 and isinstance(self._decoder, Unknown):
                return False  # the status says enough
            body = self._decoder.feed(body)
        return consume(exchange, body, stamp)

    def on_message_begin(self) -> None:
        """(llhttp) The first byte of an answer; after the one that was asked for there must be none."""
        if self._complete:
            self._reusable = False

    def on_headers_complete(self) -> None:
        """(llhttp) The status is known."""
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None:
            return
        if self._complete:
            return
        status = parser.get_status_code()
        if status < 200:
            return
        exchange.headers, exchange.status = self._stamp, status
        if exchange.kind.consume is not None:
            encoding = encoding_of(self._head)
            self._decoder = decoder_of(encoding) if encoding else None
        if exchange.kind.bodiless:
            self._complete, self._reusable = True, parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)  # this one would wait for a body

    def on_message_complete(self) -> None:
        """(llhttp) The answer is whole; interim answers (1xx) are not answers."""
        exchange, parser = self._exchange, self._parser
        if parser is None or self._complete:
            return
        if (exchange is not None and exchange.status) or self._passing:
            self._complete, self._reusable = True, parser.should_keep_alive()

    def _finish(self, exchange: Exchange, stamp: int) -> None:
        failure = exchange.kind.verdict(exchange)
        self._complete = False
        self._exchange = None
        self._head = b""
        self.served += 1
        if not self._reusable or (self._spilled and self._unsent()):
            self.close()
        self._owner.finished(self, exchange, failure, stamp)

    def _end(self, exchange: Exchange, stamp: int) -> None:
        """The answer is over by its protocol."""
        failure = exchange.kind.verdict(exchange)
        self._exchange, self._passing = None, True
        self._head = b""
        self.served += 1
        if self._spilled and self._unsent():
            self.close()
        self._owner.ended(self, exchange, failure, stamp)

    def _let_pass(self, data: bytes) -> None:
        """The rest of an answer that is over. Where there is none, nobody asked: the stream cannot be trusted any more."""
        parser = self._parser
        if not self._passing or parser is None:
            self.abort()
            return
        self._owner.received += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            return
        self._pieces.clear()
        if self._complete:
            self._complete = self._passing = False
            if not self._reusable:
                self.close()
            self._owner.drained(self)

    def _unsent(self) -> bool:
        """Whether the answer came before the request was out: the connection is of no further use."""
        self._spilled = False
        return self._transport is None or self._transport.get_write_buffer_size() > 0

    def _fail(self, exchange: Exchange, failure: str, stamp: int) -> None:
        self._exchange = None
        self.abort()
        self._owner.finished(self, exchange, failure, stamp)

    def cancel(self) -> None:
        """Give up the exchange under way; whoever cancels has accounted for it."""
        self._exchange = None
        self.abort()

    def close(self) -> None:
        """Take no more requests."""
        self.alive = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> None:
        """The server has finished sending: complete for an answer that ends by closing."""
        self.alive = False
        exchange = self._exchange
        if exchange is not None and exchange.status and ends_by_closing(self._head):
            self._reusable = False
            self._finish(exchange, monotonic_ns())

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever ended it."""
        stamp = monotonic_ns()
        exchange, self._exchange = self._exchange, None
        self.alive = False
        self._fd = -1
        self._parser = self._transport = None  # the parser holds our methods: break the cycle, the collector is off
        self._owner.lost(self)
        if exchange is None:
            return
        if self._was_stale(exchange, stamp):
            self._owner.stale(exchange)
        elif exc is None and exchange.status:
            self._owner.finished(self, exchange, exchange.kind.truncated(exchange), stamp)
        else:
            self._owner.finished(self, exchange, Failure.CONNECTION_LOST, stamp)

    def _was_stale(self, exchange: Exchange, stamp: int) -> bool:
        """As browsers and Go's client do, but only for the race it is meant for: later closings are the target's failures.

        A closing crosses the request on the way: it is seen at most one round trip after the sending.
        """
        untouched = self.served > 0 and not self._head and not exchange.headers and not exchange.retried
        return untouched and exchange.kind.idempotent and stamp - exchange.sent < self._owner.stale_ns


class BodyConnection(Connection):
    """A connection whose answers' bodies somebody wants: llhttp's pieces of one read are collected without a Python frame each."""

    __slots__ = ("on_body",)

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self.on_body = self._pieces.append


class CallConnection(BodyConnection):
    """A connection whose requests may go on after their first answer: what follows goes out at once, on the same connection."""

    __slots__ = ()

    def _finish(self, exchange: Exchange, stamp: int) -> None:
        following = exchange.kind.following
        data = following(exchange) if following is not None else None
        if data is None:
            super()._finish(exchange, stamp)
            return
        self._complete = False
        self._head = b""
        self.served += 1
        exchange.headers = exchange.status = 0
        if self._reusable and self.alive:
            self._write(data)
        else:  # the server closes after every answer
            self._exchange = None
            self.close()
            self._owner.stale(exchange)
