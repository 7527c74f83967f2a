"""Each expectation about the autoscaler, judged: Passed, Failed, or Unknown with the reason why it cannot be told.

Unknown comes before anything else where there was no autoscaler, or it never had a metric during the load:
replicas that moved by another hand prove nothing. An expectation with a deadline is decided as soon as it is met
or the deadline has passed; one over the whole run only at its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import Expectation
from loadtest_operator.api.outcome import ExpectationStatus, ScaleUpStatus
from loadtest_operator.core.common import times
from loadtest_operator.core.scaling.timeline import Change, Timeline, directions

# A change is seen at the next tick, so the end of a deadline is judged that much later.
TICK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class View:
    """What expectations are judged by."""

    timeline: Timeline
    stage_start: Callable[[str], datetime]
    started: datetime | None
    now: datetime
    ended: bool
    reactions: tuple[ScaleUpStatus, ...] = ()
    """The first scale-up after each load step."""

    @property
    def seen(self) -> tuple[Change, ...]:
        return self.timeline.from_moment(self.started or self.now)


@dataclass(frozen=True, slots=True)
class Finding:
    """A result in words, without the name."""

    result: Result
    observed: str
    wanted: str


def judge(expectation: Expectation, view: View) -> ExpectationStatus:
    """One expectation."""
    finding = _judge(expectation, view)
    blind = _blind(view, finding)
    result = Result.UNKNOWN if blind else finding.result
    because = f" ({blind})" if blind else ""
    return ExpectationStatus(
        name=expectation.name,
        result=result,
        observed=finding.observed,
        wanted=finding.wanted,
        message=f"{expectation.name}: {finding.observed}, wanted {finding.wanted}{because}",
    )


def _blind(view: View, finding: Finding) -> str:
    """Why nothing the replicas did can be put down to the autoscaler."""
    if not view.timeline.autoscaler:
        return "no autoscaler scales the target" if view.timeline.since else "the target was not observed"
    active = [change.active for change in view.seen]
    if view.started and not any(active):
        return f"the autoscaler never had a metric: {view.timeline.inactive_because}"
    if finding.result is Result.FAILED and active and active[-1] is False:
        return f"the autoscaler lost its metric: {view.timeline.inactive_because}"
    return ""


def _judge(expectation: Expectation, view: View) -> Finding:
    if expectation.scale_up is not None:
        up = expectation.scale_up
        wanted = f"at least {up.to_at_least} within {up.within_seconds} s from stage {up.from_stage}"
        return _in_time(view, up.from_stage, up.within_seconds, lambda ready: ready >= up.to_at_least, wanted)
    if expectation.scale_down is not None:
        down = expectation.scale_down
        wanted = f"at most {down.to_at_most} within {down.within_seconds} s from stage {down.from_stage}"
        return _in_time(view, down.from_stage, down.within_seconds, lambda ready: ready <= down.to_at_most, wanted)
    if expectation.reaction_time is not None:
        return _reaction_time(view, expectation.reaction_time.max_seconds)
    return _flapping(view, expectation.flapping.max_direction_changes if expectation.flapping else 0)


def _in_time(view: View, stage: str, within: int, met: Callable[[int], bool], wanted: str) -> Finding:
    start = view.stage_start(stage)
    deadline = start + timedelta(seconds=within)
    if view.started is None or view.now < start:
        return Finding(Result.UNKNOWN, "stage not reached", wanted)
    for change in view.timeline.from_moment(start):
        if met(change.ready) and change.time <= deadline + TICK:
            seconds = max(0.0, (change.time - start).total_seconds())
            return Finding(Result.PASSED, f"{_replicas(change.ready)} after {seconds:.0f} s", wanted)
    ready = view.seen[-1].ready if view.seen else 0
    if view.now > deadline + TICK:
        return Finding(Result.FAILED, f"{_replicas(ready)} after {within} s", wanted)
    over = "when the run ended" if view.ended else "so far"
    return Finding(Result.UNKNOWN, f"{_replicas(ready)} {over}", wanted)


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _reaction_time(view: View, most: int) -> Finding:
    wanted = f"at most {most} s from load step to a new replica serving"
    if not view.reactions:
        return Finding(Result.UNKNOWN, "no scale-up", wanted)
    known = [(seconds, up) for up in view.reactions if (seconds := _reaction(up)) is not None]
    if not known:
        return Finding(Result.UNKNOWN, "no new replica served", wanted)
    slowest, up = max(known, key=lambda pair: pair[0])
    said = f"{slowest:.0f} s ({up.from_replicas} → {up.to_replicas} replicas)"
    if slowest > most:
        return Finding(Result.FAILED, said, wanted)
    return Finding(Result.PASSED if view.ended else Result.UNKNOWN, said if view.ended else f"{said} so far", wanted)


def _reaction(up: ScaleUpStatus) -> float | None:
    """Seconds from load step to serving; nothing where no new pod served."""
    return times.seconds_between(up.load_step_time, up.serving_time)


def _flapping(view: View, most: int) -> Finding:
    turns = directions(change.desired for change in view.seen if change.desired is not None)
    wanted = f"at most {most} changes of direction"
    if turns > most:
        return Finding(Result.FAILED, f"{turns} changes of direction", wanted)
    return Finding(Result.PASSED if view.ended else Result.UNKNOWN, f"{turns} changes of direction", wanted)
