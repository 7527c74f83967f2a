"""What a LoadTestSweep does now: a function of its spec, the LoadTests that exist, their stored reports, and the time.

    decide_sweep(observed, now) → SweepDecision(status, actions, wake_after)

The status is a view of what exists, and the next LoadTest follows from the finished ones: nothing else is remembered, so an
operator that was killed anywhere in between comes to the same table. One LoadTest runs at a time; whether its target is free
is its own affair, as of any LoadTest. A sweep that is finished stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loadgen.core.capacity import points
from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.sweep import LoadTestSweepSpec, LoadTestSweepStatus, SweepPhase
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common import conditions, reasons, times
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.sweep import children as sweep_children
from loadtest_operator.core.sweep import evidence, figures
from loadtest_operator.core.sweep.children import Child
from loadtest_operator.core.sweep.evidence import Evidence, Upcoming

ACTIVE_WAKE, IDLE_WAKE, RETRY_WAKE, SHORTEST_WAKE = 2.0, 60.0, 10.0, 0.1


@dataclass(frozen=True, slots=True)
class ObservedSweep:
    """The sweep and its LoadTests, as they are."""

    owner: Parent
    generation: int
    spec: LoadTestSweepSpec | None
    template: Mapping[str, Any]
    """spec.loadTestTemplate as the API server has it."""
    status: LoadTestSweepStatus
    children: Mapping[str, Child] = field(default_factory=dict)
    """By place."""
    problems: tuple[str, ...] = ()
    """What is wrong with the spec."""
    refusals: tuple[str, ...] = ()
    """What of the template the administrator does not allow."""
    trouble: str = ""
    """Why the LoadTest could not be made at the last look."""

    @property
    def active(self) -> tuple[Child, ...]:
        return tuple(child for child in self.children.values() if not child.finished)


@dataclass(frozen=True, slots=True)
class StartChild:
    """Make the LoadTest of this run; that it is there already is fine if it is ours."""

    body: Mapping[str, Any]
    says: str


@dataclass(frozen=True, slots=True)
class AbortChild:
    """Stop a LoadTest because the sweep is stopped."""

    name: str


SweepAction = StartChild | AbortChild | Emit


@dataclass(frozen=True, slots=True)
class SweepDecision:
    """What to write, what to do, when to look again."""

    status: LoadTestSweepStatus
    actions: tuple[SweepAction, ...] = ()
    wake_after: float = ACTIVE_WAKE


@dataclass(frozen=True, slots=True)
class Look:
    """What the rules look at."""

    observed: ObservedSweep
    evidence: Evidence
    now: datetime

    @property
    def spec(self) -> LoadTestSweepSpec:
        return self.evidence.spec

    @property
    def count(self) -> str:
        """How far it is."""
        most = "at most " if self.spec.search else ""
        return f"{len(self.evidence.taken)} of {most}{self.evidence.planned} runs finished"


@dataclass(frozen=True, slots=True)
class Step:
    """What a rule wants."""

    says: str
    reason: Reason = reasons.IN_PROGRESS
    actions: tuple[SweepAction, ...] = ()
    wake_after: float = ACTIVE_WAKE
    verdict: Verdict | None = None
    """The end."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the status."""


Rule = Callable[[Look], Step | None]


def refused(look: Look) -> Step | None:
    """It would end in Error: that is said here, once, and not by one LoadTest after the other."""
    if not look.observed.refusals:
        return None
    return Step("; ".join(look.observed.refusals), reasons.TARGET_NOT_ALLOWED, verdict=Verdict.ERROR)


def stopping(look: Look) -> Step | None:
    if not look.spec.abort:
        return None
    if not look.observed.active:
        said = f"spec.abort was set: stopped with {look.count}; the table has what they measured"
        return Step(said, reasons.ABORT_REQUESTED, verdict=Verdict.ABORTED)
    asked = tuple(AbortChild(child.name) for child in look.observed.active if not child.aborting)
    return Step(f"spec.abort is set: waiting for {look.observed.active[0].name} to stop", actions=asked)


def running(look: Look) -> Step | None:
    if not look.observed.active:
        return None
    child = look.observed.active[0]
    return Step(f"{child.name} runs {points.said(child.point)}; {look.count}")


def over(look: Look) -> Step | None:
    if look.evidence.upcoming is not None:
        return None
    hold = look.evidence.held
    verdict, said = figures.concluded(look.evidence, hold)
    found = {"hold": figures.of_hold(hold)} if hold else {}
    return Step(said, reasons.OF_VERDICT[verdict], verdict=verdict, fields=found)


def suspended(look: Look) -> Step | None:
    if not look.spec.suspend:
        return None
    said = f"spec.suspend is true: no further LoadTest is made; {look.count}"
    return Step(said, reasons.SUSPENDED, wake_after=IDLE_WAKE)


def resting(look: Look) -> Step | None:
    ends = [child.status.run.completion_time for child in look.observed.children.values()]
    last = max((end for end in ends if end), default=None)
    rest = timedelta(seconds=look.spec.between.rest_seconds)
    if last is None or look.now >= last + rest:
        return None
    return Step(
        f"resting until {times.whole(last + rest)} (between.restSeconds {look.spec.between.rest_seconds}); {look.count}",
        wake_after=max(SHORTEST_WAKE, min(IDLE_WAKE, (last + rest - look.now).total_seconds())),
    )


def starting(look: Look) -> Step | None:
    upcoming = look.evidence.upcoming
    return _start(look, upcoming) if upcoming else None


def _start(look: Look, upcoming: Upcoming) -> Step:
    observed = look.observed
    body = sweep_children.manifest(observed.owner, upcoming.place, observed.template, upcoming.settings)
    name, said = body["metadata"]["name"], f"{body['metadata']['name']}, {upcoming.says}"
    start = (StartChild(body, said),)
    if observed.trouble:
        return Step(f"{name} is not made: {observed.trouble}; tried again", actions=start, wake_after=RETRY_WAKE)
    return Step(f"{said} is being made; {look.count}", actions=start, wake_after=SHORTEST_WAKE)


RULES: tuple[Rule, ...] = (refused, stopping, running, over, suspended, resting, starting)
"""The first that speaks is followed."""


def decide_sweep(observed: ObservedSweep, now: datetime) -> SweepDecision:
    """One look."""
    if observed.status.phase is SweepPhase.FINISHED:
        # Who waits for the object to be current compares the generations: abort and suspend are taken in, too.
        seen = {"observed_generation": observed.generation}
        return SweepDecision(observed.status.model_copy(update=seen), wake_after=IDLE_WAKE)
    if observed.spec is None:
        wrong = Step("; ".join(observed.problems), reasons.INVALID_SPEC, verdict=Verdict.ERROR)
        return _decision(observed, wrong, {}, now)
    found = evidence.gathered(observed.spec, observed.children)
    look = Look(observed, found, now)
    step = next(step for rule in RULES if (step := rule(look)))
    return _decision(observed, step, _figures(observed, found), now)


def _figures(observed: ObservedSweep, found: Evidence) -> dict[str, Any]:
    """They cost pooling all reports, so they are only made anew when another run has finished."""
    known = observed.status.runs
    if known is not None and known.finished == len(found.taken):
        return {}
    return figures.of(found)


def _decision(observed: ObservedSweep, step: Step, found: Mapping[str, Any], now: datetime) -> SweepDecision:
    old, ended = observed.status, step.verdict is not None
    begun = bool(observed.children) or bool(step.actions) or old.phase is SweepPhase.RUNNING
    phase = SweepPhase.FINISHED if ended else SweepPhase.RUNNING if begun else SweepPhase.PENDING
    changes = {
        "observed_generation": observed.generation,
        "phase": phase,
        "verdict": step.verdict,
        "message": step.says,
        "start_time": old.start_time or now.replace(microsecond=0),
        "completion_time": now.replace(microsecond=0) if ended else None,
        "current": observed.active[0].name if observed.active else None,
        "conditions": conditions.updated(old.conditions, _claims(observed, step), now, observed.generation),
    }
    kept = {name: getattr(old, name) for name in LoadTestSweepStatus.model_fields}
    merged = {**kept, **found, **step.fields, **changes}
    told = (Emit(_tone(step.verdict), f"Sweep{step.verdict}", f"{step.verdict}: {step.says}"),) if ended else ()
    wake = IDLE_WAKE if ended else step.wake_after
    return SweepDecision(LoadTestSweepStatus.model_validate(merged), (*step.actions, *told), wake)


def _tone(verdict: Verdict | None) -> Any:
    return "Normal" if verdict is Verdict.PASSED else "Warning"


def _claims(observed: ObservedSweep, step: Step) -> tuple[Claim, ...]:
    if step.verdict is None:
        return _on_its_way(observed, step)
    return (_accepted(step), *conditions.ended(step.verdict, step.says))


def _on_its_way(observed: ObservedSweep, step: Step) -> tuple[Claim, ...]:
    return (
        _accepted(step),
        conditions.no(ConditionType.FINISHED, step.reason, step.says),
        conditions.unknown(ConditionType.PASSED),
        conditions.no(ConditionType.READY, step.reason, step.says),
        conditions.yes(ConditionType.RECONCILING, step.reason, step.says),
        conditions.no(ConditionType.STALLED, step.reason),
    )


def _accepted(step: Step) -> Claim:
    if step.reason in (reasons.INVALID_SPEC, reasons.TARGET_NOT_ALLOWED):
        return conditions.no(ConditionType.ACCEPTED, step.reason, step.says)
    return conditions.yes(ConditionType.ACCEPTED, reasons.ACCEPTED)
