"""The data path: plain TCP, on which what the target sends can be held back, as netem on its egress would.

It normally adds nothing but a hop. While faults are in force every read from the target is held back, in order within its
connection, and so is the opening of a connection: netem would delay the target's SYN-ACK, here the worker is connected
to the proxy at once and its first bytes wait as long. What a request takes is the same; a worker's connect time does not
show it. Half-closes and resets are passed on, so a broken target looks as broken as it is.
"""

import asyncio
import contextlib
import errno
import heapq
import itertools
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.pacing.alarm import Alarm, alarm
from loadgen.runtime.proxy.injections import Injections
from loadgen.runtime.proxy.upstream import Upstream

HOLD_LIMIT = 8 * 1024 * 1024
"""Bytes of one connection held back before its target is no longer read."""
OWN_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Why a connection to the target cannot even be tried."""
BACKLOG = 4096
_RESET = struct.pack("ii", 1, 0)


def own_failure(error: BaseException | None) -> bool:
    """Whether it is the proxy, not the target, that lacks something: files, ports, memory, the name's address."""
    return isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno in OWN_MEANS)


class _Side(asyncio.Protocol):
    """One end of a proxied connection; `peer` is the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.forward(data)

    def forward(self, data: bytes) -> None:
        """Send what came from the peer."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def eof_received(self) -> bool:
        if self.peer is not None:
            self.peer.finish()
        return True  # the other direction stays open

    def finish(self) -> None:
        """No more data from the peer."""
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.peer is not None:
            self.peer.drop(reset=exc is not None)

    def drop(self, *, reset: bool) -> None:
        """The peer is gone: go the same way."""
        if self.transport is None:
            return
        if reset:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        self._source(reading=False)

    def resume_writing(self) -> None:
        self._source(reading=True)

    def _source(self, *, reading: bool) -> None:
        source = self.peer.transport if self.peer is not None else None
        if source is not None and not source.is_closing():
            source.resume_reading() if reading else source.pause_reading()


class _Target(_Side):
    """The end towards the target."""

    def __init__(self, client: _Side) -> None:
        super().__init__()
        self.peer = client


class _Client(_Side):
    """The end towards the worker: holds back what comes from the target."""

    def __init__(self, proxy: "Proxy") -> None:
        super().__init__()
        self._proxy = proxy
        self._held: deque[tuple[int, Callable[[], None], int]] = deque()
        self._bytes = 0
        self._early: list[bytes] = []
        self._early_end = False
        self._opening: asyncio.Task[None] | None = None
        self._target: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._proxy.clients.add(self)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.forward(data)
            return
        # uvloop begins to read after connection_made, whatever was asked of the transport there: keep what comes early.
        self._early.append(data)
        if self.transport is not None:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._early_end = self.peer is None
        return super().eof_received()

    async def _open(self) -> None:
        target = _Target(self)
        try:
            await self._proxy.upstream.connect(lambda: target)
        except OSError as error:
            self._proxy.refused += own_failure(error)
            self._later(lambda: self._drop_now(reset=True), 0)
            return
        if self.transport is None:
            target.drop(reset=False)
            return
        self._target = target
        self._later(lambda: self._join(target), 0)

    def _join(self, target: _Side) -> None:
        self.peer = target
        for data in self._early:
            target.forward(data)
        self._early.clear()
        if self._early_end:
            target.finish()
        elif self.transport is not None:
            self.transport.resume_reading()

    def forward(self, data: bytes) -> None:
        self._bytes += len(data)
        self._later(lambda: self._write(data), len(data))
        if self._bytes > HOLD_LIMIT:
            self._source(reading=False)

    def _write(self, data: bytes) -> None:
        super().forward(data)

    def finish(self) -> None:
        self._later(super().finish, 0)

    def drop(self, *, reset: bool) -> None:
        self._later(lambda: self._drop_now(reset=reset), 0)

    def _drop_now(self, *, reset: bool) -> None:
        super().drop(reset=reset)

    def _later(self, act: Callable[[], None], size: int) -> None:
        """After the delay, and never before what came earlier."""
        delay = self._proxy.injections.hold_ns()
        if not delay and not self._held:
            self._bytes -= size
            act()
            return
        due = max(monotonic_ns() + delay, self._held[-1][0] if self._held else 0)
        self._held.append((due, act, size))
        if len(self._held) == 1:
            self._proxy.wake(due, self)

    def release(self) -> None:
        """Let go what is due; never earlier, or a delay of 200 ms would be seen as 199.6 ms."""
        while self._held and self._held[0][0] <= monotonic_ns():
            _, act, size = self._held.popleft()
            self._bytes -= size
            act()
        if self._held:
            self._proxy.wake(self._held[0][0], self)
        if self._bytes <= HOLD_LIMIT // 2:
            self._source(reading=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._held.clear()
        self._proxy.clients.discard(self)
        self.peer = self.peer or self._target  # one that was still to be joined goes, too
        super().connection_lost(exc)

    def cut(self) -> None:
        """The proxy ends: now, whatever is held back."""
        if self._opening is not None:
            self._opening.cancel()
        for transport in (self.transport, self._target.transport if self._target else None):
            if transport is not None:
                transport.abort()


@dataclass(slots=True, eq=False)
class Proxy:
    """One upstream, any number of connections, the faults between them."""

    upstream: Upstream
    injections: Injections = field(default_factory=Injections)
    clients: set[_Client] = field(default_factory=set)
    refused: int = 0
    """Connections that failed for lack of the proxy's own means."""
    _waiting: list[tuple[int, int, _Client]] = field(default_factory=list)
    """A heap of when (ns), a number that keeps the order of equals, and who."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _alarm: Alarm | None = None

    def wake(self, due: int, client: _Client) -> None:
        """Have the client release what it holds at a monotonic time: on the loop's timers, a millisecond is the finest."""
        heapq.heappush(self._waiting, (due, next(self._numbers), client))
        if self._alarm is None:
            self._alarm = alarm(asyncio.get_running_loop(), self._ring)
        if self._waiting[0][0] == due:
            self._alarm.set(due)

    def _ring(self) -> None:
        now = monotonic_ns()
        due: list[_Client] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        for client in due:
            client.release()
        if self._waiting and self._alarm is not None:
            self._alarm.set(self._waiting[0][0])

    async def listen(self, port: int, host: str | None = None) -> asyncio.Server:
        """Accept workers' connections."""
        return await asyncio.get_running_loop().create_server(lambda: _Client(self), host, port, backlog=BACKLOG)

    def close(self) -> None:
        """Hold nothing back any more, end every connection and give the timers back."""
        self.injections.close()
        self._waiting.clear()
        for client in list(self.clients):
            client.cut()
        if self._alarm is not None:
            self._alarm.close()
