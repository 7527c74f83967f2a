"""What a sweep knows so far and what it comes to: levels pooled, the knee, the best point, the hold, the conclusion.

A sweep goes on where it was cut off: what to run next depends on the runs so far and on nothing else.

A run whose generator was the limit is no evidence; the levels from there on are out of reach, and the range ends
below them. Any other run that measured nothing is made again, until three in a row say that it is of no use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from loadgen.core.capacity import guards, knee, points
from loadgen.core.capacity.figures import pooled
from loadgen.core.capacity.intervals import design_effect, wilson
from loadgen.core.capacity.search import Search, next_levels, rounded
from loadgen.core.stats import samples
from loadgen.model.plan import Metric, Statistic
from loadgen.model.record import SteadyState
from loadgen.model.report import Report, ValidityLevel, Verdict
from loadgen.model.sweep import Conclusion, Hold, KneeFigures, LevelFigures, SweepRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.core.capacity.intervals import Interval
    from loadgen.model.plan import Plan
    from loadgen.model.record import Group
    from loadgen.model.sweep import SearchSpec, SweepShape

    Key = tuple[tuple[str, Decimal], ...]

UNMEASURED = (Verdict.ERROR, Verdict.ABORTED)
DEFAULT_SHARE = 0.95
HOLD_P99 = 5
LONGEST_HOLD = 86400
MOST_IN_VAIN = 3
"""Runs in a row without evidence after which a sweep ends."""


@dataclass(slots=True)
class Progress:
    """The runs of a sweep, in their order; reports are kept only as long as they are needed for pooling."""

    spec: SweepShape
    runs: list[SweepRun] = field(default_factory=list)
    reports: dict[Key, list[Report]] = field(default_factory=dict)

    @property
    def stage(self) -> str | None:
        return points.stage_of(self.spec.search.field) if self.spec.search else None

    @property
    def share(self) -> float:
        return float(self.spec.search.attainment_percent) / 100 if self.spec.search else DEFAULT_SHARE

    def add(self, point: Mapping[str, Decimal], report: Report) -> SweepRun:
        """Takes a run in."""
        found = points.blocks(report, self.stage)
        why = _no_evidence(report, found)
        run = SweepRun(
            point=dict(point),
            start_time=report.start_time,
            verdict=report.verdict,
            message=why or report.message,
            valid=not why,
            limited=report.validity.level is ValidityLevel.GENERATOR_LIMITED,
            blocks=found,
            drifting=drift(report, self.stage),
        )
        self.runs.append(run)
        if run.valid:
            self.reports.setdefault(tuple(point.items()), []).append(report)
        return run

    def add_in_vain(self, point: Mapping[str, Decimal], verdict: Verdict, why: str) -> SweepRun:
        """Takes in a run that left nothing to judge by."""
        run = SweepRun(point=dict(point), start_time="", verdict=verdict, message=why, valid=False, blocks=())
        self.runs.append(run)
        return run

    @property
    def in_vain(self) -> str:
        """Why the sweep is of no use any more: the last runs measured nothing, and not for the generator's sake."""
        last = self.runs[-MOST_IN_VAIN:]
        if len(last) < MOST_IN_VAIN or any(run.valid or run.limited for run in last):
            return ""
        where = points.said(last[-1].point)
        return f"{MOST_IN_VAIN} runs in a row gave no evidence, the last at {where}: {last[-1].message}"

    @property
    def trials(self) -> list[knee.Trial]:
        """Of a sweep over one field."""
        return [points.trial(next(iter(run.point.values())), run.blocks) for run in self.runs if run.valid]


def _no_evidence(report: Report, blocks: Sequence[tuple[int, int]]) -> str:
    """Why this run says nothing of the target; empty where it does."""
    if report.validity.level is ValidityLevel.GENERATOR_LIMITED:
        return "; ".join(report.validity.reasons) or "the generator was the limit"
    if report.verdict in UNMEASURED or guards.unexplained(report):
        return f"it ended {report.verdict}: {report.message}"
    return "" if any(planned for _, planned in blocks) else "no request was planned outside of the ramps"


def drift(report: Report, stage: str | None) -> str:
    """Why the figures of these stages are of no steady state; empty where they are, or where that is not known."""
    chosen = [window for window in report.stages if window.name == stage or (stage is None and not window.warmup)]
    found = [one.steadiness for one in chosen if one.steadiness and one.steadiness.state is SteadyState.DRIFTING]
    return found[0].message if found else ""


def searching(search: SearchSpec, spec: SweepShape) -> Search:
    """The search as the arithmetic takes it."""
    return Search(
        lowest=float(search.min),
        highest=float(search.max),
        share=float(search.attainment_percent) / 100,
        precision=search.precision_percent / 100,
        most_runs=search.max_runs,
        repeats=spec.repeats,
        whole=search.field.endswith("concurrency"),
        seed=spec.seed,
    )


def next_point(progress: Progress) -> dict[str, Decimal] | None:
    """What to run next; None when all was run, or more of it is of no use."""
    if progress.in_vain:
        return None
    if progress.spec.search is None:
        order = points.grid(progress.spec)
        return order[len(progress.runs)] if len(progress.runs) < len(order) else None
    levels = next_of(progress, searching(progress.spec.search, progress.spec))
    return {progress.spec.search.field: decimal(levels[0])} if levels else None


def decimal(level: float) -> Decimal:
    """A level as it is written."""
    return Decimal(f"{level:.9g}")


def next_of(progress: Progress, search: Search) -> tuple[float, ...]:
    """The levels to run next, below what the generator cannot offer; runs that were no evidence count as spent."""
    trials = progress.trials
    beyond = [float(next(iter(run.point.values()))) for run in progress.runs if run.limited]
    reached = [trial.load for trial in trials if trial.load < min(beyond, default=math.inf)]
    if beyond and not reached:
        return ()
    left = search.most_runs - sum(not run.valid for run in progress.runs)
    if left <= len(trials):
        return ()
    return next_levels(trials, replace(search, highest=max(reached) if beyond else search.highest, most_runs=left))


def knee_of(progress: Progress) -> tuple[knee.Knee, KneeFigures] | None:
    """None for a sweep that has none: a grid over several fields, or over none of the load's."""
    fields = {name for run in progress.runs for name in run.point}
    if len(fields) != 1 or points.stage_of(name := fields.pop()) is None or not progress.trials:
        return None
    found = knee.find(progress.trials, progress.share, seed=progress.spec.seed)
    figures = KneeFigures(
        field=name,
        bound=found.bound.value,
        load=found.load,
        low=found.low,
        high=found.high,
        shape=found.shape.value if found.shape else None,
        attainment_percent=100 * progress.share,
    )
    return found, figures


def levels(progress: Progress, found: knee.Knee | None) -> tuple[LevelFigures, ...]:
    """Each level's runs pooled, ascending; levels without a valid run are not there."""
    fitted = {level.load: 100 * level.fitted for level in found.levels} if found else {}
    return tuple(
        _figures(progress, key, reports, fitted.get(float(key[0][1])) if len(key) == 1 else None)
        for key, reports in sorted(progress.reports.items(), key=lambda item: [value for _, value in item[0]])
    )


def _figures(progress: Progress, key: Key, reports: Sequence[Report], fitted: float | None) -> LevelFigures:
    chosen = points.stages(reports[0].plan, progress.stage)
    groups = [group for report in reports for group in report.record if group.stage in chosen]
    planned, failed, succeeded, good = (
        sum(sum(getattr(group.slots, name)) for group in groups) for name in ("planned", "failed", "succeeded", "good")
    )
    kind = reports[0].plan.requests[0].name
    seconds = sum(len(group.slots.planned) * group.slots.step_seconds for group in groups if group.request == kind)
    times = pooled(groups, Metric.RESPONSE_TIME)
    shown = {
        f"response_time_{statistic.lower()}": samples.milliseconds(times, statistic)
        for statistic in (Statistic.MEAN, Statistic.P50, Statistic.P95, Statistic.P99)
        if samples.missing(statistic, times.count) is None
    }
    attained, verdict = _attained(groups, progress.share)
    return LevelFigures(
        point=dict(key),
        runs=len(reports),
        attainment_low=100 * attained.low,
        attainment_high=100 * attained.high,
        verdict=verdict,
        passed=sum(report.verdict is Verdict.PASSED for report in reports),
        planned=planned,
        attainment_percent=100 * good / max(1, planned),
        error_percent=100 * failed / max(1, planned),
        requests_per_second=succeeded / max(1, seconds),
        fitted_percent=fitted,
        **shown,
    )


def _attained(groups: Sequence[Group], share: float) -> tuple[Interval, Verdict]:
    """The share of planned requests that kept their SLO, with its interval (Wilson's, of what autocorrelation and the
    differences between runs leave of the sample), and on which side of what is wanted all of it lies."""
    good = [one for group in groups for one in group.slots.good]
    planned = [one for group in groups for one in group.slots.planned]
    total, kept = sum(planned), sum(good)
    effect = design_effect(good, planned, kept / max(1, total))
    found = wilson(kept / effect, total / effect)
    sure = Verdict.PASSED if found.low >= share else Verdict.FAILED if found.high < share else Verdict.INCONCLUSIVE
    return found, sure


def best(found: Sequence[LevelFigures]) -> LevelFigures | None:
    """The most successes per second among the levels that are known to keep the SLO."""
    keeping = [level for level in found if level.verdict is Verdict.PASSED]
    return max(keeping, key=lambda level: level.requests_per_second, default=None)


@dataclass(frozen=True, slots=True)
class Table:
    """What the runs so far come to."""

    levels: tuple[LevelFigures, ...]
    knee: KneeFigures | None
    best: LevelFigures | None
    """Of a grid."""


def table(progress: Progress) -> Table:
    """The levels, and what follows from them."""
    found = knee_of(progress)
    all_levels = levels(progress, found[0] if found else None)
    return Table(all_levels, found[1] if found else None, None if progress.spec.search else best(all_levels))


@dataclass(frozen=True, slots=True)
class Holding:
    """The run that confirms a knee."""

    level: float
    seconds: int
    settings: Mapping[str, int | str]
    """Fields of the template, by path."""


def holding(progress: Progress, template: Plan) -> Holding | None:
    """The hold of a search that is over; None where there is nothing to hold. `template` is the plan whose fields are set."""
    search, found = progress.spec.search, table(progress)
    if (
        search is None
        or progress.in_vain
        or found.knee is None
        or found.knee.low is None
        or found.knee.bound != "Known"
    ):
        return None
    level, seconds = hold_of(found.knee.low, found.levels, search)
    stage = next(one for one in template.load.stages if one.name == progress.stage)
    lasts = min(LONGEST_HOLD, max(stage.duration_seconds, stage.ramp_seconds + seconds))
    length = {f"load.stages[{stage.name}].durationSeconds": lasts}
    return Holding(level, seconds, {**points.settings({search.field: decimal(level)}), **length})


def hold_of(low: float, found: Sequence[LevelFigures], search: SearchSpec) -> tuple[float, int]:
    """The level to hold, written as levels are, and for how long: at least five times the P99 there."""
    whole = search.field.endswith("concurrency")
    level = math.floor(low) if whole else rounded(low, Search(0, 0, 0))
    below = [one for one in found if float(next(iter(one.point.values()))) <= level]
    longest = (below[-1].response_time_p99 or below[-1].response_time_p95 or 0.0) if below else 0.0
    return max(level, float(search.min)), max(search.hold_seconds, math.ceil(HOLD_P99 * longest / 1000))


def held(level: float, seconds: int, report: Report, stage: str | None, share: float) -> Hold:
    """Whether a run at the lower end counts as held: measured well, enough within the SLO, and not drifting."""
    found = points.blocks(report, stage)
    planned = sum(count for _, count in found)
    attained = sum(good for good, _ in found) / planned if planned else 0.0
    reasons = (
        (report.validity.level is ValidityLevel.GENERATOR_LIMITED, "the generator was the limit"),
        (report.verdict in UNMEASURED, f"it ended {report.verdict}: {report.message}"),
        (attained < share, f"{100 * attained:.2f} % kept the SLO, {100 * share:g} % were wanted"),
        (report.verdict is Verdict.FAILED, f"it failed: {report.message}"),
        (bool(drift(report, stage)), drift(report, stage)),
    )
    why = next((said for true, said in reasons if true), "")
    message = f"held {level:g} for {seconds} s: {why or f'{100 * attained:.2f} % kept the SLO'}"
    return Hold(level=level, seconds=seconds, held=not why, attainment_percent=100 * attained, message=message)


def conclude(progress: Progress, found: KneeFigures | None, hold: Hold | None) -> tuple[Conclusion, str]:
    """In a sentence."""
    if progress.in_vain:
        return Conclusion.UNCONFIRMED, progress.in_vain
    if progress.spec.search is None:
        return _concluded_grid(progress, found)
    if found is None:
        return Conclusion.UNCONFIRMED, "no level could be measured"
    if hold is not None and hold.held:
        return Conclusion.CONFIRMED, f"{sentence(found)}; {hold.message}"
    if hold is None:
        return Conclusion.UNCONFIRMED, f"{sentence(found)}: {NO_HOLD[found.bound]}"
    return Conclusion.UNCONFIRMED, f"{sentence(found)}, but it does not count: {hold.message}"


def verdict(conclusion: Conclusion, levels: Sequence[LevelFigures]) -> Verdict:
    """A grid has passed with a level that is known to keep the SLO, and failed where all are known to miss it; a search has
    passed with a knee that was held."""
    return VERDICTS[conclusion] or _of_grid({level.verdict for level in levels})


def _of_grid(verdicts: set[Verdict | None]) -> Verdict:
    if Verdict.PASSED in verdicts:
        return Verdict.PASSED
    return Verdict.FAILED if verdicts == {Verdict.FAILED} else Verdict.INCONCLUSIVE


VERDICTS = {
    Conclusion.CONFIRMED: Verdict.PASSED,
    Conclusion.MEASURED: None,
    Conclusion.UNCONFIRMED: Verdict.INCONCLUSIVE,
    Conclusion.ABORTED: Verdict.ABORTED,
}
"""Of a grid that was measured it follows from its levels."""


def _concluded_grid(progress: Progress, found: KneeFigures | None) -> tuple[Conclusion, str]:
    missing = {tuple(run.point.items()): run.message for run in progress.runs}
    lost = [(dict(key), why) for key, why in missing.items() if key not in progress.reports]
    if lost:
        point, why = lost[0]
        more = f", and {len(lost) - 1} more levels" if len(lost) > 1 else ""
        return Conclusion.UNCONFIRMED, f"no run at {points.said(point)} is evidence ({why}){more}"
    return Conclusion.MEASURED, "every level was measured" + (f"; {sentence(found)}" if found else "")


NO_HOLD = {
    "Known": "its interval reaches below the range, so there is nothing to hold; lower search.min",
    "AtLeast": "nothing was held; raise search.max",
    "AtMost": "the lowest level fails already; lower search.min",
}


def sentence(found: KneeFigures) -> str:
    """The knee, for people."""
    ends = [f"{end:.4g}" if end is not None else "beyond the range" for end in (found.low, found.high)]
    said = {
        "Known": f"{found.load:.4g} (95 % interval {ends[0]} to {ends[1]})",
        "AtLeast": f"at least {found.load:.4g}",
        "AtMost": f"at most {found.load:.4g}",
    }[found.bound]
    shape = f", then a {found.shape.lower()}{' fall' if found.shape == 'Smooth' else ''}" if found.shape else ""
    return f"{found.attainment_percent:g} % keep the SLO up to {found.field} = {said}{shape}"
