"""Conditions as Kubernetes has them: a list, one entry a type, with the time at which the status last flipped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import Condition, ConditionStatus, ConditionType
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.reasons import Reason

Conditions = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule found out: a condition without its bookkeeping."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str = ""


def yes(kind: ConditionType, reason: Reason, message: str = "") -> Claim:
    return Claim(kind, ConditionStatus.TRUE, reason, message)


def no(kind: ConditionType, reason: Reason, message: str = "") -> Claim:
    return Claim(kind, ConditionStatus.FALSE, reason, message)


def unknown(kind: ConditionType, reason: Reason = reasons.PENDING, message: str = "") -> Claim:
    return Claim(kind, ConditionStatus.UNKNOWN, reason, message)


def ended(verdict: Verdict, message: str) -> tuple[Claim, ...]:
    """What the end says, to `kubectl wait` and to kstatus: only Passed is ready."""
    passed, reason = verdict is Verdict.PASSED, reasons.OF_VERDICT[verdict]
    say = yes if passed else no
    return (
        yes(ConditionType.FINISHED, reason, message),
        say(ConditionType.PASSED, reason, message),
        say(ConditionType.READY, reason, message),
        no(ConditionType.RECONCILING, reason),
        no(ConditionType.STALLED, reason) if passed else yes(ConditionType.STALLED, reason),
    )


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of this type."""
    return next((condition for condition in conditions if condition.type == kind), None)


def status_of(conditions: Iterable[Condition], kind: ConditionType) -> ConditionStatus:
    """True, False or Unknown; Unknown where there is none."""
    found = find(conditions, kind)
    return found.status if found else ConditionStatus.UNKNOWN


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    return status_of(conditions, kind) is ConditionStatus.TRUE


def is_false(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    return status_of(conditions, kind) is ConditionStatus.FALSE


def reason_of(conditions: Iterable[Condition], kind: ConditionType) -> Reason | None:
    """The reason, as far as this version of the operator knows it."""
    found = find(conditions, kind)
    return reasons.BY_NAME.get(found.reason) if found else None


def since(conditions: Iterable[Condition], kind: ConditionType) -> datetime | None:
    """When the condition last flipped."""
    found = find(conditions, kind)
    return found.last_transition_time if found else None


def fresh(now: datetime, generation: int) -> Conditions:
    """All of them Unknown, as a run begins: absent would make `kubectl wait` and a reader guess."""
    return updated((), [unknown(kind) for kind in ConditionType], now, generation)


def updated(conditions: Sequence[Condition], claims: Iterable[Claim], now: datetime, generation: int) -> Conditions:
    """The list with the claims in it; times of those that did not flip stay."""
    by_type = {condition.type: condition for condition in conditions}
    for claim in claims:
        by_type[claim.type] = _merge(by_type.get(claim.type), claim, now, generation)
    return tuple(by_type[kind] for kind in ConditionType if kind in by_type)


def _merge(old: Condition | None, claim: Claim, now: datetime, generation: int) -> Condition:
    flipped = old is None or old.status != claim.status
    return Condition(
        type=claim.type,
        status=claim.status,
        reason=claim.reason.name,
        message=claim.message or claim.reason.meaning,
        last_transition_time=now.replace(microsecond=0) if flipped or old is None else old.last_transition_time,
        observed_generation=generation,
    )
