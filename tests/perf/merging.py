"""The cost of adding up what many workers say: pure, no sockets."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time

import msgspec
import numpy as np

from loadgen.core.stats.histogram import sparse_of
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import DISTRIBUTIONS, Metric, Plan
from loadgen.model.wire import Cell, Delta, Pulse

METRICS = (Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN, Metric.TIME_PER_OUTPUT_TOKEN, Metric.INTER_CHUNK_LATENCY)
REQUESTS_A_SECOND = 100
"""Of one worker and kind."""
VARIANTS = 64
"""Different seconds that are made; the others repeat them with another number."""


@dataclass(frozen=True)
class Cost:
    """What it took."""

    deltas: int
    wire_bytes: int
    add_seconds: float
    """CPU time, like the next."""
    select_seconds: float


def a_plan(seconds: int) -> Plan:
    http = {"path": "/"}
    return Plan.model_validate(
        {
            "requests": [{"name": "one", "http": http}, {"name": "two", "http": http}],
            "load": {"stages": [{"name": "load", "durationSeconds": seconds, "arrivalRate": 1000}]},
        }
    )


def measure(workers: int, seconds: int) -> Cost:
    """Decode and add every delta, then ask for the run's percentiles."""
    tally = Tally(a_plan(seconds))
    decode = msgspec.msgpack.Decoder(Delta).decode
    count = size = 0
    spent = 0.0
    for packed in deltas(workers, seconds):
        begin = process_time()
        tally.add(decode(packed))
        spent += process_time() - begin
        count += 1
        size += len(packed)
    begin = process_time()
    whole = tally.select()
    for metric in METRICS:
        whole.histogram(metric).percentile(99)
    return Cost(count, size, spent, process_time() - begin)


def deltas(workers: int, seconds: int) -> Iterator[bytes]:
    """Every worker's packed delta of every second."""
    draw = np.random.default_rng(0)
    variants = [_cells(draw) for _ in range(VARIANTS)]
    encode = msgspec.msgpack.Encoder().encode
    for second in range(seconds):
        for worker in range(workers):
            cells = variants[(second * workers + worker) % VARIANTS]
            for cell in cells:
                cell.second = second
            yield encode(Delta(worker, 0, second, cells, Pulse(completions=2 * REQUESTS_A_SECOND)))


def _cells(draw: np.random.Generator) -> list[Cell]:
    return [
        Cell(
            second=0,
            stage=0,
            request=request,
            planned=REQUESTS_A_SECOND,
            sent=REQUESTS_A_SECOND,
            succeeded=REQUESTS_A_SECOND,
            histograms={
                DISTRIBUTIONS.index(metric): sparse_of(draw.lognormal(11, 0.5, REQUESTS_A_SECOND).astype(np.int64))
                for metric in METRICS
            },
        )
        for request in (0, 1)
    ]
