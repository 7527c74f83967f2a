"""Sample floors and confidence bounds against their definitions."""

import numpy as np
import pytest

from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram, sparse_of
from loadgen.model.plan import Statistic


def a_histogram(values: object) -> Histogram:
    histogram = Histogram()
    histogram.add(sparse_of(values))  # type: ignore[arg-type]
    return histogram


@pytest.mark.parametrize(
    ("statistic", "floor"),
    [("Mean", 1), ("Max", 1), ("P50", 11), ("P75", 24), ("P90", 64), ("P95", 130), ("P99", 662), ("P999", 6636)],
)
def test_floors_are_those_of_the_definition(statistic: str, floor: int) -> None:
    assert samples.floor(Statistic(statistic)) == floor
    assert samples.missing(Statistic(statistic), floor) is None
    if floor > 1:
        assert samples.missing(Statistic(statistic), floor - 1) == f"n/a (n < {floor})"


def test_a_percentile_never_passes_the_largest_value() -> None:
    histogram = a_histogram([5_000_001] * 1000)
    assert samples.milliseconds(histogram, Statistic.P99) == 5000.001


@pytest.mark.parametrize("statistic", [Statistic.P50, Statistic.P90, Statistic.P95])
def test_the_true_percentile_lies_within_the_bounds_as_often_as_promised(statistic: Statistic) -> None:
    generator = np.random.default_rng(7)
    truth = -np.log(1 - samples.PERCENTS[statistic] / 100) * 100
    hits = 0
    for _ in range(400):
        low, high = samples.bounds(a_histogram(generator.exponential(100_000, 1000)), statistic) or (0, 0)
        hits += low * 0.999 <= truth <= high * 1.001
    assert hits >= 390


@pytest.mark.parametrize("count", [1, 100, 700, 7000, 1_000_000])
def test_bounds_enclose_the_percentile_or_are_absent(count: int) -> None:
    histogram = a_histogram(np.arange(count) % 3_000_000)
    for statistic in samples.PERCENTS:
        limits = samples.bounds(histogram, statistic)
        assert limits is None or limits[0] <= samples.milliseconds(histogram, statistic) <= limits[1]


def test_a_small_sample_has_no_upper_bound() -> None:
    assert samples.bounds(a_histogram([1] * 100), Statistic.P99) is None
    assert samples.bounds(a_histogram([1] * 100), Statistic.MEAN) is None
