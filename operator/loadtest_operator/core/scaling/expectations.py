"""Each expectation about the autoscaler, judged in its own scope: Passed, Failed, or Unknown with the reason why.

What was true by the deadline decides, not what was seen last. `scaleUp` and `scaleDown` want something to *become* true
within their time: what was true already proves nothing (`guards`). An expectation with a deadline is decided as soon
as it is met or the deadline has passed; one over the whole run only at its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import Expectation, Flapping, ScaleDown, ScaleUp
from loadtest_operator.api.outcome import ExpectationStatus
from loadtest_operator.core.scaling import causes, guards, load, spans
from loadtest_operator.core.scaling.reactions import reaction_time
from loadtest_operator.core.scaling.spans import Crossing, Filler, Question, Span
from loadtest_operator.core.scaling.timeline import Sample, directions
from loadtest_operator.core.scaling.view import Finding, View


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that has to become true in time."""

    stage: str
    within: int
    begin: datetime
    """From when on it may: the load step that led to the stage."""
    holds: Question
    fill: Filler
    amount: Callable[[Sample], int | None]
    wanted: str


def judge(expectation: Expectation, view: View) -> ExpectationStatus:
    """One expectation, with the cause where it was not met."""
    field = next(name for name in JUDGES if getattr(expectation, name) is not None)
    finding = guards.guarded(field, expectation, JUDGES[field](getattr(expectation, field), view), view)
    cause = causes.of(causes.Case(view, finding, *_goal(expectation)))
    return ExpectationStatus(
        name=expectation.name,
        result=finding.result,
        observed=finding.observed,
        wanted=finding.wanted,
        cause=cause.cause if cause else None,
        message=_sentence(expectation.name, finding, cause),
    )


def _sentence(name: str, finding: Finding, cause: causes.Found | None) -> str:
    because = f" ({finding.why})" if finding.why else ""
    explained = f"; {cause.says}" if cause and cause.says else ""
    return f"{name}: {finding.observed}, wanted {finding.wanted}{because}{explained}"


def _goal(expectation: Expectation) -> tuple[causes.Direction, int | None]:
    if expectation.scale_up:
        return causes.Direction.UP, expectation.scale_up.to_at_least
    if expectation.scale_down:
        return causes.Direction.DOWN, expectation.scale_down.to_at_most
    return (causes.Direction.UP if expectation.reaction_time else causes.Direction.NONE), None


def _scale_up(up: ScaleUp, view: View) -> Finding:
    step = load.step_to(view.spec, up.from_stage)
    return _in_time(
        view,
        Goal(
            stage=up.from_stage,
            within=up.within_seconds,
            begin=view.moment(step.second) if step else view.stage_start(up.from_stage),
            holds=lambda sample: sample.serving >= up.to_at_least,
            fill=spans.ready_in(up.to_at_least),
            amount=lambda sample: sample.serving,
            wanted=f"at least {up.to_at_least} within {up.within_seconds} s from stage {up.from_stage}",
        ),
    )


def _scale_down(down: ScaleDown, view: View) -> Finding:
    """By what is asked for, not by who is ready: a pod that turns unready is not scaled away."""
    return _in_time(
        view,
        Goal(
            stage=down.from_stage,
            within=down.within_seconds,
            begin=view.stage_start(down.from_stage),
            holds=lambda sample: _is_down(sample, down.to_at_most),
            fill=spans.scaled_in,
            amount=lambda sample: max(sample.levels, default=None),
            wanted=f"at most {down.to_at_most} within {down.within_seconds} s from stage {down.from_stage}",
        ),
    )


def _is_down(sample: Sample, most: int) -> bool | None:
    """The workload and its autoscaler agree; where only the autoscaler wants more, nobody knows who prevails."""
    if sample.replicas is None:
        return None
    if sample.replicas > most:
        return False
    return True if sample.wanted is None or sample.wanted <= most else None


def _in_time(view: View, goal: Goal) -> Finding:
    stage = view.stage_start(goal.stage)
    deadline = stage + timedelta(seconds=goal.within)
    blank = Finding(Result.UNKNOWN, "stage not reached", goal.wanted, goal.begin, deadline)
    if view.started is None or view.until < stage:
        why = "the run ended before the stage began" if view.ended and view.started else ""
        return replace(blank, open=not view.ended, why=why)
    found = spans.spans(view.timeline, goal.holds, goal.fill)
    crossed = spans.crossing(spans.within(found, goal.begin, deadline))
    if crossed.value and crossed.by is not None:
        return replace(blank, result=Result.PASSED, observed=_met(view, goal, crossed.by, deadline), met=crossed.by)
    if crossed.doubt is not None:
        return _undecided(view, goal, blank, crossed, crossed.doubt)
    observed = _at_deadline(view, goal, deadline)
    if not crossed.was_false:
        return replace(blank, observed=observed, why=f"{ALREADY}: not caused by the load", met=goal.begin)
    later = spans.crossing(spans.within(found, goal.begin, view.until))
    late = ((later.after if later.value else None) or view.until) - deadline
    return replace(blank, result=Result.FAILED, observed=observed, late=late.total_seconds())


ALREADY: Final = "it was so before the load step and stayed so"


def _undecided(view: View, goal: Goal, blank: Finding, crossed: Crossing, doubt: Span) -> Finding:
    still_open = not view.ended and view.until < blank.end
    count = _replicas(_amount(view, goal, min(view.until, blank.end)))
    said = f"{count} {'so far' if not view.ended else 'when last seen in time'}"
    if still_open:
        return replace(blank, observed=said, open=True)
    return replace(blank, observed=said, why=view.describe(doubt))


def _met(view: View, goal: Goal, moment: datetime, deadline: datetime) -> str:
    seconds = (moment - view.stage_start(goal.stage)).total_seconds()
    when = f"after {seconds:.0f} s" if seconds >= 0 else f"{-seconds:.0f} s before the stage began"
    # The objects' own times may tell of an earlier moment than the sample that shows it.
    shown = next(sample for sample in view.timeline.samples if sample.time >= moment and goal.holds(sample))
    last = view.sample_at(deadline)
    lost = last is not None and view.until >= deadline and goal.holds(last) is False and last.time > shown.time
    later = f" ({_replicas(goal.amount(last))} at the deadline)" if lost and last else ""
    return f"{_replicas(goal.amount(shown))} {when}{later}"


def _at_deadline(view: View, goal: Goal, deadline: datetime) -> str:
    return f"{_replicas(_amount(view, goal, deadline))} after {goal.within} s"


def _amount(view: View, goal: Goal, moment: datetime) -> int | None:
    sample = view.sample_at(moment)
    return goal.amount(sample) if sample else None


def _replicas(count: int | None) -> str:
    return "an unknown number of replicas" if count is None else f"{count} replica{'' if count == 1 else 's'}"


def _flapping(flapping: Flapping, view: View) -> Finding:
    """By the autoscaler's wish and by the workload's replicas: the one that turned more often."""
    most, seen = flapping.max_direction_changes, view.seen
    turns = _turns(seen)
    said = f"{turns} change{'' if turns == 1 else 's'} of direction"
    wanted = f"at most {most} change{'' if most == 1 else 's'} of direction"
    finding = Finding(Result.FAILED, said, wanted, view.start, view.until)
    # What changed around the load's start may have changed before it, and what shrinks first was left by earlier load.
    certain = seen[1:] if len(seen) > 1 and seen[1].before <= view.start else seen
    at_least = _turns(certain, since_first_rise=True)
    if at_least > most and view.started:
        return finding
    if not view.ended or view.started is None:
        return replace(finding, result=Result.UNKNOWN, open=not view.ended)
    if turns > most:
        why = "what it did first may be due to what was there before the load: start when the autoscaler is at rest"
        return replace(finding, result=Result.UNKNOWN, why=why)
    if doubt := _unseen_turns(view):
        return replace(finding, result=Result.UNKNOWN, why=view.describe(doubt))
    return replace(finding, result=Result.PASSED, met=view.until)


def _turns(seen: Sequence[Sample], *, since_first_rise: bool = False) -> int:
    wanted = [sample.wanted for sample in seen if sample.wanted is not None]
    replicas = [sample.replicas for sample in seen if sample.replicas is not None]
    return max(directions(_risen(levels) if since_first_rise else levels) for levels in (wanted, replicas))


def _risen(levels: Sequence[int]) -> Sequence[int]:
    """From where they first rise."""
    return levels[next((place for place, (low, high) in enumerate(pairwise(levels)) if high > low), 0) :]


def _unseen_turns(view: View) -> Span | None:
    """A stretch in which it may have turned: any gap, unless the autoscaler's own time says that it decided nothing."""
    found = spans.spans(view.timeline, lambda sample: bool(sample.levels), spans.scaled_in)
    return next((span for span in spans.within(found, view.start, view.until) if span.value is not True), None)


JUDGES: Final[dict[str, Callable[..., Finding]]] = {
    "scale_up": _scale_up,
    "scale_down": _scale_down,
    "reaction_time": reaction_time,
    "flapping": _flapping,
}
"""One function a kind of expectation. A kind without one is an error when this is imported."""

if missing := (set(Expectation.model_fields) - {"name"}) ^ JUDGES.keys():
    raise TypeError(f"expectations without a judge, or judges without an expectation: {sorted(missing)}")
if missing := JUDGES.keys() ^ guards.GUARDS.keys():
    raise TypeError(f"expectations without guards, or guards without an expectation: {sorted(missing)}")
