"""What to do about each reason of a condition, complete: docs/troubleshooting.md is made of it.

What kubectl loadtest advises at the end of a run is taken from there; the rest has its sentence here. A reason that is in
neither is an error at import.
"""

from collections.abc import Iterable

from kubectl_loadtest.core import advice
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.reasons import Reason

WAIT = "nothing: it passes by itself"
REPORT = "`kubectl loadtest report NAME --html report.html` shows when and where"
SENTENCES: dict[Reason, str] = {
    reasons.SUSPENDED: "take `spec.suspend` off when the run may begin",
    reasons.TARGET_BUSY: "wait, or end the run that is named in the message; one target has one run at a time",
    reasons.INVALID_SPEC: "mend the field that the message names; `kubectl loadtest lint FILE` tells before anything is applied",
    reasons.SPEC_CHANGED: "set another `spec.runToken` to run the new spec; leave a spec alone while it is prepared",
    reasons.RUN_TOKEN_REFUSED: "wait for the end of the run, or set `spec.abort`",
    reasons.REFERENCE_UNUSABLE: "look at the key that the message names: its form is described in docs/references.md",
    reasons.WORKERS_REFUSED: "the message has the API server's words (admission, names): change spec.workerTemplate accordingly",
    reasons.LABELS_SELECTED: "take the label that the message names off spec.workerTemplate.labels",
    reasons.OTHER_RELEASE: "give operator and worker images of one release: `worker.image.tag` in the chart's values",
    reasons.WORKERS_LATE: "look at the workers' pods; where pulling images takes long, raise `worker.startSeconds` in the chart's values",
    reasons.FAULT_PROVIDER_NOT_READY: "look at the pod with label `loadtest.dev/component=proxy`: its events say why it is not ready",
    reasons.FAULT_PROVIDER_LOST: "look what became of the proxy's pod (evicted? out of memory?), then run again",
    reasons.FAULT_PROVIDER_UNWELL: "give workers, and with them the proxy, more CPU (spec.workerTemplate.resources), or offer less load",
    reasons.START_MISSED: "run again; where it comes back, the nodes or the API server are too slow: look at their load",
    reasons.ABORT_REQUESTED: "take `spec.abort` off and set another `spec.runToken` to run again",
    reasons.AUTO_STOPPED: REPORT + "; `load.autoStop` sets from which share of errors on a run stops itself",
    reasons.THRESHOLD_BEYOND_DOUBT: REPORT + "; without `abortOnFail` the run would have gone on",
    reasons.WORKERS_OVERDUE: "raise `load.gracefulStopSeconds` if answers may take so long; else look at the workers' CPU",
    reasons.NOT_OFFERED: "look at the other conditions: one of them says what came before the load",
    reasons.NOT_INJECTED: "the fault's message in `status.faults` says what was in the way; see docs/faults.md",
    reasons.PARTLY_INJECTED: "the fault's message in `status.faults` says what it missed; see docs/faults.md",
    reasons.OPTIONAL_NOT_INJECTED: "nothing, if the fault is not needed; set `required: true` if it is",
    reasons.NOT_RECOVERED: "delete the run's pods with label `loadtest.dev/component=proxy`: the fault goes with them; see docs/alerts.md",
    reasons.EXPECTATION_FAILED: "the message names the cause and its remedy; all of them are in docs/autoscaling.md",
    reasons.EXPECTATION_UNKNOWN: "the message says what could not be seen; docs/autoscaling.md says what each expectation needs",
    reasons.AUTOSCALER_FORBIDDEN: "let the operator's role read the autoscaler and its workload (the chart's `rbac.create` does)",
    reasons.EXPECTATION_DOUBTFUL: "nothing has to be done; the message says what would make it sure",
    reasons.EXPECTATION_IMPOSSIBLE: "change the autoscaler's limits or the expectation: the message has both figures",
    reasons.THRESHOLD_VIOLATED: REPORT + "; the message says by how much",
    reasons.TOLERANCE_EXCEEDED: REPORT + "; the bound over the fault's window is in `status.faults`",
    reasons.TOLERANCE_UNKNOWN: "offer more requests within the fault's window, or let it last longer",
    reasons.THRESHOLD_UNKNOWN: "the message says how many more requests would decide",
    reasons.NOT_JUDGED: "look at the condition Finished: it says why the run ended before",
    reasons.FAILED: REPORT,
    reasons.INCONCLUSIVE: "nothing is known of the service: take away what the message names, then `kubectl loadtest rerun NAME --wait`",
    reasons.ERROR: "`kubectl describe loadtest NAME` has the events; the service is not to blame",
    reasons.ABORTED: "`kubectl loadtest rerun NAME` runs it again",
    reasons.INTERNAL_ERROR: "report it with the message and the operator's log (`kubectl logs deployment/loadtest-operator`)",
    reasons.OPERATOR_UNINSTALLED: "install the operator again and set another `spec.runToken`; see docs/uninstall.md",
    reasons.STORE_FAILED: "the status has the summary; the message says what refused the ConfigMap (a quota, its size, admission)",
}
GOOD = frozenset(
    {
        reasons.PENDING, reasons.ACCEPTED, reasons.PROBE_SUCCEEDED, reasons.WORKERS_STARTING, reasons.WORKERS_READY,
        reasons.STAGE_STARTED, reasons.STARTING, reasons.LOAD_COMPLETED, reasons.LOAD_ENDED, reasons.NO_FAULTS,
        reasons.FAULTS_INJECTED, reasons.FAULTS_RECOVERED, reasons.NO_EXPECTATIONS, reasons.EXPECTATIONS_MET,
        reasons.THRESHOLDS_MET, reasons.PASSED, reasons.STORED, reasons.NOTHING_TO_STORE, reasons.IN_PROGRESS,
    }
)  # fmt: skip
"""Nothing is wrong."""


def of(reason: Reason) -> str:
    """What to do, with NAME and NAMESPACE to be filled in."""
    if reason in GOOD:
        return "nothing"
    if reason in SENTENCES:
        return SENTENCES[reason]
    return advice.BY_REASON[reason].format(namespace="NAMESPACE", name="NAME", run="RUN")


def complete(known: Iterable[Reason]) -> None:
    """Raises LookupError with the names of those that nothing is said about."""
    if missing := [each.name for each in known if each not in GOOD | SENTENCES.keys() | advice.BY_REASON.keys()]:
        raise LookupError(f"say in {__name__} what to do about {', '.join(missing)}")


complete(reasons.BY_NAME.values())
