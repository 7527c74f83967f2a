"""How far the load is: a function of the plan and the time since second 0."""

from loadgen.model.plan import Plan, Stage


def stage_at(plan: Plan, second: float) -> Stage | None:
    """The stage that this second is in."""
    end = 0
    for stage in plan.load.stages:
        end += stage.duration_seconds
        if 0 <= second < end:
            return stage
    return None


def percent(plan: Plan, second: float) -> int:
    """How much of the load's duration is over."""
    return max(0, min(100, int(100 * second / plan.load.duration_seconds)))
