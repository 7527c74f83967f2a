"""Runs an asyncio connection handler on loopback in a thread with its own event loop.

A thread, so that the server neither waits for the code under test nor shares its (perhaps virtual) clock, and so that
synchronous tests can use it too. Handlers that hang or stream for ever are cancelled on leaving.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Where it listens and what it has seen so far."""

    scheme: str
    port: int = 0
    connections: int = 0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def serving(handler: Handler, *, scheme: str = "http", tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve `handler` until the block is left."""
    server = Server(scheme)
    running: SimpleQueue[Callable[[], object]] = SimpleQueue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, handler, tls, running)), daemon=True)
    thread.start()
    stop = running.get(timeout=10)
    try:
        yield server
    finally:
        stop()
        thread.join(10)


async def _serve(
    server: Server, handler: Handler, tls: ssl.SSLContext | None, running: "SimpleQueue[Callable[[], object]]"
) -> None:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _handle(server, handler, reader, writer)

    listener = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    running.put(lambda: loop.call_soon_threadsafe(over.set))
    await over.wait()
    listener.close()
    for task in tuple(server._tasks):
        task.cancel()
    await asyncio.gather(*server._tasks, return_exceptions=True)


async def _handle(server: Server, handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    task = asyncio.current_task()
    assert task is not None
    server._tasks.add(task)
    server.connections += 1
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            await handler(reader, writer)
    finally:
        server._tasks.discard(task)
        writer.close()
