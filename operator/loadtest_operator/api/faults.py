"""Faults of a LoadTest: what each kind does, and in which window of the run.

A kind is a model and a member of `Fault`; who makes it stands in `core.faults.providers`. What the delay proxy makes is
written here as the proxy takes it (`loadgen.model.proxy`).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from loadgen.model.base import Model, Number, require_exactly_one
from loadgen.model.plan import Criterion
from loadgen.model.proxy import (
    FASTEST,
    HIGHEST_STATUS,
    LONGEST_DELAY_MILLISECONDS,
    LOWEST_STATUS,
    SLOWEST,
    Breaking,
)
from loadgen.model.requests import Name
from loadtest_operator.api.meta import Seconds, SecondsOrNone

MOST_TIMES = 8
MOST_OCCURRENCES = 16
"""Of all faults of a LoadTest together: the status has an entry for each."""
WELL_SECONDS = 15
"""Three windows of five seconds in which users must be well to count as recovered."""
Share = Annotated[int, Field(ge=1, le=100)]


def _some(value: Number) -> Number:
    if not 0 < value <= 100:
        raise ValueError(f'{value} is no share: use more than 0 and at most 100, such as "0.5"')
    return value


Percent = Annotated[Number, AfterValidator(_some)]
"""Its twin in CEL stands at every model that has one."""


class ByConnection(Model):
    """What may hit a share of the connections."""

    connections_percent: Share = 100
    """How many in a hundred connections are hit, those that are open and new ones alike. Default 100."""


class NetworkDelay(ByConnection):
    """Delays what the target sends, as netem on its egress would; a new connection waits once more, as for its SYN-ACK."""

    latency_milliseconds: Annotated[int, Field(ge=1, le=LONGEST_DELAY_MILLISECONDS)]
    """Added delay in milliseconds. Delays of faults that overlap add up."""
    jitter_milliseconds: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MILLISECONDS)] = 0
    """The delay varies by up to this much to either side, in milliseconds. Default 0."""
    correlation_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """How likely a delay is the same as the one before it, in percent. Default 0: each is drawn anew."""

    @model_validator(mode="after")
    def _never_negative(self) -> Self:
        if self.jitter_milliseconds > self.latency_milliseconds:
            raise ValueError(
                f"jitterMilliseconds {self.jitter_milliseconds} is more than latencyMilliseconds "
                f"{self.latency_milliseconds}: a delay cannot be negative"
            )
        return self

    @model_validator(mode="after")
    def _correlates_something(self) -> Self:
        if self.correlation_percent and not self.jitter_milliseconds:
            raise ValueError(
                f"correlationPercent {self.correlation_percent} needs jitterMilliseconds: without it every delay is the same"
            )
        return self


class NetworkLoss(ByConnection):
    """Loses a share of what the target sends. Each piece that is lost breaks its connection there."""

    percent: Percent
    """How many in a hundred pieces (reads from the target) are lost: more than 0, at most 100. A streamed answer has one for about
    every token, so a few in a hundred break most streams."""
    breaking: Breaking = Breaking.RESET
    """Reset: both ends see the connection reset. BlackHole: nothing comes any more until the fault is gone. Default Reset."""


class NetworkBandwidth(ByConnection):
    """Narrows the line to the target and the line back; all connections that are hit share them."""

    bytes_per_second: Annotated[int, Field(ge=SLOWEST, le=FASTEST)]
    """Bytes per second in each direction."""


class NetworkPartition(ByConnection):
    """Cuts the target off, in both directions."""

    breaking: Breaking = Breaking.RESET
    """Reset: new connections are reset at once, open ones at their next bytes. BlackHole: nothing comes through and nobody is told;
    what was sent meanwhile arrives when the fault is gone. Default Reset."""


class ByRequest(Model):
    """What may hit requests of one name."""

    request: Name | None = None
    """Name of a request in requests that it hits. Default: all."""
    percent: Percent = Decimal(100)
    """How many in a hundred of these requests are hit: more than 0, at most 100. Default 100."""


class HttpAbort(ByRequest):
    """Ends requests before they reach the target."""

    status_code: Annotated[int, Field(ge=LOWEST_STATUS, le=HIGHEST_STATUS)] | None = None
    """What is answered instead, 400 to 599. Default: no answer, the connection is reset."""


class HttpDelay(ByRequest):
    """Holds requests back on their way to the target."""

    delay_milliseconds: Annotated[int, Field(ge=1, le=LONGEST_DELAY_MILLISECONDS)]
    """Added delay in milliseconds."""


class Killing(StrEnum):
    """How a pod is killed."""

    DELETE = "Delete"
    EVICT = "Evict"


class PodKill(Model):
    """Kills ready pods of the target, chosen by lot: exactly one of count and percent. In force from the kill until as many
    pods are ready as before."""

    count: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many pods."""
    percent: Share | None = None
    """How many in a hundred of the pods that are ready, rounded down, one at least."""
    by: Killing = Killing.DELETE
    """Delete, or Evict, which respects PodDisruptionBudgets. Default Delete."""
    grace_period_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """Seconds that a pod has to end; 0: at once. Default: the pod's own."""

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        return require_exactly_one(self, "count", "percent")


class Repeat(Model):
    """The same fault again and again."""

    every_seconds: Seconds
    """Seconds from the beginning of one to the beginning of the next; longer than the fault."""
    times: Annotated[int, Field(ge=2, le=MOST_TIMES)]
    """How often it comes in all."""


FAULT_KINDS = (
    *("network_delay", "network_loss", "network_bandwidth", "network_partition"),
    *("http_abort", "http_delay", "pod_kill"),
)
"""Members of a Fault that say what it is."""


class Fault(Model):
    """A fault for a window of the run. Exactly one of the members network…, http… and podKill says which."""

    name: Name
    """Name in the results."""
    start_in_stage: Name
    """Name of the stage in load.stages in which the fault starts."""
    start_after_seconds: SecondsOrNone = 0
    """Seconds after the beginning of that stage. Default 0."""
    duration_seconds: Seconds
    """Length of the fault in seconds; it must end before the last stage does. Of podKill: the most that may pass until as many pods are
    ready as before."""
    repeat: Repeat | None = None
    """Comes again after that; each time is a fault of its own in the results, named after this one: slow-1, slow-2, … All must end
    before the last stage does. Default: once."""
    required: bool = True
    """A fault that could not be injected makes the verdict Inconclusive. Default true."""
    network_delay: NetworkDelay | None = None
    """Delays what the target sends."""
    network_loss: NetworkLoss | None = None
    """Loses a share of what the target sends."""
    network_bandwidth: NetworkBandwidth | None = None
    """Narrows the lines to the target and back."""
    network_partition: NetworkPartition | None = None
    """Cuts the target off."""
    http_abort: HttpAbort | None = None
    """Ends requests before they reach the target."""
    http_delay: HttpDelay | None = None
    """Holds requests back on their way to the target."""
    pod_kill: PodKill | None = None
    """Kills pods of the target; only where the administrator and the namespace allow it."""
    recover_within_seconds: Seconds | None = None
    """Seconds after the fault's end within which users must be well again: three windows of 5 s on end without a violated threshold.
    Default: not asked for, only measured."""
    tolerate: Annotated[tuple[Criterion, ...], Field(max_length=8)] = ()
    """Bounds over the fault's window; the thresholds are judged over the rest of the run."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        return require_exactly_one(self, *FAULT_KINDS)

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        if self.repeat is not None and self.repeat.every_seconds <= self.duration_seconds:
            raise ValueError(
                f"repeat.everySeconds {self.repeat.every_seconds} must be more than durationSeconds {self.duration_seconds}: one ends "
                "before the next begins"
            )
        return self

    @model_validator(mode="after")
    def _recovers_before_it_comes_again(self) -> Self:
        if self.repeat is None or self.recover_within_seconds is None:
            return self
        gap = self.repeat.every_seconds - self.duration_seconds
        if self.recover_within_seconds + WELL_SECONDS > gap:
            raise ValueError(
                f"recoverWithinSeconds {self.recover_within_seconds} can never be seen to hold: the fault comes again {gap} s after it "
                f"has gone; {self.recover_within_seconds + WELL_SECONDS} s are needed, so raise repeat.everySeconds"
            )
        return self

    @property
    def occurrences(self) -> tuple["Fault", ...]:
        """Each time that it comes, as a fault of its own."""
        if self.repeat is None:
            return (self,)
        every = self.repeat.every_seconds
        return tuple(
            self.model_copy(
                update={
                    "name": f"{self.name}-{turn + 1}",
                    "start_after_seconds": self.start_after_seconds + turn * every,
                    "repeat": None,
                }
            )
            for turn in range(self.repeat.times)
        )

    @property
    def kind(self) -> str:
        """Which of its members says what it is."""
        return next(kind for kind in FAULT_KINDS if getattr(self, kind) is not None)

    @property
    def by_request(self) -> ByRequest | None:
        """What is to be known of requests for it; None where connections are enough."""
        return self.http_abort or self.http_delay
