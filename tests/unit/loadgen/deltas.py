"""Deltas as workers send them, for the tests of this folder."""

from collections.abc import Sequence
from typing import Any

from loadgen.core.stats.histogram import sparse_of
from loadgen.core.stats.tally import METRIC_INDEX, Tally
from loadgen.model.plan import Metric, Plan
from loadgen.model.wire import Cell, Delta, Pulse


def a_cell(second: int = 0, stage: int = 0, request: int = 0, **counts: Any) -> Cell:
    """A cell; `ms` gives one successful request per value, and more metrics by their name."""
    ms: Sequence[float] = counts.pop("ms", ())
    metrics: dict[Metric, Sequence[float]] = {
        Metric.RESPONSE_TIME: ms,
        Metric.E2E_LATENCY: ms,
        **counts.pop("metrics", {}),
    }
    known = len(ms) + sum(counts.get("errors", {}).values()) + counts.get("dropped", 0) + counts.get("incomplete", 0)
    defaults = {"planned": known, "sent": known - counts.get("dropped", 0), "succeeded": len(ms), "good": len(ms)}
    histograms = {METRIC_INDEX[metric]: micros(values) for metric, values in metrics.items() if len(values)}
    return Cell(second, stage, request, histograms=histograms, **{**defaults, **counts})


def micros(milliseconds: Sequence[float]) -> Any:
    return sparse_of([round(value * 1000) for value in milliseconds])


def a_delta(second: int = 0, *cells: Cell, worker: int = 0, shard: int = 0, **pulse: Any) -> Delta:
    return Delta(worker, shard, second, list(cells), Pulse(**pulse))


def a_tally(plan: Plan, *deltas: Delta) -> Tally:
    tally = Tally(plan)
    for delta in deltas:
        tally.add(delta)
    return tally


def steady(plan: Plan, *, seconds: int | None = None, ms: Sequence[float] = (100,) * 10, **counts: Any) -> Tally:
    """The same every second of the plan, in the stage of that second."""
    ends = [sum(stage.duration_seconds for stage in plan.load.stages[: i + 1]) for i in range(len(plan.load.stages))]
    return a_tally(
        plan,
        *(
            a_delta(at, a_cell(at, next(i for i, end in enumerate(ends) if at < end), ms=ms, **counts))
            for at in range(seconds or plan.load.duration_seconds)
        ),
    )
