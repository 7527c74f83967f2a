"""The arrival process: the same for any number of segments, and what the stages say."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loadgen.core.schedule.arrivals import Chunk, expected, schedule
from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Plan
from unit.loadgen.plans import a_plan, closed, opened

SECOND = 1_000_000_000
MIX = [
    {"name": "often", "weight": 3, "http": {}},
    {"name": "seldom", "http": {}},
    {"name": "trickle", "ratePerSecond": "2.5", "http": {}},
]


def arrivals(plan: Plan, index: int = 0, count: int = 1) -> Chunk:
    chunks = list(schedule(plan, Segment(index, count)))
    assert all(len(chunk) for chunk in chunks)
    fields = zip(*((c.offsets_ns, c.stages, c.requests) for c in chunks), strict=True)
    return Chunk(*(np.concatenate(field) for field in fields)) if chunks else Chunk(*[np.array([], np.int64)] * 3)


def seconds(plan: Plan) -> NDArray[np.float64]:
    return arrivals(plan).offsets_ns / SECOND


@st.composite
def stages(draw: st.DrawFn) -> dict[str, Any]:
    length = draw(st.integers(1, 40))
    ramp = {"rampSeconds": draw(st.integers(0, length)), "ramp": draw(st.sampled_from(["Linear", "Exponential"]))}
    if draw(st.booleans()):
        return opened(draw(st.sampled_from([0, 1, "0.3", 7, "33.3", 150])), length, **ramp)
    return closed(draw(st.integers(1, 30)), length, **ramp)


plans = st.builds(
    lambda stages, arrival, seed: a_plan(*stages, requests=MIX, arrival=arrival, seed=seed),
    st.lists(stages(), min_size=1, max_size=5),
    st.sampled_from(["Poisson", "Uniform"]),
    st.integers(0, 5),
)


def rows(chunk: Chunk) -> list[tuple[int, int, int]]:
    return list(zip(chunk.offsets_ns.tolist(), chunk.stages.tolist(), chunk.requests.tolist(), strict=True))


@settings(max_examples=40)
@given(plans, st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_the_segments_together_are_the_whole(plan: Plan, shards: list[int]) -> None:
    """Each worker has its own number of shards: nodes differ."""
    workers = [(worker, shard) for worker, count in enumerate(shards) for shard in range(count)]
    segments = [Segment.of(worker, len(shards), shard, shards[worker]) for worker, shard in workers]
    parts = [rows(arrivals(plan, segment.index, segment.count)) for segment in segments]
    assert sorted(row for part in parts for row in part) == sorted(rows(arrivals(plan)))


@settings(max_examples=40)
@given(plans)
def test_offsets_ascend_and_stages_are_those_of_the_time(plan: Plan) -> None:
    chunk = arrivals(plan)
    ends = np.cumsum([stage.duration_seconds for stage in plan.load.stages])
    assert np.all(np.diff(chunk.offsets_ns) >= 0)
    assert np.array_equal(chunk.stages, np.searchsorted(ends * SECOND, chunk.offsets_ns, side="right"))
    assert all(at < plan.load.duration_seconds * SECOND for at in chunk.offsets_ns[-1:])


@settings(max_examples=40)
@given(plans)
def test_no_weighted_request_starts_in_a_closed_or_silent_stage(plan: Plan) -> None:
    chunk = arrivals(plan)
    silent = [
        index for index, stage in enumerate(plan.load.stages) if not stage.arrival_rate and not stage.ramp_seconds
    ]
    assert not np.any(np.isin(chunk.stages, silent) & (chunk.requests != 2))


@settings(max_examples=40)
@given(plans)
def test_as_many_arrive_as_the_rate_says(plan: Plan) -> None:
    wanted = expected(plan) + 2.5 * plan.load.duration_seconds
    spread = 5 * math.sqrt(wanted) + 1 if plan.load.arrival == "Poisson" else 2
    assert len(arrivals(plan)) == pytest.approx(wanted, abs=spread)


def test_uniform_arrivals_are_evenly_spaced_across_a_stage_boundary() -> None:
    plan = a_plan(opened(10, 3), opened(10, 3), arrival="Uniform")
    assert arrivals(plan).offsets_ns.tolist() == [k * SECOND // 10 for k in range(60)]


@pytest.mark.parametrize("rate", [3, 7, "0.1", "0.3", 999, "1234.567"])
def test_uniform_counts_are_exact(rate: str) -> None:
    plan = a_plan(opened(rate, 30), arrival="Uniform")
    assert len(arrivals(plan)) == math.ceil(expected(plan))


def test_a_linear_ramp_from_nothing_follows_the_square_root() -> None:
    plan = a_plan(opened(20, 10, rampSeconds=10), arrival="Uniform")
    assert seconds(plan) == pytest.approx([math.sqrt(k) for k in range(100)], abs=1e-9)


def test_an_exponential_ramp_multiplies_the_rate_evenly() -> None:
    plan = a_plan(opened(10, 10), opened(1000, 20, rampSeconds=20, ramp="Exponential"), arrival="Uniform")
    per_step = np.histogram(seconds(plan), [10, 15, 20, 25, 30])[0]
    assert per_step[1:] / per_step[:-1] == pytest.approx([10**0.5] * 3, rel=0.02)


def test_an_exponential_ramp_from_zero_spans_two_decades() -> None:
    plan = a_plan(opened(1000, 20, rampSeconds=20, ramp="Exponential"), arrival="Uniform")
    per_half = np.histogram(seconds(plan), [0, 10, 20])[0]
    assert per_half[1] / per_half[0] == pytest.approx(10, rel=0.02)


def test_an_open_ramp_after_a_closed_stage_starts_at_zero() -> None:
    plan = a_plan(opened(100), closed(5), opened(20, 10, rampSeconds=10), arrival="Uniform")
    after = seconds(plan)[1000:]
    assert after == pytest.approx([20 + math.sqrt(k) for k in range(100)], abs=1e-9)


def test_poisson_gaps_are_exponential() -> None:
    gaps = np.diff(seconds(a_plan(opened(500, 60))))
    assert gaps.mean() == pytest.approx(1 / 500, rel=0.02)
    assert gaps.std() == pytest.approx(1 / 500, rel=0.03)


def test_the_seed_decides_the_schedule() -> None:
    one, same, other = (a_plan(opened(50), seed=seed) for seed in (1, 1, 2))
    assert rows(arrivals(one)) == rows(arrivals(same)) != rows(arrivals(other))


def test_requests_are_drawn_by_weight() -> None:
    kinds = np.bincount(arrivals(a_plan(opened(2000), requests=MIX)).requests)
    assert kinds[0] / kinds[1] == pytest.approx(3, rel=0.1)
    assert kinds[2] == pytest.approx(25, abs=25)


def test_a_trickle_runs_beside_every_stage() -> None:
    plan = a_plan(opened(0), closed(3), opened(5), requests=MIX, arrival="Uniform")
    chunk = arrivals(plan)
    assert np.bincount(chunk.stages[chunk.requests == 2]).tolist() == [25, 25, 25]


def test_a_plan_without_open_stages_has_no_arrivals() -> None:
    assert len(arrivals(a_plan(closed(3)))) == 0
