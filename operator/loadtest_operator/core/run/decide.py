"""The decision: what the status becomes and what is to be done, as a function of the world as it is.

    decide(observed) → Decision(status, actions, wake_after)

The rules of the phase say where the run goes (`core.run.rules`); beside them, whatever the phase, faults move on, the
timeline is kept and figures are brought up to date. The status is always written before the actions are
performed: what is done can then never be forgotten, and every action is safe to repeat.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import LoadTestStatus, Phase, Run
from loadtest_operator.core.actions import Action, ClearAway, Delete, Emit, SaveTimeline
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.kinds import CONFIG_MAP
from loadtest_operator.core.evidence import status
from loadtest_operator.core.faults import claims as fault_claims
from loadtest_operator.core.faults import machine as faults
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import history, lifecycle
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.rules import evaluating, pending, preparing, running, settling
from loadtest_operator.core.run.rules.always import ALWAYS
from loadtest_operator.core.run.step import AT_ONCE, Rule, Step, first

RULES: dict[Phase, tuple[Rule, ...]] = {
    Phase.PENDING: pending.RULES,
    Phase.PREPARING: (*ALWAYS, *preparing.RULES),
    Phase.RUNNING: (*ALWAYS, *running.RULES),
    Phase.SETTLING: (*ALWAYS, *settling.RULES),
    Phase.EVALUATING: evaluating.RULES,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, what to do, when to look again."""

    status: LoadTestStatus
    actions: tuple[Action, ...] = ()
    wake_after: float = 2.0


def decide(observed: Observed) -> Decision:
    """One look at the world."""
    if _must_begin(observed):
        return _begin(observed)
    if observed.phase is Phase.FINISHED:
        # Who waits for the object to be current (GitOps) compares the generations: a changed ttl is taken in, too.
        seen = {"observed_generation": observed.generation}
        return Decision(observed.status.model_copy(update=seen), wake_after=60.0)
    refused = _token_refused(observed)
    step = first(_rules(observed), observed)
    # A start that moves takes the faults' times along.
    moved = faults.Progress((), ()) if step.event is Move.START_MOVED else faults.advanced(observed)
    side = _side_actions(observed)
    new = _apply(observed, step, moved, refused)
    return Decision(
        status=new,
        actions=(*moved.actions, *step.actions, *side, *_clearing(observed)),
        wake_after=_sooner(step.wake_after, moved.next_due, observed.now),
    )


def _rules(observed: Observed) -> tuple[Rule, ...]:
    # A run that was being stopped is not stopped again.
    if observed.phase is Phase.SETTLING and observed.status.run.abort_reason:
        return settling.RULES
    return RULES[observed.phase]


def _must_begin(observed: Observed) -> bool:
    """No run yet, or the last one is finished and the token is another."""
    run = observed.status.run
    if not run.number:
        return True
    return observed.phase is Phase.FINISHED and bool(observed.token) and observed.token != run.token


def _begin(observed: Observed) -> Decision:
    """A fresh status for the next run; the last run's figures move into the history."""
    old = observed.status
    number = old.run.number + 1
    keep = observed.spec.results.keep_runs if observed.spec else 10
    kept, dropped = history.extended(old, keep)
    claims = [
        conditions.unknown(ConditionType.READY, reasons.IN_PROGRESS),
        conditions.yes(ConditionType.RECONCILING, reasons.IN_PROGRESS),
        conditions.no(ConditionType.STALLED, reasons.IN_PROGRESS),
    ]
    fresh = conditions.fresh(observed.now, observed.generation)
    new = LoadTestStatus(
        observed_generation=observed.generation,
        phase=lifecycle.after(Phase.FINISHED, Move.RERUN),
        message="waiting for its turn",
        run=Run(number=number, token=observed.token, name=f"{observed.name}-{number}"),
        history=kept,
        conditions=conditions.updated(fresh, claims, observed.now, observed.generation),
    )
    # More than one leaves the history only where fewer are kept than before; the newest of them is left to `_clearing`.
    gone = (Delete(CONFIG_MAP, run.artifact) for run in dropped[1:] if run.artifact)
    return Decision(new, (*gone, Emit("Normal", "RunCreated", f"run {number}")), wake_after=AT_ONCE)


def _token_refused(observed: Observed) -> str:
    run = observed.status.run
    if observed.phase is Phase.PENDING or not observed.token or observed.token == run.token:
        return ""
    return (
        f"runToken {observed.token!r} is not taken while run {run.number} (runToken {run.token!r}) goes on; "
        "it starts a new run when this one has ended"
    )


def _apply(observed: Observed, step: Step, moved: faults.Progress, refused: str) -> LoadTestStatus:
    old = observed.status
    phase = lifecycle.after(observed.phase, step.event) if step.event else observed.phase
    claims = [*step.claims]
    if observed.phase not in (Phase.PENDING, Phase.PREPARING):
        claims = [*fault_claims.claims(observed, moved.statuses), *claims]
    if refused:
        claims.append(conditions.yes(ConditionType.RECONCILING, reasons.RUN_TOKEN_REFUSED, refused))
    changes: dict[str, Any] = {
        "observed_generation": observed.generation,
        "phase": phase,
        "message": f"{step.says} ({refused})" if refused else step.says,
        "faults": moved.statuses,
        **status.sections(observed),
        **step.status,
    }
    run = old.run.model_copy(update={**status.run_fields(observed), **step.run})
    written = conditions.updated(old.conditions, claims, observed.now, observed.generation)
    return status.validated(old, {**changes, "run": run, "conditions": written})


def _clearing(observed: Observed) -> tuple[Action, ...]:
    """At every look until it has succeeded, not when the run begins: that look may be refused, or its operator killed."""
    left = () if observed.cleared else history.leftovers(observed.names, observed.status.history)
    return (ClearAway(left),) if left else ()


def _side_actions(observed: Observed) -> tuple[Action, ...]:
    if observed.phase not in (Phase.PREPARING, Phase.RUNNING, Phase.SETTLING) or observed.timeline.since is None:
        return ()
    return (SaveTimeline(),)


def _sooner(wake_after: float, due: datetime | None, now: datetime) -> float:
    """In time for what is due. What is overdue was tried in this look: it is tried again at the usual pace."""
    return wake_after if due is None or due <= now else max(0.05, min(wake_after, (due - now).total_seconds()))
