"""The faults that are or were in force, each by its name and run.

Several may be in force at once and compose as netem's would in a row: their delays add up. Each ends by itself after its
duration (dead-man's switch): whoever ordered it may be gone. An order for a fault that is known already changes
nothing, so an order whose answer was lost can be repeated, also after the fault has gone.
"""

import asyncio
import random
from dataclasses import dataclass, field

from loadgen.model.proxy import FaultOrder, FaultRecord
from loadgen.runtime.clock import MILLISECOND, SECOND, monotonic_ns, wall_ns


@dataclass(slots=True, eq=False)
class Injection:
    """One order, from its coming into force."""

    name: str
    order: FaultOrder
    at_wall: int = field(default_factory=wall_ns)
    at: int = field(default_factory=monotonic_ns)
    ended: int | None = None
    """Monotonic, like `at`."""
    effects: int = 0
    timer: asyncio.TimerHandle | None = None

    def draw_ns(self) -> int:
        """How long it holds back what arrives now."""
        self.effects += 1
        delay = self.order.delay
        if not delay.jitter_milliseconds:
            return delay.latency_milliseconds * MILLISECOND
        spread = random.uniform(-delay.jitter_milliseconds, delay.jitter_milliseconds)
        return max(0, int(MILLISECOND * (delay.latency_milliseconds + spread)))

    def record(self) -> FaultRecord:
        return FaultRecord(
            name=self.name,
            run=self.order.run,
            injected_at=self.at_wall,
            until=self.at_wall + int(self.order.duration_seconds * SECOND),
            recovered_at=None if self.ended is None else self.at_wall + self.ended - self.at,
            effects=self.effects,
        )


@dataclass(slots=True, eq=False)
class Injections:
    """All of them, and those in force now."""

    known: dict[tuple[int, str], Injection] = field(default_factory=dict)
    in_force: tuple[Injection, ...] = ()

    def inject(self, name: str, order: FaultOrder) -> None:
        """From now on, for the order's duration; nothing if it is known."""
        key = (order.run, name)
        if key in self.known:
            return
        injection = self.known[key] = Injection(name, order)
        self.in_force = (*self.in_force, injection)
        loop = asyncio.get_running_loop()
        injection.timer = loop.call_later(order.duration_seconds, self._end, injection)

    def recover(self, name: str) -> None:
        """Bytes that arrive from now on are not held back by the faults of this name."""
        for injection in self.in_force:
            if injection.name == name:
                self._end(injection)

    def _end(self, injection: Injection) -> None:
        if injection.timer is not None:
            injection.timer.cancel()
        injection.ended = injection.ended or monotonic_ns()
        self.in_force = tuple(other for other in self.in_force if other is not injection)

    def hold_ns(self) -> int:
        """How long what arrives now is to be held back."""
        return sum(injection.draw_ns() for injection in self.in_force) if self.in_force else 0

    def records(self) -> list[FaultRecord]:
        return [injection.record() for injection in self.known.values()]

    def close(self) -> None:
        """No timer stays behind."""
        for injection in self.in_force:
            self._end(injection)
