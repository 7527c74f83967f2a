"""The next step: what the person on call does now. One sentence by verdict, before it those that a reason in the conditions
asks for.
"""

from collections.abc import Iterator

from loadgen.model.report import ValidityLevel, Verdict
from loadtest_operator.api.meta import ConditionStatus
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.reasons import Reason

PODS = "`kubectl -n {namespace} get pods -l loadtest.dev/name={name},loadtest.dev/run={run}` and `describe` of them"
BY_VERDICT: dict[Verdict, str] = {
    Verdict.PASSED: "keep the evidence: `kubectl loadtest report {name} -n {namespace} --html report.html`",
    Verdict.FAILED: (
        "see when and where it broke: `kubectl loadtest report {name} -n {namespace} --html report.html`; "
        "after a change of the service: `kubectl loadtest rerun {name} -n {namespace} --wait`"
    ),
    Verdict.INCONCLUSIVE: (
        "this says nothing about the service yet: take away the cause above, then "
        "`kubectl loadtest rerun {name} -n {namespace} --wait`"
    ),
    Verdict.ERROR: "the platform failed, not the service: `kubectl -n {namespace} describe loadtest {name}` has the events",
    Verdict.ABORTED: "run it again with `kubectl loadtest rerun {name} -n {namespace}`",
}
BY_REASON: dict[Reason, str] = {
    reasons.TARGET_NOT_FOUND: "look for the Service that spec.target.serviceRef names: `kubectl -n {namespace} get services`",
    reasons.NOT_ENOUGH_REPLICAS: "look why the target is not ready: `kubectl -n {namespace} get endpointslices,pods`",
    reasons.REFERENCE_NOT_FOUND: "make the Secret or ConfigMap that is missing, in namespace {namespace}",
    reasons.PROBE_FAILED: "send one request by hand: path, model and credentials of spec.requests are what is usually wrong",
    reasons.TARGET_NOT_ALLOWED: "ask who runs the operator for allowedTargetNamespaces or allowUrls in its chart",
    reasons.IMAGE_PULL_ERROR: "look at the workers' image: " + PODS,
    reasons.UNSCHEDULABLE: "free nodes or ask for less in spec.workerTemplate.resources: " + PODS,
    reasons.QUOTA_EXCEEDED: "see what the quota leaves: `kubectl -n {namespace} describe quota`",
    reasons.CONTAINER_ERROR: "look at the workers: " + PODS,
    reasons.OOM_KILLED: "raise spec.workerTemplate.resources.limits.memory, or spec.load.workers",
    reasons.WORKER_CRASHED: "read the worker's log: " + PODS,
    reasons.WORKER_LOST: "look what became of the worker (evicted? node gone?): " + PODS,
    reasons.DEADLINE_EXCEEDED: "raise spec.activeDeadlineSeconds, or look at what took so long in the conditions",
    reasons.AUTOSCALER_NOT_FOUND: "name it in spec.scaling.autoscalerRef: `kubectl -n {namespace} get hpa`",
    reasons.AUTOSCALER_INACTIVE: "see why it has no metric: `kubectl -n {namespace} describe hpa`",
}


def next_steps(namespace: str, name: str, status: LoadTestStatus) -> list[str]:
    """What to do after a run has ended, the most particular first."""
    if status.verdict is None:
        return []
    said = [*dict.fromkeys(_of_conditions(status)), *_of_validity(status), BY_VERDICT[status.verdict]]
    return [sentence.format(namespace=namespace, name=name, run=status.run.number) for sentence in said]


def _of_conditions(status: LoadTestStatus) -> Iterator[str]:
    for condition in status.conditions:
        reason = reasons.BY_NAME.get(condition.reason)
        if condition.status is not ConditionStatus.TRUE and reason is not None and reason in BY_REASON:
            yield BY_REASON[reason]


def _of_validity(status: LoadTestStatus) -> Iterator[str]:
    validity = status.summary.validity if status.summary else None
    if validity is not None and validity.level is ValidityLevel.GENERATOR_LIMITED:
        yield "the generator was the limit: raise spec.load.workers, or the CPU of spec.workerTemplate.resources"


def _complete() -> None:
    if missing := [verdict for verdict in Verdict if verdict not in BY_VERDICT]:
        raise LookupError(f"no next step for {missing}")


_complete()
