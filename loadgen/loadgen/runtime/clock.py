"""The only reader of clocks.

Durations are differences of `CLOCK_MONOTONIC` in one process, in nanoseconds. Wall time is read at the edges only: to
agree on second 0 with other workers and to tell people when something happened. The start is mapped from wall to
monotonic time once, at arming; a step of the wall clock afterwards moves nothing.

The hot path binds `monotonic_ns` itself (one C call); everything else that wants to be tested in other times takes it
as an argument.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Returns nanoseconds; `monotonic_ns` in production."""

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

monotonic_ns = time.monotonic_ns
wall_ns = time.time_ns
cpu_ns = time.process_time_ns


def monotonic_of(wall: int) -> int:
    """The monotonic time at which this machine's wall clock will show `wall`, as far as can be known now."""
    return monotonic_ns() + (wall - wall_ns())


def rfc3339(wall: int) -> str:
    """`wall` for people and for reports."""
    return datetime.fromtimestamp(wall / SECOND, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
