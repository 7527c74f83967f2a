"""Settling: no load any more. Collect what is left, take faults back, go on watching the autoscaler."""

from datetime import datetime, timedelta

from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.actions import AbortWorkers
from loadtest_operator.core.common import conditions
from loadtest_operator.core.faults import machine as faults
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.rules import always
from loadtest_operator.core.run.step import AT_ONCE, QUICK, Rule, Step
from loadtest_operator.core.scaling import figures as scaling

DRAIN = timedelta(seconds=10)
"""For stopped workers to end and be collected."""
COMPLETED = ConditionType.LOAD_COMPLETED


def draining(observed: Observed) -> Step | None:
    """The run was stopped: wait a moment for the last figures, and repeat the abort to whoever did not get it."""
    patience = always.patience_seconds(observed)
    missing = [worker for worker in observed.workers if not worker.drained and worker.silent_seconds < patience]
    if not missing or observed.now > _stopped_at(observed) + DRAIN:
        return None
    reason = observed.status.run.abort_reason or "the load is over"
    again = any(not worker.ended for worker in missing)
    return Step(
        says=observed.status.message or "",
        actions=(AbortWorkers(reason),) if again else (),
        wake_after=0.3,
    )


def recovering(observed: Observed) -> Step | None:
    """Faults go before anything else; `core.faults.machine` gives up on one after its own deadline."""
    if not faults.open_faults(observed.status.faults):
        return None
    return Step("taking faults back", run=_ended(observed), wake_after=0.5)


def stopped(observed: Observed) -> Step | None:
    """A run that did not complete has nothing to settle for."""
    if conditions.is_true(observed.status.conditions, COMPLETED):
        return None
    return Step(observed.status.message or "", Move.SETTLED, run=_ended(observed), wake_after=AT_ONCE)


def watching(observed: Observed) -> Step | None:
    spec = observed.valid_spec
    ended = observed.status.run.load_end_time
    if spec.scaling is None or ended is None:
        return None
    left = (ended + timedelta(seconds=spec.scaling.settle_seconds) - observed.now).total_seconds()
    results = scaling.judged(spec, observed.timeline, observed.load_start, observed.now, ended=False)
    if left <= 0 or scaling.decided(results, spec):
        return None
    return Step(f"load is over; watching the autoscaler for {left:.0f} s more", wake_after=QUICK)


def settled(observed: Observed) -> Step | None:
    return Step("judging", Move.SETTLED, wake_after=AT_ONCE)


RULES: tuple[Rule, ...] = (draining, recovering, stopped, watching, settled)


def _ended(observed: Observed) -> dict[str, datetime]:
    """The load's end: the workers have ended, whatever else is still waited for."""
    return {"load_end_time": observed.status.run.load_end_time or observed.now}


def _stopped_at(observed: Observed) -> datetime:
    return conditions.since(observed.status.conditions, ConditionType.LOAD_RUNNING) or observed.now
