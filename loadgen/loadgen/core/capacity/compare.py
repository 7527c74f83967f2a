"""Before and after: is it worse, better, the same within a margin, or not known?

First what forbids any answer (`GUARDS`): the same run on both sides, runs that measured nothing or not well, another
plan, another volume. Then each stage × request by each figure: the interval of the difference, against the margin δ.
Worse lies wholly beyond δ, Better wholly beyond −δ, Equivalent wholly within ±δ; all else is Undecided, with the reason.

Runs alternate (A B B A …, six pairs or more): pairs, so that what the machine does over the hours falls out. Several
runs a side otherwise: Welch's t over the runs, never narrower than the pooled histograms' interval. One run a side: the
histograms' interval alone, which does not know how much two runs of the same thing differ; the answer says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from loadgen.core.capacity.figures import NotMeasuredError, Scale, figures
from loadgen.core.capacity.guards import refuse
from loadgen.core.capacity.intervals import FEWEST_PAIRS, Interval, mover, signed_rank, welch
from loadgen.core.schedule.spans import counted_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadgen.core.capacity.figures import Figure
    from loadgen.model.record import Group
    from loadgen.model.report import Report

    Runs = Sequence[Report]

RESOLUTION = 0.001
"""A bin's width as a share of its value: closer than that is equal."""
ERROR_MARGIN = 1.0
"""Percentage points by which a share of errors may differ."""
SUSPICIOUS = 50.0
"""Percent (or points) of improvement that is checked before it is believed."""
ANSWERED = 0.05


class Answer(StrEnum):
    """The answer of one figure, and of all."""

    WORSE = "Worse"
    UNDECIDED = "Undecided"
    BETTER = "Better"
    EQUIVALENT = "Equivalent"


class Method(StrEnum):
    """How runs were set against each other."""

    PAIRS = "interleaved pairs (Hodges–Lehmann, exact signed-rank interval)"
    RUNS = "runs (Welch's t, no narrower than the histograms' interval); not in turns, so a drift of the machine counts"
    POOLED = "one run a side (order statistics): what two runs of the same thing differ by is not in the interval"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one stage × request."""

    scope: str
    figure: Figure
    answer: Answer
    before: float | None = None
    after: float | None = None
    change: Interval | None = None
    """Percent of before, or percentage points."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer, its reason, and what it rests on."""

    answer: Answer
    message: str
    method: Method | None = None
    margin_percent: float = 0.0
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """One figure of one stage × request, on both sides."""

    scope: str
    figure: Figure
    before: Sequence[Group]
    after: Sequence[Group]
    method: Method
    margin: float


def compare(before: Runs, after: Runs, margin_percent: float) -> Comparison:
    """Runs of before against runs of after. `margin_percent` is what may change without mattering."""
    why = refuse(before, after)
    if why is not None:
        return Comparison(Answer.UNDECIDED, why, margin_percent=margin_percent)
    ordered = in_turns(before, after)
    method = Method.PAIRS if ordered else Method.RUNS if min(len(before), len(after)) > 1 else Method.POOLED
    sides = ordered or (before, after)
    rows = tuple(_row(case) for case in _cases(*sides, method, margin_percent))
    answer, message = _combined(rows)
    return Comparison(answer, message, method, margin_percent, rows)


def in_turns(before: Runs, after: Runs) -> tuple[Runs, Runs] | None:
    """Both sides in the order of their pairs, where of every two runs in a row one is before and one after."""
    if len(before) != len(after) or len(before) < FEWEST_PAIRS:
        return None
    times = [(datetime.fromisoformat(run.start_time), side, run) for side in (0, 1) for run in (before, after)[side]]
    times.sort(key=lambda one: one[:2])
    pairs = [sorted(times[at : at + 2], key=lambda one: one[1]) for at in range(0, len(times), 2)]
    if any([one[1] for one in pair] != [0, 1] for pair in pairs):
        return None
    return [pair[0][2] for pair in pairs], [pair[1][2] for pair in pairs]


def _cases(before: Runs, after: Runs, method: Method, margin: float) -> Sequence[_Case]:
    plan = before[0].plan
    stages = [plan.load.stages[index] for index in sorted(counted_stages(plan))]
    found = []
    for stage in stages:
        for request in plan.requests:
            old, new = (_groups(runs, stage.name, request.name) for runs in (before, after))
            scope = f"{stage.name} · {request.name}"
            found += [
                _Case(scope, figure, old, new, method, ERROR_MARGIN if figure.scale is Scale.POINTS else margin)
                for figure in figures([*old, *new], closed=stage.concurrency is not None)
            ]
    return found


def _groups(runs: Runs, stage: str, request: str) -> list[Group]:
    return [group for run in runs for group in run.record if (group.stage, group.request) == (stage, request)]


def _row(case: _Case) -> Row:
    try:
        before, after = case.figure.value(case.before), case.figure.value(case.after)
        change = DIFFERENCES[case.method](case)
    except NotMeasuredError as error:
        return Row(case.scope, case.figure, Answer.UNDECIDED, why=str(error))
    answer, why = next(found for rule in ROW_RULES if (found := rule(case, change)))
    return Row(case.scope, case.figure, answer, before, after, change, why)


def _to(scale: Scale, value: float) -> float:
    """On the scale where a difference is what is said."""
    return math.log(value) if scale is Scale.RATIO else value


def _back(scale: Scale, difference: Interval) -> Interval:
    return difference.mapped(lambda end: 100 * math.expm1(end) if scale is Scale.RATIO else end)


def _pooled(case: _Case) -> Interval:
    scale = case.figure.scale
    before, after = (
        case.figure.measure(side).mapped(lambda end: _to(scale, end)) for side in (case.before, case.after)
    )
    return _back(scale, mover(before, after))


def _each(case: _Case) -> tuple[list[float], list[float]]:
    """Every run's figure by itself."""
    sides = (case.before, case.after)
    before, after = ([_to(case.figure.scale, case.figure.value([group])) for group in side] for side in sides)
    return before, after


def _by_runs(case: _Case) -> Interval:
    found = welch(*_each(case))
    if found is None:
        raise NotMeasuredError("fewer than two runs of a side came to this stage")
    return _pooled(case).hull(_back(case.figure.scale, found))


def _by_pairs(case: _Case) -> Interval:
    before, after = _each(case)
    differences = [b - a for a, b in zip(before, after, strict=False)]
    found = signed_rank(differences) if len(before) == len(after) else None
    if found is None:
        raise NotMeasuredError(f"fewer than {FEWEST_PAIRS} whole pairs came to this stage")
    return _back(case.figure.scale, found)


DIFFERENCES: dict[Method, Callable[[_Case], Interval]] = {
    Method.PAIRS: _by_pairs,
    Method.RUNS: _by_runs,
    Method.POOLED: _pooled,
}
Found = tuple[Answer, str]


def survivors(case: _Case, change: Interval) -> Found | None:
    """Latencies are those of answers: where one side answered fewer, its slow ones may be what is missing."""
    shares = [_answered(side) for side in (case.before, case.after)]
    if not case.figure.of_answers or abs(shares[0] - shares[1]) <= ANSWERED + 1e-9:
        return None
    return Answer.UNDECIDED, f"{100 * shares[0]:.0f} % were answered before and {100 * shares[1]:.0f} % after"


def _answered(groups: Sequence[Group]) -> float:
    planned = sum(sum(group.slots.planned) for group in groups)
    return sum(sum(group.slots.succeeded) for group in groups) / planned if planned else 0.0


def too_good(case: _Case, change: Interval) -> Found | None:
    improvement = -change.estimate if case.figure.lower_is_better else change.estimate
    if improvement < SUSPICIOUS:
        return None
    return Answer.UNDECIDED, (
        f"{improvement:.0f} % better is more than a change usually brings: check that the target still did the same "
        "work (cache, shorter answers, another model)"
    )


def within(case: _Case, change: Interval) -> Found | None:
    margin = max(case.margin, 100 * RESOLUTION)
    return (Answer.EQUIVALENT, "") if -margin <= change.low and change.high <= margin else None


def beyond(case: _Case, change: Interval) -> Found | None:
    margin = max(case.margin, 100 * RESOLUTION)
    more, less = change.low > margin, change.high < -margin
    if not (more or less):
        return None
    return (Answer.WORSE if more is case.figure.lower_is_better else Answer.BETTER), ""


def noisy(case: _Case, change: Interval) -> Found | None:
    noise = (change.high - change.low) / 2
    if noise <= case.margin:
        return None
    unit = _unit(case.figure)
    return (
        Answer.UNDECIDED,
        f"noise {noise:.2g} {unit} > margin {case.margin:g} {unit}: {more_data(noise, case.margin)}",
    )


def astride(case: _Case, change: Interval) -> Found:
    return Answer.UNDECIDED, (
        f"between {change.low:+.2g} and {change.high:+.2g}, astride the margin of {case.margin:g}: measure longer, or ask "
        "whether the margin is what matters"
    )


ROW_RULES: tuple[Callable[[_Case, Interval], Found | None], ...] = (survivors, too_good, within, beyond, noisy, astride)


def more_data(noise: float, margin: float) -> str:
    """Intervals shrink with the root of the sample."""
    if not margin:
        return "with a margin of 0 only equal values are equivalent"
    return f"about {math.ceil((noise / margin) ** 2)} × the data would do"


def _combined(rows: Sequence[Row]) -> tuple[Answer, str]:
    """Worse › Undecided › Better › Equivalent: a doubt beside something worse changes nothing about it."""
    order = list(Answer)
    if not rows:
        return Answer.UNDECIDED, "the runs share no stage that counts"
    worst = min(rows, key=lambda row: order.index(row.answer))
    same = [row for row in rows if row.answer is worst.answer]
    if worst.answer is Answer.EQUIVALENT:
        return worst.answer, f"all {len(rows)} figures are within the margin"
    named = "; ".join(sentence(row) for row in same[:3]) + (f"; and {len(same) - 3} more" if len(same) > 3 else "")
    return worst.answer, named


def sentence(row: Row) -> str:
    """What a row says, for the person on call."""
    said = f"{row.figure.name} of {row.scope}"
    if row.change is None or row.before is None or row.after is None:
        return f"{said}: {row.why}"
    unit, change = _unit(row.figure), row.change
    moved = (
        f"{said} went from {row.before:.4g} to {row.after:.4g} {row.figure.unit} "
        f"({change.estimate:+.2g} {unit}, 95 % interval {change.low:+.2g} to {change.high:+.2g})"
    )
    return f"{moved}: {row.why}" if row.why else moved


def _unit(figure: Figure) -> str:
    return "%" if figure.scale is Scale.RATIO else "points"
