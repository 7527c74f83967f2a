"""Intervals against brute force, coverage by simulation, evidence that may be looked at all the time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats import confidence


def at_most(hits: int, attempts: int, share: float) -> float:
    """P(Binomial ≤ hits), term by term."""
    return math.fsum(math.comb(attempts, k) * share**k * (1 - share) ** (attempts - k) for k in range(hits + 1))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_of_a_share_are_where_the_exact_tails_are_five_percent(drawn: tuple[int, int]) -> None:
    """The definition of Clopper and Pearson, by sums."""
    hits, attempts = drawn
    found = confidence.share(float(hits), float(attempts))
    if hits < attempts:
        assert at_most(hits, attempts, found.high) == pytest.approx(0.05, abs=1e-6)
    else:
        assert found.high == 1
    if hits:
        assert 1 - at_most(hits - 1, attempts, found.low) == pytest.approx(0.05, abs=1e-6)
    else:
        assert found.low == 0


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_the_beta_function_is_the_binomial_tail(a: int, b: int, x: float) -> None:
    """I(x; a, b) = P(Binomial(a+b−1, x) ≥ a)."""
    assert confidence.beta_cdf(x, a, b) == pytest.approx(1 - at_most(a - 1, a + b - 1, x), abs=1e-9)


@pytest.mark.parametrize(("freedom", "value"), [(1, 6.3138), (4, 2.1318), (19, 1.7291), (1000, 1.6464)])
def test_students_t_is_that_of_the_tables(freedom: int, value: float) -> None:
    assert confidence.t_quantile(freedom) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(("limit", "number"), [(0.05, 59), (0.01, 299), (0.001, 2995), (0.5, 5)])
def test_how_many_without_a_failure_are_needed(limit: float, number: int) -> None:
    """The rule of three, exactly: one fewer does not show it."""
    assert confidence.needed(limit) == number
    assert confidence.share(0.0, float(number)).high <= limit < confidence.share(0.0, number - 1.0).high


def test_what_lies_at_the_limit_is_never_decided() -> None:
    assert confidence.needed(0.05, 5, 100) is None


@given(st.integers(1, 300), st.sampled_from([0.5, 0.1, 0.05, 0.01]))
def test_the_most_hits_are_those_that_one_more_would_break(attempts: int, limit: float) -> None:
    most = confidence.most_hits(float(attempts), limit)
    assert most < 0 or confidence.share(float(most), float(attempts)).high <= limit
    assert confidence.share(most + 1.0, float(attempts)).high > limit


def test_independent_attempts_count_about_once() -> None:
    draw = np.random.default_rng(3)
    effects = [
        confidence.design_effect(draw.binomial(20, 0.1, 100).astype(float), np.full(100, 20.0)) for _ in range(200)
    ]
    assert 1.0 <= np.median(effects) < 1.2


def test_the_design_effect_by_hand() -> None:
    """Variance of five batches 150, of independent attempts 12; and t against the normal quantile, for five tell their variance roughly."""
    found = confidence.design_effect(np.array([10.0, 0, 10, 0, 10]), np.full(5, 10.0))
    assert found == pytest.approx(150 / 12 * (2.13185 / 1.64485) ** 2, rel=1e-4)
    assert confidence.design_effect(np.array([10.0, 0, 10, 0]), np.full(4, 10.0)) == 1


def bursts(draw: np.random.Generator, seconds: int, share: float, length: float) -> np.ndarray:  # type: ignore[type-arg]
    """Seconds in which everything is over the limit, in stretches of about this length."""
    over, state = np.zeros(seconds), bool(draw.random() < share)
    for at in range(seconds):
        over[at] = state
        leave = 1 / length if state else share / (1 - share) / length
        state = not state if draw.random() < leave else state
    return over


@pytest.mark.parametrize("length", [1.0, 3.0, 10.0])
def test_a_queue_that_comes_and_goes_does_not_look_like_many_requests(length: float) -> None:
    """True share 10 %, in bursts: that it were below 10 % is claimed in about 5 % of runs, and not in a third of them."""
    draw, wrong, naive = np.random.default_rng(5), 0, 0
    for _ in range(100):
        over = 10 * bursts(draw, 600, 0.1, length)
        sizes = np.full(600, 10.0)
        effect = confidence.design_effect(over, sizes)
        wrong += confidence.share(float(over.sum()) / effect, 6000 / effect).high < 0.1
        naive += confidence.share(float(over.sum()), 6000.0).high < 0.1
    assert wrong <= 16
    assert naive > wrong or length == 1


def test_a_mean_is_covered_as_often_as_promised() -> None:
    """Of exponential answers; each end is right with 95 %."""
    draw, inside = np.random.default_rng(6), 0
    for _ in range(300):
        totals = draw.exponential(100, (60, 10)).sum(axis=1)
        found = confidence.ratio(totals, np.full(60, 10.0))
        assert found is not None
        assert found[1] is not None
        inside += found[1].low <= 100 <= found[1].high
    assert inside >= 0.86 * 300


def test_a_mean_of_a_few_seconds_has_no_interval() -> None:
    assert confidence.ratio(np.ones(4), np.ones(4)) == (1.0, None)
    assert confidence.ratio(np.zeros(0), np.zeros(0)) is None


def test_evidence_ever_misleads_in_at_most_one_of_a_hundred_runs() -> None:
    """True share 5 % at a limit of 5 %, asked after every ten attempts."""
    draw, misled = np.random.default_rng(7), 0
    for _ in range(60):
        hits = np.cumsum(draw.random(1000) < 0.05)
        looks = (confidence.evidence_above(float(hits[n]), n + 1.0, 0.05) for n in range(9, 1000, 10))
        misled += any(look >= math.log(100) for look in looks)
    assert misled <= 2


def test_evidence_finds_what_is_there() -> None:
    """20 % at a limit of 1 % within fifty attempts; what can never be needs no evidence."""
    assert confidence.evidence_above(10, 50, 0.01) > math.log(100)
    assert confidence.evidence_above(1, 50, 0.0) == math.inf
    assert confidence.evidence_above(50, 50, 1.0) == -math.inf
    assert confidence.evidence_above(0, 0, 0.5) == -math.inf
