"""The one judgement of what was measured: made here once, from a tally, for the laptop and for the operator; all else is a view of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.judge import thresholds, validity
from loadgen.core.judge.verdict import Findings
from loadgen.core.stats import summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.core.judge.validity import Quality
    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan
    from loadgen.model.report import ThresholdResult, Validity, Window


@dataclass(frozen=True, slots=True)
class Measured:
    """What the figures say, before anything that only a platform knows."""

    total: Window
    validity: Validity
    limited: Mapping[int, str]
    """Stages in which the generator was the limit, and why."""
    thresholds: tuple[ThresholdResult, ...]

    def findings(self) -> Findings:
        """For the verdict; a platform adds what it knows."""
        return Findings(self.validity, self.thresholds, self.total)


def measured(
    plan: Plan,
    tally: Tally,
    *,
    allowed_cores: float,
    ceilings: Mapping[int, int] | None = None,
    exclude: Sequence[range] = (),
) -> Measured:
    """Validity stage by stage, then every threshold in its own scope. `exclude` are the seconds of faults."""
    quality = validity.quality(plan, tally, allowed_cores=allowed_cores, ceilings=ceilings)
    return judged(plan, tally, quality, exclude=exclude)


def judged(plan: Plan, tally: Tally, quality: Quality, *, exclude: Sequence[range] = ()) -> Measured:
    """The same, where more than the generator was in the way of a good measurement."""
    results = thresholds.evaluate(thresholds.effective(plan), plan, tally, exclude=exclude, limited=quality.limited)
    return Measured(summary.total(plan, tally), quality.validity, quality.limited, results)
