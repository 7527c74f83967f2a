"""What a run tells: bounded, declared field by field, without floats, written by the operator alone.

The API server drops what is not declared here. What a restarted operator needs to go on is here too: above all
`run.loadStartTime`, the one moment that every worker starts at, written before any worker is told.
Numbers that may be fractional are decimal strings; times are RFC 3339 with microseconds.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from loadgen.model.plan import Decision, Severity
from loadgen.model.report import Doubt, Result, TokenSource, ValidityLevel, Verdict
from loadtest_operator.api.meta import Condition, DecimalText, Line, Message, NameText, StatusModel, Time
from loadtest_operator.api.outcome import FaultStatus, ScalingStatus


class Phase(StrEnum):
    """Where a run is, for people; derived from the conditions."""

    PENDING = "Pending"
    PREPARING = "Preparing"
    RUNNING = "Running"
    SETTLING = "Settling"
    EVALUATING = "Evaluating"
    FINISHED = "Finished"


UNDER_WAY = (Phase.PREPARING, Phase.RUNNING, Phase.SETTLING, Phase.EVALUATING)
"""A run has begun and is not over: it may have objects, load and faults. Compares with a stored status's string, too."""


class Run(StatusModel):
    """The run that the status is about."""

    number: int = 0
    """1 for the first run of this LoadTest, counted up by every new runToken."""
    token: Annotated[str, Field(max_length=128)] = ""
    """spec.runToken of this run."""
    name: NameText = ""
    """Name of the run's Job, Secret and ConfigMaps."""
    target: Annotated[str, Field(max_length=512)] = ""
    """URL that the workers send to."""
    plan_hash: Annotated[str, Field(max_length=64)] = ""
    """SHA-256 of the plan; runs with equal hashes can be compared."""
    start_time: Time | None = None
    """When the operator began the run."""
    load_start_time: Time | None = None
    """Second 0 of the load: the moment at which all workers start."""
    load_end_time: Time | None = None
    """When the last worker had finished."""
    completion_time: Time | None = None
    """When the verdict was given."""
    cleanup_time: Time | None = None
    """When Job, Secret and plan were removed."""
    current_stage: NameText | None = None
    """Stage that the load is in."""
    progress_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """How much of the load's duration is over, in percent."""
    abort_reason: Message | None = None
    """Why the run is being stopped before its end."""


class Workers(StatusModel):
    """The worker pods."""

    desired: int = 0
    """Workers of the run."""
    ready: int = 0
    """Workers that answer and have the plan."""
    armed: int = 0
    """Workers that were given the start time."""
    finished: int = 0
    """Workers that sent their last result."""
    failed: int = 0
    """Workers that broke or were lost."""
    start_skew_milliseconds: int | None = None
    """Time between the first and the last worker's start, milliseconds."""
    clock_skew_milliseconds: int | None = None
    """Largest difference of a worker's clock from the operator's, milliseconds; it is corrected."""


class RequestCounts(StatusModel):
    """Requests of the run, warmup left out."""

    planned: int = 0
    """Requests that the plan asked for."""
    sent: int = 0
    """Requests that were sent."""
    succeeded: int = 0
    """Requests that were answered as expected."""
    failed: int = 0
    """Requests that failed."""
    dropped: int = 0
    """Starts that could not be made; they count as errors."""
    incomplete: int = 0
    """Requests cut off by the end of the run."""
    good: int = 0
    """Successes that kept every bound of the request's slo."""
    unsure: int = 0
    """Successes of which that cannot be known: all of the answer came in one read, and their slo bounds its pace."""


class Percentiles(StatusModel):
    """Percentiles of a latency over all workers, milliseconds; absent where the sample is too small."""

    p50: DecimalText | None = None
    """Median."""
    p90: DecimalText | None = None
    """90th percentile."""
    p95: DecimalText | None = None
    """95th percentile."""
    p99: DecimalText | None = None
    """99th percentile."""
    max: DecimalText | None = None
    """Largest value."""
    highest: NameText | None = None
    """The highest percentile that the sample is large enough for, such as `P95 480`, for tables: n/a where there is none."""


class Figures(StatusModel):
    """The key figures of a span of the load."""

    requests_per_second: DecimalText | None = None
    """Successes per second."""
    output_token_throughput: DecimalText | None = None
    """Output tokens per second of the whole system."""
    output_token_source: TokenSource | None = None
    """Whence output tokens are known: Usage (the server told), Events (counted), or Mixed, which is no series."""
    error_percent: DecimalText | None = None
    """(failed + dropped) / planned, percent."""
    goodput: DecimalText | None = None
    """Requests per second that kept every bound of their slo."""
    slo_attainment_percent: DecimalText | None = None
    """Share of the planned requests that kept every bound of their slo, percent."""
    response_time_milliseconds: Percentiles | None = None
    """Response time, from the intended start to the last output."""
    ttft_milliseconds: Percentiles | None = None
    """Time to first token, from the intended start."""
    tpot_milliseconds: Percentiles | None = None
    """Time per output token after the first."""


class StageFigures(Figures):
    """The key figures of one stage."""

    name: NameText
    """Name of the stage."""


class ErrorClass(StatusModel):
    """One class of failures."""

    failure: Annotated[str, Field(alias="class", max_length=64)]
    """Class, such as ConnectRefused or Http503."""
    count: int
    """Failed requests of this class."""


class MeasurementValidity(StatusModel):
    """How far the measurement can be trusted; judged before any threshold."""

    level: ValidityLevel
    """Valid, Degraded or GeneratorLimited."""
    schedule_lag_p99_milliseconds: Annotated[DecimalText | None, Field(alias="scheduleLagP99Milliseconds")] = None
    """99th percentile of how late requests were sent, milliseconds."""
    reasons: Annotated[tuple[Message, ...], Field(max_length=8)] = ()
    """Each names a cause and what to do."""


class Summary(Figures):
    """The key figures of the run, warmup left out, and of each stage."""

    requests: RequestCounts = RequestCounts()
    """Requests of the run."""
    validity: MeasurementValidity | None = None
    """How far the measurement can be trusted."""
    stages: Annotated[tuple[StageFigures, ...], Field(max_length=64)] = ()
    """Key figures of each stage."""
    errors: Annotated[tuple[ErrorClass, ...], Field(max_length=5)] = ()
    """The five most frequent classes of failures."""


class ThresholdStatus(StatusModel):
    """One threshold, judged."""

    name: NameText
    """Name of the threshold."""
    result: Result
    """Passed, Failed or Unknown."""
    severity: Severity = Severity.ERROR
    """Error fails the run, Warning only reports."""
    observed: Line = ""
    """What was measured, with its unit."""
    wanted: Line = ""
    """What was wanted, with its unit."""
    window: Line = ""
    """Stages that it was judged over, or run."""
    decision: Decision = Decision.CONFIDENT
    """Confident or Point: what it took to decide."""
    doubt: Doubt | None = None
    """Why it is Unknown, in a word."""
    message: Message = ""
    """The same as a sentence."""


class ArtifactStatus(StatusModel):
    """Where a whole report is stored."""

    kind: NameText
    """Kind of the store, such as ConfigMap."""
    name: NameText
    """Name of the object."""
    sha256: Annotated[str, Field(max_length=64)] | None = None
    """SHA-256 of the stored bytes."""
    bytes: int | None = None
    """Size of the stored bytes."""


class PastRun(StatusModel):
    """An earlier run."""

    number: int
    """Number of the run."""
    token: Annotated[str, Field(max_length=128)] = ""
    """Its runToken."""
    verdict: Verdict
    """Its verdict."""
    message: Line = ""
    """Its message."""
    start_time: Time | None = None
    """When it began."""
    completion_time: Time | None = None
    """When its verdict was given."""
    requests_per_second: DecimalText | None = None
    """Successes per second."""
    error_percent: DecimalText | None = None
    """(failed + dropped) / planned, percent."""
    response_time_p99_milliseconds: Annotated[DecimalText | None, Field(alias="responseTimeP99Milliseconds")] = None
    """99th percentile of the response time, milliseconds."""
    ttft_p99_milliseconds: Annotated[DecimalText | None, Field(alias="ttftP99Milliseconds")] = None
    """99th percentile of the time to first token, milliseconds."""
    peak_replicas: int | None = None
    """The most replicas."""
    artifact: NameText | None = None
    """Name of the stored report."""


class LoadTestStatus(StatusModel):
    """What happened."""

    observed_generation: int | None = None
    """metadata.generation that the status was computed from."""
    phase: Phase | None = None
    """Where the run is: Pending, Preparing, Running, Settling, Evaluating or Finished."""
    verdict: Verdict | None = None
    """Passed, Failed, Inconclusive, Error or Aborted; absent until the run is finished."""
    message: Message | None = None
    """The most important thing to know now, as a sentence."""
    run: Run = Run()
    """The run that the status is about."""
    workers: Workers = Workers()
    """The worker pods."""
    summary: Summary | None = None
    """Key figures; live while the load runs."""
    thresholds: Annotated[tuple[ThresholdStatus, ...], Field(max_length=68)] = ()
    """The thresholds, judged; the implicit ones too."""
    scaling: ScalingStatus | None = None
    """What the autoscaler did."""
    faults: Annotated[tuple[FaultStatus, ...], Field(max_length=16)] = ()
    """The faults."""
    artifacts: Annotated[tuple[ArtifactStatus, ...], Field(max_length=16)] = ()
    """Where the whole report is stored."""
    history: Annotated[tuple[PastRun, ...], Field(max_length=10)] = ()
    """Earlier runs, the newest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32)] = ()
    """Conditions; kubectl wait --for=condition=Finished and --for=condition=Passed both work."""
