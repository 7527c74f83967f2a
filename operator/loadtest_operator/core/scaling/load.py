"""The load as the autoscaler meets it: when it rises, when it falls, read off the plan.

A load step is a rise in offered load. Requests started per second and requests in flight cannot be compared: where
a stage changes from one to the other, that is a step of its own kind, a rise or not. Ramps begin where they begin
to rise. A warm-up's own beginning is no step; the beginning of the load is one if nothing rises after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadgen.model.plan import Plan, Stage


@dataclass(frozen=True, slots=True)
class Step:
    """The load rises, or changes its kind."""

    second: int
    """Since the load's start."""
    stage: str
    comparable: bool = True
    """Whether it is certain to be a rise."""
    first: bool = False
    """The load begins."""
    says: str = ""


def level(stage: Stage) -> float:
    return float(stage.arrival_rate if stage.arrival_rate is not None else stage.concurrency or 0)


def steps(plan: Plan) -> tuple[Step, ...]:
    """Every one, in order; the load's beginning too."""
    stages = plan.load.stages
    begins = [Step(0, stages[0].name, first=True, says=_says(None, stages[0]))] if level(stages[0]) else []
    for before, (second, stage) in zip(stages, _starts(stages)[1:], strict=False):
        if _closed(before) != _closed(stage) and level(stage):
            begins.append(Step(second, stage.name, comparable=False, says=_says(before, stage)))
        elif level(stage) > level(before):
            begins.append(Step(second, stage.name, says=_says(before, stage)))
    return tuple(begins)


def falls(plan: Plan) -> tuple[int, ...]:
    """Seconds at which the load falls; its end is one."""
    stages = plan.load.stages
    found = [
        second
        for before, (second, stage) in zip(stages, _starts(stages)[1:], strict=False)
        if (_closed(before) == _closed(stage) or not level(stage)) and level(stage) < level(before)
    ]
    return (*found, plan.load.duration_seconds)


def step_to(plan: Plan, stage: str) -> Step | None:
    """The step that led to this stage's load: its own, or that of stages before it with the same load (a ramp, say).
    Nothing where the stage has less load than the one before."""
    names = [found.name for found in plan.load.stages]
    begins = {step.stage: step for step in steps(plan)}
    for place in range(names.index(stage), -1, -1):
        if (step := begins.get(names[place])) is not None:
            return step
        if place and level(plan.load.stages[place]) < level(plan.load.stages[place - 1]):
            return None
    return None


def judged_steps(plan: Plan) -> tuple[Step, ...]:
    """Those that ask for a reaction: all but the load's beginning, unless it is the only one."""
    found = steps(plan)
    return tuple(step for step in found if not step.first) or found


def until_next(found: Sequence[Step], step: Step, end: float) -> float:
    """Seconds at which the next step comes."""
    return next((later.second for earlier, later in pairwise(found) if earlier == step), end)


def _starts(stages: Sequence[Stage]) -> list[tuple[int, Stage]]:
    found, second = [], 0
    for stage in stages:
        found.append((second, stage))
        second += stage.duration_seconds
    return found


def _closed(stage: Stage) -> bool:
    return stage.concurrency is not None


def _says(before: Stage | None, stage: Stage) -> str:
    return f"{_amount(before) if before else 'nothing'} → {_amount(stage)}"


def _amount(stage: Stage) -> str:
    return f"{level(stage):g} {'in flight' if _closed(stage) else 'requests/s'}"
