"""Closed slots add up to the level at any time, for any number of segments."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.schedule.concurrency import SlotSpan, slots
from loadgen.core.schedule.levels import NANOSECONDS
from loadgen.core.schedule.segment import Segment
from unit.loadgen.plans import a_plan, closed, opened

WHOLE = Segment(0, 1)


def active(spans: tuple[SlotSpan, ...], second: float) -> int:
    return sum(span.start_ns <= second * NANOSECONDS < span.end_ns for span in spans)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 9), st.integers(1, 7))
def test_the_segments_slots_are_the_whole(levels: list[int], ramp: int, count: int) -> None:
    plan = a_plan(*(closed(level, 10, rampSeconds=ramp) for level in levels))
    parts = [slots(plan, Segment(index, count)) for index in range(count)]
    assert sorted((s for part in parts for s in part), key=str) == sorted(slots(plan, WHOLE), key=str)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 10), st.floats(10, 19.99))
def test_a_linear_ramp_keeps_as_many_slots_active_as_its_level(a: int, b: int, ramp: int, second: float) -> None:
    spans = slots(a_plan(closed(a), closed(b, 10, rampSeconds=ramp)), WHOLE)
    level = a + (b - a) * min((second - 10) / ramp, 1)
    assert active(spans, second) == pytest.approx(level, abs=0.5 + 1e-6)


def test_an_exponential_ramp_passes_the_geometric_mean_half_way() -> None:
    spans = slots(a_plan(closed(4), closed(400, 10, rampSeconds=10, ramp="Exponential")), WHOLE)
    assert active(spans, 15) == pytest.approx(math.sqrt(4 * 400), abs=1)


@pytest.mark.parametrize("ramp", ["Linear", "Exponential"])
def test_a_ramp_starts_from_zero_after_an_open_stage(ramp: str) -> None:
    plan = a_plan(closed(50), opened(5), closed(50, 10, rampSeconds=10, ramp=ramp))
    spans = slots(plan, WHOLE)
    assert [active(spans, at) for at in (5, 15)] == [50, 0]
    assert active(spans, 20) <= 1
    assert active(spans, 29.999) == 50


def test_a_slot_goes_on_into_the_next_closed_stage() -> None:
    first, second = (span for span in slots(a_plan(closed(3), closed(5)), WHOLE) if span.slot == 2)
    assert first.end_ns == second.start_ns
    assert (first.stage, second.stage) == (0, 1)


@given(st.integers(0, 1000), st.integers(1, 20))
def test_shares_add_up_and_differ_by_one_at_most(total: int, count: int) -> None:
    shares = [Segment(index, count).share(total) for index in range(count)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_a_segment_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="segment 4 of 4"):
        Segment(4, 4)
