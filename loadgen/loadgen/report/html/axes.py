"""Where a value stands in a chart: scales, round ticks, and how much of a long line a screen can show. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Point = tuple[float, float]
MOST_POINTS = 800
"""Places along a line; a longer one shows the least and the most of each place."""
LOG_FROM = 50.0
"""A logarithmic axis where the largest value is so many times the smallest."""

LEAST = 1e-9
"""What is smaller is as good as zero, which no logarithmic axis has."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` onto pixels from `first` to `last`."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return self.first + (at - low) / (high - low) * (self.last - self.first)

    def ticks(self) -> tuple[float, ...]:
        return _decades(self.low, self.high) if self.logarithmic else _round_steps(self.low, self.high)


def vertical(values: Iterable[float], first: float, last: float, *, may_be_logarithmic: bool) -> Scale:
    """From zero to a round number above the largest; by decades where the values are far apart and none is zero."""
    found = sorted(value for value in values if math.isfinite(value))
    top = found[-1] if found else 0.0
    if may_be_logarithmic and found and found[0] > LEAST and top / found[0] >= LOG_FROM:
        return Scale(10.0 ** math.floor(math.log10(found[0])), 10.0 ** math.ceil(math.log10(top)), first, last, True)
    step = _step(top)
    return Scale(0.0, step * max(1, math.ceil(top / step - 1e-9)), first, last)


def _step(span: float, ticks: int = 4) -> float:
    """1, 2 or 5 times a power of ten, so that about so many ticks are on the axis."""
    if span <= 0 or not math.isfinite(span):
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / ticks))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / ticks * 0.999)


def _round_steps(low: float, high: float) -> tuple[float, ...]:
    step = _step(high - low)
    return tuple(low + step * number for number in range(int((high - low) / step + 1e-6) + 1))


def _decades(low: float, high: float) -> tuple[float, ...]:
    first, last = round(math.log10(low)), round(math.log10(high))
    return tuple(10.0**power for power in range(first, last + 1))


def clock(seconds: float, whole: float) -> str:
    """A moment of a run: `45 s`, `2:05`, `1:00:05`."""
    if whole <= 120:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if whole >= 3600 else f"{minutes}:{rest:02}"


def moments(whole: float) -> tuple[float, ...]:
    """Round times for the axis of a run of so many seconds."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((step for step in steps if whole / step <= 8), 86400)
    return tuple(float(at) for at in range(0, int(whole) + 1, step))


def unbroken(points: Sequence[tuple[float, float | None]], stride: float = 1.0) -> Iterator[list[Point]]:
    """The line in the pieces that were measured: it is broken where a value is absent or no number, or a moment
    missing.
    """
    piece: list[Point] = []
    for moment, value in points:
        known = value is not None and math.isfinite(value)
        if piece and (not known or moment - piece[-1][0] > stride * 1.5):
            yield piece
            piece = []
        if known and value is not None:
            piece.append((moment, value))
    if piece:
        yield piece


def held(points: Iterable[tuple[float, float | None]]) -> Iterator[tuple[float, float | None]]:
    """A stepped line's points, with its last value once more where a gap begins: until then it held."""
    last: float | None = None
    for moment, value in points:
        if value is None and last is not None:
            yield moment, last
        yield moment, value
        last = value


def thinned(piece: Sequence[Point], every: int) -> list[Point]:
    """The least and the most of every so many points, in their order; nothing that stands out is lost."""
    if every <= 1:
        return list(piece)
    starts = [*range(0, len(piece), every), len(piece)]
    kept = []
    for first, last in pairwise(starts):
        group = piece[first:last]
        ends = {min(group, key=lambda point: point[1]), max(group, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def stride_of(points: int) -> int:
    """How many points share a place."""
    return math.ceil(points / MOST_POINTS) if points else 1
