"""What came out: the report that `loadgen run` writes and the operator stores as an artifact.

`schemaVersion` changes when a reader of an older one would misread a newer one. Latencies are milliseconds,
rates are per second, times are seconds since the load's start; a value that the sample is too small for is absent
and `missing` says why.
"""

from enum import StrEnum

from loadgen.model.base import Model
from loadgen.model.errors import ExitCode
from loadgen.model.plan import Decision, Metric, Plan, Severity
from loadgen.model.record import Group, Steadiness

SCHEMA_VERSION = "2"
READABLE = ("1", SCHEMA_VERSION)
"""Versions that can be shown again; the first kept no `record`, so it cannot be compared."""


class Verdict(StrEnum):
    """The answer of a run, in order of precedence: the first that holds."""

    ERROR = "Error"
    ABORTED = "Aborted"
    INCONCLUSIVE = "Inconclusive"
    FAILED = "Failed"
    PASSED = "Passed"


EXIT_CODES = {
    Verdict.PASSED: ExitCode.PASSED,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.ERROR: ExitCode.ERROR,
    Verdict.ABORTED: ExitCode.ABORTED,
}
"""Of a process that is about one verdict."""


class ValidityLevel(StrEnum):
    """How far the measurement can be trusted."""

    VALID = "Valid"
    DEGRADED = "Degraded"
    GENERATOR_LIMITED = "GeneratorLimited"


class TokenSource(StrEnum):
    """Whence the number of output tokens is known."""

    USAGE = "Usage"
    EVENTS = "Events"
    MIXED = "Mixed"


class Counts(Model):
    """Requests of a window, by intended time."""

    planned: int = 0
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    dropped: int = 0
    incomplete: int = 0
    good: int = 0
    unsure: int = 0


class ErrorCount(Model):
    """One class of failures."""

    failure: str
    count: int


class Distribution(Model):
    """A merged latency distribution, milliseconds."""

    count: int
    mean: float | None = None
    stddev: float | None = None
    within_one_stddev_percent: float | None = None
    """Share of values within one standard deviation of the mean (wrk's ± Stdev line)."""
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None
    bounds: dict[str, tuple[float, float]] = {}
    """99 % order-statistic confidence bounds by statistic."""
    missing: dict[str, str] = {}
    """Statistics that the sample is too small for: `n/a (n < 662)`."""
    uncertainty: float = 0.0
    """± milliseconds of measurement uncertainty: the generator's event-loop lag at P99 in the window. A percentile's own is
    in `uncertainties`."""
    uncertainties: dict[str, float] = {}
    """± milliseconds by percentile: the loop's lag, and how far the ranks may have shifted by what was read later still."""
    max_uncertainty: float = 0.0
    """± milliseconds of the largest value: the longest event-loop lag in the window, and the 4 ms in which none may have been noticed."""


class Window(Model):
    """Everything measured about a set of requests in a span of time."""

    name: str
    start_second: int
    end_second: int
    """Exclusive."""
    warmup: bool = False
    counts: Counts
    error_percent: float | None = None
    """(failed + dropped) / planned × 100; absent when nothing was planned."""
    offered_per_second: float
    sent_per_second: float
    requests_per_second: float
    """Successes that ended in the window, per second."""
    goodput: float
    slo_attainment_percent: float | None = None
    output_token_throughput: float | None = None
    """Output tokens that arrived in the window; absent without such requests, or for one kind where several have an output."""
    output_token_source: TokenSource | None = None
    """Whence output tokens are known; a mixture is said, for it is no series."""
    concurrency_mean: float | None = None
    """Requests in flight; absent for one kind of request among several, as is the peak."""
    concurrency_peak: int | None = None
    """Sum of the shards' peaks in the same second: an upper bound."""
    little_law_error_percent: float | None = None
    """|L − λW| / L: concurrency as counted against sent rate × mean latency. Past 5 % the figures contradict."""
    latencies: dict[Metric, Distribution] = {}
    errors: tuple[ErrorCount, ...] = ()
    steadiness: Steadiness | None = None
    """Of a stage: whether its figures are of a steady state."""


class Validity(Model):
    """How well the generator measured; judged before any threshold."""

    level: ValidityLevel
    reasons: tuple[str, ...] = ()
    """Each names the cause and the advice."""
    schedule_lag_p50: float | None = None
    schedule_lag_p99: float | None = None
    loop_lag_p99: float | None = None
    cpu_percent: float | None = None
    """Share of one core used by the busiest shard in its busiest ten seconds."""
    throttled_percent: float | None = None
    dropped_percent: float | None = None
    limited_stages: tuple[str, ...] = ()
    """Stages in which the generator was the limit; nothing is judged there. Cut to the stages that count."""
    whole: bool = False
    """Whether the generator was the limit in every stage that counts."""


class Result(StrEnum):
    """Outcome of one threshold or expectation."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Doubt(StrEnum):
    """Why a thing asked for is Unknown."""

    NO_SAMPLE = "NoSample"
    SCOPE_NOT_VALID = "ScopeNotValid"
    TOO_FEW = "TooFew"
    NO_ANSWER = "NoAnswer"
    CENSORED = "Censored"
    ONE_READ = "OneRead"
    AT_THE_BOUND = "AtTheBound"
    COLLAPSED = "Collapsed"
    CHANGED = "Changed"
    MIXED_SOURCES = "MixedSources"


class ThresholdResult(Model):
    """One threshold, judged."""

    name: str
    result: Result
    severity: Severity
    observed: str
    """With unit: `1710 ms`, `0.4 %`, or `n/a (n < 130)`."""
    wanted: str
    """`< 1500 ms`."""
    window: str
    """Stages (joined by +), or `run`."""
    decision: Decision = Decision.CONFIDENT
    """What it took to decide."""
    doubt: Doubt | None = None
    """Why it is Unknown."""
    message: str
    """A sentence: `ttft-p95: P95 of TimeToFirstToken was 1710 ms in stage peak, wanted < 1500 ms (14 % too much)`."""


class Second(Model):
    """One row of the per-second series, all requests together."""

    second: int
    stage: str
    planned: int
    succeeded: int
    failed: int
    dropped: int
    in_flight: float
    output_tokens: int
    response_time_p50: float | None = None
    response_time_p99: float | None = None
    ttft_p50: float | None = None
    ttft_p99: float | None = None


class WorkerSummary(Model):
    """One worker's share."""

    worker: int
    shards: int
    requests: int
    started_late_milliseconds: float


class Report(Model):
    """A whole run, judged."""

    schema_version: str = SCHEMA_VERSION
    generator: str
    """Name and version of what made the report."""
    plan: Plan
    plan_hash: str
    """SHA-256 of the plan's canonical JSON; equal hashes mean comparable runs."""
    target: str
    start_time: str
    """Wall clock of second 0, RFC 3339."""
    verdict: Verdict
    message: str
    validity: Validity
    total: Window
    """All stages that are not warmup, all requests."""
    stages: tuple[Window, ...]
    """Each stage, all requests."""
    requests: tuple[Window, ...] = ()
    """Each kind of request, all stages that are not warmup."""
    thresholds: tuple[ThresholdResult, ...] = ()
    workers: tuple[WorkerSummary, ...] = ()
    series: tuple[Second, ...] = ()
    record: tuple[Group, ...] = ()
    """Each stage × request, whole: what pooling and comparing take their figures from."""
