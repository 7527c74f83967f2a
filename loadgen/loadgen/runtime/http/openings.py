"""Requests without a connection, and the openings under way for them.

Each opening belongs to one request and its fate is that request's alone: a time-out or a refusal never fails another's. A
connection that becomes free goes to whoever has waited longest; that one's opening then serves the next in the queue.

At most `AT_ONCE` openings are under way: one costs ten times a request, and without a bound a pause of target or generator
would turn into a storm of them that keeps the loop from reading the very answers that would set connections free. The wait
for a turn is the generator's own: it counts as its lag (`Listener.acted` ends it), and a request whose time is up before its
turn has failed as Local. Unless nothing could be opened all that time: then whoever waits, waits for the target.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.connection import Connection
from loadgen.runtime.http.exchange import Exchange

AT_ONCE = 64
CONNECT_LIMIT_SECONDS = 10.0
_WHOLE_NS = int(0.9 * CONNECT_LIMIT_SECONDS * SECOND)
"""Who had an opening for so long had all of it; timers are not exact."""

Opened = tuple[Connection | None, Failure | None]


class Listener(Protocol):
    """Who learns what became of exchanges (the executor)."""

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """An exchange has an outcome."""

    def acted(self, exchange: Exchange, now: int) -> None:
        """What an exchange that was not sent at once has waited so far, it has waited for the generator."""


@dataclass(slots=True, eq=False)
class _Opening:
    """One opening under way."""

    exchange: Exchange | None
    """Whom it is for; None where that one got another connection and nobody else waits."""
    since: int
    """For how long that one has had it; ns."""
    task: "asyncio.Task[None] | None" = None


class Openings:
    """The queue of one shard."""

    def __init__(
        self, attempt: Callable[[], Awaitable[Opened]], listener: Listener, keep: Callable[[Connection], None]
    ) -> None:
        self._attempt, self._listener, self._keep = attempt, listener, keep
        self.waiting: dict[Exchange, _Opening] = {}
        """Exchanges whose connections are being opened, those that have waited longest first; while it is empty nobody waits."""
        self._queued: dict[Exchange, None] = {}
        """Those whose turn has not come, oldest first."""
        self._openings: dict[_Opening, None] = {}
        self._last_opened = 0

    def join(self, exchange: Exchange) -> None:
        """Wait for a connection."""
        spare = next((one for one in self._openings if one.exchange is None), None) if self._spare else None
        if spare is not None:
            self._serve(exchange, spare)
        elif len(self._openings) < AT_ONCE:
            self._open(exchange)
        else:
            self._queued[exchange] = None

    @property
    def _spare(self) -> bool:
        return len(self._openings) > len(self.waiting)

    def next(self) -> Exchange:
        """Who has waited longest, for a connection that is free. Only where somebody is `waiting`."""
        exchange = next(iter(self.waiting))
        self._release(exchange)
        return exchange

    def leave(self, exchange: Exchange) -> Failure | None:
        """Wait no more. Why it has no connection, None where it is not here."""
        if exchange in self.waiting:
            self._release(exchange)
            return Failure.CONNECT_TIMEOUT
        if exchange not in self._queued:
            return None
        del self._queued[exchange]
        if self._last_opened < exchange.begun:
            return Failure.CONNECT_TIMEOUT
        self._listener.acted(exchange, monotonic_ns())
        return Failure.LOCAL

    def close(self) -> None:
        """Drop everything."""
        self.waiting.clear()
        self._queued.clear()
        for opening in self._openings:
            if opening.task is not None:
                opening.task.cancel()

    def _release(self, exchange: Exchange) -> None:
        """Its opening serves whoever is next in the queue."""
        opening = self.waiting.pop(exchange)
        opening.exchange = None
        if self._queued:
            following = next(iter(self._queued))
            del self._queued[following]
            self._serve(following, opening)

    def _serve(self, exchange: Exchange, opening: _Opening) -> None:
        now = monotonic_ns()
        opening.exchange, opening.since = exchange, now
        self.waiting[exchange] = opening
        self._listener.acted(exchange, now)

    def _open(self, exchange: Exchange) -> None:
        opening = _Opening(None, 0)
        self._openings[opening] = None
        self._serve(exchange, opening)
        opening.task = asyncio.get_running_loop().create_task(self._run(opening))

    async def _run(self, opening: _Opening) -> None:
        connection, failure = await self._attempt()
        del self._openings[opening]
        exchange, opening.exchange = opening.exchange, None
        if exchange is not None:
            del self.waiting[exchange]
        if connection is not None and connection.alive:
            self._last_opened = monotonic_ns()
            self._hand_over(connection, exchange)
        elif exchange is not None:
            self._refuse(exchange, opening.since, failure or Failure.CONNECTION_LOST)
        self._go_on()

    def _hand_over(self, connection: Connection, exchange: Exchange | None) -> None:
        if exchange is not None:
            connection.send(exchange)
        elif self.waiting:
            connection.send(self.next())
        else:
            self._keep(connection)

    def _refuse(self, exchange: Exchange, since: int, failure: Failure) -> None:
        """The opening's failure is the exchange's, unless it took it over on the way and still has time."""
        now = monotonic_ns()
        if failure is Failure.CONNECT_TIMEOUT and now - since < _WHOLE_NS:
            self.join(exchange)
        else:
            self._listener.completed(exchange, failure, now)

    def _go_on(self) -> None:
        """One opening is over: the next in the queue has its turn."""
        if self._queued and len(self._openings) < AT_ONCE:
            following = next(iter(self._queued))
            del self._queued[following]
            self._open(following)
