"""What becomes of each fault: one table of states, each with its rules; the first that answers moves it.

    Pending → Injecting → InForce → Recovering → Recovered | NotInjected | Partial | NotRecovered

A rule sees one fault, what is known of *that* fault, and the time; nothing else, so faults that adjoin, overlap or repeat
cannot end each other. Every order may be given twice, and an operator that starts anew goes on from the status. A
fault counts as in force when its maker says so, its true length is near the one asked for and its effect was seen.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loadtest_operator.api.faults import Fault
from loadtest_operator.api.outcome import FaultResult, FaultStatus
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Action, InjectFault, RecoverFault
from loadtest_operator.core.faults.provider import Provider
from loadtest_operator.core.faults.providers import provider_of, used, view_of
from loadtest_operator.core.faults.view import Reading
from loadtest_operator.core.observed import Observed

PATIENCE = timedelta(seconds=15)
"""How late a fault may begin before it counts as not injected."""
RECOVERY = timedelta(seconds=30)
"""How long a fault may take to go once it was told to."""
FORCE_AFTER = timedelta(seconds=8)
"""Of these, before its maker is taken away, where no load is offered any more. In a run that is stopped, it goes at once when it does
not answer."""
SWITCH = timedelta(seconds=1)
"""For the fault to end by itself before it is told to."""
AGAIN = timedelta(seconds=1)
"""Between two tries."""
SOON = timedelta(milliseconds=100)
"""The same where a run is stopped: it waits for nothing else."""
SHORTEST, LONGEST, SLACK = 0.9, 1.1, 2.0
"""Of the duration asked for, and seconds on top: what is outside was another fault than the one asked for."""


@dataclass(frozen=True, slots=True)
class Look:
    """One fault, now."""

    fault: Fault
    status: FaultStatus
    planned: datetime
    now: datetime
    reading: Reading = field(default_factory=Reading)
    why_not: str = ""
    """Why its maker cannot be ordered anything; empty when it can."""
    lost: str = ""
    """Why its maker is gone for good."""
    failed: str = ""
    """Why its last order failed."""
    running: bool = True
    """Whether load is offered."""
    stopped: bool = False
    """Whether the run is being ended before its time."""
    until_well: bool = False
    """Whether it ends when the target is as it was, and not after its duration."""

    @property
    def since(self) -> datetime:
        return self.reading.since or self.status.injected_time or self.now

    @property
    def end(self) -> datetime:
        """When it is to be over."""
        return self.since + timedelta(seconds=self.fault.duration_seconds)

    @property
    def reason(self) -> str:
        return self.why_not or self.failed


@dataclass(frozen=True, slots=True)
class Move:
    """A rule's answer: fields of the status to change, orders, and when to look again."""

    changes: Mapping[str, object] = field(default_factory=dict)
    inject: bool = False
    recover: bool = False
    force: bool = False
    due: datetime | None = None


Rule = Callable[[Look], Move | None]


def _to(result: FaultResult, message: str = "", **changes: object) -> Move:
    return Move({"result": result, "message": message or None, **changes})


def seen_in_force(look: Look) -> Move | None:
    """By its maker's record; also when an operator before us ordered it and was killed before it could write that down."""
    if look.reading.since is None:
        return None
    return _to(FaultResult.IN_FORCE, injected_time=look.reading.since, effects=look.reading.effects)


def load_over(look: Look) -> Move | None:
    """Before it came into force. An order may still be on its way: it is taken back."""
    if look.running:
        return None
    due = f", and was not in force when it was: {look.reason}" if look.reason and look.now > look.planned else ""
    move = _to(FaultResult.NOT_INJECTED, f"the load ended before the fault was due{due}")
    return replace(move, recover=look.status.result is FaultResult.INJECTING and not look.why_not)


def too_late(look: Look) -> Move | None:
    if look.now <= look.planned + PATIENCE:
        return None
    why = look.reason or _LATE[look.status.result]
    move = _to(FaultResult.NOT_INJECTED, f"not in force {PATIENCE.total_seconds():.0f} s after it was due: {why}")
    return replace(move, recover=look.status.result is FaultResult.INJECTING and not look.why_not)


_LATE = {
    FaultResult.PENDING: "the operator was away when it was due",
    FaultResult.INJECTING: "it was ordered and never seen",
}


def never_any_more(look: Look) -> Move | None:
    return _to(FaultResult.NOT_INJECTED, look.lost) if look.lost else None


def not_due(look: Look) -> Move | None:
    return Move(due=look.planned) if look.now < look.planned else None


def cannot_now(look: Look) -> Move | None:
    return Move({"message": look.why_not}, due=look.now + AGAIN) if look.why_not else None


def order(look: Look) -> Move | None:
    return replace(_to(FaultResult.INJECTING, look.failed), inject=True, due=look.now + AGAIN)


def seen_gone(look: Look) -> Move | None:
    return _ended(look, look.reading.gone) if look.reading.gone else None


def gone_with_its_maker(look: Look) -> Move | None:
    """It stood there and nowhere else. When exactly, nobody knows: now, at the latest."""
    return _ended(look, look.now, f"gone with what made it at the latest ({look.lost})") if look.lost else None


def forgotten(look: Look) -> Move | None:
    """Its maker answers and does not know it: another one than the one that was ordered."""
    if look.why_not or look.reading.since is not None:
        return None
    return _ended(look, look.now, "what made it was started anew and does not know it")


def tell_to_go(look: Look) -> Move | None:
    """While a run is being ended, faults go first; else when it did not end by itself."""
    if look.running and look.now <= look.end + SWITCH:
        return None
    due = look.now + (SOON if look.stopped else AGAIN)
    return replace(_to(FaultResult.RECOVERING, _note(look), recovering_time=look.now), recover=True, due=due)


def stays(look: Look) -> Move | None:
    return Move({"effects": max(look.reading.effects, look.status.effects)}, due=_first_after(look))


def _first_after(look: Look) -> datetime | None:
    """Its end, and the moment at which it is told to go."""
    return min((at for at in (look.end, look.end + SWITCH + AGAIN / 10) if at > look.now), default=None)


def does_not_go(look: Look) -> Move | None:
    begun = look.status.recovering_time or look.now
    if look.now <= begun + RECOVERY:
        return None
    why = look.reason or "its maker says that it is in force"
    message = f"not seen to be gone {RECOVERY.total_seconds():.0f} s after it was told to go: {why}"
    return replace(_to(FaultResult.NOT_RECOVERED, message), recover=True, force=not look.running)


def tell_again(look: Look) -> Move | None:
    begun = look.status.recovering_time or look.now
    deaf = look.stopped and bool(look.reason)
    force = not look.running and (deaf or look.now > begun + FORCE_AFTER)
    return Move(
        {"message": _note(look) or None}, recover=not deaf, force=force, due=look.now + (SOON if deaf else AGAIN)
    )


RULES: Mapping[FaultResult, tuple[Rule, ...]] = {
    FaultResult.PENDING: (seen_in_force, load_over, too_late, never_any_more, not_due, cannot_now, order),
    FaultResult.INJECTING: (seen_in_force, load_over, too_late, never_any_more, cannot_now, order),
    FaultResult.IN_FORCE: (seen_gone, gone_with_its_maker, forgotten, tell_to_go, stays),
    FaultResult.RECOVERING: (seen_gone, gone_with_its_maker, forgotten, does_not_go, tell_again),
    FaultResult.RECOVERED: (),
    FaultResult.NOT_INJECTED: (),
    FaultResult.PARTIAL: (),
    FaultResult.NOT_RECOVERED: (),
}
if set(RULES) != set(FaultResult):
    raise TypeError(f"states without rules: {set(FaultResult) - set(RULES)}")
OPEN = frozenset({FaultResult.INJECTING, FaultResult.IN_FORCE, FaultResult.RECOVERING})
"""A fault may be in force."""


def _note(look: Look) -> str:
    """A run that is stopped cuts its faults short; that is written down where it is decided."""
    return "cut short: the run was stopped" if look.stopped and look.now < look.end else look.status.message or ""


def _ended(look: Look, gone: datetime, how: str = "") -> Move:
    """What it was, now that it is over."""
    gone = max(gone, look.since)
    effects = max(look.reading.effects, look.status.effects)
    seen = replace(look, status=look.status.model_copy(update={"recovered_time": gone, "effects": effects}))
    result, message = next(found for rule in ENDS if (found := rule(seen)))
    told = "; ".join(text for text in (message, how) if text)
    return _to(result, told, injected_time=look.since, recovered_time=gone, effects=effects)


def _length(look: Look) -> tuple[float, float]:
    """How long it was in force and was to be, seconds."""
    ended = look.status.recovered_time or look.now
    return (ended - look.since).total_seconds(), float(look.fault.duration_seconds)


End = Callable[[Look], tuple[FaultResult, str] | None]


def cut_short(look: Look) -> tuple[FaultResult, str] | None:
    """By the end of a stopped run, which has its own verdict."""
    length, wanted = _length(look)
    if not look.stopped or length >= SHORTEST * wanted:
        return None
    return FaultResult.RECOVERED, f"in force for {length:.1f} of {wanted:.0f} s: the run was stopped"


def too_short(look: Look) -> tuple[FaultResult, str] | None:
    length, wanted = _length(look)
    if length >= SHORTEST * wanted or (look.until_well and look.reading.gone):
        return None
    return FaultResult.NOT_INJECTED, f"it was in force for {length:.1f} s only, {wanted:.0f} s were asked for"


def too_long(look: Look) -> tuple[FaultResult, str] | None:
    length, wanted = _length(look)
    if length <= LONGEST * wanted + SLACK:
        return None
    return FaultResult.NOT_RECOVERED, f"it was in force for {length:.1f} s, {wanted:.0f} s were asked for"


def without_effect(look: Look) -> tuple[FaultResult, str] | None:
    if look.status.effects:
        return None
    return FaultResult.NOT_INJECTED, (
        "its maker had it in force, but its effect was never seen: nothing that it could have hit came by. "
        "Put it where load is offered"
    )


def partly(look: Look) -> tuple[FaultResult, str] | None:
    return (FaultResult.PARTIAL, look.reading.not_covered) if look.reading.not_covered else None


def as_asked_for(look: Look) -> tuple[FaultResult, str] | None:
    return FaultResult.RECOVERED, look.reading.note


ENDS: tuple[End, ...] = (cut_short, too_short, too_long, without_effect, partly, as_asked_for)


def moved(look: Look) -> tuple[FaultStatus, Move]:
    """The status after this look. A fault that is found in force goes by the rules of that at once."""
    move = next((found for rule in RULES[look.status.result] if (found := rule(look))), Move())
    status = look.status.model_copy(update=dict(move.changes))
    if status.result is FaultResult.IN_FORCE and look.status.result is not FaultResult.IN_FORCE:
        return moved(replace(look, status=status))
    return status, move


@dataclass(frozen=True, slots=True)
class Progress:
    """All faults, one tick further."""

    statuses: tuple[FaultStatus, ...]
    actions: tuple[Action, ...]
    next_due: datetime | None = None


def advanced(observed: Observed) -> Progress:
    """The statuses and what must be done for them now. Does nothing before the load's start is fixed."""
    spec, start = observed.spec, observed.load_start
    if spec is None or start is None or not spec.occurrences:
        return Progress(observed.status.faults, ())
    looks = [_look(observed, fault, start) for fault in spec.occurrences]
    results = [moved(look) for look in looks]
    actions = [
        action for look, (_, move) in zip(looks, results, strict=True) for action in _orders(observed, look, move)
    ]
    due = min((move.due for _, move in results if move.due), default=None)
    return Progress(tuple(status for status, _ in results), tuple(actions), due)


def _look(observed: Observed, fault: Fault, start: datetime) -> Look:
    provider = provider_of(fault)
    view = view_of(observed, provider)
    planned = start + timedelta(seconds=observed.valid_spec.fault_window(fault).start)
    known = next((status for status in observed.status.faults if status.name == fault.name), None)
    return Look(
        fault=fault,
        status=known or FaultStatus(name=fault.name, via=provider.name, planned_time=planned),
        planned=planned,
        now=observed.now,
        reading=view.readings.get(fault.name, Reading()),
        why_not=f"{provider.title}: {view.why_not}" if view.why_not else "",
        lost=f"{provider.title}: {view.lost}" if view.lost else "",
        failed=observed.trouble.partition(trouble_of(fault.name))[2],
        running=observed.phase is Phase.RUNNING,
        stopped=bool(observed.status.run.abort_reason),
        until_well=provider.until_well,
    )


def trouble_of(fault: str) -> str:
    """How an action's failure begins that was about this fault."""
    return f"fault {fault} could not be ordered: "


def _orders(observed: Observed, look: Look, move: Move) -> Iterable[Action]:
    provider: Provider = provider_of(look.fault)
    if move.inject:
        yield InjectFault(provider.name, look.fault.name, provider.order(observed, look.fault))
    if move.recover and not look.lost:
        yield RecoverFault(provider.name, look.fault.name)
    if move.force and not look.lost:
        yield from provider.force(observed.names)


def open_faults(statuses: tuple[FaultStatus, ...]) -> bool:
    """Whether a fault may be in force."""
    return any(status.result in OPEN for status in statuses)


def recoveries(observed: Observed) -> tuple[Action, ...]:
    """Take back whatever may be in force, whatever its rules say: the LoadTest goes."""
    makers = {fault.name: provider_of(fault).name for fault in observed.spec.occurrences} if observed.spec else {}
    return tuple(
        RecoverFault(makers.get(status.name, status.via or ""), status.name)
        for status in observed.status.faults
        if status.result in OPEN
    )


def farewell(observed: Observed) -> tuple[Action, ...]:
    """The providers of this run go."""
    return tuple(delete for provider in used(observed) for delete in provider.belongings(observed.names))
