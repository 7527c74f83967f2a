"""What each kind of fault does to what comes by: one class a kind, complete at import.

An effect rules on one step of a connection (its opening, some bytes, an end) and answers with how long it is held back from
its arrival, whether the connection breaks there, and whether it waits at a gate. A gate is asked when the step is the next
of its connection: so a narrow line is shared piece by piece among those who want it, as by a fair queue, and what waits
in a black hole goes on when the fault has gone.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from loadgen.model.proxy import (
    KINDS,
    MARK,
    BandwidthOrder,
    Breaking,
    DelayOrder,
    Details,
    FaultOrder,
    HttpAbortOrder,
    HttpDelayOrder,
    LossOrder,
    PartitionOrder,
)
from loadgen.runtime.clock import MILLISECOND, SECOND

PIECE_SHARE, SMALLEST_PIECE = 50, 256
"""A narrow line is shared in pieces of a fiftieth of a second, and of 256 bytes at least."""


class Way(Enum):
    """Where a step of a connection goes."""

    OPENING = auto()
    UP = auto()
    """To the target."""
    DOWN = auto()
    """From the target."""


@dataclass(frozen=True, slots=True)
class Step:
    """What comes by. A size of 0 is an opening or an end."""

    way: Way
    size: int = 0
    request: str | None = None
    """Name of the request that begins with it, on its way to the target."""


class Ruling(Enum):
    """What becomes of a step, besides being late."""

    PASS = auto()
    GATE = auto()
    RESET = auto()
    ANSWER = auto()
    """It does not get further: the proxy answers."""


ANSWER = "HTTP/1.1 {} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BEGIN = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/1\.1\r\n" + MARK.encode() + rb": ([-a-z0-9]{1,40})\r\n")
PASSED: tuple[int, Ruling] = 0, Ruling.PASS


class Effect(Protocol):
    """One fault's hand on the path."""

    def rule(self, step: Step) -> tuple[int, Ruling]:
        """How long to hold it back (ns), and what else; `PASSED` where it is not felt."""
        ...

    def passes(self, step: Step, now: int) -> int | None:
        """When a step at the gate may pass (monotonic ns); None: not before the fault is gone."""
        ...

    @property
    def piece(self) -> int:
        """The most bytes that may pass at once; 0 where that is no matter."""
        ...

    @property
    def answer(self) -> bytes:
        """What is answered instead of the target."""
        ...


def request_of(data: bytes) -> str | None:
    """Name of the request that begins with these bytes. The generator sends one after the other on a connection and its mark
    first, so a request is told by the beginning of a read alone; what somebody else sends has no name."""
    found = _BEGIN.match(data)
    return found[1].decode() if found else None


def _broken(breaking: Breaking) -> tuple[int, Ruling]:
    return 0, Ruling.RESET if breaking is Breaking.RESET else Ruling.GATE


@dataclass(slots=True)
class _Hole:
    """A gate that opens when the fault is gone. What most effects have in common."""

    piece: int = field(default=0, init=False)
    answer: bytes = field(default=b"", init=False)

    def passes(self, _step: Step, _now: int) -> int | None:
        return None


@dataclass(slots=True)
class Delay(_Hole):
    """Netem's on the target's egress. A correlated delay is the one before with that probability: unlike in netem, whose moving
    average narrows the spread, it stays uniform, and the correlation of neighbours is the one asked for."""

    order: DelayOrder
    _last: int | None = None

    def rule(self, step: Step) -> tuple[int, Ruling]:
        if step.way is Way.UP:
            return PASSED
        if self._last is None or 100 * random.random() >= self.order.correlation_percent:
            self._last = self._draw_ns()
        return self._last, Ruling.PASS

    def _draw_ns(self) -> int:
        jitter = self.order.jitter_milliseconds
        spread = random.uniform(-jitter, jitter) if jitter else 0.0
        return max(0, int(MILLISECOND * (self.order.latency_milliseconds + spread)))


@dataclass(slots=True)
class Loss(_Hole):
    """A share of what the target sends never arrives. On TCP that is a broken connection, not a hole in the stream."""

    order: LossOrder

    def rule(self, step: Step) -> tuple[int, Ruling]:
        if step.way is not Way.DOWN or not step.size or 100 * random.random() >= self.order.percent:
            return PASSED
        return _broken(self.order.breaking)


@dataclass(slots=True)
class Partition(_Hole):
    """Nothing comes through, in neither direction."""

    order: PartitionOrder

    def rule(self, _step: Step) -> tuple[int, Ruling]:
        return _broken(self.order.breaking)


def _hits(order: HttpAbortOrder | HttpDelayOrder, step: Step) -> bool:
    """Whether a request begins here that is meant, and whose turn it is."""
    meant = step.request is not None and order.request in (None, step.request)
    return meant and 100 * random.random() < order.percent


@dataclass(slots=True)
class HttpAbort(_Hole):
    """Requests that end at the proxy, with an answer or a reset."""

    order: HttpAbortOrder

    def __post_init__(self) -> None:
        if self.order.status_code is not None:
            self.answer = ANSWER.format(self.order.status_code).encode()

    def rule(self, step: Step) -> tuple[int, Ruling]:
        if not _hits(self.order, step):
            return PASSED
        return 0, Ruling.ANSWER if self.answer else Ruling.RESET


@dataclass(slots=True)
class HttpDelay(_Hole):
    """Requests that reach the target later."""

    order: HttpDelayOrder

    def rule(self, step: Step) -> tuple[int, Ruling]:
        return (MILLISECOND * self.order.delay_milliseconds, Ruling.PASS) if _hits(self.order, step) else PASSED


@dataclass(slots=True)
class Bandwidth:
    """A line each way on which a piece takes its size over the rate, and the next begins after it."""

    order: BandwidthOrder
    answer: bytes = field(default=b"", init=False)
    _free: dict[Way, int] = field(default_factory=dict)

    @property
    def piece(self) -> int:
        return max(SMALLEST_PIECE, self.order.bytes_per_second // PIECE_SHARE)

    def rule(self, step: Step) -> tuple[int, Ruling]:
        return (0, Ruling.GATE) if step.size else PASSED

    def passes(self, step: Step, now: int) -> int | None:
        begin = max(now, self._free.get(step.way, 0))
        self._free[step.way] = begin + step.size * SECOND // self.order.bytes_per_second
        return self._free[step.way]


EFFECTS: Mapping[str, Callable[..., Effect]] = {
    "delay": Delay,
    "loss": Loss,
    "bandwidth": Bandwidth,
    "partition": Partition,
    "http_abort": HttpAbort,
    "http_delay": HttpDelay,
}
if set(EFFECTS) != set(KINDS):
    raise TypeError(f"kinds of orders {sorted(KINDS)} and effects {sorted(EFFECTS)} do not match")


def details_of(order: FaultOrder) -> tuple[str, Details]:
    """The one kind that it orders."""
    ((kind, details),) = order.kinds.items()
    return kind, details


def effect_of(order: FaultOrder) -> Effect:
    kind, details = details_of(order)
    return EFFECTS[kind](details)
