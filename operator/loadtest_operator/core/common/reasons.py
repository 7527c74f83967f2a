"""Why a condition is as it is: stable names, what each means, and the verdict it forces.

A reason that forces a verdict is evidence. It is kept in `status.conditions`, so the evidence survives the
operator; `core.evidence.verdict` reads it from there and nowhere else.
"""

from dataclasses import dataclass

from loadgen.model.report import Verdict


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable reason. `forces` is what a run ends with (at best) when it is the reason of a False condition."""

    name: str
    meaning: str
    forces: Verdict | None = None


_reasons: list[Reason] = []


def _reason(name: str, meaning: str, forces: Verdict | None = None) -> Reason:
    reason = Reason(name, meaning, forces)
    _reasons.append(reason)
    return reason


PENDING = _reason("Pending", "Not known yet in this run.")
SUSPENDED = _reason("Suspended", "spec.suspend holds the start.")
TARGET_BUSY = _reason("TargetBusy", "Another run loads the same target; this one waits for it.")
ACCEPTED = _reason("Accepted", "The spec is valid and its target is allowed.")
INVALID_SPEC = _reason("InvalidSpec", "The spec cannot be run as it is written.", Verdict.ERROR)
SPEC_CHANGED = _reason("SpecChanged", "The spec changed under a run that was being prepared.", Verdict.INCONCLUSIVE)
TARGET_NOT_ALLOWED = _reason(
    "TargetNotAllowed",
    "The administrator does not allow this target, or this priority class of the workers.",
    Verdict.ERROR,
)
RUN_TOKEN_REFUSED = _reason("RunTokenRefused", "A new runToken is only taken after the run has ended.")

TARGET_NOT_FOUND = _reason("TargetNotFound", "The target's Service does not exist.", Verdict.INCONCLUSIVE)
NOT_ENOUGH_REPLICAS = _reason("NotEnoughReplicas", "The target has too few ready replicas.", Verdict.INCONCLUSIVE)
REFERENCE_NOT_FOUND = _reason(
    "ReferenceNotFound",
    "A Secret or ConfigMap that the spec refers to, or its key, is not there or not released.",
    Verdict.INCONCLUSIVE,
)
REFERENCE_UNUSABLE = _reason("ReferenceUnusable", "What a Secret or ConfigMap holds cannot be used.", Verdict.ERROR)
PROBE_FAILED = _reason(
    "ProbeFailed",
    "A real request to the target did not succeed before any load. Inconclusive, not Failed: nothing was measured, and "
    "a wrong path in the spec says nothing about the target's capacity.",
    Verdict.INCONCLUSIVE,
)
PROBE_SUCCEEDED = _reason("ProbeSucceeded", "The target is ready and answered one real request of each kind.")

WORKERS_STARTING = _reason("WorkersStarting", "Worker pods are on their way.")
WORKERS_READY = _reason("WorkersReady", "Every worker waits for the start.")
IMAGE_PULL_ERROR = _reason("ImagePullError", "A worker's image cannot be pulled.", Verdict.ERROR)
UNSCHEDULABLE = _reason("Unschedulable", "A worker pod found no node.", Verdict.ERROR)
QUOTA_EXCEEDED = _reason(
    "QuotaExceeded",
    "Worker pods were refused by admission, or by a quota. While others use the quota, the run waits.",
    Verdict.ERROR,
)
WORKERS_REFUSED = _reason("WorkersRefused", "The API server does not accept the workers' objects.", Verdict.ERROR)
LABELS_SELECTED = _reason(
    "LabelsSelected",
    "A Service, NetworkPolicy, workload or PodDisruptionBudget would take the workers for other pods, by their labels.",
    Verdict.ERROR,
)
CONTAINER_ERROR = _reason("ContainerError", "A worker's container cannot be created.", Verdict.ERROR)
OOM_KILLED = _reason("OOMKilled", "A worker ran out of its memory limit.", Verdict.ERROR)
WORKER_CRASHED = _reason("WorkerCrashed", "A worker ended before the load began.", Verdict.ERROR)
OTHER_RELEASE = _reason("OtherRelease", "The workers are of another release than the operator.", Verdict.ERROR)
WORKERS_LATE = _reason("WorkersLate", "Not all workers were ready in time.", Verdict.ERROR)
FAULT_PROVIDER_NOT_READY = _reason(
    "FaultProviderNotReady", "What makes the faults did not become ready.", Verdict.ERROR
)
FAULT_PROVIDER_LOST = _reason(
    "FaultProviderLost",
    "What makes the faults stands in the load's way and was lost: what failed from then on says nothing about the target.",
    Verdict.INCONCLUSIVE,
)
FAULT_PROVIDER_UNWELL = _reason(
    "FaultProviderUnwell",
    "The run would have stopped itself, but what stands in the load's way for the faults was not well: whose failures "
    "they are is not known.",
    Verdict.INCONCLUSIVE,
)
WORKER_LOST = _reason(
    "WorkerLost", "A worker was lost during the load; its share was not offered.", Verdict.INCONCLUSIVE
)
START_MISSED = _reason("StartMissed", "Some workers did not get the start.", Verdict.INCONCLUSIVE)

STAGE_STARTED = _reason("StageStarted", "Load is being offered.")
STARTING = _reason("Starting", "The start time is fixed and told to every worker.")
LOAD_COMPLETED = _reason("LoadCompleted", "Every stage was offered.")
LOAD_ENDED = _reason("LoadEnded", "No load is offered any more.")
ABORT_REQUESTED = _reason("AbortRequested", "spec.abort was set.", Verdict.ABORTED)
DEADLINE_EXCEEDED = _reason("DeadlineExceeded", "activeDeadlineSeconds passed.", Verdict.INCONCLUSIVE)
AUTO_STOPPED = _reason("AutoStopped", "Too many errors: going on would only hammer a broken target.", Verdict.FAILED)
THRESHOLD_BEYOND_DOUBT = _reason("ThresholdBeyondDoubt", "A threshold with abortOnFail cannot hold.", Verdict.FAILED)
WORKERS_OVERDUE = _reason("WorkersOverdue", "Workers did not end in time after the last stage.", Verdict.INCONCLUSIVE)
NOT_OFFERED = _reason("NotOffered", "The run ended before any load was offered.")

NO_FAULTS = _reason("NoFaults", "The spec has no faults.")
FAULTS_INJECTED = _reason("FaultsInjected", "Every fault was in force.")
FAULTS_RECOVERED = _reason("FaultsRecovered", "No fault is in force any more.")
NOT_INJECTED = _reason("NotInjected", "A required fault was not in force.", Verdict.INCONCLUSIVE)
PARTLY_INJECTED = _reason("PartlyInjected", "A required fault did not hit all that it should.", Verdict.INCONCLUSIVE)
OPTIONAL_NOT_INJECTED = _reason("OptionalNotInjected", "A fault that is not required was not in force.")
NOT_RECOVERED = _reason("NotRecovered", "A fault could not be taken back.", Verdict.ERROR)

NO_EXPECTATIONS = _reason("NoExpectations", "The spec expects nothing of an autoscaler.")
EXPECTATIONS_MET = _reason("ExpectationsMet", "The autoscaler did what was expected.")
EXPECTATION_FAILED = _reason("ExpectationFailed", "The autoscaler did not do what was expected.", Verdict.FAILED)
EXPECTATION_UNKNOWN = _reason("ExpectationUnknown", "An expectation could not be judged.", Verdict.INCONCLUSIVE)
AUTOSCALER_NOT_FOUND = _reason("AutoscalerNotFound", "No autoscaler scales the target.", Verdict.INCONCLUSIVE)
AUTOSCALER_INACTIVE = _reason(
    "AutoscalerInactive", "The autoscaler has no metric to act on, or cannot scale.", Verdict.INCONCLUSIVE
)
AUTOSCALER_FORBIDDEN = _reason(
    "AutoscalerForbidden", "The operator may not look at the autoscaler or its workload.", Verdict.INCONCLUSIVE
)
EXPECTATION_DOUBTFUL = _reason(
    "ExpectationDoubtful", "An expectation may be beyond what this autoscaler or plan can show."
)
EXPECTATION_IMPOSSIBLE = _reason(
    "ExpectationImpossible",
    "The autoscaler's limits rule an expectation out before any load. Inconclusive, not Failed: nothing was measured.",
    Verdict.INCONCLUSIVE,
)

THRESHOLDS_MET = _reason("ThresholdsMet", "Every threshold of severity Error holds.")
THRESHOLD_VIOLATED = _reason("ThresholdViolated", "A threshold does not hold.", Verdict.FAILED)
TOLERANCE_EXCEEDED = _reason(
    "ToleranceExceeded",
    "A bound over a fault's window, or on the users' recovery from it, does not hold.",
    Verdict.FAILED,
)
TOLERANCE_UNKNOWN = _reason(
    "ToleranceUnknown",
    "A bound over a fault's window, or on the users' recovery from it, could not be judged.",
    Verdict.INCONCLUSIVE,
)
THRESHOLD_UNKNOWN = _reason("ThresholdUnknown", "A threshold could not be judged.")
NOT_JUDGED = _reason("NotJudged", "The run ended before this could be judged.")
PASSED = _reason("Passed", "Every threshold and expectation holds, and the measurement is valid.")
FAILED = _reason("Failed", "The target did not do what was asked of it.")
INCONCLUSIVE = _reason("Inconclusive", "The measurement is not valid or not complete.")
ERROR = _reason("Error", "The platform failed, not the target.")
ABORTED = _reason("Aborted", "The run was stopped by hand.")
INTERNAL_ERROR = _reason("InternalError", "A bug in the operator.", Verdict.ERROR)
OPERATOR_UNINSTALLED = _reason(
    "OperatorUninstalled",
    "The operator was uninstalled in the middle of the run: what it would have come to is not known.",
    Verdict.INCONCLUSIVE,
)
STORED = _reason("Stored", "The report is stored.")
STORE_FAILED = _reason("StoreFailed", "The report could not be stored; status has the summary.")
NOTHING_TO_STORE = _reason("NothingToStore", "Nothing was measured.")
IN_PROGRESS = _reason("InProgress", "The run is going on.")

BY_NAME: dict[str, Reason] = {reason.name: reason for reason in _reasons}
OF_VERDICT = {
    Verdict.PASSED: PASSED,
    Verdict.FAILED: FAILED,
    Verdict.INCONCLUSIVE: INCONCLUSIVE,
    Verdict.ERROR: ERROR,
    Verdict.ABORTED: ABORTED,
}
"""How the end is named in conditions."""
