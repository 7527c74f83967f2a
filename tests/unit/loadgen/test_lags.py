"""What a late loop does to a statistic, and no more than is stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats import lags, samples
from loadgen.core.stats.histogram import Histogram, sparse_of
from loadgen.model.plan import Statistic

APART = 4000


def a_histogram(micros: "list[int]") -> Histogram:
    histogram = Histogram()
    histogram.add(sparse_of(micros))
    return histogram


@given(
    true=st.lists(st.integers(1, 2000), min_size=150, max_size=400),
    late=st.lists(st.sampled_from([0, 0, 0, 5, 50, 800, 2000]), min_size=1, max_size=300),
    seed=st.integers(0, 1 << 30),
)
def test_a_percentile_is_off_by_no_more_than_is_stated(true: list[int], late: list[int], seed: int) -> None:
    """Every value is read late by one of the lags, each as often as the probes saw it: whichever meets which."""
    spread = np.resize(late, len(true))
    measured = np.array(true) + np.random.default_rng(seed).permutation(spread)
    found, real = a_histogram(measured.tolist()), a_histogram(true)
    stated = lags.uncertainties(found, a_histogram(spread.tolist()), [Statistic.P50, Statistic.P90])
    for one, off in stated.items():
        percent = samples.PERCENTS[one]
        assert abs(found.percentile(percent) - real.percentile(percent)) / 1000 <= off + 0.001


@pytest.mark.parametrize(
    ("late", "off"),
    [([20] * 1000, 0.02), ([20] * 980 + [9000] * 20, 0.02 + 20 / 1000), ([0] * 500 + [9000] * 500, 0.5)],
    ids=["always a little", "seldom much: ranks shift by 2 %", "half of the time much: ranks may shift by half"],
)
def test_the_narrowest_that_the_lags_allow(late: list[int], off: float) -> None:
    """A thousand values a microsecond apart."""
    found = a_histogram(list(range(1, 1001)))
    assert lags.uncertainties(found, a_histogram(late), [Statistic.P50])[Statistic.P50] == pytest.approx(off, abs=0.002)


def test_nothing_was_read_later_than_the_longest_lag_and_the_distance_of_two_probes() -> None:
    assert lags.longest(a_histogram([10, 4000])) == 4000 + APART


def test_without_probes_nothing_is_stated() -> None:
    assert (lags.shares(Histogram()), lags.longest(Histogram())) == ((), 0)
    assert lags.uncertainties(a_histogram([1] * 20), Histogram(), [Statistic.P50]) == {Statistic.P50: 0}
