"""Work that may wait, done between the loop's turns in pieces: none keeps an arrival or a time stamp waiting for long."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

from loadgen.runtime.clock import monotonic_ns

TURN_NS = 100_000
"""After this long the rest is for the loop's next turn. A single step may take longer."""

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Yields where it may be interrupted; returns its result."""


def finish(steps: Steps[T]) -> T:
    """Take all the steps at once."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        value: T = end.value
        return value


class Aside:
    """Does one piece of work at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._steps: Steps[None] | None = None

    def begin(self, steps: Steps[None]) -> None:
        """From the next turn on; earlier work that is not done yet is done now."""
        self.finish()
        self._steps = steps
        self._loop.call_soon(self._turn, steps)

    def finish(self) -> None:
        """Do what is left at once."""
        if self._steps is not None:
            finish(self._steps)
            self._steps = None

    def _turn(self, steps: Steps[None]) -> None:
        until = monotonic_ns() + TURN_NS
        for _ in steps:
            if monotonic_ns() >= until:
                self._loop.call_soon(self._turn, steps)
                return
        if steps is self._steps:
            self._steps = None
