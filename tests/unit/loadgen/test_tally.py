"""Adding up is exact, commutative, and remembers both when a request was meant and when it ended."""

import pickle
import random

from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats.tally import Selection, Tally, Totals
from loadgen.model.plan import Metric
from loadgen.model.wire import Delta
from unit.loadgen.deltas import a_cell, a_delta, a_tally, micros
from unit.loadgen.plans import a_plan, opened

PLAN = a_plan(opened(10), opened(20), requests=[{"name": name, "http": {}} for name in "abc"])

cells = st.builds(
    a_cell,
    st.integers(0, 19),
    st.integers(0, 1),
    st.integers(0, 2),
    ms=st.lists(st.integers(0, 5000), max_size=5),
    errors=st.dictionaries(st.sampled_from(["Http404", "Http503"]), st.integers(1, 3)),
    dropped=st.integers(0, 2),
)
deltas = st.lists(
    st.builds(
        lambda at, cells, w: a_delta(at, *cells, worker=w), st.integers(-1, 25), st.lists(cells), st.integers(0, 3)
    )
)


def everything(tally: Tally) -> object:
    chosen = tally.select()
    histograms = {metric: histogram.to_sparse() for metric, histogram in chosen.histograms.items()}
    return chosen.counts, histograms, vars(tally.ended(range(100))) if hasattr(tally, "__dict__") else None


def all_of(chosen: Selection) -> object:
    return chosen.counts, {metric: histogram.to_sparse() for metric, histogram in chosen.histograms.items()}


def numbers(tally: Tally, **chosen: object) -> object:
    selection = tally.select(**chosen)  # type: ignore[arg-type]
    return selection.counts, selection.histogram(Metric.RESPONSE_TIME).to_sparse()


@given(deltas, st.randoms(use_true_random=False))
def test_order_does_not_matter(parts: list[Delta], rng: random.Random) -> None:
    shuffled = rng.sample(parts, len(parts))
    assert numbers(a_tally(PLAN, *parts)) == numbers(a_tally(PLAN, *shuffled))


@given(deltas)
def test_all_seconds_are_the_whole_run(parts: list[Delta]) -> None:
    tally = a_tally(PLAN, *parts)
    assert numbers(tally, seconds=range(100)) == numbers(tally)
    assert numbers(tally, stages={0, 1}, requests={0, 1, 2}) == numbers(tally)


@given(deltas)
def test_two_workers_merged_are_one_with_the_same_records(parts: list[Delta]) -> None:
    alone = [Delta(0, 0, part.second, part.cells, part.pulse) for part in parts]
    assert numbers(a_tally(PLAN, *parts)) == numbers(a_tally(PLAN, *alone))


def totals_of(parts: list[Delta]) -> Totals:
    totals = Totals()
    for part in parts:
        totals.add(part)
    return totals


@given(deltas)
def test_totals_are_the_whole_run_too(parts: list[Delta]) -> None:
    """Stage by stage, and each stage's kinds of requests apart."""
    tally, totals = a_tally(PLAN, *parts), totals_of(parts)
    for index in (0, 1):
        assert all_of(totals.stage(index)) == all_of(tally.select(stages={index}))
    for (stage, request), selection in totals.apart():
        assert all_of(selection) == all_of(tally.select(stages={stage}, requests={request}))


def test_totals_do_not_grow_with_the_run() -> None:
    """The same bins again and again: as large after an hour as after a minute, but for where joining them stands."""
    minute = [a_delta(at, a_cell(at, 0, at % 3, ms=range(at, at + 40))) for at in range(60)]

    assert len(pickle.dumps(totals_of(minute * 60))) < 2 * len(pickle.dumps(totals_of(minute)))


def test_a_selection_is_what_it_names() -> None:
    tally = a_tally(PLAN, a_delta(3, a_cell(3, 0, 0, ms=[1, 2])), a_delta(12, a_cell(12, 1, 1, ms=[3], dropped=1)))
    assert tally.select(stages={1}).counts.planned == 2
    assert tally.select(requests={0}).counts.succeeded == 2
    assert tally.select(seconds=range(10)).counts.planned == 2
    assert tally.select(seconds=range(10), stages={1}).counts.planned == 0
    assert tally.select(stages={1}).histogram(Metric.RESPONSE_TIME).to_sparse() == micros([3])


def test_a_late_end_is_counted_when_it_happened() -> None:
    tally = a_tally(
        PLAN, a_delta(3, a_cell(3, planned=2)), a_delta(9, a_cell(3, planned=0, ms=[6000], errors={"Http500": 1}))
    )
    assert tally.select(seconds=range(3, 4)).counts.succeeded == 1
    assert [tally.ended(range(at, at + 1)).succeeded for at in (3, 9)] == [0, 1]
    assert tally.ended({9}).bad == 1
    assert tally.ended({9}, requests={1}).bad == 0


def test_pulses_of_all_shards_add_up() -> None:
    lag = micros([1, 2])
    tally = a_tally(
        PLAN,
        a_delta(2, shard=0, output_tokens=5, peak_in_flight=2, schedule_lag=lag, cpu_microseconds=10),
        a_delta(2, shard=1, output_tokens=7, peak_in_flight=1, schedule_lag=lag),
    )
    (beat,) = tally.pulses(range(5))
    assert (beat.output_tokens, beat.peak_in_flight) == (12, 3)
    assert tally.schedule_lag(range(5)).count == 4
    assert list(tally.cpu[0, 0]) == [0, 0, 10]
    assert (tally.shards, tally.last_second) == ({0: {0, 1}}, 2)


def test_what_happens_before_the_start_is_not_in_the_load() -> None:
    tally = a_tally(PLAN, a_delta(-1, cpu_microseconds=10, schedule_lag=micros([1])))
    assert tally.last_second == -1
    assert tally.schedule_lag(range(100)).count == 0
