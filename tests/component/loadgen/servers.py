"""Loopback servers in this loop for what `fakes` has no server for: scripts that decide every byte of a connection."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from fakes.bad import request

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def wait(seconds: float) -> None:
    """Never shorter: the loop's own timers may ring up to a millisecond early."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:  # noqa: ASYNC110  there is nothing to be told of but time
        await asyncio.sleep(max(left, 0.001))


def answering(*answers: bytes) -> Script:
    """Every request of a connection gets the next answer, the last one again and again."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in range(1_000_000):
            await request(reader)
            writer.write(answers[min(turn, len(answers) - 1)])

    return script


def in_turn(*answers: bytes) -> Script:
    """Requests get the answers in turn, on whatever connection they come: calls may overlap on a busy machine."""
    turns = itertools.cycle(answers)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(next(turns))

    return script


def by_method(**answers: bytes) -> Script:
    """The same answer to every request of a method, on whatever connection it comes: calls may overlap on a busy machine."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            method = (await request(reader)).split(b" ", 1)[0]
            writer.write(answers[method.decode()])

    return script


def slowly(seconds: float) -> Script:
    """OK, after a while."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            await wait(seconds)
            writer.write(OK)

    return script


@contextlib.asynccontextmanager
async def serving(script: Script, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server for the time of the block; yields its URL."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await script(reader, writer)
        tasks.discard(task)
        writer.close()

    server = await asyncio.start_server(handle, host, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # closings take a turn of the loop
