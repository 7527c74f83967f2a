"""The load's level over time: what stages and ramps mean, before anything random.

A stage holds its level from the end of its ramp to its own end. In its ramp the level moves from that of the stage
before, which counts as 0 when that stage was of the other model (open after closed, closed after open) or when
there is none.

- Linear:       level(t) = a + (b − a)·t/L
- Exponential:  level(t) = a·(b/a)^(t/L), equal factors in equal times. A factor from 0 does not exist, so an end at
  0 counts as 1 % of the other end: such a ramp spans two decades.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from loadgen.model.plan import Ramp

if TYPE_CHECKING:
    from loadgen.model.plan import Plan, Stage

NANOSECONDS = 1_000_000_000
FLOOR = Fraction(1, 100)
"""What a 0 counts as in an exponential ramp, as a share of the ramp's other end."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stage on the time axis, whole seconds since the load's start."""

    index: int
    stage: Stage
    start: int
    before: Fraction
    """Level at the beginning of the ramp."""

    @property
    def end(self) -> int:
        return self.start + self.stage.duration_seconds

    @property
    def seconds(self) -> range:
        return range(self.start, self.end)

    @property
    def level(self) -> Fraction:
        return level_of(self.stage)


def level_of(stage: Stage) -> Fraction:
    """Arrivals per second or requests in flight."""
    return Fraction(stage.concurrency if stage.arrival_rate is None else stage.arrival_rate)  # type: ignore[arg-type]


def spans(plan: Plan) -> tuple[Span, ...]:
    """The stages with their times and the levels that their ramps start from."""
    stages = plan.load.stages
    starts = accumulate((stage.duration_seconds for stage in stages), initial=0)
    befores = [Fraction(0), *(_before(one, two) for one, two in pairwise(stages))]
    return tuple(Span(*parts) for parts in zip(range(len(stages)), stages, starts, befores, strict=False))


def _before(previous: Stage, stage: Stage) -> Fraction:
    same = (previous.concurrency is None) == (stage.concurrency is None)
    return level_of(previous) if same else Fraction(0)


def exponential_ends(before: Fraction, after: Fraction) -> tuple[Fraction, Fraction]:
    """The ends of an exponential ramp, a 0 among them replaced."""
    return before or after * FLOOR, after or before * FLOOR


def is_exponential(span: Span) -> bool:
    """Whether the ramp's shape matters: equal levels have no ramp."""
    return span.stage.ramp is Ramp.EXPONENTIAL and span.before != span.level
