"""A one-shot timer that wakes the event loop at an absolute monotonic time, to tens of microseconds.

The loops' own timers count in milliseconds (libuv rounds, asyncio's selector too), which at 5 000 arrivals a second
is a lag of half a millisecond for every one of them. A Linux timerfd has nanoseconds and is just another readable
descriptor. Setting it again also clears its expiry, so a wake costs one system call. Where there is no timerfd (other
systems), `loop.call_at` stands in.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Protocol

from loadgen.runtime.clock import SECOND, monotonic_ns

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1


class Alarm(Protocol):
    """Calls its callback once per `set`, never before the time set."""

    def set(self, at_ns: int) -> None:
        """Ring at this monotonic time (at once if it has passed); replaces an earlier setting."""

    def close(self) -> None:
        """Never ring again."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerfdAlarm:
    """An alarm on a Linux timerfd."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop, self._ring = loop, ring
        self._spec = _Itimerspec()
        self._value = self._spec.value
        self._pointer = ctypes.byref(self._spec)
        self._armed = False
        loop.add_reader(self._fd, self._ready)

    def set(self, at_ns: int) -> None:
        """Ring at `at_ns`."""
        at_ns = max(at_ns, 1)  # zero would disarm
        self._value.seconds, self._value.nanoseconds = divmod(at_ns, SECOND)
        self._settime(self._fd, _ABSOLUTE, self._pointer, None)
        self._armed = True

    def _ready(self) -> None:
        self._armed = False
        self._ring()
        if self._fd >= 0 and not self._armed:  # not set again: clear the expiry or the loop would spin
            os.read(self._fd, 8)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class LoopAlarm:
    """An alarm on the loop's own timers, for systems without timerfd and for loops in virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at_ns: int) -> None:
        """Ring at `at_ns`."""
        if self._handle:
            self._handle.cancel()
        self._handle = self._loop.call_later(max(0.0, (at_ns - monotonic_ns()) / SECOND), self._check, at_ns)

    def _check(self, at_ns: int) -> None:
        if monotonic_ns() < at_ns:  # the loop's timers may round down
            self.set(at_ns)
        else:
            self._handle = None
            self._ring()

    def close(self) -> None:
        """Never ring again."""
        if self._handle:
            self._handle.cancel()


def alarm(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> Alarm:
    """The best alarm this system has."""
    if sys.platform == "linux":
        try:
            return TimerfdAlarm(loop, ring)
        except (OSError, NotImplementedError, AttributeError):
            pass  # a sandbox without timerfd, or a loop without add_reader
    return LoopAlarm(loop, ring)
