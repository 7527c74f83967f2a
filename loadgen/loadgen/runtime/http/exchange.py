"""One request on its way: its timestamps and what is known of its answer.

The definitions are those of `metrics.md`: `intended` is a pure function of the schedule, `sent` is stamped just
before the first byte is handed to the kernel, `headers` and every entry of `stamps` are the time of the read that
brought them, taken before parsing. All are nanoseconds of one monotonic clock; 0 stands for "not yet".
"""

from array import array
from collections.abc import Callable
from typing import Any, Protocol

from loadgen.core.prompts.conversation import Conversation
from loadgen.runtime.clock import SECOND

Consumer = Callable[["Exchange", bytes, int], bool]
"""Takes a piece of a response body and the time of the read that brought it; true when the answer is over by its protocol."""


class Line(Protocol):
    """What an exchange is on."""

    @property
    def heard(self) -> int:
        """When something was last read there; ns, 0 before the first byte."""

    @property
    def head(self) -> bytes:
        """The answer's head, and perhaps more, until the exchange is over."""

    def cancel(self) -> None:
        """Give up the exchange under way."""


Following = Callable[["Exchange"], bytes | None]


class Kind(Protocol):
    """What to send for one entry of the plan's requests, and what its answers mean."""

    bodiless: bool
    """Whether answers have no body whatever their headers say (HEAD)."""
    idempotent: bool
    """Whether a real client would send it again by itself when a kept connection turns out to be closed."""
    timeout_ns: int
    consume: Consumer | None
    """Takes response bodies; None counts and drops them."""
    following: "Following | None"
    """What goes out on the same connection after an answer, or None after the last; None where one answer is all."""

    def wire(self, exchange: "Exchange") -> bytes:
        """The request's bytes; asked once more where an exchange is sent again."""

    def verdict(self, exchange: "Exchange") -> str | None:
        """After a complete answer: None for success or the class of the failure."""

    def truncated(self, exchange: "Exchange") -> str:
        """The class of an answer that ended before its end."""


class Stream:
    """What a kind keeps of an answer's body while it comes in."""

    __slots__ = ("booked", "cell", "error", "finished", "parser", "stamps", "tokens")

    def __init__(self, parser: object, cell: int = 0) -> None:
        self.cell = cell
        """Where its output tokens are counted."""
        self.parser: Any = parser
        """What takes the pieces: a stream parser or a buffer."""
        self.stamps = array("q")
        """Times of output events."""
        self.tokens = 0
        """Output tokens by the server's own count; 0 while unknown."""
        self.booked = 0
        """Output tokens counted so far beyond its events."""
        self.error: str | None = None
        """A failure found inside the body."""
        self.finished = False
        """Whether the stream's terminal event has come."""


class Exchange:
    """A request from its intended start to its outcome. Compared and hashed by identity."""

    __slots__ = (
        "begun", "connection", "headers", "intended", "kind", "last", "request", "retried", "sent", "slot", "stage", "status",
        "stream", "talk",
    )  # fmt: skip

    connection: Line | None
    stream: Stream | None
    talk: Conversation | None
    """The conversation that it is a turn of."""

    def __init__(self, kind: Kind, stage: int, request: int, intended: int, begun: int, slot: int = -1) -> None:
        self.kind = kind
        self.stage = stage
        self.request = request
        self.intended = intended
        self.begun = begun
        """When the generator acted on it."""
        self.slot = slot
        """The closed-loop slot that it belongs to; -1 in open stages."""
        self.connection = self.stream = self.talk = None
        self.sent = self.headers = self.last = self.status = 0
        """`last`: the last output, or the last byte of the body where outputs are not told apart."""
        self.retried = False

    @property
    def deadline(self) -> int:
        """When it has had its time: the time-out counts from where its latencies do, as the user's patience does."""
        return self.origin + self.kind.timeout_ns

    @property
    def heard(self) -> int:
        """When something was last read for it; ns."""
        return self.connection.heard if self.connection is not None else self.headers

    @property
    def origin(self) -> int:
        """What its latencies count from and what decides its second: the intended start, or in closed stages the sending."""
        return (self.sent or self.begun) if self.slot >= 0 else self.intended

    def cell(self, start_ns: int) -> int:
        """The number of the cell that it belongs to: second << 10 | stage << 4 | request."""
        return (self.origin - start_ns) // SECOND << 10 | self.stage << 4 | self.request

    def reset(self) -> None:
        """Forget an attempt that got no byte of an answer."""
        self.retried, self.connection, self.sent = True, None, 0
