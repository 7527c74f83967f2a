"""What a worker says last and shows Prometheus: made of totals that were added up as the deltas came, and exact."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.tally import Totals
from loadgen.model.plan import DISTRIBUTIONS, Metric
from loadgen.model.wire import Cell, Delta
from loadgen.runtime.worker.exporter import Exporter
from loadgen.runtime.worker.final import final_line
from loadgen.runtime.worker.store import RECENT, Store
from loadgen.runtime.worker.supervisor import Assignment, Supervisor
from unit.loadgen.deltas import a_cell, a_delta
from unit.loadgen.plans import a_plan, opened

SECONDS = 3 * RECENT
PLAN = a_plan(opened(10, RECENT), opened(20, 2 * RECENT), requests=[{"name": name, "http": {}} for name in "ab"])

encode = msgspec.msgpack.Encoder().encode


class Counted(Store):
    """Knows how many deltas somebody took out of it."""

    taken = 0

    def after(self, number: int) -> Iterator[bytes]:
        for packed in super().after(number):
            self.taken += 1
            yield packed


def a_worker(*deltas: Delta) -> tuple[Supervisor, Totals, Counted]:
    totals, store = Totals(), Counted()
    supervisor = Supervisor(Assignment(PLAN, "http://target", worker=3), totals.add, deltas=store)
    for delta in deltas:
        supervisor.keep(encode(delta))
    return supervisor, totals, store


def many_seconds() -> list[Delta]:
    """Two shards; answers of this second and of the one before."""
    draw = np.random.default_rng(5)

    def cell(second: int, request: int) -> Cell:
        outcomes = {"errors": {"Http503": int(draw.integers(3))}, "dropped": int(draw.integers(2))}
        return a_cell(second, int(second >= RECENT), request, ms=draw.lognormal(4, 1, 20), **outcomes)

    return [
        a_delta(second, *(cell(at, request) for at in (second - 1, second) for request in (0, 1)), shard=shard)
        for second in range(1, SECONDS)
        for shard in (0, 1)
    ]


def merged(cells: list[Cell]) -> dict[str, Any]:
    """One by one, without anything that a tally is made of."""
    histograms: defaultdict[Metric, Histogram] = defaultdict(Histogram)
    errors: Counter[str] = Counter()
    for cell in cells:
        errors.update(cell.errors)
        for index, sparse in cell.histograms.items():
            histograms[DISTRIBUTIONS[index]].add(sparse)
    names = ("planned", "sent", "succeeded", "dropped", "incomplete", "good")
    return {
        **{name: sum(getattr(cell, name) for cell in cells) for name in names},
        "failed": errors.total(),
        "errors": errors,
        **{
            f"{metric}Milliseconds": {f"p{at}": histogram.percentile(at) / 1000 for at in (50, 90, 95, 99)}
            for metric, histogram in histograms.items()
        },
    }


def test_the_last_line_is_what_merging_every_delta_gives() -> None:
    """Exactly, over stages and kinds of requests."""
    deltas = many_seconds()
    supervisor, totals, _ = a_worker(*deltas)

    line = json.loads(final_line(supervisor, totals))

    cells = [cell for delta in deltas for cell in delta.cells]
    assert line["loadgenWorker"] == 3
    assert line["stages"] == {f"s{stage}": merged([cell for cell in cells if cell.stage == stage]) for stage in (0, 1)}


def test_neither_the_last_line_nor_prometheus_unpacks_what_was_kept() -> None:
    """Not one delta of an hour: there are five seconds to say it in."""
    supervisor, totals, store = a_worker(*many_seconds())

    final_line(supervisor, totals)
    Exporter(supervisor, totals).text()

    assert len(store) == 2 * (SECONDS - 1)
    assert store.taken == 0


def samples(exporter: Exporter, name: str) -> dict[tuple[str, ...], float]:
    """By labels other than the run's."""
    return {
        tuple(value for label, value in sample.labels.items() if label not in ("namespace", "loadtest", "run")): (
            sample.value
        )
        for family in exporter.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_prometheus_counts_by_request_stage_and_outcome() -> None:
    """Sums of all deltas; outcomes that did not occur are absent."""
    supervisor, totals, _ = a_worker(
        a_delta(1, a_cell(1, ms=[5, 6], errors={"Http503": 2}), a_cell(1, 0, 1, incomplete=1), bytes_received=7),
        a_delta(2, a_cell(2, ms=[5], dropped=1), a_cell(2, 1, 0, ms=[1]), bytes_received=8),
    )
    exporter = Exporter(supervisor, totals)

    assert samples(exporter, "loadtest_requests_total") == {
        ("a", "s0", "Succeeded"): 3,
        ("a", "s0", "Http503"): 2,
        ("a", "s0", "Dropped"): 1,
        ("b", "s0", "Incomplete"): 1,
        ("a", "s1", "Succeeded"): 1,
    }
    assert samples(exporter, "loadtest_received_bytes_total") == {(): 15}


def test_prometheus_sees_the_newest_seconds_requests_in_flight() -> None:
    """Of all shards together."""
    supervisor, totals, _ = a_worker(
        a_delta(1, in_flight_microseconds=9_000_000),
        a_delta(1, shard=1, in_flight_microseconds=500_000),
        a_delta(2, in_flight_microseconds=2_000_000),
    )

    assert samples(Exporter(supervisor, totals), "loadtest_in_flight_requests") == {(): 2.5}


def test_prometheus_buckets_hold_what_is_at_most_their_edge() -> None:
    """Each holds those below it too; the sum is of the raw values."""
    supervisor, totals, _ = a_worker(
        a_delta(1, a_cell(1, ms=[0.4, 1, 1.001, 7])), a_delta(2, a_cell(2, ms=[7, 90_000]))
    )
    exporter = Exporter(supervisor, totals)

    at_most = {
        labels[-1]: value for labels, value in samples(exporter, "loadtest_response_time_seconds_bucket").items()
    }
    assert at_most == {
        **{"0.001": 2, "0.0025": 3, "0.005": 3, "0.01": 5, "0.025": 5, "0.05": 5, "0.1": 5, "0.25": 5, "0.5": 5},
        **{"1.0": 5, "2.5": 5, "5.0": 5, "10.0": 5, "30.0": 5, "60.0": 5, "+Inf": 6},
    }
    assert samples(exporter, "loadtest_response_time_seconds_sum") == {("a", "s0"): 90.016401}
    assert samples(exporter, "loadtest_time_to_first_token_seconds_count") == {}
