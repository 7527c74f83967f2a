"""What a LoadTestSchedule does now: a function of its status, the LoadTests that exist, and the time.

    decide_schedule(observed, now) → ScheduleDecision(status, actions, wake_after)

`status.nextScheduleTime` (while suspended, when nothing is to come: `countedUntilTime`) is the mark: every start
before it has been made or told as missed, every start from it on is open. It moves over a start only when the
LoadTest with that start's name exists, or when the start is given up and counted. So an operator that was killed
anywhere in between goes on from what is written and what exists, and a minute is never started twice: a start must be
later than `lastScheduleTime` and later than every LoadTest there is, whatever the clock says.

Of several open starts only the last is made, and only if nothing in `GIVE_UP` speaks against it; it is no queue. The
status is written before the actions are performed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from loadtest_operator.api.meta import Condition, ConditionStatus
from loadtest_operator.api.schedule import (
    ConcurrencyPolicy,
    LoadTestScheduleSpec,
    LoadTestScheduleStatus,
    RecentRun,
    RunReference,
)
from loadtest_operator.core.actions import Delete, Emit
from loadtest_operator.core.common import times
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.core.schedule import children as schedule_children
from loadtest_operator.core.schedule import cron
from loadtest_operator.core.schedule.children import Child
from loadtest_operator.core.schedule.cron import BadScheduleError, Cron

MOST_ACTIVE = 32
CLOCK_TOLERANCE = timedelta(minutes=1)
REPLACE_PATIENCE = timedelta(minutes=2)
"""So long after the start that wanted its place, a LoadTest is deleted without waiting for the end of its abort."""
LONGEST_WAKE, ACTIVE_WAKE, RETRY_WAKE, SHORTEST_WAKE = 30.0, 5.0, 10.0, 0.1


@dataclass(frozen=True, slots=True)
class ObservedSchedule:
    """The schedule and its LoadTests, as they are."""

    name: str
    namespace: str
    uid: str
    generation: int
    created: datetime
    spec: LoadTestScheduleSpec | None
    template: Mapping[str, Any]
    """spec.loadTestTemplate as the API server has it."""
    status: LoadTestScheduleStatus
    children: tuple[Child, ...] = ()
    """The newest first."""
    problems: tuple[str, ...] = ()
    """What is wrong with the spec."""
    started: datetime | None = None
    """The last start that this process has made, should its LoadTest be gone already."""
    refusals: tuple[str, ...] = ()
    """What of the template the administrator does not allow."""
    trouble: str = ""
    """Why the LoadTest could not be made at the last look."""

    @property
    def active(self) -> tuple[Child, ...]:
        return tuple(child for child in self.children if not child.finished)

    @property
    def last(self) -> datetime | None:
        """The newest start that was ever made."""
        known = (self.status.last_schedule_time, self.started, *(child.minute for child in self.children))
        return max((moment for moment in known if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class StartChild:
    """Make the LoadTest of this minute; that it is there already is fine if it is ours."""

    minute: datetime
    body: Mapping[str, Any]
    says: str


@dataclass(frozen=True, slots=True)
class AbortChild:
    """Stop a LoadTest because a newer one takes its place."""

    name: str
    replaced_by: str


ScheduleAction = StartChild | AbortChild | Delete | Emit


@dataclass(frozen=True, slots=True)
class ScheduleDecision:
    """What to write, what to do, when to look again."""

    status: LoadTestScheduleStatus
    actions: tuple[ScheduleAction, ...] = ()
    wake_after: float = LONGEST_WAKE


@dataclass(frozen=True, slots=True)
class Missed:
    """Starts that are given up."""

    count: int
    last: datetime
    reason: str
    why: str

    @property
    def sentence(self) -> str:
        starts = "1 start was" if self.count == 1 else f"{_counted(self.count)} starts were"
        which = "due" if self.count == 1 else "the last due"
        return f"{starts} not made, {which} {times.whole(self.last)}: {self.why}"


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due: where the mark goes, what is given up, what is to be done."""

    mark: datetime | None
    missed: Missed | None = None
    actions: tuple[ScheduleAction, ...] = ()
    wake_after: float = LONGEST_WAKE


def decide_schedule(observed: ObservedSchedule, now: datetime) -> ScheduleDecision:
    """One look."""
    try:
        timing = _timing(observed)
    except BadScheduleError as bad:
        ready = _condition(observed, now, "Ready", ConditionStatus.FALSE, bad.reason, str(bad))
        return ScheduleDecision(_status(observed, now, Turn(None), ready), _tidy(observed))
    turn = _turn(observed, timing, now)
    told = (Emit(_tone(turn.missed), "StartMissed", turn.missed.sentence),) if turn.missed else ()
    return ScheduleDecision(
        status=_status(observed, now, turn, _ready(observed, now, turn)),
        actions=(*told, *turn.actions, *_tidy(observed)),
        wake_after=_wake_after(observed, turn, now),
    )


def _timing(observed: ObservedSchedule) -> Cron:
    if observed.spec is None:
        raise BadScheduleError("InvalidSpec", "; ".join(observed.problems))
    return cron.parse(observed.spec.schedule, observed.spec.time_zone)


def _turn(observed: ObservedSchedule, timing: Cron, now: datetime) -> Turn:
    mark = _mark(observed, timing, now)
    due = timing.latest(mark, now) if mark is not None and mark <= now else None
    if mark is None or due is None:
        return Turn(mark)
    if reason := _give_up(observed, now - due):
        return Turn(timing.after(due), Missed(timing.count(mark, due), due, *reason))
    older = timing.latest(mark, due - cron.SECOND)
    missed = Missed(timing.count(mark, older), older, *_why_older(observed)) if older else None
    actions, wake_after = _start(observed, due, now)
    return Turn(due, missed, actions, wake_after)


def _mark(observed: ObservedSchedule, timing: Cron, now: datetime) -> datetime | None:
    """The first start that is neither made nor given up. It never goes back behind a start that was made."""
    status, last = observed.status, observed.last
    mark = status.next_schedule_time or status.counted_until_time
    if mark is None:
        # Never looked at: since it exists. Looked at, but it could not be followed: from now on.
        mark = timing.after(observed.created if status.observed_generation is None else now)
    elif status.observed_generation != observed.generation:
        # Perhaps another cron expression: what is to come is reckoned anew.
        mark = timing.after(now if mark > now else mark - cron.SECOND)
    return timing.after(last) if mark is not None and last is not None and mark <= last else mark


Why = tuple[str, str]
"""A reason for programs and one for people."""
GiveUp = Callable[[ObservedSchedule, LoadTestScheduleSpec, timedelta], Why | None]


def _suspended(observed: ObservedSchedule, spec: LoadTestScheduleSpec, late: timedelta) -> Why | None:
    return ("Suspended", "spec.suspend is true") if spec.suspend else None


def _too_late(observed: ObservedSchedule, spec: LoadTestScheduleSpec, late: timedelta) -> Why | None:
    limit, seconds = spec.starting_deadline_seconds, int(late.total_seconds())
    if limit is None or seconds <= limit:
        return None
    says = f"{seconds} s late, startingDeadlineSeconds is {limit}; the cause: {_why_older(observed)[1]}"
    return "DeadlineExceeded", says


def _still_running(observed: ObservedSchedule, spec: LoadTestScheduleSpec, late: timedelta) -> Why | None:
    if spec.concurrency_policy is not ConcurrencyPolicy.FORBID or not observed.active:
        return None
    return "StillRunning", f"{observed.active[0].name} had not finished and concurrencyPolicy is Forbid"


def _too_many(observed: ObservedSchedule, spec: LoadTestScheduleSpec, late: timedelta) -> Why | None:
    many = len(observed.active) >= MOST_ACTIVE
    return ("TooManyActive", f"{MOST_ACTIVE} LoadTests of this schedule have not finished") if many else None


def _not_allowed(observed: ObservedSchedule, spec: LoadTestScheduleSpec, late: timedelta) -> Why | None:
    """It would end in Error: that is said here, once, and not by one LoadTest after the other."""
    return ("TargetNotAllowed", "; ".join(observed.refusals)) if observed.refusals else None


GIVE_UP: tuple[GiveUp, ...] = (_suspended, _not_allowed, _too_late, _still_running, _too_many)
"""Why a start that is due is not made: the first that speaks is told."""


def _give_up(observed: ObservedSchedule, late: timedelta) -> Why | None:
    spec = observed.spec
    found = (rule(observed, spec, late) for rule in GIVE_UP) if spec else ()
    return next((reason for reason in found if reason), None)


def _why_older(observed: ObservedSchedule) -> Why:
    """Why starts before the last one are still open."""
    if observed.trouble:
        return "StartRefused", observed.trouble
    if any(child.replaced for child in observed.active):
        return "StillRunning", "the LoadTest to be replaced had not ended"
    return "OperatorAway", "the operator was not running, or its clock was wrong"


def _start(observed: ObservedSchedule, due: datetime, now: datetime) -> tuple[tuple[ScheduleAction, ...], float]:
    """The start, or what must end before it."""
    name = schedule_children.name_of(observed.name, due)
    if _policy(observed) is ConcurrencyPolicy.REPLACE and observed.active:
        return tuple(_replace(observed, name, now)), 1.0
    late = int((now - due).total_seconds())
    says = f"{name}, due {times.whole(due)}" + (f", {late} s late" if late > 60 else "")
    body = schedule_children.manifest(observed.name, observed.namespace, observed.uid, observed.template, due)
    return (StartChild(due, body, says),), RETRY_WAKE if observed.trouble else SHORTEST_WAKE


def _replace(observed: ObservedSchedule, name: str, now: datetime) -> Iterator[ScheduleAction]:
    for child in observed.active:
        if child.replaced is None:
            yield AbortChild(child.name, name)
        elif not child.deleting and now - child.replaced > REPLACE_PATIENCE:
            yield Delete(LOAD_TEST, child.name)


def _policy(observed: ObservedSchedule) -> ConcurrencyPolicy:
    return observed.spec.concurrency_policy if observed.spec else ConcurrencyPolicy.FORBID


def _tidy(observed: ObservedSchedule) -> tuple[Delete, ...]:
    """Finished LoadTests beyond the limits."""
    if observed.spec is None:
        return ()
    gone = schedule_children.past_limits(observed.spec, observed.children)
    return tuple(Delete(LOAD_TEST, child.name) for child in gone)


def _wake_after(observed: ObservedSchedule, turn: Turn, now: datetime) -> float:
    usual = ACTIVE_WAKE if observed.active else LONGEST_WAKE
    due = (turn.mark - now).total_seconds() if turn.mark and turn.mark > now else LONGEST_WAKE
    return max(SHORTEST_WAKE, min(usual, due, turn.wake_after))


def _status(observed: ObservedSchedule, now: datetime, turn: Turn, ready: Condition) -> LoadTestScheduleStatus:
    old, missed = observed.status, turn.missed
    suspended = observed.spec is not None and observed.spec.suspend
    recent = schedule_children.recent(old.recent, observed.children)
    passed = [child.run.completion_time for child in observed.children if child.passed]
    conditions = (ready, _last_run_passed(observed, recent, now), _start_missed(observed, turn, now))
    return LoadTestScheduleStatus(
        observed_generation=observed.generation,
        message=_message(ready, turn, recent),
        last_schedule_time=observed.last,
        next_schedule_time=None if suspended else turn.mark,
        counted_until_time=turn.mark if suspended else None,
        last_successful_time=max((time for time in (old.last_successful_time, *passed) if time), default=None),
        last_run=recent[0] if recent else None,
        missed_starts=old.missed_starts + (missed.count if missed else 0),
        last_missed_time=missed.last if missed else old.last_missed_time,
        active=tuple(RunReference(name=child.name) for child in observed.active[:MOST_ACTIVE]),
        recent=recent,
        conditions=conditions,
    )


def _message(ready: Condition, turn: Turn, recent: tuple[RecentRun, ...]) -> str:
    if ready.status is ConditionStatus.FALSE:
        return ready.message
    last = f"; {recent[0].name}: {recent[0].verdict or 'not finished'}" if recent else ""
    return (turn.missed.sentence if turn.missed else ready.message) + last


def _ready(observed: ObservedSchedule, now: datetime, turn: Turn) -> Condition:
    """Whether the next start will be made."""
    yes, no, last = ConditionStatus.TRUE, ConditionStatus.FALSE, observed.last
    if observed.refusals:
        says = f"no LoadTest is made: {'; '.join(observed.refusals)}"
        return _condition(observed, now, "Ready", no, "TargetNotAllowed", says)
    if observed.trouble and turn.actions:
        says = f"the LoadTest due {_when(turn.mark)} is not made: {observed.trouble}; tried again until the next is due"
        return _condition(observed, now, "Ready", no, "StartRefused", says)
    if last is not None and last > now + CLOCK_TOLERANCE:
        says = f"the clock went back: the last start was at {_when(last)}, nothing is started before that has passed"
        return _condition(observed, now, "Ready", no, "ClockWentBack", says)
    if observed.spec and observed.spec.suspend:
        return _condition(observed, now, "Ready", yes, "Suspended", "spec.suspend is true: no LoadTest is made")
    if turn.mark and turn.mark <= now:
        return _condition(observed, now, "Ready", yes, "Starting", f"the start of {_when(turn.mark)} is being made")
    return _condition(observed, now, "Ready", yes, "Scheduled", f"the next start is due {_when(turn.mark)}")


def _last_run_passed(observed: ObservedSchedule, recent: tuple[RecentRun, ...], now: datetime) -> Condition:
    run = next((run for run in recent if run.verdict), None)
    if run is None or run.verdict is None:
        status, reason, message = ConditionStatus.UNKNOWN, "NoVerdictYet", "no LoadTest has finished yet"
    else:
        status = ConditionStatus.TRUE if run.verdict == "Passed" else ConditionStatus.FALSE
        reason, message = str(run.verdict), f"{run.name}: {run.verdict}"
    return _condition(observed, now, "LastRunPassed", status, reason, message)


def _start_missed(observed: ObservedSchedule, turn: Turn, now: datetime) -> Condition:
    """True while the last start that was due is one that was not made."""
    old, made = observed.status, observed.last
    if turn.missed:
        return _condition(observed, now, "StartMissed", ConditionStatus.TRUE, turn.missed.reason, turn.missed.sentence)
    known = next((condition for condition in old.conditions if condition.type == "StartMissed"), None)
    if known and old.last_missed_time and (made is None or made < old.last_missed_time):
        return known
    total = f"{old.missed_starts} missed so far" if old.missed_starts else "none missed"
    return _condition(observed, now, "StartMissed", ConditionStatus.FALSE, "NoneMissed", total)


def _condition(
    observed: ObservedSchedule, now: datetime, kind: str, status: ConditionStatus, reason: str, message: str
) -> Condition:
    old = next((condition for condition in observed.status.conditions if condition.type == kind), None)
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=old.last_transition_time if old and old.status is status else now.replace(microsecond=0),
        observed_generation=observed.generation,
    )


def _tone(missed: Missed) -> Literal["Normal", "Warning"]:
    return "Normal" if missed.reason == "Suspended" else "Warning"


def _counted(count: int) -> str:
    return f"{count} or more" if count == cron.MOST_COUNTED else str(count)


def _when(moment: datetime | None) -> str:
    return times.whole(moment) if moment else "never"
