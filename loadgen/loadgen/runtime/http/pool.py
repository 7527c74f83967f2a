"""Connections kept for reuse, last in first out, and opened when there is none.

Last in, first out keeps as few connections busy as the load needs. Replicas behind a Service only get traffic over
new connections, so age and use can be limited (`connections` in the plan); a connection is only ever retired between
two requests. Opening is the slow path (`openings`): a task with a time-out that maps every way to fail to its class.
"""

import asyncio

from loadgen.model.plan import Connections
from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.connection import NOTHING, STALE_NS, BodyConnection, CallConnection, Connection
from loadgen.runtime.http.exchange import Exchange, Kind
from loadgen.runtime.http.faults import ANOTHER_ADDRESS, class_of, most_telling
from loadgen.runtime.http.openings import CONNECT_LIMIT_SECONDS, Listener, Opened, Openings
from loadgen.runtime.http.target import Address, Resolver, Target

PASSING = 64
"""Connections on which the rest of an answer that is over may still come, for a second; more, or longer, and they are dropped."""
_FARTHEST_NS = 2 * SECOND
_NEVER = 1 << 62


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
        """Those that were closed meanwhile are among them until somebody looks."""
        self._all: set[Connection] = set()
        self._passing: dict[Connection, int] = {}
        """Since when they are on the rest of an answer, oldest first; ns."""
        self._openings = Openings(self._attempt, listener, self._idle.append)
        self._waiting = self._openings.waiting
        self._retries: dict[Exchange, asyncio.Task[None]] = {}
        self._quickest = _FARTHEST_NS
        """The shortest opening so far: a round trip or little more; ns."""
        self._max_age = limits.max_age_seconds * SECOND if limits.max_age_seconds else _NEVER
        self._max_requests = limits.max_requests or _NEVER

    @property
    def stale_ns(self) -> int:
        """How soon after a request a closing must be seen to have crossed it on the way."""
        return STALE_NS + self._quickest

    def dispatch(self, exchange: Exchange) -> None:
        """Send it over the connection used last; without one it takes what comes first, a new one or one set free."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.alive and exchange.begun - connection.opened_at < self._max_age:
                connection.send(exchange)
                return
            connection.close()
        self._openings.join(exchange)

    def cancel(self, exchange: Exchange) -> Failure | None:
        """Give an exchange up without reporting it; where it was never sent, why."""
        if (why := self._openings.leave(exchange)) is not None:
            return why
        if (retry := self._retries.pop(exchange, None)) is not None:
            retry.cancel()
            return Failure.CONNECT_TIMEOUT
        if exchange.connection is not None:
            exchange.connection.cancel()
        return None

    def retire(self) -> None:
        """Close connections that are too old, or that no end comes on. Called once a second."""
        now = monotonic_ns()
        for connection in self._idle:
            if now - connection.opened_at >= self._max_age:
                connection.close()
        self._idle[:] = [connection for connection in self._idle if connection.alive]
        for connection in [one for one, since in self._passing.items() if now - since >= SECOND]:
            connection.abort()

    def close(self) -> None:
        """Drop everything."""
        self._openings.close()
        for task in self._retries.values():
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
        self._passing.pop(connection, None)

    def finished(self, connection: Connection, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """(connection) The exchange is over; keep the connection if it can serve again."""
        if connection.alive:
            if connection.served >= self._max_requests or stamp - connection.opened_at >= self._max_age:
                connection.close()
            elif self._waiting:
                connection.send(self._openings.next())
            else:
                self._idle.append(connection)
        self._listener.completed(exchange, failure, stamp)

    def ended(self, connection: Connection, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """(connection) The exchange is over, its answer's body is not."""
        self._passing[connection] = stamp
        if len(self._passing) > PASSING:
            next(iter(self._passing)).abort()
        self._listener.completed(exchange, failure, stamp)

    def drained(self, connection: Connection) -> None:
        """(connection) Nothing more will come of an answer that is over."""
        self._passing.pop(connection, None)
        if not connection.alive:
            return
        if connection.served >= self._max_requests:
            connection.close()
        elif self._waiting:
            connection.send(self._openings.next())
        else:
            self._idle.append(connection)

    def stale(self, exchange: Exchange) -> None:
        """(connection) Again, once, over a fresh connection; `sent` is stamped anew, the intended start stays."""
        exchange.reset()
        self._retries[exchange] = asyncio.get_running_loop().create_task(self._retry(exchange))

    async def _retry(self, exchange: Exchange) -> None:
        connection, failure = await self._attempt()
        self._retries.pop(exchange, None)
        if connection is not None and connection.alive:
            connection.send(exchange)
        else:
            self._listener.completed(exchange, failure or Failure.CONNECTION_LOST, monotonic_ns())

    async def _attempt(self) -> Opened:
        begun = monotonic_ns()
        try:
            async with asyncio.timeout(CONNECT_LIMIT_SECONDS):
                connection = await self._first_reachable(await self._resolver.resolve())
        except (OSError, RuntimeError) as error:
            return None, class_of(error, tls=self._tls is not None)
        self._quickest = min(self._quickest, monotonic_ns() - begun)
        return connection, None

    async def _first_reachable(self, addresses: list[Address]) -> Connection:
        """Every address has its share of the time that is left. Raises the most telling error of all."""
        end, errors = monotonic_ns() + CONNECT_LIMIT_SECONDS * SECOND, list[Exception]()
        for place, address in enumerate(addresses):
            share = (end - monotonic_ns()) / SECOND / (len(addresses) - place)
            try:
                async with asyncio.timeout(share):
                    return await self._connect_to(address)
            except OSError as error:
                errors.append(error)
                if class_of(error, tls=self._tls is not None) not in ANOTHER_ADDRESS:
                    break
        raise most_telling(errors)

    async def _connect_to(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        name = self._target.server_name if self._tls else None
        host, port = address
        _, connection = await loop.create_connection(
            lambda: self._connection(self), host, port, ssl=self._tls, server_hostname=name
        )
        return connection


def _connection_for(kinds: tuple[Kind, ...]) -> type[Connection]:
    """The cheapest that does what is asked."""
    if any(kind.following for kind in kinds):
        return CallConnection
    return BodyConnection if any(kind.consume for kind in kinds) else Connection
