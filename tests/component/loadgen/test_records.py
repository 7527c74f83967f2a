"""Parts that need no server: the folding of records, the cgroup's files."""

import random
from array import array
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
from plans import CHAT, a_plan

from loadgen.core.stats.histogram import Histogram, sparse_of
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import DISTRIBUTIONS, Metric
from loadgen.model.wire import Delta, Failure
from loadgen.runtime.clock import MILLISECOND, SECOND
from loadgen.runtime.http.exchange import Exchange, Stream
from loadgen.runtime.recording.cgroup import Cgroup
from loadgen.runtime.recording.folding import fold, join
from loadgen.runtime.recording.recorder import Recorder
from loadgen.runtime.recording.steps import finish


class Kind:
    """Only what a recorder asks for."""

    timeout_ns = SECOND


def an_exchange(draw: random.Random) -> Exchange:
    """A stream that went well, some time in the first ten seconds."""
    intended = draw.randrange(10 * SECOND)
    one = Exchange(Kind(), 0, 0, intended, intended)  # type: ignore[arg-type]
    one.sent = intended + draw.randrange(MILLISECOND)
    one.headers = one.sent + draw.randrange(MILLISECOND)
    one.stream = Stream(None)
    one.stream.stamps = array("q", sorted(one.headers + draw.randrange(SECOND) for _ in range(draw.randrange(1, 9))))
    one.last = one.stream.stamps[-1]
    return one


def recorded(exchanges: list[Exchange], parts: int) -> Tally:
    """The same records through one recorder or several."""
    plan = a_plan(CHAT, {"arrivalRate": 1})
    tally = Tally(plan)
    for part in range(parts):
        recorder = Recorder(plan)
        for one in exchanges[part::parts]:
            recorder.succeeded(one)
        tally.add(Delta(part, 0, 0, finish(recorder.harvest())))
    return tally


def test_records_of_two_workers_are_those_of_one() -> None:
    """Exact, for every metric; more rows than the buffer holds."""
    draw = random.Random(7)
    exchanges = [an_exchange(draw) for _ in range(5000)]

    one, two = recorded(exchanges, 1).select(), recorded(exchanges, 2).select()

    assert one.counts == two.counts
    assert {metric: found.to_sparse() for metric, found in one.histograms.items()} == {
        metric: found.to_sparse() for metric, found in two.histograms.items()
    }


def test_metrics_are_those_of_a_plain_reading_of_the_definitions() -> None:
    """Against a slow transcription of metrics.md."""
    draw = random.Random(8)
    exchanges = [an_exchange(draw) for _ in range(300)]
    expected: dict[Metric, list[float]] = {metric: [] for metric in DISTRIBUTIONS}
    for one in exchanges:
        assert one.stream is not None
        stamps = one.stream.stamps
        gaps = [after - before for before, after in pairwise(stamps)]
        expected[Metric.RESPONSE_TIME].append(stamps[-1] - one.intended)
        expected[Metric.E2E_LATENCY].append(stamps[-1] - one.sent)
        expected[Metric.TIME_TO_FIRST_TOKEN].append(stamps[0] - one.intended)
        expected[Metric.TIME_TO_FIRST_TOKEN_FROM_SEND].append(stamps[0] - one.sent)
        expected[Metric.TIME_TO_FIRST_BYTE].append(one.headers - one.sent)
        expected[Metric.SCHEDULE_LAG].append(one.sent - one.intended)
        expected[Metric.INTER_CHUNK_LATENCY] += gaps
        if gaps:
            expected[Metric.TIME_PER_OUTPUT_TOKEN].append(sum(gaps) / len(gaps))
            expected[Metric.MAX_STALL].append(max(gaps))

    chosen = recorded(exchanges, 1).select()

    for metric, values in expected.items():
        found = chosen.histogram(metric)
        assert found.count == len(values), metric
        assert found.total == pytest.approx(sum(values) / 1000, rel=1e-3, abs=len(values))
        assert found.largest == pytest.approx(max(values) / 1000, abs=1)


def test_folding_groups_is_folding_each() -> None:
    """And joining parts is folding the whole."""
    generator = np.random.default_rng(3)
    groups, values = generator.integers(0, 5, 4000), generator.integers(0, 4_000_000_000, 4000)

    folded = fold(groups, values)

    expected = {group: sparse_of(values[groups == group]) for group in range(5)}
    assert {group: join([part]) for group, part in folded.items()} == expected
    whole = Histogram()
    for sparse in expected.values():
        whole.add(sparse)
    assert join(list(folded.values())) == whole.to_sparse()


CGROUPS = {
    "v2": (
        {
            "cpu.max": "150000 100000",
            "cpu.stat": "usage_usec 5\nnr_throttled 1\nthrottled_usec 1234",
            "memory.max": "5",
        },
        1.5,
        1234,
        5,
    ),
    "v1": (
        {
            "cpu/cpu.cfs_quota_us": "50000",
            "cpu/cpu.cfs_period_us": "100000",
            "cpu/cpu.stat": "throttled_time 7000",
            "memory/memory.limit_in_bytes": "7",
        },
        0.5,
        7,
        7,
    ),
    "v2 without limits": ({"cpu.max": "max 100000", "memory.max": "max"}, None, 0, None),
    "v1 without limits": (
        {
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
        None,
        0,
        None,
    ),
    "none": ({}, None, 0, None),
}


@pytest.mark.parametrize("name", CGROUPS)
def test_cgroups(name: str, tmp_path: Path) -> None:
    """Both versions, with and without limits; never more than the cores there are."""
    files, cores, throttled, memory = CGROUPS[name]
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text + "\n")
    cgroup = Cgroup(tmp_path)

    assert cgroup.throttled_microseconds() == throttled
    assert cgroup.memory_bytes() == memory
    assert cgroup.cores() == cores if cores else cgroup.cores() >= 1


def a_stream(second: int, gaps: list[int], tokens: int = 0) -> Exchange:
    """Outputs so many milliseconds after each other, the first after ten."""
    one = Exchange(Kind(), 0, 0, second * SECOND, second * SECOND)  # type: ignore[arg-type]
    one.sent, one.headers = one.intended, one.intended + MILLISECOND
    one.stream = Stream(None)
    one.stream.tokens = tokens
    one.stream.stamps = array(
        "q", list(accumulate(gaps, lambda at, gap: at + gap * MILLISECOND, initial=one.sent + 10 * MILLISECOND))
    )
    one.last = one.stream.stamps[-1]
    return one


def test_what_came_in_one_read_is_no_evidence_of_a_pace() -> None:
    """A buffering gateway hands all of it over at once: no TPOT of 0, no gap of 0, but their number; also where one event has all."""
    found = recorded(
        [a_stream(0, [0, 0, 0]), a_stream(0, [], tokens=9), a_stream(1, [20, 0, 20]), a_stream(1, [])], 1
    ).select()
    assert found.counts.at_once == 2
    assert found.histogram(Metric.TIME_PER_OUTPUT_TOKEN).count == 1
    assert found.histogram(Metric.INTER_CHUNK_LATENCY).count == 3
    assert found.histogram(Metric.MAX_STALL).count == 1
    assert found.histogram(Metric.TIME_TO_FIRST_TOKEN).count == 4


def test_a_pace_that_cannot_be_seen_is_not_known_to_keep_its_bound() -> None:
    """Neither good nor bad, where the SLO bounds the pace; a slow first token is bad all the same."""
    bound = {**CHAT, "slo": {"tpotMilliseconds": 50, "ttftMilliseconds": 500}}
    recorder = Recorder(a_plan(bound, {"arrivalRate": 1}))
    late = a_stream(0, [0, 0])
    late.intended -= SECOND
    for one in (a_stream(0, [0, 0]), a_stream(0, [20]), a_stream(0, [200]), late):
        recorder.succeeded(one)
    cells = finish(recorder.harvest())
    assert (sum(cell.good for cell in cells), sum(cell.unsure for cell in cells)) == (1, 1)


def test_whence_tokens_are_known_is_kept() -> None:
    counts = recorded([a_stream(0, [5], tokens=7), a_stream(0, [5]), a_stream(0, [5])], 1).select().counts
    assert (counts.told, counts.untold, counts.token_source) == (1, 2, "Mixed")


def test_a_request_that_hung_before_its_first_token_waited_for_it_at_least_so_long() -> None:
    """It stands in TimeToFirstToken at the time-out's value, apart from what was answered; one that hung later does not."""
    plan = a_plan(CHAT, {"arrivalRate": 1})
    recorder, tally = Recorder(plan), Tally(plan)
    hung, stuck = a_stream(0, []), a_stream(0, [5])
    hung.stream = None
    recorder.failed(hung, Failure.TOTAL_TIMEOUT, SECOND)
    recorder.failed(stuck, Failure.STALL_TIMEOUT, SECOND // 2)
    recorder.succeeded(a_stream(0, [5]))
    tally.add(Delta(0, 0, 0, finish(recorder.harvest())))
    found = tally.select()
    assert (found.histogram(Metric.TIME_TO_FIRST_TOKEN).count, found.histogram(Metric.TIME_TO_FIRST_TOKEN).max) == (
        2,
        1_000_000,
    )
    assert found.histogram(Metric.RESPONSE_TIME).count == 3
    assert found.counts.timed_out == 2
