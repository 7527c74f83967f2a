"""The faults that are or were in force, each by its name and run.

Several may be in force at once and compose as they would in a row on the wire: delays add up, what breaks at one breaks. Each
ends by itself after its duration (dead-man's switch): whoever ordered it may be gone. An order for a fault that is
known already changes nothing, so an order whose answer was lost can be repeated, also after the fault has gone.
"""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from loadgen.model.proxy import FaultOrder, FaultRecord
from loadgen.runtime.clock import SECOND, monotonic_ns, wall_ns
from loadgen.runtime.proxy.effects import PASSED, Effect, Ruling, Step, details_of, effect_of

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(slots=True, eq=False)
class Injection:
    """One order, from its coming into force."""

    name: str
    order: FaultOrder
    effect: Effect
    at_wall: int = field(default_factory=wall_ns)
    at: int = field(default_factory=monotonic_ns)
    ended: int | None = None
    """Monotonic, like `at`."""
    effects: int = 0
    timer: asyncio.TimerHandle | None = None
    _turn: float = field(default_factory=random.random)

    def chooses(self) -> bool:
        """Whether it hits the connection that it meets now for the first time. The golden ratio's multiples are spread more evenly
        than chance and keep no rhythm with kinds of requests: of a hundred connections the share is hit within two."""
        self._turn = (self._turn + GOLDEN) % 1
        return 100 * self._turn < details_of(self.order)[1].connections_percent

    def record(self) -> FaultRecord:
        return FaultRecord(
            name=self.name,
            run=self.order.run,
            injected_at=self.at_wall,
            until=self.at_wall + int(self.order.duration_seconds * SECOND),
            recovered_at=None if self.ended is None else self.at_wall + self.ended - self.at,
            effects=self.effects,
        )


Met = dict[Injection, bool]
"""Of one connection: which injections it has met, and whether they hit it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What all faults in force do to one step."""

    hold_ns: int = 0
    gates: tuple[Injection, ...] = ()
    reset: bool = False
    answer: bytes = b""
    """What the proxy answers instead of letting it through."""


NOTHING = Sentence()


@dataclass(slots=True, eq=False)
class Injections:
    """All of them, and those in force now."""

    ended: Callable[[], None] = lambda: None
    """Told when one has gone: what waited for that may go on."""
    known: dict[tuple[int, str], Injection] = field(default_factory=dict)
    in_force: tuple[Injection, ...] = ()

    def inject(self, name: str, order: FaultOrder) -> None:
        """From now on, for the order's duration; nothing if it is known."""
        key = (order.run, name)
        if key in self.known:
            return
        injection = self.known[key] = Injection(name, order, effect_of(order))
        self.in_force = (*self.in_force, injection)
        loop = asyncio.get_running_loop()
        injection.timer = loop.call_later(order.duration_seconds, self._end, injection)

    def recover(self, name: str) -> None:
        """What arrives from now on is not hit by the faults of this name, and what they hold at a gate passes."""
        for injection in self.in_force:
            if injection.name == name:
                self._end(injection)

    def _end(self, injection: Injection) -> None:
        if injection.timer is not None:
            injection.timer.cancel()
        injection.ended = injection.ended or monotonic_ns()
        self.in_force = tuple(other for other in self.in_force if other is not injection)
        self.ended()

    def piece(self) -> int:
        """The most bytes that may pass at once; 0 where that is no matter."""
        return min((piece for each in self.in_force if (piece := each.effect.piece)), default=0)

    def sentence(self, met: Met, step: Step) -> Sentence:
        """For a step of a connection that arrives now."""
        if not self.in_force:
            return NOTHING
        hold, gates, reset, answer = 0, [], False, b""
        for injection in self.in_force:
            if injection not in met:
                met[injection] = injection.chooses()
            delay, ruling = injection.effect.rule(step) if met[injection] else PASSED
            injection.effects += (delay, ruling) != PASSED
            hold += delay
            reset |= ruling is Ruling.RESET
            answer = answer or (injection.effect.answer if ruling is Ruling.ANSWER else b"")
            gates += [injection] if ruling is Ruling.GATE else []
        return Sentence(hold, tuple(gates), reset, answer)

    def records(self) -> list[FaultRecord]:
        return [injection.record() for injection in self.known.values()]

    def close(self) -> None:
        """No timer stays behind."""
        for injection in self.in_force:
            self._end(injection)
