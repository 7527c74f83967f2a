"""The simulated inference engine: decode slots, a queue before them, and the pace of tokens.

A request waits for one of `slots`, then its first token comes `ttft_ms` after admission and the others every
`tpot_ms` on an absolute grid, so errors do not add up. With more than `saturation` requests decoding, every step takes
active / saturation times as long: throughput stays, pace drops, as in a batching server whose batch is full.
`jitter` moves each event around its place on the grid, at most that share of a step, without moving the grid.
A stall blocks the process, as a collection pause or a hung driver does, and moves what is still to come by its length.
"""

import random
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from functools import partial
from time import monotonic_ns
from typing import Protocol

from ticker import Callback, Ticker

MILLISECOND = 1_000_000
BURST = 32
"""Events per write where there is no pace: what a loop that fell behind would send at once."""


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Profile:
    """How the simulator behaves; the flags of simulator.py."""

    ttft_ms: float = 50.0
    tpot_ms: float = 10.0
    tokens: int = 64
    tokens_per_event: int = 1
    jitter: float = 0.0
    slots: int = 1_000_000
    saturation: int = 0
    plain_ms: float = 0.0
    fail_percent: float = 0.0
    fail_status: int = 503
    error_event_percent: float = 0.0
    truncate_percent: float = 0.0
    stall_at: float | None = None
    stall_seconds: float = 2.0
    stamp: bool = False
    seed: int = 0
    model: str = "simulator"


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened to one request, in CLOCK_MONOTONIC nanoseconds."""

    path: str
    outcome: str
    received: int
    admitted: int
    first: int
    last: int
    events: int
    tokens: int


class Sink(Protocol):
    """Where a job's output goes: one answer on the connection that asked for it."""

    @property
    def paused(self) -> bool: ...
    def begin(self) -> None: ...
    def emit(self, stamp: int, events: int) -> None: ...
    def end(self, job: "Job") -> None: ...


@dataclass(slots=True, eq=False)
class Job:
    """One completion on its way through the engine."""

    sink: Sink
    path: str
    tokens: int
    fate: str = "ok"
    received: int = 0
    admitted: int = 0
    first: int = 0
    last: int = 0
    sent: int = 0
    """Events written."""
    events: int = 0
    """Events to write before the end."""
    grid: int = 0
    """When the next event is due, before jitter."""
    gone: bool = False
    fire: Callback = _nothing
    """Writes the next event."""


@dataclass(slots=True)
class Gauges:
    """What /metrics shows."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Engine:
    """Admits jobs, paces them and keeps the ledger."""

    def __init__(self, profile: Profile, ticker: Ticker) -> None:
        self.profile = profile
        self.gauges = Gauges()
        self.ledger: deque[Truth] = deque(maxlen=200_000)
        self.stalls: list[tuple[int, int]] = []
        self.active: set[Job] = set()
        self._ticker = ticker
        self._waiting: dict[Job, None] = {}
        self._random = random.Random(profile.seed)
        self._ttft = round(profile.ttft_ms * MILLISECOND)
        self._step = round(profile.tpot_ms * MILLISECOND * profile.tokens_per_event)
        self._stall_armed = profile.stall_at is not None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def fails(self) -> bool:
        """Draw whether a request is refused with the failure status."""
        return self._random.random() * 100 < self.profile.fail_percent

    def seen(self) -> None:
        """A request of the load has come; the first one starts the clock of the stall."""
        if self._stall_armed and self.profile.stall_at is not None:
            self._stall_armed = False
            self._ticker.at(monotonic_ns() + round(self.profile.stall_at * 1e9), self.stall)

    def stall(self, seconds: float | None = None) -> None:
        """Freeze everything, the sockets too."""
        begin = monotonic_ns()
        time.sleep(self.profile.stall_seconds if seconds is None else seconds)
        end = monotonic_ns()
        self.stalls.append((begin, end))
        for job in self.active:
            job.grid += end - begin
        self._ticker.shift(end - begin)

    def submit(self, job: Job) -> None:
        job.received = monotonic_ns()
        job.events = -(-job.tokens // self.profile.tokens_per_event)
        job.fate = self._fate()
        if job.fate != "ok":
            job.events = max(1, job.events // 2)
        if len(self.active) < self.profile.slots:
            self._admit(job)
        else:
            self._waiting[job] = None

    def cancel(self, job: Job) -> None:
        """The client has left."""
        if job.gone:
            return
        job.gone, job.fate = True, "gone"
        self._waiting.pop(job, None)
        self._finish(job)

    def resume(self, job: Job) -> None:
        """The client reads again."""
        self._ticker.at(monotonic_ns(), job.fire)

    def _fate(self) -> str:
        draw = self._random.random() * 100
        if draw < self.profile.error_event_percent:
            return "error-event"
        return "truncated" if draw < self.profile.error_event_percent + self.profile.truncate_percent else "ok"

    def _admit(self, job: Job) -> None:
        job.admitted = monotonic_ns()
        job.grid = job.admitted + self._ttft
        job.fire = partial(self._fire, job)
        self.active.add(job)
        job.sink.begin()
        self._schedule(job, self._ttft)

    def _schedule(self, job: Job, step: int) -> None:
        jitter = self.profile.jitter
        shift = round((self._random.random() - 0.5) * jitter * step) if jitter else 0
        self._ticker.at(job.grid + shift, job.fire)

    def _fire(self, job: Job) -> None:
        if job.gone or job.sink.paused:
            return
        left = job.events - job.sent
        events = 1 if self._step else min(BURST, left)
        now = monotonic_ns()
        if job.sent == 0:
            job.first = now
        job.last = now
        job.sent += events
        job.sink.emit(now, events)
        if job.sent < job.events:
            self._next(job, now)
        else:
            job.gone = True
            self._finish(job)
            job.sink.end(job)

    def _next(self, job: Job, now: int) -> None:
        if not self._step:
            self._ticker.at(now + 1, job.fire)
            return
        saturation = self.profile.saturation
        factor = max(1.0, len(self.active) / saturation) if saturation else 1.0
        step = round(self._step * factor)
        job.grid += step
        self._schedule(job, step)

    def _finish(self, job: Job) -> None:
        tokens = min(job.tokens, job.sent * self.profile.tokens_per_event)
        self.gauges.generation_tokens += tokens
        self.gauges.outcomes[job.fate] = self.gauges.outcomes.get(job.fate, 0) + 1
        self.ledger.append(Truth(job.path, job.fate, job.received, job.admitted, job.first, job.last, job.sent, tokens))
        self.active.discard(job)
        while self._waiting and len(self.active) < self.profile.slots:
            job = next(iter(self._waiting))
            del self._waiting[job]
            self._admit(job)

    def truth(self) -> dict[str, object]:
        """Everything that ended, for /truth."""
        return {"requests": [asdict(row) for row in self.ledger], "stalls": self.stalls}
