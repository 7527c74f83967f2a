"""The figures that two sides are compared by: one table; each with its scale, its direction and its interval.

A latency or a rate is compared by ratio, a share of errors by difference. What is not known widens the interval:
requests that had no answer count as good at one end and as bad at the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from loadgen.core.capacity.intervals import (
    Interval,
    batch_means,
    design_effect,
    fewest,
    ranks,
    wilson,
)
from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.record import restore
from loadgen.core.stats.samples import PERCENTS
from loadgen.model.plan import Metric, Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadgen.model.record import Group

MOST_EFFECTIVE = 200_000
"""Values past which a percentile's interval is narrower than a bin anyway."""


class Scale(Enum):
    """How a difference is said."""

    RATIO = "percent of before"
    POINTS = "percentage points"


class NotMeasuredError(Exception):
    """A side has no such figure, or no interval for it; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared."""

    name: str
    unit: str
    scale: Scale
    lower_is_better: bool
    value: Callable[[Sequence[Group]], float]
    """Of runs of the same thing, pooled, in the unit. Raises NotMeasuredError."""
    measure: Callable[[Sequence[Group]], Interval]
    """The same with its interval, which needs more. Raises NotMeasuredError."""
    of_answers: bool = False
    """Only requests that were answered have it."""


def _value(groups: Sequence[Group], metric: Metric, statistic: Statistic) -> float:
    merged = _some(groups, metric)
    if why := samples.missing(statistic, merged.count):
        raise NotMeasuredError(f"{merged.count} values are too few for {statistic}: {why}")
    return _milliseconds(merged, merged.percentile(PERCENTS[statistic]))


def _percentile(groups: Sequence[Group], metric: Metric, statistic: Statistic) -> Interval:
    merged = _some(groups, metric)
    share = PERCENTS[statistic] / 100
    worth = min(MOST_EFFECTIVE, int(merged.count / _design(groups, metric, statistic)))
    found = ranks(worth, share)
    if found is None:
        needed = math.ceil(fewest(share) * merged.count / max(1, worth))
        raise NotMeasuredError(
            f"{merged.count} values, worth {worth} independent ones, bound no {statistic}: about {needed} would"
        )
    unanswered = _total(groups, "planned") - _total(groups, "succeeded") - _total(groups, "failed")
    low = math.floor(found[0] / worth * merged.count)
    high = math.ceil(found[1] / worth * (merged.count + unanswered))
    if high > merged.count:
        raise NotMeasuredError(
            f"{unanswered} requests had no answer when the run ended: {statistic} has no upper limit"
        )
    middle = merged.percentile(PERCENTS[statistic])
    at = partial(_milliseconds, merged)
    return Interval(at(middle), at(min(middle, merged.at_rank(low))), at(max(middle, merged.at_rank(high))))


def _milliseconds(histogram: Histogram, value: int) -> float:
    """A bin may reach past the largest value; a value of no microsecond has no ratio."""
    return max(1, min(value, histogram.max)) / 1000


def pooled(groups: Sequence[Group], metric: Metric) -> Histogram:
    """The groups' histograms merged; empty where none has the metric."""
    merged = Histogram()
    for group in groups:
        if metric in group.histograms:
            merged.merge(restore(group.histograms[metric]))
    return merged


def _some(groups: Sequence[Group], metric: Metric) -> Histogram:
    found = pooled(groups, metric)
    if not found.count:
        raise NotMeasuredError("no request gave a value")
    return found


def _design(groups: Sequence[Group], metric: Metric, statistic: Statistic) -> float:
    """The mean over runs, each against its own percentile."""
    effects = []
    for group in groups:
        values = group.slots.values.get(metric)
        if values is not None:
            above, counts = values.above[statistic], values.count
            effects.append(design_effect(above, counts, sum(above) / max(1, sum(counts))))
    return sum(effects) / len(effects) if effects else 1.0


def _total(groups: Sequence[Group], name: str) -> int:
    return sum(sum(getattr(group.slots, name)) for group in groups)


def _errors(groups: Sequence[Group]) -> Interval:
    """Percent that failed or were dropped, of those planned."""
    planned, failed = _total(groups, "planned"), _total(groups, "failed")
    if not planned:
        raise NotMeasuredError("no request was planned")
    unanswered = max(0, planned - failed - _total(groups, "succeeded"))
    share = failed / planned
    effect = max(design_effect(group.slots.failed, group.slots.planned, share) for group in groups)
    best, worst = (wilson(bad / effect, planned / effect) for bad in (failed, failed + unanswered))
    return Interval(100 * share, 100 * best.low, 100 * worst.high)


def _rate(groups: Sequence[Group]) -> Interval:
    """Successes per second, by the second that their request began in."""
    slots = [done / group.slots.step_seconds for group in groups for done in group.slots.succeeded]
    found = batch_means(slots)
    if found is None:
        raise NotMeasuredError(f"a rate needs five seconds, there are {len(slots)}")
    if found.low <= 0:
        raise NotMeasuredError("the rate is too uneven, or too small, to be told from none")
    return found


def _latency(metric: Metric, statistic: Statistic) -> Figure:
    value = partial(_value, metric=metric, statistic=statistic)
    measure = partial(_percentile, metric=metric, statistic=statistic)
    return Figure(f"{metric} {statistic}", "ms", Scale.RATIO, True, value, measure, of_answers=True)


ERRORS = Figure("ErrorPercent", "%", Scale.POINTS, True, lambda groups: _errors(groups).estimate, _errors)
RATE = Figure("RequestsPerSecond", "requests/s", Scale.RATIO, False, lambda groups: _rate(groups).estimate, _rate)
"""Of closed stages; in open ones it is the plan's."""
LATENCIES = {
    metric: tuple(_latency(metric, statistic) for statistic in (Statistic.P50, Statistic.P95))
    for metric in (Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN, Metric.TIME_PER_OUTPUT_TOKEN)
}


def figures(groups: Sequence[Group], *, closed: bool) -> tuple[Figure, ...]:
    """Those that a stage × request has, in any of its runs."""
    present = {metric for group in groups for metric in group.histograms}
    latencies = [one for metric, found in LATENCIES.items() if metric in present for one in found]
    return (ERRORS, *((RATE,) if closed else ()), *latencies)
