"""How well the proxy does, second by second: its CPU, how late its loop acts, what it had to refuse.

Whatever passes through is late by about the loop's lag, so this is what tells a slow proxy from a slow target. Probes come
at random distances (10 to 30 ms), as in a shard; one that was due while the loop stood still counts with its own lag.
"""

import asyncio
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loadgen.core.stats.histogram import sparse_of
from loadgen.model.proxy import PathPulse
from loadgen.model.wire import Sparse
from loadgen.runtime.clock import MILLISECOND, SECOND, cpu_ns, monotonic_ns, wall_ns
from loadgen.runtime.pacing.alarm import Alarm, alarm
from loadgen.runtime.recording.cgroup import Cgroup


@dataclass(frozen=True, slots=True)
class Counters:
    """What only grows."""

    mono: int
    wall: int
    cpu: int
    throttled: int
    refused: int


def listen_overflows(path: Path = Path("/proc/net/netstat")) -> int:
    """Connections that this network namespace, a pod's own, dropped because a backlog was full; 0 where nobody tells."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.startswith("TcpExt:")]
    except OSError:
        return 0
    return int(dict(zip(*lines, strict=True)).get("ListenOverflows", 0)) if len(lines) == 2 else 0


def counters(refused: int, group: Cgroup) -> Counters:
    return Counters(monotonic_ns(), wall_ns(), cpu_ns(), group.throttled_microseconds(), refused)


def pulse_of(begin: Counters, end: Counters, lags: "array[int]") -> PathPulse:
    """What lay between two readings."""
    lag = sparse_of(np.frombuffer(lags, dtype=np.int64) // 1000) if lags else Sparse()
    return PathPulse(
        at=begin.wall,
        microseconds=(end.mono - begin.mono) // 1000,
        cpu_microseconds=(end.cpu - begin.cpu) // 1000,
        throttled_microseconds=end.throttled - begin.throttled,
        loop_lag=lag,
        refused=end.refused - begin.refused,
    )


@dataclass(slots=True, eq=False)
class Pulses:
    """From `begin` on. `refused` tells the proxy's counter."""

    refused: Callable[[], int]
    group: Cgroup = field(default_factory=Cgroup)
    done: list[PathPulse] = field(default_factory=list)
    _begin: Counters | None = None
    _due: int = 0
    _lags: "array[int]" = field(default_factory=lambda: array("q"))
    _alarm: Alarm | None = None

    def begin(self) -> None:
        self._begin = counters(self.refused(), self.group)
        self._due = self._begin.mono + 10 * MILLISECOND
        self._alarm = alarm(asyncio.get_running_loop(), self._ring)
        self._alarm.set(self._due)

    def _ring(self) -> None:
        now = monotonic_ns()
        while self._due <= now:
            self._lags.append(now - self._due)
            self._due += random.randrange(10 * MILLISECOND, 30 * MILLISECOND)
        if self._begin is not None and now - self._begin.mono >= SECOND:
            end = counters(self.refused(), self.group)
            self.done.append(pulse_of(self._begin, end, self._lags))
            self._begin, self._lags = end, array("q")
        if self._alarm is not None:
            self._alarm.set(self._due)

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
