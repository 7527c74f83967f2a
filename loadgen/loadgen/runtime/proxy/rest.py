"""What the proxy adds to a round trip at rest: one byte to an echo and back, in turns straight and through.

The echo is the proxy's own, on the loopback, so nothing is asked of the target and nothing but the hop differs between
the two. Done before the first connection is taken.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import numpy as np

from loadgen.model.proxy import AtRest
from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.proxy.path import Proxy
from loadgen.runtime.proxy.upstream import Upstream

TURNS = 200
SECONDS = 10.0
HOST = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def added_at_rest(turns: int = TURNS) -> AtRest | None:
    """Median and P99 of what a turn through takes more than the one before it, straight. None where the machine is so
    busy, or so closed, that it could not be measured within ten seconds."""
    try:
        async with asyncio.timeout(SECONDS), _pair() as (straight, through):
            added = [-await _trip(straight) + await _trip(through) for _ in range(turns)]
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None
    p50, p99 = np.percentile(np.maximum(added, 0), [50, 99])
    return AtRest(turns, int(p50 // 1000), int(p99 // 1000))


@contextlib.asynccontextmanager
async def _pair() -> AsyncIterator[tuple[Streams, Streams]]:
    echo = await asyncio.get_running_loop().create_server(_Echo, HOST, 0)
    proxy = Proxy(Upstream(HOST, _port(echo)))
    listener = await proxy.listen(0, HOST)
    opened: list[Streams] = []
    try:
        for server in (echo, listener):
            opened.append(await asyncio.open_connection(HOST, _port(server)))
            await _trip(opened[-1])
        yield opened[0], opened[1]
    finally:
        for _, writer in opened:
            writer.transport.abort()
        listener.close()
        proxy.close()
        echo.close()
        await asyncio.sleep(0)


async def _trip(streams: Streams) -> int:
    reader, writer = streams
    begin = monotonic_ns()
    writer.write(b"x")
    await reader.readexactly(1)
    return monotonic_ns() - begin


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
