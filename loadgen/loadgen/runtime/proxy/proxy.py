"""A TCP proxy that can delay what the target answers, as netem on the target's egress would.

It stands between workers and target for a whole run and normally adds nothing but a hop. While a delay is active
every byte from the target is held back for the latency (± jitter), in order within its connection. The proxy itself
ends the delay after its duration (dead-man's switch): whoever ordered it may be gone. Half-closes and resets are
passed on, so a broken target looks as broken as it is.
"""

import asyncio
import contextlib
import heapq
import itertools
import os
import random
import signal
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web
from msgspec import Struct

from loadgen.model.errors import ExitCode, TargetError
from loadgen.runtime.clock import MILLISECOND, SECOND, monotonic_ns, wall_ns
from loadgen.runtime.pacing.alarm import Alarm, alarm
from loadgen.runtime.worker.control import BODY_LIMIT, as_json, guarded, health, read, read_token, refuse

HOLD_LIMIT = 8 * 1024 * 1024
"""Bytes of one connection held back before its target is no longer read."""
_RESET = struct.pack("ii", 1, 0)


class DelayOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Body of PUT /v1/delay."""

    latency_milliseconds: int
    duration_seconds: float
    jitter_milliseconds: int = 0


class ProxyState(Struct, rename="camel"):
    """Answer of every path but /healthz; times are the proxy's wall clock in ns."""

    delay_milliseconds: int
    jitter_milliseconds: int
    active_until: int | None
    injected_at: int | None
    recovered_at: int | None
    connections: int
    now: int


@dataclass(slots=True, eq=False)
class Delay:
    """The delay that applies now."""

    latency: int = 0
    """Milliseconds."""
    jitter: int = 0
    until_wall: int | None = None
    injected_at: int | None = None
    recovered_at: int | None = None
    _end: asyncio.TimerHandle | None = None

    def inject(self, order: DelayOrder) -> None:
        """From now on, for the order's duration."""
        self._cancel()
        self.latency, self.jitter = order.latency_milliseconds, order.jitter_milliseconds
        self.injected_at, self.recovered_at = wall_ns(), None
        self.until_wall = self.injected_at + int(order.duration_seconds * SECOND)
        self._end = asyncio.get_running_loop().call_later(order.duration_seconds, self.recover)

    def recover(self) -> None:
        """No delay for bytes that arrive from now on."""
        self._cancel()
        if self.until_wall is not None:
            self.recovered_at = wall_ns()
        self.latency = self.jitter = 0
        self.until_wall = None

    def _cancel(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def draw_ns(self) -> int:
        """How long to hold a read back."""
        if not self.jitter:
            return self.latency * MILLISECOND
        return max(0, int(MILLISECOND * random.uniform(self.latency - self.jitter, self.latency + self.jitter)))


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
        host, port = self._proxy.upstream
        try:
            _, target = await asyncio.get_running_loop().create_connection(lambda: _Target(self), host, port)
        except OSError:
            self._drop_now(reset=True)
            return
        if self.transport is None:
            target.drop(reset=False)
            return
        self._join(target)

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
        delay = self._proxy.delay.draw_ns()
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
        super().connection_lost(exc)


@dataclass(slots=True, eq=False)
class Proxy:
    """One upstream, any number of connections, one delay."""

    upstream: tuple[str, int]
    delay: Delay = field(default_factory=Delay)
    clients: set[_Client] = field(default_factory=set)
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

    def state(self) -> ProxyState:
        """For the control API."""
        delay = self.delay
        return ProxyState(
            delay_milliseconds=delay.latency,
            jitter_milliseconds=delay.jitter,
            active_until=delay.until_wall,
            injected_at=delay.injected_at,
            recovered_at=delay.recovered_at,
            connections=len(self.clients),
            now=wall_ns(),
        )

    async def listen(self, port: int, host: str | None = None) -> asyncio.Server:
        """Accept workers' connections."""
        return await asyncio.get_running_loop().create_server(lambda: _Client(self), host, port, backlog=1024)

    def close(self) -> None:
        """Hold nothing back any more and give the timer back."""
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.close()

    def application(self, token: bytes) -> web.Application:
        """The control API."""
        application = web.Application(middlewares=[guarded(token)], client_max_size=BODY_LIMIT)
        application.add_routes(
            [
                web.get("/v1/state", self._get),
                web.put("/v1/delay", self._put),
                web.delete("/v1/delay", self._delete),
                web.get("/healthz", health),
            ]
        )
        return application

    async def _get(self, _request: web.Request) -> web.Response:
        return as_json(self.state())

    async def _put(self, request: web.Request) -> web.Response:
        order = await read(request, DelayOrder)
        if not (0 <= order.jitter_milliseconds <= order.latency_milliseconds <= 60_000):
            return refuse(400, "latencyMilliseconds must be 0 … 60000 and jitterMilliseconds at most as large")
        if not 0 < order.duration_seconds <= 86_400:
            return refuse(
                400, "durationSeconds must be more than 0 and at most 86400: the proxy ends the delay by itself"
            )
        self.delay.inject(order)
        return as_json(self.state())

    async def _delete(self, _request: web.Request) -> web.Response:
        self.delay.recover()
        return as_json(self.state())


def parse_upstream(text: str) -> tuple[str, int]:
    """`host:port`, IPv6 in brackets."""
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    if not host or not port.isdecimal():
        raise TargetError(f"LOADTEST_TARGET {text!r} is not host:port")
    return host.strip("[]"), int(port)


async def serve(upstream: tuple[str, int], token: bytes, listen: int, control: int) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    proxy = Proxy(upstream)
    server = await proxy.listen(listen)
    runner = web.AppRunner(proxy.application(token), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=control).start()
    await stop.wait()
    server.close()
    proxy.close()
    await runner.cleanup()


def main() -> int:
    """`python -m loadgen proxy`."""
    import uvloop

    environment = os.environ
    try:
        upstream = parse_upstream(environment.get("LOADTEST_TARGET", ""))
        token = read_token(environment.get("LOADTEST_TOKEN_FILE", "/etc/loadtest/token"))
    except (TargetError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    ports = int(environment.get("LOADTEST_LISTEN") or 8091), int(environment.get("LOADTEST_PORT") or 8090)
    uvloop.run(serve(upstream, token, *ports))
    return ExitCode.PASSED
