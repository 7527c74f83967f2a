"""Scales, ticks and thinning of the charts, over any values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.report.html import axes

VALUES = st.lists(st.floats(0, 1e12, allow_nan=False), max_size=30)
POINTS = st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=60)


@given(VALUES, st.booleans())
def test_every_value_has_its_place_in_the_chart(values: list[float], logarithmic: bool) -> None:
    """Between the axis' ends, in the order of the values."""
    scale = axes.vertical(values, 200.0, 10.0, may_be_logarithmic=logarithmic)
    places = [scale(value) for value in sorted(values)]
    assert all(9.999 <= place <= 200.001 for place in places)
    assert places == sorted(places, reverse=True)


@given(VALUES, st.booleans())
def test_ticks_are_few_and_hold_the_values(values: list[float], logarithmic: bool) -> None:
    """At least two, at most a dozen decades or ten steps; the last is not below the largest value."""
    scale = axes.vertical(values, 200.0, 10.0, may_be_logarithmic=logarithmic)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= (25 if scale.logarithmic else 10)
    assert list(ticks) == sorted(ticks)
    assert ticks[-1] >= max(values, default=0) * 0.999


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [([1.0, 49.0], False), ([1.0, 50.0], True), ([0.0, 5000.0], False), ([], False)],
    ids=["near each other", "far apart", "a zero, which has no logarithm", "no value"],
)
def test_when_an_axis_is_logarithmic(values: list[float], logarithmic: bool) -> None:
    """Only where it is allowed, needed and possible."""
    assert axes.vertical(values, 1.0, 0.0, may_be_logarithmic=True).logarithmic is logarithmic
    assert not axes.vertical(values, 1.0, 0.0, may_be_logarithmic=False).logarithmic


@given(POINTS)
def test_pieces_hold_what_is_known_and_nothing_else(values: list[float | None]) -> None:
    """Every number once, in order; never a line across what is absent, infinite or no number."""
    pieces = list(axes.unbroken(list(enumerate(values))))
    known = [(at, value) for at, value in enumerate(values) if value is not None and math.isfinite(value)]
    assert [point for piece in pieces for point in piece] == known
    for piece in pieces:
        moments = [at for at, _ in piece]
        assert moments == list(range(int(moments[0]), int(moments[0]) + len(moments)))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200), st.integers(1, 20))
def test_thinning_keeps_the_extremes(values: list[float], every: int) -> None:
    """Of each place and so of the whole; no point is made up, and none is out of order."""
    piece = list(enumerate(values))
    kept = axes.thinned(piece, every)
    assert set(kept) <= set(piece)
    assert kept == sorted(kept)
    assert min(value for _, value in kept) == min(values)
    assert max(value for _, value in kept) == max(values)
    assert len(kept) <= max(len(values), 1) if every == 1 else 2 * math.ceil(len(values) / every)


@pytest.mark.parametrize("seconds", [1, 2, 59, 120, 121, 3599, 3600, 86400, 604800])
def test_the_time_axis_has_a_few_round_moments(seconds: int) -> None:
    """Whatever the run's length; the first is its start."""
    moments = axes.moments(seconds)
    assert moments[0] == 0
    assert 1 < len(moments) <= 9
    assert moments[-1] <= seconds


@pytest.mark.parametrize(
    ("at", "whole", "text"), [(45, 60, "45 s"), (125, 600, "2:05"), (3605, 7200, "1:00:05"), (0, 600, "0:00")]
)
def test_moments_as_people_write_them(at: float, whole: float, text: str) -> None:
    """Seconds, minutes, hours as the run's length wants."""
    assert axes.clock(at, whole) == text
