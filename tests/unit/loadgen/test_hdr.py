"""The export and the arithmetic against HdrHistogram's own implementation."""

import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats import hdr
from loadgen.core.stats.histogram import DIGITS, HIGHEST, LOWEST, Histogram, rank_of, sparse_of
from loadgen.model.plan import Metric
from unit.loadgen.deltas import a_cell, a_delta, a_tally
from unit.loadgen.plans import a_plan, opened

values = st.lists(st.integers(1, HIGHEST), min_size=1, max_size=50)
PERCENTS = (50, 75, 90, 95, 99, 99.9, 100)


def ours(sample: Any) -> Histogram:
    histogram = Histogram()
    histogram.add(sparse_of(sample))
    return histogram


def theirs(sample: Any) -> Any:
    histogram = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    for value in sample:
        histogram.record_value(int(value))
    return histogram


def value_at(oracle: Any, percent: float) -> int:
    """By the Java original's rank, which is rounded up; the Python port rounds half up (P99 of 662: 655 instead of 656)."""
    count = oracle.get_total_count()
    rank = math.ceil(Fraction(str(percent)) * count / 100)
    value: int = oracle.get_value_at_percentile(100 * rank / count)
    return value


def test_percentiles_of_a_long_tailed_sample_are_the_same() -> None:
    sample = np.random.default_rng(3).lognormal(11, 2, 20_000).astype(int) + 1
    mine, oracle = ours(sample), theirs(sample)
    assert [mine.percentile(p) for p in PERCENTS] == [value_at(oracle, p) for p in PERCENTS]


@given(values)
def test_percentiles_are_the_same(sample: list[int]) -> None:
    mine, oracle = ours(sample), theirs(sample)
    assert [mine.percentile(p) for p in PERCENTS] == [value_at(oracle, p) for p in PERCENTS]


def test_a_rank_is_rounded_up() -> None:
    """At the sample floor of P99 the value is the seventh from the top, not the eighth; whole ranks stay whole."""
    assert [rank_of(99, 662), rank_of(99.9, 1000), rank_of(50, 2), rank_of(95, 20), rank_of(100, 7)] == [
        656,
        999,
        1,
        19,
        7,
    ]


@given(values)
def test_an_export_is_read_back_as_the_same_counts(sample: list[int]) -> None:
    read = HdrHistogram.decode(hdr.encode(ours(sample)))
    expected = theirs(sample)
    assert read.get_total_count() == len(sample)
    assert [read.get_value_at_percentile(p) for p in PERCENTS] == [
        expected.get_value_at_percentile(p) for p in PERCENTS
    ]


@pytest.mark.parametrize("count", [1, 63, 64, 8191, 8192, 2**31, 2**40, 2**55])
def test_large_counts_are_written_right(count: int) -> None:
    histogram = Histogram()
    histogram.counts[[5, 7]] = count
    assert HdrHistogram.decode(hdr.encode(histogram)).get_count_at_value(7) == count


def test_a_log_has_an_interval_for_every_second(tmp_path: Path) -> None:
    plan = a_plan(opened(10))
    tally = a_tally(plan, *(a_delta(at, a_cell(at, ms=[at + 1] * 3)) for at in (0, 1, 4)))
    path = tmp_path / "response.hlog"
    path.write_text(hdr.log(tally, Metric.RESPONSE_TIME, 1_700_000_000))
    reader = HistogramLogReader(str(path), HdrHistogram(LOWEST, HIGHEST, DIGITS))
    read = list(itertools.takewhile(bool, (reader.get_next_interval_histogram() for _ in range(9))))
    reader.close()
    assert [histogram.get_total_count() for histogram in read] == [3, 3, 3]
    assert [histogram.get_max_value() // 1000 for histogram in read] == [1, 2, 5]
    assert path.read_text().startswith("#[Histogram log format version 1.2]\n#[StartTime: 1700000000.000 (seconds")
