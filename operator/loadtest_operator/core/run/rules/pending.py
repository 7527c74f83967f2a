"""Pending: may this run begin?"""

from loadgen.core.stats import summary
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import guard
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.step import AT_ONCE, Rule, Step

MISSED_SECONDS = 30.0


def invalid(observed: Observed) -> Step | None:
    if observed.spec is not None:
        return None
    return _refused(reasons.INVALID_SPEC, "; ".join(observed.problems))


def not_allowed(observed: Observed) -> Step | None:
    refusals = guard.refusals(observed.valid_spec, observed.namespace, observed.settings)
    return _refused(reasons.TARGET_NOT_ALLOWED, "; ".join(refusals)) if refusals else None


def aborted(observed: Observed) -> Step | None:
    if not observed.valid_spec.abort:
        return None
    message = "aborted before it began: spec.abort is set"
    return Step(message, Move.REFUSED, (conditions.no(ConditionType.LOAD_COMPLETED, reasons.ABORT_REQUESTED, message),))


def suspended(observed: Observed) -> Step | None:
    if not observed.valid_spec.suspend:
        return None
    return _waits(reasons.SUSPENDED, "suspended: set spec.suspend to false to start")


def target_busy(observed: Observed) -> Step | None:
    if not observed.blocker:
        return None
    return _waits(reasons.TARGET_BUSY, f"waits for LoadTest {observed.blocker}, which loads the same target")


def accept(observed: Observed) -> Step | None:
    return Step(
        says="accepted",
        event=Move.ACCEPTED,
        claims=(conditions.yes(ConditionType.ACCEPTED, reasons.ACCEPTED),),
        run={
            "start_time": observed.now.replace(microsecond=0),
            "token": observed.token,
            "plan_hash": summary.plan_hash(observed.plan),
        },
        wake_after=AT_ONCE,
    )


RULES: tuple[Rule, ...] = (invalid, not_allowed, aborted, suspended, target_busy, accept)


def _refused(reason: Reason, message: str) -> Step:
    return Step(message, Move.REFUSED, (conditions.no(ConditionType.ACCEPTED, reason, message),), wake_after=AT_ONCE)


def _waits(reason: Reason, message: str) -> Step:
    # Whoever follows it is woken when the spec changes or its turn comes; this is in case that was missed.
    return Step(
        message, claims=(conditions.unknown(ConditionType.ACCEPTED, reason, message),), wake_after=MISSED_SECONDS
    )
