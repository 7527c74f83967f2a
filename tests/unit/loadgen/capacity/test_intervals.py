"""Intervals against tables, brute force and simulated truth."""

import itertools
import math

import numpy as np
import pytest

from loadgen.core.capacity import intervals
from loadgen.core.capacity.intervals import Interval


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228), (30, 2.042), (121, 1.980)],
)
def test_student_is_what_the_tables_say(degrees: int, quantile: float) -> None:
    """97.5 % quantiles."""
    assert intervals.student(degrees) == pytest.approx(quantile, abs=6e-4)


@pytest.mark.parametrize("count", [6, 7, 10])
def test_signed_rank_against_every_sign(count: int) -> None:
    """The critical rank by enumeration of all 2ⁿ signs."""
    sums = [
        sum(chosen)
        for chosen in (itertools.compress(range(1, count + 1), s) for s in itertools.product((0, 1), repeat=count))
    ]
    least = next(c for c in itertools.count() if sum(total < c + 1 for total in sums) / 2**count > 0.025)
    values = np.random.default_rng(1).normal(size=count)
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    found = intervals.signed_rank(values)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(walsh[least - 1]), pytest.approx(walsh[-least]))


def test_five_pairs_are_too_few() -> None:
    """And six equal ones are an interval without width."""
    assert intervals.signed_rank([1.0] * 5) is None
    assert intervals.signed_rank([0.0] * 6) == Interval(0, 0, 0)


@pytest.mark.parametrize(("count", "share"), [(20, 0.5), (100, 0.95), (80, 0.9), (400, 0.99)])
def test_ranks_cover(count: int, share: float) -> None:
    """By the exact binomial sum, and one rank narrower would not."""

    def covered(low: int, high: int) -> float:
        return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(low, high))

    found = intervals.ranks(count, share)
    assert found is not None
    assert covered(*found) >= 0.95
    assert covered(0, found[0]) <= 0.025 < covered(0, found[0] + 1)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_the_fewest_values(share: float) -> None:
    """Both limits exist from there on, and not much before."""
    count = intervals.fewest(share)
    assert intervals.ranks(count, share) is not None
    assert intervals.ranks(count - 3, share) is None


def test_autocorrelation_is_paid_for() -> None:
    """Independent values are worth themselves; blocks of ten equal ones a tenth."""
    rng = np.random.default_rng(5)
    alone = rng.binomial(50, 0.2, 200)
    assert intervals.design_effect(alone.tolist(), [50] * 200, 0.2) < 2
    effects = [intervals.design_effect((10 * rng.binomial(5, 0.2, 200)).tolist(), [50] * 200, 0.2) for _ in range(50)]
    assert np.mean(effects) == pytest.approx(10, rel=0.15)


def test_welch_covers() -> None:
    """95 % of 95 % intervals of three against four runs hold the truth, within what 1 000 tries can tell."""
    rng = np.random.default_rng(7)
    found = [intervals.welch(rng.normal(0, 1, 3).tolist(), rng.normal(1, 2, 4).tolist()) for _ in range(1000)]
    assert sum(one is not None and one.low <= 1 <= one.high for one in found) >= 935


def test_mover_of_shares_is_newcombes() -> None:
    """His table II, example (a): 56/70 and 48/80 differ by 0.0524 to 0.3339."""
    found = intervals.mover(intervals.wilson(48, 80), intervals.wilson(56, 70))
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
