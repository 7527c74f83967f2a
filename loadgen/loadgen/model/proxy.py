"""What the delay proxy is told and what it tells (JSON), part of the wire format of one release (`WIRE_VERSION`).

Every fault has a name and the run it belongs to: an order that comes twice is one fault, and what is said about one
fault is never about another. Times are the proxy's wall clock, nanoseconds since 1970; lengths come from its monotonic
clock, so a step of the wall clock makes no fault longer or shorter.
"""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType, field

from loadgen.model.wire import Sparse

LONGEST_DELAY_MILLISECONDS = 600_000
LONGEST_FAULT_SECONDS = 86_400
MARK = "X-Loadtest-Request"
"""The header by which a request that goes through the proxy tells its name."""
LOWEST_STATUS, HIGHEST_STATUS = 400, 599
SLOWEST, FASTEST = 1_000, 10_000_000_000
"""Bytes per second that a line may be narrowed to. Slower than that, a piece of some hundred bytes would take a second."""
PULSES_A_STATE = 600
"""Pulses that one answer holds at most; ask again after the last of them."""


class Breaking(StrEnum):
    """How a connection that a fault hits breaks."""

    RESET = "Reset"
    """Both ends see a reset, at once."""
    BLACK_HOLE = "BlackHole"
    """Nothing comes through any more, and nobody is told; what was sent meanwhile arrives when the fault is gone."""


class DelayOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Hold back what the target sends."""

    latency_milliseconds: int
    jitter_milliseconds: int = 0
    """To either side, uniform."""
    correlation_percent: int = 0
    """How likely a delay is the one before, rather than one drawn anew."""
    connections_percent: int = 100


class LossOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Break connections in the middle of what the target sends."""

    percent: Decimal
    """Of the reads from the target; each that is lost breaks its connection."""
    breaking: Breaking = Breaking.RESET
    connections_percent: int = 100


class BandwidthOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """A narrow line to the target and one back, each shared by all connections that are hit."""

    bytes_per_second: int
    connections_percent: int = 100


class PartitionOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """No way to the target: connections that are open break at their next bytes, new ones at their opening."""

    breaking: Breaking = Breaking.RESET
    connections_percent: int = 100


class HttpAbortOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """End requests before they reach the target."""

    connections_percent: ClassVar[int] = 100
    request: str | None = None
    """Of this name only."""
    percent: Decimal = Decimal(100)
    """Of the requests."""
    status_code: int | None = None
    """What the proxy answers instead of the target; else the connection is reset."""


class HttpDelayOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Hold requests back on their way to the target."""

    connections_percent: ClassVar[int] = 100
    delay_milliseconds: int
    request: str | None = None
    """Of this name only."""
    percent: Decimal = Decimal(100)
    """Of the requests."""


class FaultOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Body of `PUT /v1/faults/{name}`: exactly one of the kinds."""

    run: int
    duration_seconds: float
    """The proxy ends the fault by itself after this (dead-man's switch)."""
    delay: DelayOrder | UnsetType = UNSET
    loss: LossOrder | UnsetType = UNSET
    bandwidth: BandwidthOrder | UnsetType = UNSET
    partition: PartitionOrder | UnsetType = UNSET
    http_abort: HttpAbortOrder | UnsetType = UNSET
    http_delay: HttpDelayOrder | UnsetType = UNSET

    @property
    def kinds(self) -> dict[str, "Details"]:
        """What is ordered, by its kind; more or less than one is a mistake."""
        return {kind: found for kind in KINDS if (found := getattr(self, kind)) is not UNSET}


Details = DelayOrder | LossOrder | BandwidthOrder | PartitionOrder | HttpAbortOrder | HttpDelayOrder
KINDS = tuple(name for name in FaultOrder.__struct_fields__ if name not in ("run", "duration_seconds"))


class FaultRecord(Struct, rename="camel"):
    """What became of one order."""

    name: str
    run: int
    injected_at: int
    until: int
    """When it ends by itself."""
    recovered_at: int | None = None
    effects: int = 0
    """How often it was felt: reads and openings of connections that were held back, connections that were broken."""


class PathPulse(Struct, rename="camel"):
    """About a second of the proxy's life, by itself; longer where its loop stood still."""

    at: int
    """Wall clock at its beginning."""
    microseconds: int
    """Its length."""
    cpu_microseconds: int = 0
    throttled_microseconds: int = 0
    """In which the container was ready to run and not allowed to."""
    loop_lag: Sparse = field(default_factory=Sparse)
    """How late the event loop acted, by probes at random distances; every byte is late by about as much."""
    refused: int = 0
    """Connections that it could not take or make for lack of its own means (files, ports, memory, names, backlog)."""


class AtRest(Struct, rename="camel"):
    """What the proxy adds to a round trip when nothing else goes on: measured in turns straight and through."""

    turns: int
    p50_microseconds: int = 0
    p99_microseconds: int = 0


class ProxyState(Struct, rename="camel"):
    """Answer of every path but /healthz."""

    version: int
    boot: str
    """Different for every process: another one knows nothing of the faults and seconds of the one before."""
    now: int
    cores: float
    """CPU that it may use: one core at most, for it has one event loop."""
    connections: int
    faults: list[FaultRecord]
    last: int
    """Number of the newest pulse."""
    pulses: list[PathPulse]
    """Those after the number that was asked for (`?after=K`), `PULSES_A_STATE` at most."""
    at_rest: AtRest | None = None
