"""The processes of shards: forked from a worker that does nothing yet, or started anew from one in the midst of its work.

A fork is ready at once and shares the memory of everything that was imported; a new Python would import all of it again, and
meanwhile the user waits for the load to begin. It is only safe before there is an event loop or a thread.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

_LOOK_SECONDS = 0.01


class Process(Protocol):
    """What ends a shard."""

    async def wait(self) -> object:
        """Until it has ended."""

    def kill(self) -> None:
        """SIGKILL. Raises ProcessLookupError where it has ended."""


@dataclass(frozen=True, slots=True)
class Newborn:
    """A shard's process, and our end of its only link."""

    process: Process
    link: socket.socket


@dataclass(slots=True)
class _Child:
    """A fork of ours."""

    pid: int
    ended: bool = False

    async def wait(self) -> None:
        while not self._has_ended():  # noqa: ASYNC110 - nobody sets an Event when a fork ends
            await asyncio.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        if self._has_ended():
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, signal.SIGKILL)

    def _has_ended(self) -> bool:
        self.ended = self.ended or os.waitpid(self.pid, os.WNOHANG) != (0, 0)
        return self.ended


def forked(number: int, run: Callable[[socket.socket], None]) -> list[Newborn]:
    """So many forks of this process, each of which runs this with its end of the link and exits. Call it before any event loop."""
    gc.freeze()  # what was imported is never looked through again, here and there
    born: list[Newborn] = []
    for _ in range(number):
        ours, theirs = socket.socketpair()
        if (pid := os.fork()) == 0:
            _live(run, theirs, [ours, *(each.link for each in born)])
        theirs.close()
        born.append(Newborn(_Child(pid), ours))
    return born


def _live(run: Callable[[socket.socket], None], link: socket.socket, others: list[socket.socket]) -> NoReturn:
    """In the fork. A link that it kept open of another one would never be seen to close."""
    code = 1
    try:
        for other in others:
            other.close()
        run(link)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


async def started(module: str) -> Newborn:
    """A new Python that runs this module with the number of its end of the link."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, str(theirs.fileno()), pass_fds=[theirs.fileno()]
        )
    return Newborn(process, ours)
