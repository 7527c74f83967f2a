"""The runs of a sweep, taken in one after the other in their order, as far as they have finished without a gap."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from loadgen.core.capacity import points, sweeping
from loadgen.core.capacity.sweeping import Holding, Progress
from loadgen.model.report import Verdict
from loadgen.model.sweep import Hold
from loadtest_operator.api.sweep import LoadTestSweepSpec, RunWithoutEvidence
from loadtest_operator.core.sweep.children import HOLD, Child


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A LoadTest that is to be made."""

    place: str
    settings: Mapping[str, int | str]
    """Fields of the template, by path."""
    says: str


@dataclass(frozen=True)
class Evidence:
    """What is known; what costs a knee is found once."""

    spec: LoadTestSweepSpec
    progress: Progress
    taken: tuple[Child, ...]
    """Those in the progress, in their order."""
    hold: Child | None

    @cached_property
    def holding(self) -> Holding | None:
        """The hold of a search whose runs are over."""
        return sweeping.holding(self.progress, self.spec.load_test_template.spec.plan)

    @cached_property
    def upcoming(self) -> Upcoming | None:
        """The next LoadTest; None when there is none to be made any more."""
        if point := sweeping.next_point(self.progress):
            number = str(len(self.taken) + 1)
            return Upcoming(number, points.settings(point), points.said(point))
        holding = None if self.hold else self.holding
        if holding is None:
            return None
        return Upcoming(HOLD, holding.settings, f"the hold: {holding.level:g} for {holding.seconds} s")

    @property
    def held(self) -> Hold | None:
        """What came of the hold."""
        child, holding = self.hold, self.holding
        if child is None or holding is None:
            return None
        if child.report is None or child.in_vain:
            message = f"held {holding.level:g} for {holding.seconds} s: {child.in_vain}"
            return Hold(level=holding.level, seconds=holding.seconds, held=False, message=message)
        return sweeping.held(holding.level, holding.seconds, child.report, self.progress.stage, self.progress.share)

    @property
    def planned(self) -> int:
        """How many runs there will be, the hold not counted; of a search, at most."""
        return self.spec.search.max_runs if self.spec.search else len(points.grid(self.spec))

    @property
    def without_evidence(self) -> tuple[RunWithoutEvidence, ...]:
        """All of them, in their order."""
        runs = zip(self.taken, self.progress.runs, strict=True)
        return tuple(RunWithoutEvidence(name=child.name, message=run.message) for child, run in runs if not run.valid)


def gathered(spec: LoadTestSweepSpec, children: Mapping[str, Child]) -> Evidence:
    """Up to the first run that has not finished: what comes after a gap is taken in when the gap is closed."""
    progress, taken = Progress(spec), list[Child]()
    while (child := children.get(str(len(taken) + 1))) and child.finished:
        if child.report is None or child.in_vain:
            progress.add_in_vain(child.point, child.status.verdict or Verdict.ERROR, child.in_vain)
        else:
            progress.add(child.point, child.report)
        taken.append(child)
    hold = children.get(HOLD)
    return Evidence(spec, progress, tuple(taken), hold if hold and hold.finished else None)
