"""When users were well again after a fault, when it could first be noticed, and what it cost.

Users are well in five seconds in which no threshold of severity Error is violated, and well again at the beginning of the first
three such windows on end after the fault has gone: pods that are Ready say nothing of that. Windows are so short that
values count as observed (`decision: Point`); where one cannot be judged, the recovery is not known. Seconds of another fault say
nothing of this one's recovery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loadgen.core.judge import thresholds
from loadgen.core.judge.scope import of_threshold, of_window
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Decision, Metric, Operator, Plan, Severity, Threshold
from loadgen.model.report import Result
from loadtest_operator.api.faults import WELL_SECONDS, Fault
from loadtest_operator.api.outcome import RecoveryStatus

WINDOW = 5
LONGEST_LOOK = 300
"""Seconds in which a recovery, or the first sign of a fault, is looked for where nobody says how long it may take."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to judge a fault's consequences from. Seconds are the load's."""

    plan: Plan
    tally: Tally
    limited: Mapping[int, str]
    """Stages in which the generator was the limit, and why."""
    window: range
    """In which the fault was in force."""
    others: Sequence[range] = ()
    """Windows of the other faults."""

    def state(self, second: int) -> tuple[Result, str]:
        """How users were in the window that begins there, and a sentence for what was not well."""
        seconds = range(second, second + WINDOW)
        results = [self._judged(one, seconds) for one in _asked(self.plan) if _is_asked_in(one, self.plan, seconds)]
        for wanted in (Result.FAILED, Result.UNKNOWN):
            if found := [said for result, said in results if result is wanted]:
                return wanted, found[0]
        return Result.PASSED, ""

    def _judged(self, threshold: Threshold, seconds: range) -> tuple[Result, str]:
        asked = of_threshold(threshold, self.plan, self.tally, ())
        scope = replace(of_window(self.plan, self.tally, seconds), requests=asked.requests)
        found = thresholds.judge(threshold, scope, self.limited)
        return found.result, found.message


def _asked(plan: Plan) -> list[Threshold]:
    every = (one for one in thresholds.effective(plan) if one.severity is Severity.ERROR)
    return [one.model_copy(update={"decision": Decision.POINT}) for one in every]


def _is_asked_in(threshold: Threshold, plan: Plan, seconds: range) -> bool:
    """One of some stages says nothing of others."""
    if not threshold.stages:
        return True
    begin, inside = 0, set[int]()
    for stage in plan.load.stages:
        if stage.name in threshold.stages:
            inside |= set(range(begin, begin + stage.duration_seconds))
        begin += stage.duration_seconds
    return inside.issuperset(seconds)


@dataclass(frozen=True, slots=True)
class Found:
    """The second in which users were well again, or why that is not known."""

    result: Result
    second: int | None = None
    why: str = ""


def well_again(sight: Sight, within: int) -> Found:
    """Failed: not within so many seconds after the fault has gone."""
    end, why = sight.window.stop, ""
    for second in range(end, end + within + 1):
        if open_ := _cannot_tell(sight, second):
            return Found(Result.UNKNOWN, why=open_)
        states = [sight.state(second + WINDOW * turn) for turn in range(WELL_SECONDS // WINDOW)]
        if all(result is Result.PASSED for result, _ in states):
            return Found(Result.PASSED, second)
        failed = [said for result, said in states if result is Result.FAILED]
        if not failed:
            return Found(Result.UNKNOWN, why=next(said for result, said in states if result is Result.UNKNOWN))
        why = failed[-1]
    return Found(Result.FAILED, why=why)


def _cannot_tell(sight: Sight, second: int) -> str:
    needed = range(second, second + WELL_SECONDS)
    offered = min(sight.plan.load.duration_seconds, sight.tally.last_second + 1)
    if needed.stop > offered:
        return (
            f"the load ended {max(0, offered - sight.window.stop)} s after the fault, before users were seen to be well"
        )
    if any(other.start < needed.stop and needed.start < other.stop for other in sight.others):
        return f"another fault was in force {max(0, second - sight.window.stop)} s after this one had gone"
    return ""


def noticed(sight: Sight) -> int | None:
    """Seconds from the fault's coming to the end of the first window in which users were not well; None: not noticed."""
    first, most = sight.window.start, min(len(sight.window), LONGEST_LOOK)
    bad = (second for second in range(first, first + most) if sight.state(second)[0] is Result.FAILED)
    return next((second + WINDOW - first for second in bad), None)


def failed_in(tally: Tally, seconds: range) -> int:
    return tally.select(frozenset(seconds)).counts.failed if seconds else 0


def budget(plan: Plan, tally: Tally, failed: int) -> float | None:
    """Percent of the failures that the whole run may have, by the tightest bound on errors that is about all of it."""
    upper = (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
    bounds = [
        one.value
        for one in _asked(plan)
        if one.metric is Metric.ERROR_PERCENT and one.operator in upper and not one.request and not one.stages
    ]
    allowed = float(min(bounds)) / 100 * tally.select().counts.planned if bounds else 0.0
    return 100 * failed / allowed if allowed else None


def judged(fault: Fault, sight: Sight) -> RecoveryStatus:
    """Figures always; a result where `recoverWithinSeconds` asks for one."""
    window, within = sight.window, fault.recover_within_seconds
    found = well_again(sight, within or LONGEST_LOOK)
    end = window.stop if found.second is None else found.second
    failed = failed_in(sight.tally, range(window.start, end))
    before = failed_in(sight.tally, range(max(0, 2 * window.start - end), window.start))
    burnt = budget(sight.plan, sight.tally, failed)
    seconds = None if found.second is None else found.second - window.stop
    return RecoveryStatus(
        result=found.result if within else None,
        seconds=seconds,
        noticed_seconds=noticed(sight),
        requests_failed=failed,
        requests_failed_before=before,
        error_budget_percent=None if burnt is None else f"{burnt:.1f}",
        message=_said(found, seconds, within, failed, before),
    )


def _said(found: Found, seconds: int | None, within: int | None, failed: int, before: int) -> str:
    asked = f", wanted within {within} s" if within else ""
    if found.result is Result.PASSED:
        how = f"users were well again {seconds} s after it had gone{asked}"
    elif found.result is Result.FAILED:
        how = f"users were not well again {within or LONGEST_LOOK} s after it had gone{asked} ({found.why})"
    else:
        how = f"whether users were well again is not known{asked}: {found.why}"
    return f"{how}; {failed} requests failed from its coming to then, {before} in as many seconds before"
