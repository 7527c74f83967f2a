"""Which seconds a stage, or a set of stages, covers; and the stages that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.core.schedule import levels

if TYPE_CHECKING:
    from collections.abc import Collection

    from loadgen.model.plan import Plan


def counted_stages(plan: Plan) -> set[int]:
    """Every stage that is not warmup; all of them when there is nothing else."""
    counted = {index for index, stage in enumerate(plan.load.stages) if not stage.warmup}
    return counted or set(range(len(plan.load.stages)))


def seconds_of(plan: Plan, stages: Collection[int] | None) -> list[int]:
    """The seconds of these stages (of all: None), ascending."""
    return [at for span in levels.spans(plan) if stages is None or span.index in stages for at in span.seconds]


def stage_at(plan: Plan, second: int) -> int:
    """The stage of a second; the last one's for what comes after."""
    for span in levels.spans(plan):
        if second < span.end:
            return span.index
    return len(plan.load.stages) - 1
