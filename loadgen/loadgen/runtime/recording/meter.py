"""The generator's own pulse, second by second: what arrived, how much was in flight, and how well it was measured.

Loop lag is how late a probe rings that asks for nothing but a turn. The probes' distances are random (2 to 4 ms): a
fixed grid would never meet work that is done on the same grid, such as the once-a-second fold, and what is rarer than
the probes is missed by most of them, so half a percent of a core is spent to be sure within milliseconds. A probe
that should have rung while the loop was stuck counts with its own lag too, or a stop of a second would be one bad value
among hundreds of good ones.

In flight, the integral over a second is n_end·end − n_begin·begin − Σ starts + Σ ends: two additions a request.
"""

import random
from array import array
from collections import defaultdict

import numpy as np

from loadgen.core.stats.histogram import sparse_of
from loadgen.model.wire import PROBES_APART, Pulse, Sparse
from loadgen.runtime.clock import cpu_ns
from loadgen.runtime.http.client import Client
from loadgen.runtime.recording.cgroup import Cgroup, resident_bytes
from loadgen.runtime.recording.lateness import Lateness
from loadgen.runtime.recording.steps import Steps


class Meter:
    """Counters of the current second. The hot path adds to its fields; `pulse` reads and resets them."""

    def __init__(self, watch_throttling: bool) -> None:
        self.completions = 0
        self.events = 0
        self.tokens: defaultdict[int, int] = defaultdict(int)
        """Output tokens that have arrived, by cell; the recorder takes them."""
        self.reads = 0
        self.last_read = 0
        self.in_flight = 0
        self.peak = 0
        self.balance = 0
        """Σ ends − Σ starts."""
        self.lags = array("q")
        """How late the generator acted on each open-loop arrival; ns."""
        self.loop_lags = array("q")
        self.lateness = Lateness()
        self._cgroup = Cgroup() if watch_throttling else None
        self.start = self._begin = self._in_flight_begin = 0
        self._cpu = self._throttled = 0
        self._received = self._opened = 0
        self.begin(0)

    def begin(self, begin_ns: int) -> None:
        """Second 0."""
        self.start = self._begin = begin_ns
        self._cpu, self._throttled = cpu_ns(), self._throttled_now()

    def _throttled_now(self) -> int:
        return self._cgroup.throttled_microseconds() if self._cgroup else 0

    def pulse(self, now: int, pool: Client) -> Steps[Pulse]:
        """The second that ends now; what comes from now on is the next one's."""
        integral = self.in_flight * now - self._in_flight_begin * self._begin + self.balance
        cpu, throttled = cpu_ns(), self._throttled_now()
        pulse = Pulse(
            completions=self.completions,
            output_events=self.events,
            output_tokens=max(0, sum(self.tokens.values())),
            bytes_received=pool.received - self._received,
            reads=self.reads,
            in_flight_microseconds=integral // 1000,
            peak_in_flight=self.peak,
            connections_opened=pool.opened_count - self._opened,
            cpu_microseconds=(cpu - self._cpu) // 1000,
            throttled_microseconds=throttled - self._throttled,
            resident_bytes=resident_bytes(),
        )
        self._begin, self._in_flight_begin = now, self.in_flight
        self._cpu, self._throttled = cpu, throttled
        self._received, self._opened = pool.received, pool.opened_count
        steps = _with_lags(pulse, self.lags, self.loop_lags)
        self._reset()
        return steps

    def _reset(self) -> None:
        self.completions = self.events = self.reads = self.balance = 0
        self.tokens = defaultdict(int)
        self.peak = self.in_flight
        self.lags, self.loop_lags = array("q"), array("q")


def _with_lags(pulse: Pulse, lags: "array[int]", loop_lags: "array[int]") -> Steps[Pulse]:
    pulse.schedule_lag = _fold(lags)
    yield
    pulse.loop_lag = _fold(loop_lags)
    return pulse


def _fold(nanoseconds: "array[int]") -> Sparse:
    return sparse_of(np.frombuffer(nanoseconds, dtype=np.int64) // 1000) if nanoseconds else Sparse()


class Probe:
    """When the next probe is due, and what the last ones saw."""

    def __init__(self, meter: Meter, begin_ns: int) -> None:
        self._meter, self.due = meter, begin_ns
        self._random = random.Random(begin_ns)

    def ring(self, now: int) -> int:
        """Note the lag of every probe that is due; the time of the next."""
        if self.due <= now:
            self._meter.lateness.note(self.due, now)
        least, most = PROBES_APART
        while self.due <= now:
            self._meter.loop_lags.append(now - self.due)
            self.due += least + int(self._random.random() * (most - least))
        return self.due
