"""Parts that need no server: the folding of records, the cgroup's files."""

import random
from array import array
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from plans import CHAT, a_plan

from loadgen.core.stats.histogram import Histogram, sparse_of
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import DISTRIBUTIONS, Metric
from loadgen.model.wire import Delta
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
