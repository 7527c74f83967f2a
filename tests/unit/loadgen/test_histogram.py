"""Histograms against their definition and against HdrHistogram's own arithmetic."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from loadgen.core.stats.histogram import BINS, HIGHEST, Histogram, index_of, lowest_of, sparse_of, squares_of, value_of
from loadgen.core.stats.packed import Packed, unpack
from loadgen.model.wire import Sparse

micros = st.integers(0, HIGHEST)
samples = st.lists(micros, min_size=1, max_size=200)


def histogram_of(*parts: list[int]) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(sparse_of(part))
    return histogram


@given(micros)
def test_a_bin_holds_its_value_within_a_thousandth(value: int) -> None:
    index = index_of([value])
    lowest, highest = int(lowest_of(index)[0]), int(value_of(index)[0])
    assert lowest <= value <= highest
    assert highest - lowest <= value / 1000


def test_bins_follow_each_other_without_a_gap() -> None:
    bins = np.arange(BINS)
    assert np.array_equal(lowest_of(bins)[1:], value_of(bins)[:-1] + 1)
    assert np.array_equal(index_of(lowest_of(bins)), np.minimum(bins, index_of([HIGHEST])))


@given(samples)
def test_mean_stddev_and_max_are_exact(values: list[int]) -> None:
    histogram = histogram_of(values)
    assert histogram.mean == pytest.approx(statistics.fmean(values))
    assert histogram.stddev == pytest.approx(statistics.pstdev(values), rel=1e-9, abs=1e-3)
    assert histogram.max == max(values)


@given(samples, st.sampled_from([50, 75, 90, 95, 99, 99.9, 100]))
def test_a_percentile_is_the_highest_value_of_the_ranked_bin(values: list[int], percent: float) -> None:
    rank = max(1, math.ceil(Fraction(str(percent)) * len(values) / 100))
    assert histogram_of(values).percentile(percent) == value_of(index_of(sorted(values)[rank - 1]))


@given(samples, samples)
def test_merged_halves_are_the_whole(one: list[int], two: list[int]) -> None:
    merged = histogram_of(one)
    merged.merge(histogram_of(two))
    assert merged.to_sparse() == histogram_of(one + two).to_sparse() == sparse_of(one + two)


@given(st.lists(samples, max_size=8))
def test_packing_loses_nothing(parts: list[list[int]]) -> None:
    packed, unpacked = Packed(), Histogram()
    for part in parts:
        packed.add(sparse_of(part))
    unpack(unpacked, [packed])
    assert unpacked.to_sparse() == histogram_of(*parts).to_sparse()


def test_a_bin_with_millions_of_values_survives_packing() -> None:
    packed, unpacked = Packed(), Histogram()
    for _ in range(100):
        packed.add(Sparse([7, 9], [1_000_000, 1], 7_000_009, 49_000_081, 9))
    unpack(unpacked, [packed])
    assert unpacked.to_sparse() == Sparse([7, 9], [100_000_000, 100], 700_000_900, 4_900_008_100, 9)


def test_many_hour_long_values_cross_the_wire() -> None:
    sparse = sparse_of([HIGHEST] * 1000)
    assert squares_of(msgpack.decode(msgpack.encode(sparse), type=Sparse)) == 1000 * HIGHEST**2


def test_values_past_an_hour_keep_their_maximum() -> None:
    histogram = histogram_of([2 * HIGHEST])
    assert histogram.max == 2 * HIGHEST
    assert histogram.percentile(50) == value_of(index_of(HIGHEST))


def test_nothing_measured_is_zero() -> None:
    empty = Histogram()
    assert (empty.percentile(99), empty.mean, empty.stddev, empty.within_one_stddev) == (0, 0.0, 0.0, 0.0)
    assert sparse_of([]) == Sparse()


def test_two_thirds_of_a_normal_sample_lie_within_one_stddev() -> None:
    values = np.random.default_rng(1).normal(100_000, 10_000, 20_000).astype(int)
    assert histogram_of(values.tolist()).within_one_stddev == pytest.approx(68.3, abs=1)
