"""Exchanges over aiohttp: for targets behind an HTTP proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), and odd servers.

It sends what the kinds write, byte for byte where HTTP lets it: the same heads, the same bodies. It costs about ten times as
much CPU a request as the generator's own connections, and stamps are taken when a task gets its turn, not at the read.
Calibration is done with it too, so the ceiling and the verdict on the measurement say what that means.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from loadgen.core.protocols.sse import ParseError
from loadgen.model.wire import Failure, http_failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.connection import STALE_NS
from loadgen.runtime.http.encoding import EncodingError, Unknown, decoder_of
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.faults import class_of
from loadgen.runtime.http.openings import CONNECT_LIMIT_SECONDS, Listener
from loadgen.runtime.http.target import Target

HEAD_LIMIT = 65536
KEEP_SECONDS = 3600.0
"""Idle connections are the server's to close."""
_PASSING_SECONDS = 1.0
_FARTHEST_NS = 2 * SECOND


@dataclass(frozen=True, slots=True)
class _Letter:
    """A request taken apart."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, wire: bytes) -> "_Letter":
        """From the bytes that a kind writes."""
        head, _, body = wire.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ", 2)
        fields = (line.partition(": ") for line in lines)
        return cls(method, path, [(name, value) for name, _, value in fields], body)


class _Trip:
    """An exchange on its way."""

    __slots__ = ("acted", "dialled", "exchange", "head", "heard", "reused", "task")

    task: "asyncio.Task[None]"

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.head = b""
        """Of the last answer."""
        self.acted = False
        self.dialled = 0
        """When its connection began to be opened; ns."""
        self.heard = 0
        """When something was last read; ns."""
        self.reused = False
        """Whether its connection had served before."""

    def cancel(self) -> None:
        """Give it up."""
        self.task.cancel()


class Compatible:
    """A client (see `client.py`) that leaves connections to aiohttp."""

    def __init__(self, target: Target, listener: Listener, *, proxies: bool) -> None:
        self.received = self.opened_count = 0
        self._listener = listener
        self._origin = target.origin
        self._secure = target.secure
        self._server_name = target.server_name if target.secure else None
        self._trips: dict[Exchange, _Trip] = {}
        self._quickest = _FARTHEST_NS
        """The shortest opening so far: a round trip or little more; ns."""
        self._session = self._opening(target, proxies, keepalive_timeout=KEEP_SECONDS)
        self._fresh = self._opening(target, proxies, force_close=True)
        """For second attempts: the first one's fault may be all kept connections'."""
        self._passing: set[asyncio.Task[None]] = set()
        self._closing: list[asyncio.Task[None]] = []

    def _opening(self, target: Target, proxies: bool, **keeping: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=1, ssl=target.tls() or True, **keeping),
            trust_env=proxies,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            trace_configs=[self._tracing()],
        )

    def _tracing(self) -> aiohttp.TraceConfig:
        """A connection is at hand: the request goes out now."""
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_start.append(self._opening_begins)
        tracing.on_connection_create_end.append(self._opened)
        tracing.on_connection_reuseconn.append(self._reused)
        return tracing

    async def _opening_begins(self, _session: Any, context: Any, _params: Any) -> None:
        trip: _Trip = context.trace_request_ctx
        trip.dialled = monotonic_ns()
        self._acted(trip, trip.dialled)

    async def _opened(self, _session: Any, context: Any, _params: Any) -> None:
        self.opened_count += 1
        trip: _Trip = context.trace_request_ctx
        self._quickest = min(self._quickest, monotonic_ns() - trip.dialled)
        _sending(trip, reused=False)

    async def _reused(self, _session: Any, context: Any, _params: Any) -> None:
        _sending(context.trace_request_ctx, reused=True)
        self._acted(context.trace_request_ctx, monotonic_ns())

    def _acted(self, trip: _Trip, now: int) -> None:
        if not trip.acted:
            trip.acted = True
            self._listener.acted(trip.exchange, now)

    def dispatch(self, exchange: Exchange) -> None:
        """Carry it in a task of its own."""
        trip = self._trips[exchange] = exchange.connection = _Trip(exchange)
        trip.task = asyncio.get_running_loop().create_task(self._carry(trip))

    def cancel(self, exchange: Exchange) -> Failure | None:
        """Give it up without reporting it; where it was never sent, why."""
        if (trip := self._trips.pop(exchange, None)) is not None:
            trip.cancel()
        return None if exchange.sent else Failure.CONNECT_TIMEOUT

    def retire(self) -> None:
        """The plan sets no age with this client."""

    def close(self) -> None:
        """Drop everything."""
        for exchange in list(self._trips):
            self.cancel(exchange)
        for passing in self._passing:
            passing.cancel()
        loop = asyncio.get_running_loop()
        self._closing = [loop.create_task(session.close()) for session in (self._session, self._fresh)]

    async def _carry(self, trip: _Trip) -> None:
        exchange = trip.exchange
        failure = await self._outcome(trip)
        if failure and _was_stale(trip, STALE_NS + self._quickest):
            exchange.reset()
            exchange.connection = trip
            failure = await self._outcome(trip)
        del self._trips[exchange]
        self._listener.completed(exchange, failure, monotonic_ns() if failure else trip.heard)

    async def _outcome(self, trip: _Trip) -> str | None:
        """None for success or the class of the failure."""
        try:
            return await self._converse(trip)
        except (ParseError, EncodingError, aiohttp.ClientError, OSError, RuntimeError) as error:
            return self._class_of(error, trip.exchange)

    async def _converse(self, trip: _Trip) -> str | None:
        exchange = trip.exchange
        following = exchange.kind.following
        data: bytes | None = exchange.kind.wire(exchange)
        while data is not None:
            exchange.headers = exchange.status = 0
            await self._ask(trip, _Letter.of(data))
            data = following(exchange) if following is not None else None
        return exchange.kind.verdict(exchange)

    async def _ask(self, trip: _Trip, letter: _Letter) -> None:
        exchange = trip.exchange
        connecting = min(exchange.kind.timeout_ns / SECOND, CONNECT_LIMIT_SECONDS)
        session = self._fresh if exchange.retried else self._session
        response = await session.request(
            letter.method,
            URL(self._origin + letter.path, encoded=True),
            headers=letter.headers,
            data=letter.body or None,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connecting),
            allow_redirects=False,
            server_hostname=self._server_name,
            trace_request_ctx=trip,
        )
        exchange.headers = trip.heard = monotonic_ns()
        exchange.status = response.status
        trip.head = b"".join(b"\r\n%b: %b" % field for field in response.raw_headers)
        try:
            over = await self._read(trip, response)
        except BaseException:
            response.close()
            raise
        if over:
            self._passing.add(passing := asyncio.get_running_loop().create_task(_let_pass(response)))
            passing.add_done_callback(self._passing.discard)
        else:
            response.release()

    async def _read(self, trip: _Trip, response: aiohttp.ClientResponse) -> bool:
        """Hand the body on. Whether the answer is over before its body."""
        exchange, consume = trip.exchange, trip.exchange.kind.consume
        decoder = decoder_of(response.headers.get("Content-Encoding", ""))
        if exchange.status >= 300 and isinstance(decoder, Unknown):
            consume = None  # the status says enough
        async for piece in response.content.iter_any():
            trip.heard = monotonic_ns()
            self.received += len(piece)
            if consume is not None and consume(exchange, decoder.feed(piece) if decoder else piece, trip.heard):
                return True
        return False

    def _class_of(self, error: Exception, exchange: Exchange) -> str:
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return http_failure(error.status)
        if isinstance(error, (ParseError, aiohttp.ClientResponseError)):
            return Failure.PARSE
        if isinstance(error, EncodingError):
            return Failure.ENCODING
        if exchange.status:
            return exchange.kind.truncated(exchange)
        return Failure.CONNECTION_LOST if exchange.sent else self._not_opened(error)

    def _not_opened(self, error: Exception) -> str:
        """Why there is no connection."""
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return Failure.DNS
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        return class_of(cause, tls=self._secure)


async def _let_pass(response: aiohttp.ClientResponse) -> None:
    """The rest of an answer that is over by its protocol: then its connection may serve again."""
    try:
        async with asyncio.timeout(_PASSING_SECONDS):
            while await response.content.readany():
                pass
    except (aiohttp.ClientError, OSError):
        response.close()
    finally:
        response.release()


def _sending(trip: _Trip, *, reused: bool) -> None:
    trip.reused = reused
    trip.exchange.sent = trip.exchange.sent or monotonic_ns()


def _was_stale(trip: _Trip, window_ns: int) -> bool:
    """As the generator's own connections have it: closed before the request arrived."""
    exchange = trip.exchange
    untouched = trip.reused and not exchange.headers and not exchange.retried
    return untouched and exchange.kind.idempotent and monotonic_ns() - exchange.sent < window_ns
