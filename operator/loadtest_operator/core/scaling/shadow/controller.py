"""One sync of the controller: from what it sees and remembers to what it wants, and why that."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from loadtest_operator.core.scaling.shadow import limits
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Orders, Steering
from loadtest_operator.core.scaling.shadow.proposals import NoValueError, Proposal, propose
from loadtest_operator.core.scaling.shadow.sight import Sight


class Why(StrEnum):
    """What decided, in the words that Kubernetes plans for a decision's trace (KEP-6107)."""

    RECOMMENDED = "MetricRecommendation"
    TOLERATED = "WithinTolerance"
    STABILIZED = "Stabilized"
    POLICY = "PolicyLimited"
    LIMIT = "ReplicaLimit"
    INVALID = "InvalidMetrics"
    DISABLED = "ScalingDisabled"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a sync came to."""

    desired: int
    """As the HPA's status shows it afterwards: without metrics what it was before, 0 where nothing was decided yet."""
    why: Why
    wanted: int | None = None
    """What the metrics asked for, before windows, policies and limits."""
    proposals: tuple[Proposal | None, ...] = ()
    """By metric, in the spec's order; nothing for one without a value."""
    invalid: str = ""
    """Why the first metric without a value has none."""
    steps: bool = True
    """It sets the replicas; without metrics they stay as they are."""


def sync(orders: Orders, memory: Memory, sight: Sight, now: float) -> tuple[Memory, Decision]:
    """What it decides; `after` then adds the step that was made of it."""
    memory = _first(memory, sight, now)
    current = sight.replicas
    if not current and orders.minimum:
        return _done(memory, Decision(0, Why.DISABLED))
    if current > orders.maximum:
        return _done(memory, Decision(orders.maximum, Why.LIMIT))
    if current < orders.minimum:
        return _done(memory, Decision(orders.minimum, Why.LIMIT))
    proposals, invalid = _proposals(orders, sight, now)
    wanted = max((found.replicas for found in proposals if found), default=None)
    if wanted is None or (invalid and wanted < current):
        return memory, Decision(memory.desired, Why.INVALID, None, proposals, invalid, steps=False)
    calm = limits.stabilized(orders, memory, current, wanted, now)
    desired = limits.limited(orders, memory, current, calm, now)
    held = all(found is None or found.held for found in proposals)
    why = _why(orders, (current, wanted, calm, desired), held)
    memory = limits.remembered(orders, memory, wanted, now)
    return _done(memory, Decision(desired, why, wanted, proposals, invalid))


def after(orders: Orders, memory: Memory, before: int, replicas: int, now: float) -> Memory:
    """The step that was made, which policies count."""
    return limits.stepped(orders, memory, before, replicas, now)


def _first(memory: Memory, sight: Sight, now: float) -> Memory:
    """At its first sync it takes the current number for a recommendation."""
    return memory if memory.recommendations else replace(memory, recommendations=((now, sight.replicas),))


def _done(memory: Memory, decision: Decision) -> tuple[Memory, Decision]:
    return replace(memory, desired=decision.desired), decision


def _proposals(orders: Orders, sight: Sight, now: float) -> tuple[tuple[Proposal | None, ...], str]:
    found, reasons = [], []
    for steering in orders.metrics:
        proposal, reason = _asked(steering, orders, sight, now)
        found.append(proposal)
        reasons.append(reason)
    return tuple(found), _first_of(reasons)


def _asked(steering: Steering, orders: Orders, sight: Sight, now: float) -> tuple[Proposal | None, str]:
    try:
        return propose(steering, orders, sight, now), ""
    except NoValueError as error:
        return None, str(error)


def _first_of(reasons: Iterable[str]) -> str:
    return next((reason for reason in reasons if reason), "")


def _why(orders: Orders, numbers: tuple[int, int, int, int], held: bool) -> Why:
    current, wanted, calm, desired = numbers
    if desired != calm:
        return Why.LIMIT if desired in (orders.minimum, orders.maximum) else Why.POLICY
    if calm != wanted:
        return Why.STABILIZED
    return Why.TOLERATED if held and desired == current else Why.RECOMMENDED
