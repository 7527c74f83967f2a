"""Whether a stage's figures are of a steady state: cut the beginning, look for a trend in the rest, ask Little's law.

Five slots make a batch. MSER-5 (White, Simulation 69, 1997; Spratt 1998) cuts where the standard error of what is left
is smallest, in the first half only: a cut at the half means that it never settled. In the rest Mann–Kendall's test
(Mann, Econometrica 13, 1945) with Hamed and Rao's variance for autocorrelated series (J. Hydrology 204, 1998) looks for
a trend of response time and, in open stages, of requests in flight; one counts only if Sen's slope (JASA 63, 1968)
moves the median by more than `EFFECT` over the stage. A ramp is no part of the steady state.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from loadgen.model.plan import Metric
from loadgen.model.record import Steadiness, SteadyState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from loadgen.model.plan import Stage
    from loadgen.model.record import Group
    from loadgen.model.report import Report

    Series = NDArray[np.float64]

BATCH = 5
FEWEST = 10
"""Batches below which no trend can be told from chance."""
EFFECT = 0.10
"""A change over the stage, as a share of the median, that matters."""
DEVIATIONS = 2.241
"""Two-sided 2.5 %: two series are looked at."""
LITTLE = 0.05


def beside(report: Report) -> Report:
    """The report with a steady state beside each stage's figures; stages of a report without a record have none."""
    stages = {stage.name: stage for stage in report.plan.load.stages}
    streams = any(request.streams for request in report.plan.requests)
    windows = []
    for window in report.stages:
        groups = [group for group in report.record if group.stage == window.name]
        found = judge(stages[window.name], groups, streams=streams) if groups else None
        windows.append(window.model_copy(update={"steadiness": found}))
    return report.model_copy(update={"stages": tuple(windows)})


def judge(stage: Stage, groups: Sequence[Group], *, streams: bool = False) -> Steadiness:
    """Of all kinds of request of a stage together. `streams`: an answer may outlast its last token, so no Little's law."""
    found = _Stage(stage, groups, streams)
    decided = (verdict for rule in RULES if (verdict := rule(found)))
    return next(decided)


@dataclass(frozen=True)
class _Stage:
    stage: Stage
    groups: Sequence[Group]
    streams: bool

    @cached_property
    def step(self) -> int:
        return self.groups[0].slots.step_seconds

    @cached_property
    def skipped(self) -> int:
        """Slots of the ramp."""
        return -(-self.stage.ramp_seconds // self.step)

    def summed(self, columns: Sequence[Sequence[float]]) -> Series:
        total: Series = np.asarray(columns, dtype=np.float64).sum(axis=0)
        return total[self.skipped :]

    def _values(self, name: str) -> Series:
        kept = [group.slots.values.get(Metric.RESPONSE_TIME) for group in self.groups]
        columns = [getattr(values, name) for values in kept if values is not None]
        return self.summed(columns) if columns else np.zeros(0)

    @cached_property
    def count(self) -> Series:
        return _batches(self._values("count"))

    @cached_property
    def latency(self) -> Series:
        """Mean response time by batch, microseconds; batches without an answer are left out."""
        answered = self.count > 0
        return _batches(self._values("total"))[answered] / self.count[answered]

    @cached_property
    def in_flight(self) -> Series:
        """Empty where kinds share the figure, or where the plan holds it constant."""
        series = self.groups[0].slots.in_flight
        if series is None or self.stage.concurrency is not None:
            return np.zeros(0)
        return _batches(np.asarray(series)[self.skipped :]) / BATCH

    @cached_property
    def cut(self) -> int:
        return mser(self.latency)

    @property
    def settled(self) -> bool:
        return self.cut < self.latency.size // 2

    def rest(self, series: Series) -> Series:
        return series[self.cut :] if self.settled else series

    @property
    def from_second(self) -> int:
        batches = int(np.flatnonzero(self.count > 0)[self.cut])
        return self.groups[0].slots.start_second + self.step * (self.skipped + BATCH * batches)


def _batches(series: Series) -> Series:
    whole = series[: series.size // BATCH * BATCH]
    return np.asarray(whole.reshape(-1, BATCH).sum(axis=1))


def too_few(found: _Stage) -> Steadiness | None:
    if found.latency.size >= FEWEST:
        return None
    needed = FEWEST * BATCH * found.step
    had = found.latency.size * BATCH * found.step
    return Steadiness(
        state=SteadyState.TOO_SHORT,
        message=f"{had} s with answers after the ramp; {needed} s are needed to tell a trend from chance: "
        f"make durationSeconds at least {needed + found.stage.ramp_seconds}",
    )


def drifting(found: _Stage) -> Steadiness | None:
    looked = {"response time": found.latency, "requests in flight": found.in_flight}
    for name, series in looked.items():
        change = trend(found.rest(series))
        if change is not None:
            return Steadiness(
                state=SteadyState.DRIFTING,
                change_percent=100 * change,
                message=f"{name} {'rose' if change > 0 else 'fell'} by {abs(100 * change):.0f} % over the stage: its figures "
                "depend on how long it lasts; the load may be past the knee, or the target still warming up",
            )
    return None


def out_of_balance(found: _Stage) -> Steadiness | None:
    """L = λW (Little, Operations Research 9, 1961): what is in flight against rate × time, edges allowed for."""
    if found.in_flight.size != found.count.size or found.streams:
        return None
    seconds = found.count.size * BATCH * found.step
    planned = found.summed([group.slots.planned for group in found.groups])
    waited = float(found.latency @ found.count[found.count > 0]) / 1e6
    counted = float(found.in_flight.mean())
    if not counted or found.count.sum() < 0.99 * planned.sum():
        return None
    edges = waited / found.count.sum() / seconds
    off = abs(counted - waited / seconds) / counted
    if off <= LITTLE + 2 * edges:
        return None
    return Steadiness(
        state=SteadyState.DRIFTING,
        message=f"{counted:.3g} requests in flight, where rate × response time gives {waited / seconds:.3g} (Little's law, "
        f"{100 * off:.0f} % off): more came than went",
    )


def unsettled(found: _Stage) -> Steadiness | None:
    if found.settled:
        return None
    return Steadiness(
        state=SteadyState.TOO_SHORT,
        message="response time had not settled by half of the stage: make it longer, or put a warmup stage before it",
    )


def steady(found: _Stage) -> Steadiness:
    since = found.from_second
    return Steadiness(state=SteadyState.STEADY, from_second=since, message=f"steady from second {since}")


RULES: tuple[Callable[[_Stage], Steadiness | None], ...] = (too_few, drifting, out_of_balance, unsettled, steady)


def mser(series: Series) -> int:
    """How many of the first values to leave out; half of them means that no cut helps."""
    half = series.size // 2
    scores = [float(series[cut:].var() / (series.size - cut)) for cut in range(half + 1)]
    return int(np.argmin(scores)) if scores else 0


def trend(series: Series) -> float | None:
    """The change over the whole series as a share of its median, where it is a trend that matters; else None."""
    if series.size < FEWEST // 2 or abs(deviations(series)) < DEVIATIONS:
        return None
    middle = float(np.median(series))
    change = sen(series) * (series.size - 1) / middle if middle else 0.0
    return change if abs(change) > EFFECT else None


def sen(series: Series) -> float:
    """Median of the slopes of all pairs, per step."""
    first, second = np.triu_indices(series.size, 1)
    return float(np.median((series[second] - series[first]) / (second - first)))


def deviations(series: Series) -> float:
    """Mann–Kendall's S in standard deviations, with ties and autocorrelation in the variance."""
    first, second = np.triu_indices(series.size, 1)
    score = float(np.sign(series[second] - series[first]).sum())
    n = series.size
    _, ties = np.unique(series, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    variance *= _inflation(series)
    return (score - float(np.sign(score))) / variance**0.5 if variance > 0 else 0.0


def _inflation(series: Series) -> float:
    """Hamed and Rao's n/n*: from the significant autocorrelations of the ranks of what the slope leaves."""
    n = series.size
    left = series - sen(series) * np.arange(n)
    ranks = np.argsort(np.argsort(left)).astype(np.float64)
    ranks -= ranks.mean()
    power = float(ranks @ ranks)
    if not power:
        return 1.0
    lags = np.arange(1, n - 2)
    correlations = np.array([float(ranks[lag:] @ ranks[:-lag]) for lag in lags]) / power
    correlations[np.abs(correlations) < 1.96 / n**0.5] = 0.0
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    return max(1.0, 1 + 2 / (n * (n - 1) * (n - 2)) * float(weights @ correlations))
