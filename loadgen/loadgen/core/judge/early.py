"""Stopping a run early is a claim about the target, and so it is made with care.

`beyond_doubt` (abortOnFail) looks at a prefix of the scope: the seconds, from the first on, in which every request has its outcome or has
had its time. Which prefix that is may depend on the answers; the evidence holds for every prefix at once (`core.stats.confidence`). What
is in flight is not counted as bad, nor the newest second, nor a fault's seconds. Means and rates are judged when their time has passed.

`auto_stop` is a brake: too many of the requests of the last seconds, or of as many seconds that have all had their time, have failed.
What is in flight counts as if it would end well there too: fast failures beside slow answers are not alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loadgen.core.judge import guards
from loadgen.core.judge.measures import MEASURES
from loadgen.core.judge.scope import Scope, of_threshold
from loadgen.core.judge.thresholds import NOBODY, judge
from loadgen.model.plan import Severity
from loadgen.model.report import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan, Threshold

FEWEST_FOR_STOP = 10
LATE_SECONDS = 1
"""An arrival may be told of a second late, before it is dropped."""
FOREVER = 1 << 40


def beyond_doubt(
    threshold: Threshold,
    plan: Plan,
    tally: Tally,
    *,
    exclude: Sequence[range] = (),
    limited: Callable[[], Mapping[int, str]] = lambda: NOBODY,
) -> str | None:
    """Why the threshold is violated, as a sentence about the run so far; None while that is open. `limited` says where the generator was
    the limit, and is asked only where the answer matters."""
    if threshold.severity is Severity.WARNING:
        return None
    scope = of_threshold(threshold, plan, tally, exclude)
    known = _known(scope)
    if not _violated(threshold, known, over=len(known.seconds) == len(scope.seconds)):
        return None
    result = judge(threshold, known, limited())  # what stops a run must also fail it when it is judged
    return result.message if result.result is Result.FAILED else None


def _violated(threshold: Threshold, known: Scope, *, over: bool) -> bool:
    """By evidence that may be looked at all the time, or, when its time is over, by the judgement that it gets then."""
    if not known.seconds or guards.first(guards.BEFORE, guards.Question(threshold, known, NOBODY)):
        return False
    return over or MEASURES[threshold.metric].claim(threshold, known).surely_violated()


def _known(scope: Scope) -> Scope:
    """The part of a scope in which nothing more can happen."""
    end = _end(scope)
    return replace(
        scope,
        seconds=tuple(second for second in scope.seconds if second < end),
        without=(*scope.without, range(end, FOREVER)),
        where=f"{scope.where} so far",
    )


def _end(scope: Scope) -> int:
    """The first second of the scope in which something is open."""
    settled, patience = scope.tally.settled - LATE_SECONDS, _patience(scope.plan, scope.requests)
    closed = any(scope.plan.load.stages[index].concurrency for index in scope.places)
    open_ = scope.grid.open
    for place, second in enumerate(scope.seconds):
        timed_out = second + patience + LATE_SECONDS <= settled
        # What a closed stage has in flight is not told before it ends.
        if not timed_out and (closed or second > settled or open_[place]):
            return second
    return FOREVER


def _patience(plan: Plan, requests: Collection[int] | None = None) -> int:
    """Seconds after which every request of these kinds has its outcome."""
    return max(one.timeout_seconds for index, one in enumerate(plan.requests) if requests is None or index in requests)


def auto_stop(plan: Plan, tally: Tally, now_second: int, *, exclude: Sequence[range] = ()) -> str | None:
    """Why the run only hammers a broken target. A window that a fault's seconds (`exclude`) touch says nothing."""
    rule = plan.load.auto_stop
    if rule.disabled:
        return None
    ends = (now_second, now_second - _patience(plan))
    windows = [range(end - rule.window_seconds, end) for end in ends if end >= rule.window_seconds]
    windows = [one for one in windows if not any(max(one.start, it.start) < min(one.stop, it.stop) for it in exclude)]
    return next((why for window in windows if (why := _mostly_failed(plan, tally, window, now_second))), None)


def _mostly_failed(plan: Plan, tally: Tally, window: range, now_second: int) -> str | None:
    scope = Scope(plan, tally, tuple(window), None, None, name="run", where="in the run")
    counts, rule = scope.counts, plan.load.auto_stop
    bad = counts.failed + counts.dropped
    # A closed stage's requests in flight are not told of: they are as many as its slots.
    slots = max(plan.load.stages[index].concurrency or 0 for index in scope.places)
    total = counts.planned + (slots if window.stop == now_second else 0)
    if total < FEWEST_FOR_STOP or 100 * bad < rule.error_percent * total:
        return None
    when = (
        f"the last {rule.window_seconds} s" if window.stop == now_second else f"seconds {window.start} to {window.stop}"
    )
    return (
        f"{bad} of the {counts.planned} requests of {when} failed ({100 * bad / counts.planned:.0f} %{scope.mostly}); "
        f"load.autoStop stops at {rule.error_percent} %"
    )
