"""Where a thing is asked for: stages × kind of request × seconds, without warm-up and without the seconds of faults.

Everything about a threshold is judged over this one set: its figure, its sample, what is unanswered, whether the generator was well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from loadgen.core.schedule.spans import counted_stages, seconds_of, stage_at
from loadgen.core.stats import lags
from loadgen.core.stats.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadgen.core.stats.histogram import Histogram
    from loadgen.core.stats.tally import Counters, Selection, Tally
    from loadgen.model.plan import Plan, Threshold


@dataclass(frozen=True)
class Scope:
    """The requests that a figure is about."""

    plan: Plan
    tally: Tally
    seconds: tuple[int, ...]
    """Ascending; those of the plan, whether or not they have come."""
    stages: frozenset[int] | None
    """None: whatever was intended in the seconds."""
    requests: frozenset[int] | None
    name: str
    """For tables: `peak+crowd`, or `run`."""
    where: str
    """For sentences: `in stages peak + crowd for request chat`."""
    without: tuple[range, ...] = ()
    """Seconds of faults."""

    @cached_property
    def grid(self) -> Grid:
        """All kinds of requests that are asked about."""
        return self._grid(self.requests)

    @cached_property
    def streamed(self) -> Grid:
        """Of them, those whose answers come in pieces."""
        return self._grid(self.streams)

    @property
    def streams(self) -> frozenset[int]:
        """Kinds whose answers come in pieces."""
        kinds = (index for index, request in enumerate(self.plan.requests) if request.streams)
        return frozenset(index for index in kinds if self.requests is None or index in self.requests)

    def _grid(self, requests: frozenset[int] | None) -> Grid:
        return Grid.of(self.tally, self.seconds, self.stages, requests, self._is_out)

    def _is_out(self, second: int) -> bool:
        return any(second in fault for fault in self.without)

    @cached_property
    def selection(self) -> Selection:
        if not self.without and self.stages is not None:
            return self.tally.select(None, self.stages, self.requests)
        return self.tally.select(frozenset(self.seconds), self.stages, self.requests)

    @property
    def counts(self) -> Counters:
        return self.selection.counts

    @cached_property
    def passed(self) -> tuple[int, ...]:
        """Seconds of the scope that have passed."""
        return tuple(second for second in self.seconds if second <= self.tally.last_second)

    @cached_property
    def places(self) -> frozenset[int]:
        """Indexes of the stages that its seconds lie in."""
        if self.stages is not None:
            return self.stages
        return frozenset(stage_at(self.plan, second) for second in self.seconds)

    @cached_property
    def loop_lag(self) -> Histogram:
        """How late the generator's event loop was: by so much may an answer have been measured longer than it took."""
        return self.tally.loop_lag(self.passed)

    @cached_property
    def lags(self) -> tuple[tuple[float, int], ...]:
        """Shares of the time, and the microseconds that the loop's lag exceeded in no more than that share."""
        return lags.shares(self.loop_lag) or ((0.0, 0),)

    @property
    def mostly(self) -> str:
        """`, mostly Http404` where requests failed."""
        errors = dict(self.counts.errors)
        if self.counts.dropped:
            errors["Dropped"] = self.counts.dropped
        return f", mostly {max(errors, key=lambda failure: errors[failure])}" if errors else ""


def of_threshold(threshold: Threshold, plan: Plan, tally: Tally, faults: Sequence[range]) -> Scope:
    """The stages and the request that it names, else every stage that is not warmup."""
    stages = stages_of(threshold, plan)
    kinds = frozenset(i for i, one in enumerate(plan.requests) if threshold.request in (None, one.name))
    return Scope(
        plan=plan,
        tally=tally,
        seconds=tuple(at for at in seconds_of(plan, stages) if not any(at in fault for fault in faults)),
        stages=stages,
        requests=kinds if threshold.request else None,
        name="+".join(threshold.stages) if threshold.stages else "run",
        where=_where(threshold),
        without=tuple(faults),
    )


def of_window(plan: Plan, tally: Tally, seconds: range) -> Scope:
    """Whatever was intended in these seconds."""
    name = f"second {seconds.start} to {seconds.stop}"
    return Scope(plan, tally, tuple(seconds), None, None, name=name, where=f"in {name}")


def stages_of(threshold: Threshold, plan: Plan) -> frozenset[int]:
    places = {stage.name: index for index, stage in enumerate(plan.load.stages)}
    return frozenset(places[name] for name in threshold.stages) if threshold.stages else frozenset(counted_stages(plan))


def _where(threshold: Threshold) -> str:
    stages = threshold.stages or ()
    places = "the run" if not stages else f"stage{'s' if len(stages) > 1 else ''} {' + '.join(stages)}"
    return f"in {places}" + (f" for request {threshold.request}" if threshold.request else "")
