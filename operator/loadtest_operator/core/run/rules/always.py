"""Rules that come before those of any phase: abort, the deadline, workers of another release. They end a run wherever it is."""

from datetime import timedelta

from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.actions import AbortWorkers
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import guard
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.step import AT_ONCE, Rule, Step


def aborted(observed: Observed) -> Step | None:
    """spec.abort."""
    if observed.spec is None or not observed.spec.abort:
        return None
    return stop(observed, ConditionType.LOAD_COMPLETED, reasons.ABORT_REQUESTED, "aborted: spec.abort is set")


def spec_lost(observed: Observed) -> Step | None:
    """The spec that the run began with is nowhere to be found (only possible before its workers were made)."""
    if observed.spec is not None:
        return None
    message = "; ".join(observed.problems) or "the spec changed before the run had begun"
    return stop(observed, ConditionType.ACCEPTED, reasons.SPEC_CHANGED, message)


def past_deadline(observed: Observed) -> Step | None:
    """spec.activeDeadlineSeconds, from the run's start."""
    started = observed.status.run.start_time
    if observed.spec is None or started is None:
        return None
    seconds = observed.spec.active_deadline_seconds
    if observed.now <= started + timedelta(seconds=seconds):
        return None
    message = f"activeDeadlineSeconds ({seconds} s) passed in phase {observed.phase}"
    return stop(observed, ConditionType.LOAD_COMPLETED, reasons.DEADLINE_EXCEEDED, message)


def other_release(observed: Observed) -> Step | None:
    """Waiting would not help: neither the operator nor the workers of this run change any more."""
    worker = next((worker for worker in observed.workers if worker.other_release), None)
    return stop(observed, ConditionType.WORKERS_READY, reasons.OTHER_RELEASE, worker.error) if worker else None


def leads_elsewhere(observed: Observed) -> Step | None:
    """What a Service is counts, and at every look: one may be made anew under the same name."""
    refusal = guard.not_allowed_to_lead(observed.target.elsewhere, observed.settings) if observed.target else ""
    return stop(observed, ConditionType.ACCEPTED, reasons.TARGET_NOT_ALLOWED, refusal) if refusal else None


ALWAYS: tuple[Rule, ...] = (spec_lost, aborted, past_deadline, other_release)


def was_aborted(observed: Observed) -> bool:
    """Whether spec.abort is what ended the load."""
    ended = conditions.reason_of(observed.status.conditions, ConditionType.LOAD_COMPLETED)
    return ended is reasons.ABORT_REQUESTED


def patience_seconds(observed: Observed) -> float:
    """So long the last figures of a worker that does not answer are waited for. Nobody waits for those of an aborted run."""
    return 1.0 if was_aborted(observed) else 5.0


def stop(observed: Observed, kind: ConditionType, reason: Reason, message: str) -> Step:
    """End the run now: no more load, and a condition that keeps the evidence."""
    claims = [conditions.no(kind, reason, message)]
    if observed.load_start is not None:
        claims.append(conditions.no(ConditionType.LOAD_RUNNING, reasons.LOAD_ENDED))
    return Step(
        says=message,
        event=Move.STOPPED,
        claims=tuple(claims),
        run={"abort_reason": message},
        actions=(AbortWorkers(message),) if observed.workers else (),
        wake_after=AT_ONCE,
    )
