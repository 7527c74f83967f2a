"""The knee: the fit against pool-adjacent-violators, the ends of the range, and small simulations with a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.capacity import knee
from loadgen.core.capacity.knee import Bound, Shape, Trial
from unit.loadgen.capacity.queues import mmc, saturating


def pava(good: list[int], planned: list[int]) -> list[float]:
    """Pool adjacent violators, as the books write it."""
    blocks: list[list[float]] = []
    for hits, count in zip(good, planned, strict=True):
        blocks.append([hits, count, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [hits / count for hits, count, levels in blocks for _ in range(int(levels))]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=9))
def test_the_fit_is_that_of_pool_adjacent_violators(levels: list[tuple[int, int]]) -> None:
    """For any good ≤ planned."""
    good, planned = [min(g, n) for g, n in levels], [n for _, n in levels]
    found = knee.fit(np.array([good], dtype=float), np.array([planned], dtype=float))
    assert found[0].tolist() == pytest.approx(pava(good, planned))


def trials(*levels: tuple[float, float], repeats: int = 3) -> list[Trial]:
    """Each load with its attainment, without any scatter."""
    return [Trial(load, ((round(1000 * share), 1000),) * 3) for load, share in levels for _ in range(repeats)]


@pytest.mark.parametrize(
    ("levels", "bound", "load"),
    [
        ([(10, 1.0), (20, 0.99)], Bound.AT_LEAST, 20),
        ([(10, 0.9), (20, 0.5)], Bound.AT_MOST, 10),
        ([(10, 0.96)], Bound.AT_LEAST, 10),
        ([(10, 0.94)], Bound.AT_MOST, 10),
    ],
)
def test_a_range_that_was_not_enough_gives_an_end(levels: list[tuple[float, float]], bound: Bound, load: float) -> None:
    """And no limit on that side."""
    found = knee.find(trials(*levels), 0.95)
    assert (found.bound, found.load) == (bound, load)
    assert (found.low if bound is Bound.AT_MOST else found.high) is None


@pytest.mark.parametrize(
    ("levels", "shape"),
    [
        ([(10, 1.0), (20, 0.99), (21, 0.96), (22, 0.3)], Shape.CLIFF),
        ([(10, 1.0), (20, 0.97), (24, 0.8), (28, 0.6)], Shape.SMOOTH),
        ([(10, 1.0), (20, 0.97), (30, 0.1)], None),
        ([(10, 1.0), (20, 0.97)], None),
    ],
    ids=["gone within a tenth", "half of it left at a fifth more", "levels too far apart", "never fell"],
)
def test_the_shape_of_the_fall(levels: list[tuple[float, float]], shape: Shape | None) -> None:
    """Known where levels stand close enough."""
    assert knee.find(trials(*levels), 0.95).shape is shape


def test_without_requests_there_is_no_knee() -> None:
    """In words."""
    with pytest.raises(ValueError, match="no trial has a request"):
        knee.find([Trial(10, ((0, 0),))], 0.95)


def test_between_levels_the_estimate_lies_between_both_chords() -> None:
    """Of the shares and of their logits."""
    found = knee.find(trials((10, 0.99), (20, 0.91)), 0.95)
    assert found.load == pytest.approx((15 + 17.4) / 2, abs=0.3)


def a_trial(rng: np.random.Generator, kind: str, load: float, seconds: int = 60) -> Trial:
    """A stage of a simulated server, in blocks of ten seconds."""
    arrivals, times = mmc(rng, load, seconds, 1, 0.025) if kind == "mm1" else saturating(rng, load, seconds, 40)
    blocks, limit = (arrivals // knee.BLOCK_SECONDS).astype(int), 0.25 if kind == "mm1" else 0.5
    planned = np.bincount(blocks, minlength=seconds // knee.BLOCK_SECONDS)
    good = np.bincount(blocks, weights=times <= limit, minlength=seconds // knee.BLOCK_SECONDS)
    return Trial(load, tuple((int(g), int(n)) for g, n in zip(good, planned, strict=True)))


@pytest.mark.parametrize(("kind", "truth"), [("mm1", 28.1), ("saturating", 37.1)])
def test_the_interval_holds_the_truth(kind: str, truth: float) -> None:
    """36 of 40 at least (P = 3 % at a coverage of 95 %); the page has the coverage of many more."""
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        levels = truth * rng.uniform(0.95, 1.05) * np.array([0.7, 0.8, 0.86, 0.92, 0.98, 1.04, 1.1, 1.2])
        found = knee.find([a_trial(rng, kind, load) for load in levels for _ in range(3)], 0.95, draws=600, seed=seed)
        held += (found.low or 0) <= truth <= (found.high or np.inf)
    assert held >= 36
