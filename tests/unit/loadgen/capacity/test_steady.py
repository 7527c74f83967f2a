"""Steady state: queues that are in one, that never get there, and that were not looked at for long enough."""

import itertools
from collections import Counter

import numpy as np
import pytest

from loadgen.core.capacity import steady
from loadgen.model.record import Steadiness, SteadyState
from unit.loadgen.capacity.groups import a_group
from unit.loadgen.capacity.queues import fifo, mmc, poisson
from unit.loadgen.deltas import steady as a_steady_tally
from unit.loadgen.plans import a_plan, closed, opened
from unit.loadgen.test_summary import a_report


def judged(seed: int, rate: float, seconds: int = 120, service: float = 0.1) -> Steadiness:
    plan = a_plan(opened(round(rate), seconds))
    group = a_group(plan, *mmc(np.random.default_rng(seed), rate, seconds, service=service))
    return steady.judge(plan.load.stages[0], [group])


def test_a_queue_below_its_capacity_is_steady() -> None:
    """At half load: at most one in twenty is called anything else."""
    states = Counter(judged(seed, 5).state for seed in range(40))
    assert states[SteadyState.DRIFTING] <= 2
    assert states[SteadyState.STEADY] >= 34


def test_a_queue_past_its_capacity_drifts() -> None:
    """Twenty per cent more than it can take: its response time has no value, only a date."""
    found = [judged(seed, 12) for seed in range(12)]
    assert all(one.state is SteadyState.DRIFTING for one in found)
    assert "response time rose by" in found[0].message


def test_a_warm_up_is_cut_off() -> None:
    """Slow for the first 20 s, then as always: steady from about there."""
    rng = np.random.default_rng(1)
    plan = a_plan(opened(50, 150))
    arrivals = poisson(rng, 50, 150)
    times = fifo(arrivals, np.where(arrivals < 20, 0.018, 0.005))
    found = steady.judge(plan.load.stages[0], [a_group(plan, arrivals, times)])
    assert found.state is SteadyState.STEADY
    assert found.from_second is not None
    assert 15 <= found.from_second <= 40


def test_a_short_stage_says_how_long_it_should_be() -> None:
    """And counts its ramp."""
    plan = a_plan(opened(10, 40, rampSeconds=10))
    group = a_group(plan, *mmc(np.random.default_rng(1), 10, 40, service=0.01))
    found = steady.judge(plan.load.stages[0], [group])
    assert found.state is SteadyState.TOO_SHORT
    assert "make durationSeconds at least 60" in found.message


def test_a_ramp_is_no_drift() -> None:
    """What is measured while the level moves is left out."""
    plan = a_plan(opened(9, 160, rampSeconds=40))
    rng = np.random.default_rng(3)
    arrivals = np.concatenate([poisson(rng, 2, 40), 40 + poisson(rng, 6, 120)])
    found = steady.judge(
        plan.load.stages[0], [a_group(plan, arrivals, fifo(arrivals, rng.exponential(0.1, arrivals.size)))]
    )
    assert found.state is SteadyState.STEADY
    assert found.from_second is not None
    assert found.from_second >= 40


def test_in_flight_that_does_not_fit_is_out_of_balance() -> None:
    """Requests that are in flight and never counted: Little's law is off."""
    plan = a_plan(opened(5, 120))
    group = a_group(plan, *mmc(np.random.default_rng(1), 5, 120, service=0.05))
    assert group.slots.in_flight is not None
    more = tuple(mean * 1.5 for mean in group.slots.in_flight)
    group = group.model_copy(update={"slots": group.slots.model_copy(update={"in_flight": more})})
    found = steady.judge(plan.load.stages[0], [group])
    assert found.state is SteadyState.DRIFTING
    assert "Little's law, 33 % off" in found.message
    assert steady.judge(plan.load.stages[0], [group], streams=True).state is SteadyState.STEADY


def test_it_stands_beside_each_stage() -> None:
    """Of a closed stage too, and constants are steady."""
    plan = a_plan(closed(5, 60, name="long"), opened(5, 10, name="short"))
    stages = steady.beside(a_report(plan, a_steady_tally(plan))).stages
    assert [stage.steadiness and stage.steadiness.state for stage in stages] == [
        SteadyState.STEADY,
        SteadyState.TOO_SHORT,
    ]


@pytest.mark.parametrize("size", [5, 6])
def test_mann_kendall_against_every_order(size: int) -> None:
    """Without ties and autocorrelation, its variance is that of all permutations."""
    orders = np.array(list(itertools.permutations(range(size))), dtype=float)
    first, second = np.triu_indices(size, 1)
    scores = np.sign(orders[:, second] - orders[:, first]).sum(axis=1)
    assert scores.var() == pytest.approx(size * (size - 1) * (2 * size + 5) / 18)
    straight = steady.deviations(np.arange(size, dtype=float))
    assert straight == pytest.approx((size * (size - 1) / 2 - 1) / scores.std())


def test_sens_slope_does_not_mind_outliers() -> None:
    """One in five is wild, the slope is the others'."""
    series = 3 + 2.0 * np.arange(20)
    series[[3, 9, 15, 17]] = (1000, -500, 700, 0)
    assert steady.sen(series) == pytest.approx(2, abs=0.3)


def test_mser_cuts_a_step() -> None:
    """At the step; nothing of what is level; half of what never settles."""
    assert steady.mser(np.array([9.0, 9, 9] + [1.0, 1.1] * 10)) == 3
    assert steady.mser(np.array([1.0, 1.1] * 10)) == 0
    assert steady.mser(np.arange(20.0)) == 10


def test_what_settles_late_is_too_short() -> None:
    """Seven per cent slower at first, until past the half: no drift that matters, and no steady half."""
    plan = a_plan(opened(20, 120))
    arrivals = np.arange(0.025, 120, 0.05)
    times = 0.1 * (1 + 0.07 * np.clip(1 - arrivals / 80, 0, 1))
    found = steady.judge(plan.load.stages[0], [a_group(plan, arrivals, times)])
    assert found.state is SteadyState.TOO_SHORT
    assert "had not settled by half" in found.message
