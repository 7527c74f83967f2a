"""The record of a run: nothing is lost between the tally, the report and whoever reads it again."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.core.stats import hdr, record
from loadgen.core.stats.histogram import HIGHEST, Histogram, sparse_of
from loadgen.model.plan import Metric, Statistic
from loadgen.report import documents, terminal
from unit.loadgen.deltas import a_cell, a_delta, a_tally, steady
from unit.loadgen.plans import a_plan, opened
from unit.loadgen.test_summary import WARM, a_report

TWO_KINDS = a_plan(opened(1, 4), requests=[{"name": "a", "http": {}}, {"name": "b", "http": {}}])


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add(sparse_of(values))
    return histogram


@settings(max_examples=30)
@given(st.lists(st.integers(0, HIGHEST), max_size=60))
def test_a_histogram_comes_back_as_it_was(values: list[int]) -> None:
    """Bins, count and the exact sums, through JSON."""
    before = histogram_of(values)
    kept = record.keep(before)
    after = record.restore(type(kept).model_validate_json(kept.model_dump_json()))
    assert np.array_equal(before.counts, after.counts)
    assert [getattr(before, name) - getattr(after, name) for name in ("count", "total", "squares", "largest")] == [
        0
    ] * 4


GOOD = hdr.encode(histogram_of([5, 100, 10**6]))


@pytest.mark.parametrize("text", ["", "?", "AAAA", GOOD[:-8], GOOD[:30], GOOD.replace("H", "J", 1), GOOD + GOOD])
def test_a_damaged_histogram_is_refused(text: str) -> None:
    """In words, whatever is wrong with it."""
    with pytest.raises(ValueError, match="HdrHistogram"):
        hdr.decode(text)


def test_each_stage_and_kind_is_kept_apart() -> None:
    """Slots are by intended second, values above the group's own percentiles are counted."""
    cells = (a_cell(1, request=0, ms=range(1, 101)), a_cell(3, request=1, ms=[7, 9], errors={"Http503": 1}, good=1))
    first, second = record.record(TWO_KINDS, a_tally(TWO_KINDS, a_delta(1, cells[0]), a_delta(3, cells[1])))
    assert (first.request, second.request, second.slots.planned, second.slots.good) == (
        "a",
        "b",
        (0, 0, 0, 3),
        (0, 0, 0, 1),
    )
    assert (second.slots.succeeded, second.slots.failed) == ((0, 0, 0, 2), (0, 0, 0, 1))
    values = first.slots.values[Metric.RESPONSE_TIME]
    assert (values.count, values.total) == ((0, 100, 0, 0), (0, 5_050_000, 0, 0))
    assert {name: sum(above) for name, above in values.above.items()} == {
        **{Statistic.P50: 50, Statistic.P90: 10, Statistic.P95: 5, Statistic.P99: 1}
    }


def test_pooled_halves_are_the_whole() -> None:
    """Merging the records of two stages gives the histogram of both."""
    plan = a_plan(opened(1, 3), opened(1, 3))
    tally = a_tally(plan, *(a_delta(at, a_cell(at, at // 3, ms=[at + 1, 50])) for at in range(6)))
    pooled = Histogram()
    for group in record.record(plan, tally):
        pooled.merge(record.restore(group.histograms[Metric.RESPONSE_TIME]))
    whole = tally.select().histogram(Metric.RESPONSE_TIME)
    assert np.array_equal(pooled.counts, whole.counts)
    assert (pooled.stddev, pooled.max) == (whole.stddev, whole.max)


@pytest.mark.parametrize(("seconds", "step", "slots"), [(600, 1, 600), (601, 2, 301), (7200, 12, 600)])
def test_a_stage_has_a_bounded_number_of_slots(seconds: int, step: int, slots: int) -> None:
    """Longer slots, and nothing lost."""
    plan = a_plan(opened(1, seconds))
    (group,) = record.record(plan, steady(plan, ms=[5]))
    assert (group.slots.step_seconds, len(group.slots.planned), sum(group.slots.planned)) == (step, slots, seconds)


def test_a_stage_that_never_came_has_no_group() -> None:
    """And one that was cut is as long as it was."""
    (group,) = record.record(WARM, steady(WARM, seconds=1))
    assert (group.stage, group.slots.planned) == ("warm", (10,))


def test_a_report_of_the_first_schema_is_still_shown() -> None:
    """It lacks what was not kept then."""
    document = json.loads(documents.dump(a_report(WARM, steady(WARM))))
    del document["record"]
    old = documents.load(json.dumps(document | {"schemaVersion": "1"}))
    assert old.record == ()
    assert "stage peak" in terminal.text(old)
