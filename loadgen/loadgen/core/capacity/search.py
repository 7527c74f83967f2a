"""Which levels to run next: a pure function of the trials so far, so that a sweep goes on where it was cut off.

Bracket by doubling, halve the bracket (geometrically) to the precision, then repeat the levels around the knee, in
shuffled order so that what a run leaves behind is not always the same, until the interval is as narrow as asked for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.capacity import knee

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadgen.core.capacity.knee import Level, Trial

    Levels = Sequence[Level]

AROUND = 2
"""Levels on each side of the knee that are repeated."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for."""

    lowest: float
    highest: float
    share: float
    """Of requests within their SLO; 0 … 1."""
    precision: float = 0.10
    """Width of the knee's interval at which the search is done, as a share of the load."""
    most_runs: int = 24
    repeats: int = 3
    whole: bool = False
    """Levels are whole numbers."""
    seed: int = 0


def next_levels(done: Sequence[Trial], search: Search) -> tuple[float, ...]:
    """The loads to run next, in this order; none when the search is over."""
    if not done:
        return (search.lowest,)
    levels = knee.find(done, search.share, draws=1).levels
    wanted = next((found for rule in RULES if (found := rule(levels, done, search))), ())
    order = list(wanted)
    random.Random(f"{search.seed}/{len(done)}").shuffle(order)
    return tuple(order[: max(0, search.most_runs - len(done))])


def doubling(levels: Levels, done: Sequence[Trial], search: Search) -> Sequence[float]:
    top = levels[-1]
    if top.fitted < search.share or top.load >= search.highest:
        return ()
    return (min(2 * top.load, search.highest),)


def halving(levels: Levels, done: Sequence[Trial], search: Search) -> Sequence[float]:
    held, failed = _held(levels, search), _failed(levels, search)
    if not held or not failed or failed[0].load <= (1 + search.precision) * held[-1].load:
        return ()
    middle = rounded((held[-1].load * failed[0].load) ** 0.5, search)
    return (middle,) if held[-1].load < middle < failed[0].load else ()


def repeating(levels: Levels, done: Sequence[Trial], search: Search) -> Sequence[float]:
    near = [*_held(levels, search)[-AROUND:], *_failed(levels, search)[:AROUND]]
    return [level.load for level in near for _ in range(search.repeats - level.repeats)]


def narrowing(levels: Levels, done: Sequence[Trial], search: Search) -> Sequence[float]:
    """Once more each, where the interval is still too wide; an end of the range gets no narrower."""
    found = knee.find(done, search.share, seed=search.seed)
    if found.bound is not knee.Bound.KNOWN or found.width <= search.precision:
        return ()
    return [level.load for level in (*_held(levels, search)[-1:], *_failed(levels, search)[:1])]


RULES: tuple[Callable[[Levels, Sequence[Trial], Search], Sequence[float]], ...] = (
    doubling,
    halving,
    repeating,
    narrowing,
)


def _held(levels: Levels, search: Search) -> Levels:
    return [level for level in levels if level.fitted >= search.share]


def _failed(levels: Levels, search: Search) -> Levels:
    return [level for level in levels if level.fitted < search.share]


def rounded(load: float, search: Search) -> float:
    """A level that can be written: whole, or three digits."""
    return float(round(load)) if search.whole else float(f"{load:.3g}")
