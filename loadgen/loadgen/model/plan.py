"""What to run: the mix of requests (`requests`), the load's stages, the thresholds.

The same YAML runs under the operator (embedded in a LoadTest's spec) and on a laptop (`loadgen run`).
Rules between fields are validators here and, word for word where possible, CEL rules in the CRD.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from loadgen.model.base import Model, Number, require_exactly_one
from loadgen.model.requests import Name, Request

NamedT = TypeVar("NamedT", "Stage", Request, "Threshold")


class Arrival(StrEnum):
    """How arrivals are spaced in open stages."""

    POISSON = "Poisson"
    UNIFORM = "Uniform"


class Ramp(StrEnum):
    """Shape of a ramp from the level before."""

    LINEAR = "Linear"
    EXPONENTIAL = "Exponential"


class Stage(Model):
    """A slice of the load: a duration and a level. Exactly one of arrivalRate (open) and concurrency (closed)."""

    name: Name
    """Name that thresholds, scaling expectations and faults refer to."""
    duration_seconds: Annotated[int, Field(ge=1, le=86400)]
    """Length of the stage in seconds, its ramp included."""
    arrival_rate: Number | None = None
    """Open model: requests started per second over all workers, whether or not earlier ones were answered."""
    concurrency: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Closed model: requests kept in flight over all workers."""
    ramp_seconds: Annotated[int, Field(ge=0, le=86400)] = 0
    """Seconds at the stage's beginning in which the level moves from the one before. Default 0: at once."""
    ramp: Ramp = Ramp.LINEAR
    """Shape of the ramp. Default Linear."""
    warmup: bool = False
    """Left out of thresholds and of the run's totals, still reported. Default false."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ramp_seconds > self.duration_seconds:
            raise ValueError(f"rampSeconds {self.ramp_seconds} is longer than durationSeconds {self.duration_seconds}")
        return require_exactly_one(self, "arrival_rate", "concurrency")


class Connections(Model):
    """How long connections are kept. New replicas only get traffic over new connections."""

    max_age_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    """Close a connection that is older once it is idle. Default: kept for the whole run."""
    max_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Close a connection after this many requests. Default: no limit."""


class AutoStop(Model):
    """Stops a run that only hammers a broken target."""

    error_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """Share of failed requests that stops the run. Default 50."""
    window_seconds: Annotated[int, Field(ge=5, le=3600)] = 30
    """Over how many seconds the share must hold. Default 30."""
    disabled: bool = False
    """Never stop by itself. Default false."""


class ClientKind(StrEnum):
    """What carries the requests."""

    NATIVE = "Native"
    COMPATIBLE = "Compatible"


class Load(Model):
    """How much load, when, from how many workers."""

    workers: Annotated[int, Field(ge=1, le=500)] = 1
    """Worker pods. Default 1."""
    arrival: Arrival = Arrival.POISSON
    """Spacing of arrivals in open stages. Default Poisson."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Seed of everything random: the same plan and seed give the same schedule. Default 0."""
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Over all workers; an arrival past it is a dropped request, counted and never delayed. Default 10000."""
    connections: Connections = Connections()
    """Connection reuse."""
    client: ClientKind = ClientKind.NATIVE
    """Native: the generator's own connections. Compatible: aiohttp, which honours HTTP_PROXY, HTTPS_PROXY and NO_PROXY and minds odd
    servers less, at about a tenth of the requests per core. Default Native."""
    auto_stop: AutoStop = AutoStop()
    """Stop early on a broken target. Default: 50 % errors over 30 s."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=64)]
    """The one time axis of the run."""
    graceful_stop_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long requests in flight may finish after the last stage. Default 30."""

    @field_validator("stages")
    @classmethod
    def _unique(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        return _require_unique_names(stages)

    @model_validator(mode="after")
    def _client_can(self) -> Self:
        if self.client is ClientKind.COMPATIBLE and self.connections != Connections():
            raise ValueError("connections does not go with client Compatible: leave it out, or use client Native")
        return self

    @model_validator(mode="after")
    def _every_worker_has_a_share(self) -> Self:
        if self.max_in_flight < self.workers:
            raise ValueError(
                f"maxInFlight {self.max_in_flight} is less than workers {self.workers}: a worker without a share of it can start "
                "nothing; raise it, or use fewer workers"
            )
        return self

    @property
    def duration_seconds(self) -> int:
        """Length of all stages together."""
        return sum(stage.duration_seconds for stage in self.stages)


class Metric(StrEnum):
    """What a threshold is about. The first group are distributions and need a statistic: milliseconds, but for
    OutputTokensPerSecondPerUser, the speed at which one reader gets tokens (1 / TimePerOutputToken). OutputTokenThroughput is the whole
    system's. RejectedPercent is the part of ErrorPercent that the target turned away on purpose (429, 503)."""

    RESPONSE_TIME = "ResponseTime"
    E2E_LATENCY = "E2eLatency"
    TIME_TO_FIRST_TOKEN = "TimeToFirstToken"
    TIME_TO_FIRST_TOKEN_FROM_SEND = "TimeToFirstTokenFromSend"
    TIME_TO_FIRST_BYTE = "TimeToFirstByte"
    TIME_PER_OUTPUT_TOKEN = "TimePerOutputToken"
    INTER_CHUNK_LATENCY = "InterChunkLatency"
    MAX_STALL = "MaxStall"
    SCHEDULE_LAG = "ScheduleLag"
    ERROR_PERCENT = "ErrorPercent"
    DROPPED_PERCENT = "DroppedPercent"
    REJECTED_PERCENT = "RejectedPercent"
    REQUESTS_PER_SECOND = "RequestsPerSecond"
    OUTPUT_TOKENS_PER_SECOND_PER_USER = "OutputTokensPerSecondPerUser"
    OUTPUT_TOKEN_THROUGHPUT = "OutputTokenThroughput"
    GOODPUT = "Goodput"
    SLO_ATTAINMENT_PERCENT = "SloAttainmentPercent"

    @property
    def is_distribution(self) -> bool:
        """True for latencies, which are in milliseconds and recorded as histograms."""
        return self in DISTRIBUTIONS

    @property
    def needs_statistic(self) -> bool:
        """True for what every request has a value of."""
        return self in WITH_STATISTIC


DISTRIBUTIONS = (
    Metric.RESPONSE_TIME,
    Metric.E2E_LATENCY,
    Metric.TIME_TO_FIRST_TOKEN,
    Metric.TIME_TO_FIRST_TOKEN_FROM_SEND,
    Metric.TIME_TO_FIRST_BYTE,
    Metric.TIME_PER_OUTPUT_TOKEN,
    Metric.INTER_CHUNK_LATENCY,
    Metric.MAX_STALL,
    Metric.SCHEDULE_LAG,
)
"""Order is part of the wire format: a histogram's metric is its index here."""
WITH_STATISTIC = (*DISTRIBUTIONS, Metric.OUTPUT_TOKENS_PER_SECOND_PER_USER)
RENAMED = {
    "OutputTokensPerSecond": "OutputTokensPerSecond meant two things: write OutputTokenThroughput for the tokens per second of the whole "
    "system, or OutputTokensPerSecondPerUser (with a statistic) for the speed at which one reader gets them"
}
"""Old names, and what to write instead."""
RESERVED_NAMES = ("errors-default", "any-success")
"""Names of the thresholds that are there without being written."""


class Statistic(StrEnum):
    """A number taken from a merged distribution."""

    MEAN = "Mean"
    P50 = "P50"
    P75 = "P75"
    P90 = "P90"
    P95 = "P95"
    P99 = "P99"
    P999 = "P999"
    MAX = "Max"


class Operator(StrEnum):
    """How the observed value must stand to the threshold's value."""

    LESS_THAN = "LessThan"
    LESS_THAN_OR_EQUAL = "LessThanOrEqual"
    GREATER_THAN = "GreaterThan"
    GREATER_THAN_OR_EQUAL = "GreaterThanOrEqual"


class Decision(StrEnum):
    """What it takes to say that a bound holds or is violated."""

    CONFIDENT = "Confident"
    POINT = "Point"


class Severity(StrEnum):
    """Whether a violated threshold fails the run."""

    ERROR = "Error"
    WARNING = "Warning"


class Criterion(Model):
    """A bound on one aggregate."""

    metric: Metric
    """What is measured."""
    statistic: Statistic | None = None
    """Which statistic of a latency; required for latencies and a user's speed, not allowed for rates and percentages. P95 of a speed is
    what 95 % of the requests reach."""
    operator: Operator
    """How the observed value must compare with value."""
    value: Number
    """The bound: milliseconds for latencies, percent, or per second."""
    decision: Decision = Decision.CONFIDENT
    """Confident: Passed or Failed only where the sample shows it with 95 % confidence, else Unknown. Point: the observed value decides,
    however small the sample. Default Confident."""

    @field_validator("metric", mode="before")
    @classmethod
    def _not_renamed(cls, metric: object) -> object:
        if isinstance(metric, str) and metric in RENAMED:
            raise ValueError(RENAMED[metric])
        return metric

    @model_validator(mode="after")
    def _statistic_fits(self) -> Self:
        if self.metric.needs_statistic and self.statistic is None:
            raise ValueError(f"statistic is required for {self.metric}: one of {', '.join(Statistic)}")
        if not self.metric.needs_statistic and self.statistic is not None:
            raise ValueError(f"statistic does not apply to {self.metric}: leave it out")
        if self.metric is Metric.OUTPUT_TOKENS_PER_SECOND_PER_USER and self.statistic in (
            Statistic.MEAN,
            Statistic.MAX,
        ):
            raise ValueError(f"statistic {self.statistic} does not apply to {self.metric}: use a percentile")
        return self


class Threshold(Criterion):
    """A pass or fail rule over the run, or over the stages and the request that it names."""

    name: Name
    """Name in the results."""
    request: Name | None = None
    """Only this kind of request. Default: all of the mix and the trickles."""
    stages: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] | None = None
    """Only these stages, pooled. Default: every stage that is not warmup."""
    severity: Severity = Severity.ERROR
    """Error fails the run, Warning only reports. Default Error."""
    abort_on_fail: bool = False
    """Stop the run as soon as the threshold is violated beyond doubt. Default false."""

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError(
                f"{name!r} is the name of a threshold that is always there: use another name"
                + ("; defaults.errorPercent changes its bound" if name == "errors-default" else "")
            )
        return name


class Defaults(Model):
    """What is asked of every run, whatever else is asked."""

    error_percent: Number = Decimal(5)
    """At most so many percent of the run's requests may fail or be dropped. Default 5."""


class Plan(Model):
    """A whole load test, apart from where it runs."""

    requests: Annotated[tuple[Request, ...], Field(min_length=1, max_length=16)]
    """The mix."""
    load: Load
    """Stages and workers."""
    thresholds: Annotated[tuple[Threshold, ...], Field(max_length=64)] = ()
    """Pass or fail rules."""
    defaults: Defaults = Defaults()
    """What is asked of every run beside the thresholds."""

    @model_validator(mode="after")
    def _references(self) -> Self:
        _require_unique_names(self.requests, "requests: ")
        _require_unique_names(self.thresholds, "thresholds: ")
        if not any(request.effective_weight for request in self.requests):
            raise ValueError("requests: at least one needs a weight; all of them have ratePerSecond")
        for threshold in self.thresholds:
            self._check_reference(threshold)
        return self

    def _check_reference(self, threshold: Threshold) -> None:
        where = f"thresholds[{threshold.name}]"
        requests = [request.name for request in self.requests]
        if threshold.request is not None and threshold.request not in requests:
            raise ValueError(f"{where}.request {threshold.request!r} is no request: one of {', '.join(requests)}")
        stages = [stage.name for stage in self.load.stages]
        for stage in threshold.stages or ():
            if stage not in stages:
                raise ValueError(f"{where}.stages {stage!r} is no stage: one of {', '.join(stages)}")


def _require_unique_names(items: tuple[NamedT, ...], where: str = "") -> tuple[NamedT, ...]:
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}names must be unique; used more than once: {', '.join(twice)}")
    return items
