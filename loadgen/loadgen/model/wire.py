"""What a worker says while it runs: msgpack records that only ever get added up.

A shard emits one `Delta` a second. A delta holds, for every (intended second, stage, request) that anything
happened to, how much its counters and histograms have grown; adding all deltas of all shards in any order gives the
exact whole.
`WorkerState` is the small JSON answer of the control API.

Times are whole seconds since the load's start (second 0 is the first of the first stage), histogram values are
microseconds, and a second belongs to the *intended* start of an open-loop request (a closed one: to its sending).

One release, one `WIRE_VERSION`: the operator takes an answer of its own version only, and says which image to change
otherwise, before any load. Decoders do not mind unknown fields and fill missing ones with their defaults, so two versions
would *seem* to understand each other, and a field that is missing would count as zero. The rule: whatever is added,
removed or given another meaning here raises the version. `version` itself keeps its name, its type and its place.
"""

from enum import StrEnum

from msgspec import Struct, field

WIRE_VERSION = 3
SQUARES_CARRY = 1 << 62
PROBES_APART = (2_000_000, 4_000_000)
"""The least and the most nanoseconds between two of the probes that `loop_lag` is made of."""


class Sparse(Struct, array_like=True, gc=False):
    """A sparse histogram: `counts[i]` values fell into bin `bins[i]` (bins ascend). Sums are of the raw values."""

    bins: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    total: int = 0
    """Sum of the values, microseconds."""
    squares: int = 0
    """Sum of the squared values, microseconds squared, modulo `SQUARES_CARRY`."""
    largest: int = 0
    """The largest value, microseconds, exact."""
    squares_carry: int = 0
    """How many times `SQUARES_CARRY` the sum of squares holds beyond `squares`: msgpack has no integer past 64 bits,
    and 50 time-outs of 600 s in one second pass that."""


class Cell(Struct, gc=False):
    """What happened to the requests of one (second, stage, request)."""

    second: int
    stage: int
    """Index into load.stages; requests in flight stay with the stage of their start."""
    request: int
    """Index into requests."""
    planned: int = 0
    sent: int = 0
    succeeded: int = 0
    dropped: int = 0
    """Starts that could not be made: in-flight cap reached, or too late to be caught up."""
    late: int = 0
    """Of the dropped, those that came too late: the generator's own doing."""
    incomplete: int = 0
    """Cut off by the end of the run before any verdict about them."""
    good: int = 0
    """Succeeded and kept every bound of the request's SLO, as far as that can be seen."""
    unsure: int = 0
    """Succeeded and kept the bounds that can be seen, but its SLO bounds a pace that cannot: all of it came in one read. Not in `good`."""
    at_once: int = 0
    """Streamed successes of several tokens whose every output came in one read: no evidence of a pace."""
    told: int = 0
    """Streamed successes whose output tokens the server told (usage)."""
    untold: int = 0
    """Streamed successes whose output tokens are the events counted."""
    output_tokens: int = 0
    """Output tokens that arrived in the delta's second for these requests. Events where the server tells no usage; where it
    does, as many an event as the answers before had, and the difference is added (or taken away) when the request ends, so
    one second's figure may be negative."""
    errors: dict[str, int] = field(default_factory=dict)
    """Failed requests by class (`Failure`); their sum is the number of failures."""
    histograms: dict[int, Sparse] = field(default_factory=dict)
    """Of successes, keyed by the metric's index in `loadgen.model.plan.DISTRIBUTIONS`."""
    censored: dict[int, Sparse] = field(default_factory=dict)
    """What timed out, at the time-out's value: at least so long. ResponseTime; TimeToFirstToken of what had no token by then."""


class Pulse(Struct, gc=False):
    """One second of wall time in one shard, whichever requests it belonged to, and how well it was measured."""

    completions: int = 0
    """Requests that ended successfully in this second."""
    output_events: int = 0
    output_tokens: int = 0
    """Output tokens that arrived in this second (events where the server tells no usage)."""
    bytes_received: int = 0
    reads: int = 0
    """Socket reads that carried output events; output_events / reads is the receive-coalescing ratio."""
    in_flight_microseconds: int = 0
    """Integral of requests in flight over the second."""
    peak_in_flight: int = 0
    connections_opened: int = 0
    schedule_lag: Sparse = field(default_factory=Sparse)
    loop_lag: Sparse = field(default_factory=Sparse)
    cpu_microseconds: int = 0
    """CPU time of the shard's process."""
    throttled_microseconds: int = 0
    """CPU throttling of the worker's cgroup; reported by shard 0 only."""
    resident_bytes: int = 0


class Delta(Struct, gc=False):
    """One second of one shard."""

    worker: int
    shard: int
    second: int
    """The second that just ended; -1 and below are before the start."""
    cells: list[Cell] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)


class Snapshot(Struct, gc=False):
    """Answer to `GET /v1/deltas?after=K`: the deltas numbered K+1 … last, at most a few MiB of them."""

    version: int
    last: int
    """Number of the last delta in here (K when there is none)."""
    deltas: list[Delta]
    more: bool = False
    """True when further deltas are ready to be fetched now."""


class Versioned(Struct):
    """What can be read of an answer of any version: which it is."""

    version: int


class WorkerPhase(StrEnum):
    """Life of a worker. Finished, Aborted and Failed are final; their deltas stay until release."""

    STARTING = "Starting"
    READY = "Ready"
    ARMED = "Armed"
    RUNNING = "Running"
    DRAINING = "Draining"
    FINISHED = "Finished"
    ABORTED = "Aborted"
    FAILED = "Failed"


FINAL_PHASES = frozenset({WorkerPhase.FINISHED, WorkerPhase.ABORTED, WorkerPhase.FAILED})


class WorkerState(Struct, rename="camel", omit_defaults=False):
    """Answer to `GET /v1/state` (JSON)."""

    version: int
    worker: int
    workers: int
    shards: int
    phase: WorkerPhase
    now: int
    """Wall clock of the worker when it answered, nanoseconds since 1970."""
    last: int
    """Number of the newest delta."""
    start_at: int | None = None
    """Wall clock (of the worker) of second 0, once armed; nanoseconds since 1970."""
    started_late_microseconds: int = 0
    """How far behind `start_at` the first shard really began."""
    message: str = ""
    """Why it was aborted or failed, for people."""
    ceiling_requests_per_second: int = 0
    """What this worker reached against a null server inside its pod; 0 while unknown."""


class Failure(StrEnum):
    """Classes of failed requests."""

    DNS = "Dns"
    CONNECT_REFUSED = "ConnectRefused"
    CONNECT_TIMEOUT = "ConnectTimeout"
    TLS = "Tls"
    SEND = "Send"
    LOCAL = "Local"
    """The generator's own machine could not: no ports, descriptors or memory left, no turn to open a connection, or an event loop so late
    that it may have used up the request's time."""
    FIRST_BYTE_TIMEOUT = "FirstByteTimeout"
    STALL_TIMEOUT = "StallTimeout"
    TOTAL_TIMEOUT = "TotalTimeout"
    STREAM_TRUNCATED = "StreamTruncated"
    STREAM_ERROR = "StreamError"
    EMPTY_OUTPUT = "EmptyOutput"
    PARSE = "Parse"
    ENCODING = "Encoding"
    """The body is compressed in a way that is not read here, though identity was asked for."""
    UNEXPECTED_STATUS = "UnexpectedStatus"
    UNEXPECTED_BODY = "UnexpectedBody"
    CONNECTION_LOST = "ConnectionLost"
    CANCELLED = "Cancelled"


TIMEOUTS = frozenset(
    {Failure.CONNECT_TIMEOUT, Failure.FIRST_BYTE_TIMEOUT, Failure.STALL_TIMEOUT, Failure.TOTAL_TIMEOUT}
)
"""Failures that say how long a request took at least."""


REJECTIONS = ("Http429", "Http503")
"""Failures by which a server turns requests away on purpose: too many of them (RFC 6585, section 4), or no room (RFC 9110, 15.6.4)."""


def http_failure(status: int) -> str:
    """Class of a response with an error status: `Http404`, `Http503`, …"""
    return f"Http{status}"
