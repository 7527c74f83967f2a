"""Calls functions at absolute CLOCK_MONOTONIC times.

An event loop's own timers have a resolution of a millisecond and start from "now", so a paced stream made with them
drifts. This is one heap of absolute times behind one timerfd (resolution: microseconds); without timerfd (not Linux)
it falls back to the loop's timers.
"""

import asyncio
import ctypes
import heapq
import os
import sys
from collections.abc import Callable
from time import monotonic_ns

CLOCK_MONOTONIC = 1
TFD_NONBLOCK_CLOEXEC = 0o2004000
TFD_TIMER_ABSTIME = 1
BILLION = 1_000_000_000

Callback = Callable[[], None]


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _Timerfd:
    """A one-shot timer in the kernel."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callback) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Itimerspec()
        self._pointer = ctypes.byref(self._spec)
        self._callback = callback
        loop.add_reader(self._fd, self._ready)

    def arm(self, due: int) -> None:
        self._spec.value.seconds, self._spec.value.nanoseconds = divmod(max(due, 1), BILLION)
        self._libc.timerfd_settime(self._fd, TFD_TIMER_ABSTIME, self._pointer, None)

    def _ready(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._callback()


class _LoopTimer:
    """The same from the loop's timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callback) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, due: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        delay = max(0.0, (due - monotonic_ns()) / BILLION)
        self._handle = self._loop.call_later(delay, self._callback)


class Ticker:
    """`at(due, f)` calls f as soon as the clock reads `due` nanoseconds; equal times keep their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        timer = _Timerfd if sys.platform == "linux" else _LoopTimer
        self._timer = timer(loop, self._run)
        self._heap: list[tuple[int, int, Callback]] = []
        self._sequence = 0
        self._armed = sys.maxsize

    def at(self, due: int, callback: Callback) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, callback))
        if due < self._armed:
            self._arm(due)

    def shift(self, nanoseconds: int) -> None:
        """Move everything that is still to come."""
        self._heap = [(due + nanoseconds, sequence, callback) for due, sequence, callback in self._heap]

    def _arm(self, due: int) -> None:
        self._armed = due
        self._timer.arm(due)

    def _run(self) -> None:
        heap, pop, now = self._heap, heapq.heappop, monotonic_ns()
        self._armed = 0  # what callbacks add is seen at the end; nothing is armed meanwhile
        try:
            while heap and heap[0][0] <= now:
                pop(heap)[2]()
                heap = self._heap  # a callback may have shifted it
        finally:
            self._armed = sys.maxsize
            if heap:
                self._arm(heap[0][0])
