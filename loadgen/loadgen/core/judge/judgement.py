"""The one judgement of what was measured: made here once, from a tally, for the laptop and for the operator; all else is a view of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.judge import thresholds
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


def measured(plan: Plan, tally: Tally, quality: Quality, *, exclude: Sequence[range] = ()) -> Measured:
    """Every threshold in its own scope, as far as the generator was well there. `exclude` are the seconds of faults."""
    results = thresholds.evaluate(thresholds.effective(plan), plan, tally, exclude=exclude, limited=quality.limited)
    return Measured(summary.total(plan, tally), quality.validity, quality.limited, results)
