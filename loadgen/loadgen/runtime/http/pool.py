"""Connections kept for reuse, last in first out, and opened when there is none.

Last in, first out keeps as few connections busy as the load needs. Replicas behind a Service only get traffic over
new connections, so age and use can be limited (`connections` in the plan); a connection is only ever retired between
two requests. Opening is the slow path: a task with a time-out that maps every way to fail to its class.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from typing import Protocol

from loadgen.model.plan import Connections
from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.connection import NOTHING, BodyConnection, CallConnection, Connection
from loadgen.runtime.http.exchange import Exchange, Kind
from loadgen.runtime.http.target import Address, Resolver, Target

CONNECT_LIMIT_SECONDS = 10.0
DIALS = 64
"""Openings under way at once. An opening costs ten times a request; without a bound, a pause of target or generator would turn
into a storm of them that keeps the loop from reading the very answers that would set connections free."""
_NEVER = 1 << 62


class Listener(Protocol):
    """Who learns how exchanges ended (the executor)."""

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """An exchange has an outcome."""


class Pool:
    """All connections of one shard to one target."""

    def __init__(self, target: Target, limits: Connections, listener: Listener, kinds: tuple[Kind, ...]) -> None:
        self.received = 0
        self.opened_count = 0
        self.known = [NOTHING] * len(kinds)
        self._listener = listener
        self._connection = _connection_for(kinds)
        self._target = target
        self._resolver = Resolver(target.host, target.port)
        self._tls = target.tls()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: dict[Exchange, None] = {}
        """Exchanges without a connection, oldest first."""
        self._dials: set[asyncio.Task[None]] = set()
        self._retries: dict[Exchange, asyncio.Task[None]] = {}
        self._max_age = limits.max_age_seconds * SECOND if limits.max_age_seconds else _NEVER
        self._max_requests = limits.max_requests or _NEVER

    def dispatch(self, exchange: Exchange) -> None:
        """Send it over the connection used last; without one it takes what comes first, a new one or one set free."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.alive and exchange.begun - connection.opened_at < self._max_age:
                connection.send(exchange)
                return
            connection.close()
        self._waiting[exchange] = None
        self._dial(exchange.kind.timeout_ns)

    def cancel(self, exchange: Exchange) -> None:
        """Give an exchange up without reporting it."""
        if exchange in self._waiting:
            del self._waiting[exchange]
        elif (retry := self._retries.pop(exchange, None)) is not None:
            retry.cancel()
        elif exchange.connection is not None:
            exchange.connection.cancel()

    def retire(self) -> None:
        """Close idle connections that are too old. Called once a second."""
        if self._max_age == _NEVER:
            return
        limit = monotonic_ns() - self._max_age
        for connection in self._idle:
            if connection.opened_at <= limit:
                connection.close()
        self._idle = [connection for connection in self._idle if connection.alive]

    def close(self) -> None:
        """Drop everything."""
        self._waiting.clear()
        for task in (*self._dials, *self._retries.values()):
            task.cancel()
        for connection in list(self._all):
            connection.cancel()

    def opened(self, connection: Connection) -> None:
        """(connection) It is up."""
        self.opened_count += 1
        self._all.add(connection)

    def lost(self, connection: Connection) -> None:
        """(connection) It is gone."""
        self._all.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def finished(self, connection: Connection, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """(connection) The exchange is over; keep the connection if it can serve again."""
        if connection.alive:
            if connection.served >= self._max_requests or stamp - connection.opened_at >= self._max_age:
                connection.close()
            elif self._waiting:
                connection.send(self._next())
            else:
                self._idle.append(connection)
        self._listener.completed(exchange, failure, stamp)

    def _offer(self, connection: Connection) -> None:
        """To the exchange that has waited longest, or keep it."""
        if self._waiting:
            connection.send(self._next())
        else:
            self._idle.append(connection)

    def _next(self) -> Exchange:
        exchange = next(iter(self._waiting))
        del self._waiting[exchange]
        return exchange

    def stale(self, exchange: Exchange) -> None:
        """(connection) Again, once, over a fresh connection; `sent` is stamped anew, the intended start stays."""
        exchange.reset()
        self._retries[exchange] = asyncio.get_running_loop().create_task(self._retry(exchange))

    async def _retry(self, exchange: Exchange) -> None:
        connection, failure = await self._attempt(exchange.kind.timeout_ns)
        self._retries.pop(exchange, None)
        if connection is not None and connection.alive:
            connection.send(exchange)
        else:
            self._listener.completed(exchange, failure or Failure.CONNECTION_LOST, monotonic_ns())

    def _dial(self, timeout_ns: int) -> None:
        """One more opening, unless there are as many as exchanges wait, or as many as the loop can bear at once."""
        if len(self._dials) < min(len(self._waiting), DIALS):
            task = asyncio.get_running_loop().create_task(self._connect(timeout_ns))
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    async def _connect(self, timeout_ns: int) -> None:
        connection, failure = await self._attempt(timeout_ns)
        task = asyncio.current_task()
        if task is not None:
            self._dials.discard(task)
        if connection is not None and connection.alive:
            self._offer(connection)
        else:
            self._refuse(failure or Failure.CONNECTION_LOST)
        if self._waiting:
            self._dial(timeout_ns)

    def _refuse(self, failure: str) -> None:
        """The oldest exchange fails with this opening; after a time-out, all that have waited as long."""
        now = monotonic_ns()
        refused = [self._next()] if self._waiting else []
        if failure == Failure.CONNECT_TIMEOUT:
            refused += [one for one in self._waiting if now - one.begun >= CONNECT_LIMIT_SECONDS * SECOND]
        for exchange in refused:
            self._waiting.pop(exchange, None)
            self._listener.completed(exchange, failure, now)

    async def _attempt(self, timeout_ns: int) -> tuple[Connection | None, str | None]:
        limit = min(timeout_ns / SECOND, CONNECT_LIMIT_SECONDS)
        try:
            async with asyncio.timeout(limit):
                return await self._first_reachable(await self._resolver.resolve()), None
        except TimeoutError:
            return None, Failure.CONNECT_TIMEOUT
        except OSError as error:
            return None, self._class_of(error)

    async def _first_reachable(self, addresses: list[Address]) -> Connection:
        for address in addresses[:-1]:
            with contextlib.suppress(ConnectionRefusedError):
                return await self._connect_to(address)
        return await self._connect_to(addresses[-1])

    async def _connect_to(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        name = self._target.server_name if self._tls else None
        host, port = address
        _, connection = await loop.create_connection(
            lambda: self._connection(self), host, port, ssl=self._tls, server_hostname=name
        )
        return connection

    def _class_of(self, error: OSError) -> str:
        """The failure class of an unsuccessful opening."""
        if isinstance(error, socket.gaierror):
            return Failure.DNS
        if isinstance(error, ConnectionRefusedError) or error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
            return Failure.CONNECT_REFUSED
        if error.errno in {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}:
            return Failure.SEND  # this machine's own limit: no ports or descriptors left
        if isinstance(error, ssl.SSLError) or self._tls is not None:
            return Failure.TLS
        return Failure.CONNECTION_LOST


def _connection_for(kinds: tuple[Kind, ...]) -> type[Connection]:
    """The cheapest that does what is asked."""
    if any(kind.following for kind in kinds):
        return CallConnection
    return BodyConnection if any(kind.consume for kind in kinds) else Connection
