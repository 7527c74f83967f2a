"""The parts of a status about the world around the load: what the autoscaler did, what became of the faults."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from loadgen.model.plan import Decision, Metric, Operator, Statistic
from loadgen.model.report import Doubt, Result
from loadtest_operator.api.meta import DecimalText, Line, Message, NameText, StatusModel, Time


class CriterionStatus(StatusModel):
    """One bound over a fault's window, judged."""

    metric: Metric
    """What was measured."""
    statistic: Statistic | None = None
    """Which statistic of a latency."""
    operator: Operator
    """How the observed value had to compare."""
    result: Result
    """Passed, Failed or Unknown."""
    observed: Line = ""
    """What was measured, with its unit."""
    wanted: Line = ""
    """What was wanted, with its unit."""
    decision: Decision = Decision.CONFIDENT
    """Confident or Point: what it took to decide."""
    doubt: Doubt | None = None
    """Why it is Unknown, in a word."""
    message: Message = ""
    """The same as a sentence."""


class ReplicaCounts(StatusModel):
    """Replicas of the target."""

    initial: int | None = None
    """When the load started."""
    current: int | None = None
    """Now, while the run is observed."""
    peak: int | None = None
    """The most."""
    final: int | None = None
    """When the observation ended."""
    course: str | None = Field(None, max_length=60)
    """Initial → peak → now, or final when it is over: `1→3→1`."""


class ReplicaChange(StatusModel):
    """A change in the number of replicas."""

    time: Time
    """When it was seen."""
    desired: int | None = None
    """Replicas that the autoscaler wanted."""
    replicas: int | None = None
    """Replicas that the workload's spec asked for."""
    current: int | None = None
    """Pods of the Service's selector that lived: neither ended nor being deleted."""
    ready: int | None = None
    """Pods in the Service's endpoints, each counted once."""


class ObservationGap(StatusModel):
    """A time in which nobody looked at the target."""

    start_time: Time
    """When it was last seen before."""
    end_time: Time
    """When it was seen again."""
    message: Line = ""
    """Why."""


class ScaleUpSeconds(StatusModel):
    """Parts of a scale-up, each in seconds since the load step."""

    decided: DecimalText | None = None
    """Until the autoscaler wanted more replicas."""
    pod_scheduled: DecimalText | None = None
    """Until the first new pod had a node."""
    pod_ready: DecimalText | None = None
    """Until the first new pod was ready."""
    serving: DecimalText | None = None
    """Until the first new pod was in the Service's endpoints: the reaction time."""


class ScaleUpStatus(StatusModel):
    """One scale-up, decomposed."""

    from_replicas: int
    """Replicas before."""
    to_replicas: int
    """Replicas after."""
    reaction: bool | None = None
    """Whether it is the first after its load step, the one that reactionTime judges; later ones only add to it."""
    load_step_time: Time | None = None
    """When the load last rose before the decision; scale-ups of one step share it."""
    decided_time: Time | None = None
    """When the autoscaler wanted more replicas."""
    pod_created_time: Time | None = None
    """When the first new pod was created."""
    pod_scheduled_time: Time | None = None
    """When the first new pod had a node."""
    pod_ready_time: Time | None = None
    """When the first new pod was ready."""
    serving_time: Time | None = None
    """When the first new pod was in the Service's endpoints."""
    seconds: ScaleUpSeconds = ScaleUpSeconds()
    """The same in seconds since the load step."""


class Cause(StrEnum):
    """Why an expectation about the autoscaler was not met, or could not be judged."""

    SCALING_DISABLED = "ScalingDisabled"
    METRIC_UNAVAILABLE = "MetricUnavailable"
    REPLICA_LIMIT = "ReplicaLimit"
    REPLICAS_OWNED_ELSEWHERE = "ReplicasOwnedElsewhere"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    WITHIN_TOLERANCE = "WithinTolerance"
    STABILIZED = "Stabilized"
    BLOCKED_BY_UNREADY = "BlockedByUnready"
    UNSCHEDULABLE = "Unschedulable"
    SLOW_START = "SlowStart"
    UNKNOWN = "Unknown"


class ExpectationStatus(StatusModel):
    """One expectation about the autoscaler, judged."""

    name: NameText
    """Name of the expectation."""
    result: Result
    """Passed, Failed or Unknown."""
    observed: Line = ""
    """What was seen."""
    wanted: Line = ""
    """What was wanted."""
    cause: Cause | None = None
    """The first cause, where it was not met or could not be judged; Unknown where nothing that was seen explains it."""
    message: Message = ""
    """The same as a sentence, with the cause's evidence and what to do about it."""


class MetricStatus(StatusModel):
    """One metric that the autoscaler steers by, as the metrics API serves it."""

    type: NameText
    """Resource, ContainerResource, Pods, Object or External."""
    name: NameText
    """Name of the metric or resource."""
    current: NameText | None = None
    """Its value as it was read last, in the target's unit: of all pods the average, or the whole."""
    target: NameText = ""
    """The value that the autoscaler keeps it at."""
    lack: NameText | None = None
    """What keeps its value from being known: Forbidden (to the operator; the autoscaler may have it), Absent (nobody serves it),
    NoAnswer (the API did not answer in time) or NoValue (it answered, and no value follows)."""
    missing_since: Time | None = None
    """Since when it has had no value; not where the operator may not read it."""
    message: Message | None = None
    """Why its value is not known, and what to do."""


class ScaleDownSeconds(StatusModel):
    """Seconds since the load fell; where it had not, since the decision."""

    decided: DecimalText | None = None
    """Until fewer replicas were asked for."""
    terminating: DecimalText | None = None
    """Until the first pod was told to go."""
    gone: DecimalText | None = None
    """Until the last of them was seen to be gone."""


class ScaleDownStatus(StatusModel):
    """One fall of the replicas, step by step."""

    from_replicas: int
    """Replicas before it."""
    to_replicas: int
    """Replicas that were asked for."""
    load_fall_time: Time | None = None
    """When the load last fell before the decision; nothing where it had not."""
    decided_time: Time | None = None
    """When fewer replicas were asked for."""
    terminating_time: Time | None = None
    """When the first pod was told to go."""
    gone_time: Time | None = None
    """When the last of the pods was seen to be gone."""
    seconds: ScaleDownSeconds = ScaleDownSeconds()
    """The same in seconds since the load fell."""


class ColdStartPhase(StatusModel):
    """A part of a pod's start."""

    phase: NameText
    """Scheduling (to a node), Initializing (init containers), Starting (image and containers), WarmingUp (to ready) or Joining (to the
    Service's endpoints)."""
    seconds: DecimalText
    """How long it took, or has been going on."""
    share_percent: DecimalText | None = None
    """Of the whole start."""


class ColdStartStatus(StatusModel):
    """What the start of a new pod was spent on."""

    pod: NameText
    """Name of the pod."""
    seconds: DecimalText
    """From its creation until it served, or until it was watched last."""
    serving: bool = False
    """Whether it came to serve."""
    phases: Annotated[tuple[ColdStartPhase, ...], Field(max_length=8)] = ()
    """Its parts, in order; one whose end the API does not tell is part of the next."""
    message: Message | None = None
    """The largest part, and what it is spent on."""


class MetricTarget(StatusModel):
    """The value to keep a metric at."""

    name: NameText
    """Name of the metric or resource."""
    target: NameText
    """Percent, or a quantity."""


class ScalingScore(StatusModel):
    """How the replicas followed the load, by what a replica was measured to answer."""

    short_percent: DecimalText | None = None
    """Share of the load's time in which fewer replicas were ready than the load needed."""
    spare_percent: DecimalText | None = None
    """Share of the load's time in which more were; nothing where no replica was ever short, so that what one can take is not known."""
    replica_seconds: int | None = None
    """Replica-seconds that were asked for."""
    needed_replica_seconds: int | None = None
    """Replica-seconds that the load needed, had replicas come at once."""


class ScalingRecommendation(StatusModel):
    """Settings that would have suited the load, played in the run's own closed loop."""

    min_replicas: int | None = None
    """For the quietest stage."""
    max_replicas: int | None = None
    """For the busiest ten seconds."""
    targets: Annotated[tuple[MetricTarget, ...], Field(max_length=16)] = ()
    """The value to keep each metric at."""
    headroom_percent: DecimalText | None = None
    """Share of a replica's capacity that is kept free."""
    arithmetic: Annotated[tuple[Message, ...], Field(max_length=16)] = ()
    """How each number comes about."""
    played: Line = ""
    """What becomes of the run with them, by the autoscaler's algorithm."""
    message: Message | None = None
    """Why there is none, or what is not known of it."""


class ScalingStatus(StatusModel):
    """What the autoscaler did."""

    autoscaler: NameText | None = None
    """Name of the observed autoscaler."""
    workload: NameText | None = None
    """Kind and name of the observed workload, such as Deployment/chat."""
    observed_since: Time | None = None
    """Since when the replicas have been watched."""
    replicas: ReplicaCounts = ReplicaCounts()
    """Replicas at the start, now, at most and at the end."""
    metrics: Annotated[tuple[MetricStatus, ...], Field(max_length=16)] = ()
    """What the autoscaler steers by, as the metrics APIs served it last, in the order of its spec."""
    direction_changes: int | None = None
    """How often the wanted number of replicas turned from growing to shrinking or back."""
    changes: Annotated[tuple[ReplicaChange, ...], Field(max_length=64)] = ()
    """Changes in the number of replicas, the newest 64."""
    earlier_changes: int | None = None
    """How many changes came before those; all of them were judged, and the report has them."""
    scale_ups: Annotated[tuple[ScaleUpStatus, ...], Field(max_length=16)] = ()
    """Scale-ups, the first 16."""
    more_scale_ups: int | None = None
    """How many scale-ups came after those; all of them were judged."""
    scale_downs: Annotated[tuple[ScaleDownStatus, ...], Field(max_length=16)] = ()
    """Scale-downs, the first 16."""
    more_scale_downs: int | None = None
    """How many scale-downs came after those."""
    cold_starts: Annotated[tuple[ColdStartStatus, ...], Field(max_length=16)] = ()
    """What the starts of new pods were spent on, the first 16."""
    more_cold_starts: int | None = None
    """How many new pods came after those; the report has them."""
    gaps: Annotated[tuple[ObservationGap, ...], Field(max_length=16)] = ()
    """When nobody looked at the target, the newest 16; what may have happened then counts as not known."""
    expectations: Annotated[tuple[ExpectationStatus, ...], Field(max_length=16)] = ()
    """The expectations, judged."""
    score: ScalingScore | None = None
    """How the replicas followed the load; of a run that has ended and could be played again."""
    recommendation: ScalingRecommendation | None = None
    """Settings that would have suited the load, or why none can be told; of a run that has ended."""
    message: Message | None = None
    """Why something could not be observed, such as an autoscaler without metrics."""


class RecoveryStatus(StatusModel):
    """How users were after a fault."""

    result: Result | None = None
    """Whether they were well again within recoverWithinSeconds: Passed, Failed or Unknown; nothing where that is not asked for."""
    seconds: int | None = None
    """From the fault's end to the first three windows of 5 s on end in which no threshold was violated."""
    noticed_seconds: int | None = None
    """From the fault's coming to the end of the first window of 5 s in which a threshold was violated; nothing where none was."""
    requests_failed: int = 0
    """Requests that failed from the fault's coming until users were well again."""
    requests_failed_before: int = 0
    """The same for as many seconds before the fault."""
    error_budget_percent: DecimalText | None = None
    """How much of the failures that the whole run may have these were, in percent."""
    message: Message = ""
    """The same as a sentence."""


class FaultResult(StrEnum):
    """Where a fault is; the last four are final."""

    PENDING = "Pending"
    INJECTING = "Injecting"
    IN_FORCE = "InForce"
    RECOVERING = "Recovering"
    RECOVERED = "Recovered"
    NOT_INJECTED = "NotInjected"
    PARTIAL = "Partial"
    NOT_RECOVERED = "NotRecovered"

    @classmethod
    def _missing_(cls, value: object) -> "FaultResult | None":
        """A status written by an operator before the upgrade."""
        return cls.IN_FORCE if value == "Injected" else None


class FaultStatus(StatusModel):
    """One fault."""

    name: NameText
    """Name of the fault."""
    result: FaultResult = FaultResult.PENDING
    """Pending, Injecting, InForce, Recovering, Recovered, NotInjected, Partial or NotRecovered."""
    via: NameText | None = None
    """What injected it, such as DelayProxy."""
    planned_time: Time | None = None
    """When it was to be injected."""
    injected_time: Time | None = None
    """When it came into force, by the clock of what made it."""
    recovering_time: Time | None = None
    """When it was told to go before its time, or because it had not gone by itself."""
    recovered_time: Time | None = None
    """When it was gone."""
    effects: int = 0
    """How often its effect was seen, such as reads that the proxy held back; 0 means that it was never felt."""
    tolerate: Annotated[tuple[CriterionStatus, ...], Field(max_length=8)] = ()
    """Its bounds, judged over its window."""
    recovery: RecoveryStatus | None = None
    """How users were afterwards."""
    message: Message | None = None
    """What went wrong, or what was not as asked for."""
