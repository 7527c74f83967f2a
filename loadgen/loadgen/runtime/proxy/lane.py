"""One direction of a connection while something of it is held back: in order, and never let go early.

A step waits until it is due and, when it is the next, at the gates of the faults that hold it, one after the other. A gate
whose fault has gone is open.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.proxy.effects import Step
from loadgen.runtime.proxy.injections import Injection, Sentence

HOLD_LIMIT = 8 * 1024 * 1024
"""Bytes of one direction held back before its source is no longer read."""


@dataclass(slots=True, eq=False)
class _Held:
    due: int
    act: Callable[[], None]
    step: Step
    gates: tuple[Injection, ...]

    def passes(self, now: int) -> int | None:
        """When it may go (`now` for at once); None: not before a fault is gone, which is told."""
        while self.due <= now and self.gates:
            gate = self.gates[0]
            at = gate.effect.passes(self.step, now) if gate.ended is None else now
            if at is None:
                return None
            self.gates, self.due = self.gates[1:], at
        return max(self.due, now)


@dataclass(slots=True, eq=False)
class Lane:
    """`wake(due, lane)` has `ring` called at a monotonic time; `full` hears whether the source may be read."""

    wake: Callable[[int, "Lane"], None]
    full: Callable[[bool], None]
    bytes: int = 0
    _held: deque[_Held] = field(default_factory=deque)
    _woken: int | None = None
    """When it will be rung next."""
    _is_full: bool = False

    def put(self, act: Callable[[], None], step: Step, sentence: Sentence) -> None:
        """Now, or when it may, and never before what came earlier."""
        if not self._held and not sentence.hold_ns and not sentence.gates:
            act()
            return
        now = monotonic_ns()
        due = max(now + sentence.hold_ns, self._held[-1].due if self._held else 0)
        self._held.append(_Held(due, act, step, sentence.gates))
        self.bytes += step.size
        if len(self._held) == 1:
            self.release()
        self._tell(self.bytes > HOLD_LIMIT)

    def ring(self) -> None:
        """The time has come that it asked to be woken at."""
        self._woken = None
        self.release()

    def release(self) -> None:
        """Let go what may go; never earlier, or a delay of 200 ms would be seen as 199.6 ms."""
        while self._held:
            now = monotonic_ns()
            at = self._held[0].passes(now)
            if at is None or at > now:
                self._ask(at)
                break
            held = self._held.popleft()
            self.bytes -= held.step.size
            held.act()
        if self.bytes <= HOLD_LIMIT // 2:
            self._tell(False)

    def _ask(self, at: int | None) -> None:
        if at is not None and (self._woken is None or at < self._woken):
            self._woken = at
            self.wake(at, self)

    def _tell(self, full: bool) -> None:
        if full is not self._is_full:
            self._is_full = full
            self.full(full)

    def clear(self) -> None:
        """Nobody is left to send it to."""
        self._held.clear()
        self.bytes = 0
