"""The data path: plain TCP, on which the faults in force are done to what passes (`effects`), on the side of the target.

It normally adds nothing but a hop. While a delay is in force every read from the target is held back, in order within its
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.pacing.alarm import Alarm, alarm
from loadgen.runtime.proxy.effects import Step, Way, request_of
from loadgen.runtime.proxy.injections import Injections, Met
from loadgen.runtime.proxy.lane import Lane
from loadgen.runtime.proxy.upstream import Upstream

OWN_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Why a connection to the target cannot even be tried."""
BACKLOG = 4096
LINGER_SECONDS = 5.0
"""For a worker to close a connection on which the proxy has answered."""
_RESET = struct.pack("ii", 1, 0)


def own_failure(error: BaseException | None) -> bool:
    """Whether it is the proxy, not the target, that lacks something: files, ports, memory, the name's address."""
    return isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno in OWN_MEANS)


class _Side(asyncio.Protocol):
    """One end of a proxied connection; `peer` is the other. What goes out here goes through its lane."""

    way: Way

    def __init__(self, proxy: "Proxy", met: Met) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        self.proxy = proxy
        self.met = met
        self.lane = Lane(proxy.wake, self._lane_full)
        self._choked = self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.forward(data)

    def forward(self, data: bytes) -> None:
        """Send what came from the peer."""
        piece = self.proxy.injections.piece() or len(data)
        for begin in range(0, len(data), piece):
            part = data[begin : begin + piece] if piece < len(data) else data
            self._later(partial(self._write, part), len(part), None if begin else self.name_of(data))

    def name_of(self, _data: bytes) -> str | None:
        """Of the request that begins with it."""
        return None

    def _later(self, act: Callable[[], None], size: int = 0, request: str | None = None) -> None:
        if self.transport is None or self.transport.is_closing():
            return  # nobody is left to feel it
        step = Step(self.way, size, request)
        sentence = self.proxy.injections.sentence(self.met, step)
        if sentence.reset:
            self.break_off()
        elif sentence.answer and self.peer is not None:
            self.peer.answer(sentence.answer)
        else:
            self.lane.put(act, step, sentence)

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def eof_received(self) -> bool:
        if self.peer is not None:
            self.peer.finish()
        return True  # the other direction stays open

    def finish(self) -> None:
        """No more data from the peer."""
        self._later(self._write_end)

    def _write_end(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.lane.clear()
        if self.peer is not None:
            self.peer.drop(reset=exc is not None)

    def drop(self, *, reset: bool) -> None:
        """The peer is gone: go the same way."""
        self.drop_now(reset=reset)

    def drop_now(self, *, reset: bool) -> None:
        """Whatever is held back."""
        if self.transport is None:
            return
        if reset:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self.transport.close()

    def answer(self, data: bytes) -> None:
        """Instead of the peer, which goes; only the end towards the worker is asked to."""
        raise NotImplementedError

    def break_off(self) -> None:
        """A fault breaks the connection: both ends see a reset."""
        for side in (self, self.peer):
            if side is not None:
                side.lane.clear()
                side.drop_now(reset=True)

    def pause_writing(self) -> None:
        self._choked = True
        self._flow()

    def resume_writing(self) -> None:
        self._choked = False
        self._flow()

    def _lane_full(self, full: bool) -> None:
        self._full = full
        self._flow()

    def _flow(self) -> None:
        """Whether more is wanted from the peer."""
        source = self.peer.transport if self.peer is not None else None
        if source is not None and not source.is_closing():
            source.pause_reading() if self._choked or self._full else source.resume_reading()


class _Target(_Side):
    """The end towards the target."""

    way = Way.UP

    def __init__(self, client: _Side) -> None:
        super().__init__(client.proxy, client.met)
        self.peer = client

    def name_of(self, data: bytes) -> str | None:
        return request_of(data) if self.proxy.injections.in_force else None


class _Client(_Side):
    """The end towards the worker."""

    way = Way.DOWN

    def __init__(self, proxy: "Proxy") -> None:
        super().__init__(proxy, {})
        self._early: list[bytes] = []
        self._early_end = self._answered = False
        self._opening: asyncio.Task[None] | None = None
        self.target: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.proxy.clients.add(self)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.forward(data)
            return
        if self._answered:
            return
        # uvloop begins to read after connection_made, whatever was asked of the transport there: keep what comes early.
        self._early.append(data)
        if self.transport is not None:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._early_end = self.peer is None
        if self._answered:
            self.drop(reset=False)
        return super().eof_received()

    async def _open(self) -> None:
        step = Step(Way.OPENING)
        sentence = self.proxy.injections.sentence(self.met, step)
        if sentence.reset:
            self.break_off()
            return
        target = _Target(self)
        try:
            await self.proxy.upstream.connect(lambda: target)
        except OSError as error:
            self.proxy.refused += own_failure(error)
            self.lane.put(lambda: self.drop_now(reset=True), step, sentence)
            return
        if self.transport is None:
            target.drop_now(reset=False)
            return
        self.target = target
        self.lane.put(lambda: self._join(target), step, sentence)

    def _join(self, target: _Side) -> None:
        self.peer = target
        for data in self._early:
            target.forward(data)
        self._early.clear()
        if self._early_end:
            target.finish()
        elif self.transport is not None:
            self.transport.resume_reading()

    def answer(self, data: bytes) -> None:
        """The connection serves no more requests. It stays open to be closed by the worker: a close while more of the request
        comes would be a reset that overtakes the answer."""
        target, self.peer, self.target, self._answered = self.peer, None, None, True
        if target is not None:
            target.peer = None
            target.lane.clear()
            target.drop_now(reset=True)
        self._later(partial(self._write, data), len(data))
        asyncio.get_running_loop().call_later(LINGER_SECONDS, lambda: self.drop_now(reset=False))

    def drop(self, *, reset: bool) -> None:
        self._later(lambda: self.drop_now(reset=reset))

    def connection_lost(self, exc: Exception | None) -> None:
        self.proxy.clients.discard(self)
        self.peer = self.peer or self.target  # one that was still to be joined goes, too
        super().connection_lost(exc)

    def cut(self) -> None:
        """The proxy ends: now, whatever is held back."""
        if self._opening is not None:
            self._opening.cancel()
        for transport in (self.transport, self.target.transport if self.target else None):
            if transport is not None:
                transport.abort()


@dataclass(slots=True, eq=False)
class Proxy:
    """One upstream, any number of connections, the faults between them."""

    upstream: Upstream
    injections: Injections = field(init=False)
    clients: set[_Client] = field(default_factory=set)
    refused: int = 0
    """Connections that failed for lack of the proxy's own means."""
    _waiting: list[tuple[int, int, Lane]] = field(default_factory=list)
    """A heap of when (ns), a number that keeps the order of equals, and who."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _alarm: Alarm | None = None

    def __post_init__(self) -> None:
        self.injections = Injections(self._release)

    def _release(self) -> None:
        """A fault has gone: what waited for that goes on."""
        for client in list(self.clients):
            client.lane.release()
            if client.target is not None:
                client.target.lane.release()

    def wake(self, due: int, lane: Lane) -> None:
        """Have the lane rung at a monotonic time: on the loop's timers, a millisecond is the finest."""
        heapq.heappush(self._waiting, (due, next(self._numbers), lane))
        if self._alarm is None:
            self._alarm = alarm(asyncio.get_running_loop(), self._ring)
        if self._waiting[0][0] == due:
            self._alarm.set(due)

    def _ring(self) -> None:
        now = monotonic_ns()
        due: list[Lane] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        for lane in due:
            lane.ring()
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
