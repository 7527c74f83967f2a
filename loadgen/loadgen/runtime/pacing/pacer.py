"""Fires a precomputed sequence of moments, none early, all that are due at each wake.

The times are absolute: a late wake makes the arrivals that were due meanwhile late, it never shifts those after them.
What to do with a late one is the executor's decision. Batches are built one ahead in a thread, so that drawing the
next thousands of arrivals does not delay the present one.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.pacing.alarm import alarm

YIELD_AFTER = 64
"""Most arrivals fired before the sockets are looked at again: a catch-up must not delay the stamps of answers."""


@dataclass(slots=True)
class Batch:
    """Ascending offsets (ns since the start) and, for each, two small numbers that the pacer only hands on."""

    offsets: list[int]
    stages: list[int]
    items: list[int]


class Pacer:
    """Plays batches from an absolute start."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, batches: Iterator[Batch], fire: Callable[[int, int, int], None]
    ) -> None:
        self._loop, self._batches, self._fire = loop, batches, fire
        self._alarm = alarm(loop, self._ring)
        self._thread = ThreadPoolExecutor(1, "pacer")
        self._next: Future[Batch | None] = self._prefetch()
        self._start = 0
        self._batch = Batch([], [], [])
        self._position = 0
        self._ended = loop.create_future()

    def _prefetch(self) -> "Future[Batch | None]":
        return self._thread.submit(next, self._batches, None)

    def prepare(self) -> None:
        """Have the first batch at hand before the start."""
        self._batch = self._next.result() or self._batch
        self._next = self._prefetch()

    def start(self, start_ns: int) -> None:
        """Second 0 is at this monotonic time."""
        self._start = start_ns
        self._ring()

    async def ended(self) -> None:
        """Until the last moment has been fired, or `stop`."""
        await asyncio.shield(self._ended)

    def stop(self) -> None:
        """Fire nothing more."""
        if not self._ended.done():
            self._ended.set_result(None)
            self._alarm.close()
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _ring(self) -> None:
        position = self._fire_due()
        if self._ended.done():
            return
        offsets = self._batch.offsets
        if position == len(offsets) and not self._refill():
            self.stop()
            return
        self._alarm.set(self._start + self._batch.offsets[self._position])

    def _fire_due(self) -> int:
        start, fire, batch = self._start, self._fire, self._batch
        offsets, stages, items = batch.offsets, batch.stages, batch.items
        position = self._position
        limit = min(len(offsets), position + YIELD_AFTER)
        due = monotonic_ns() - start
        while position < limit and offsets[position] <= due:
            self._position = position + 1
            fire(stages[position], items[position], start + offsets[position])
            position += 1
        return position

    def _refill(self) -> bool:
        """Go on to the next batch; empty ones (a segment without a share in a stretch) are skipped."""
        while (batch := self._next.result()) is not None:
            self._next = self._prefetch()
            if batch.offsets:
                self._batch, self._position = batch, 0
                return True
        return False
