"""Prometheus text of one worker: counters by request, stage and outcome, and response-time histograms.

Deltas stay packed until somebody scrapes; then the new ones are unpacked and added up. The buckets are Prometheus'
(few, coarse, for dashboards); the exact histograms travel by the control API.

They have a port of their own, without a token: whoever may scrape need not reach the control API.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from loadgen.core.histogram import value_of
from loadgen.model.plan import DISTRIBUTIONS, Metric
from loadgen.model.wire import Cell, Delta, Sparse, WorkerPhase
from loadgen.runtime.supervisor import Supervisor

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_EDGES = np.array(BUCKETS) * 1e6
_NAMES = {
    Metric.RESPONSE_TIME: ("loadtest_response_time_seconds", "From the intended start to the last output."),
    Metric.TIME_TO_FIRST_TOKEN: (
        "loadtest_time_to_first_token_seconds",
        "From the intended start to the first output.",
    ),
    Metric.TIME_PER_OUTPUT_TOKEN: (
        "loadtest_time_per_output_token_seconds",
        "Mean time per output token after the first.",
    ),
    Metric.INTER_CHUNK_LATENCY: ("loadtest_inter_chunk_latency_seconds", "Between neighbouring outputs of a stream."),
}
_RUN_LABELS = {"namespace": "LOADTEST_NAMESPACE", "loadtest": "LOADTEST_NAME", "run": "LOADTEST_RUN"}

Labels = tuple[str, ...]
_decode = msgspec.msgpack.Decoder(Delta).decode


class _Buckets:
    """A growing Prometheus histogram."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(BUCKETS) + 1, dtype=np.int64)
        self.total = 0

    def add(self, sparse: Sparse) -> None:
        places = np.searchsorted(_EDGES, value_of(np.array(sparse.bins, dtype=np.int64)))
        np.add.at(self.counts, places, np.array(sparse.counts, dtype=np.int64))
        self.total += sparse.total

    def rows(self) -> list[tuple[str, float]]:
        edges = [*(str(edge) for edge in BUCKETS), "+Inf"]
        return list(zip(edges, np.cumsum(self.counts).tolist(), strict=True))


class Exporter(Collector):
    """Reads a supervisor's deltas when scraped."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor, self._seen = supervisor, 0
        self._run = {label: os.environ.get(variable, "") for label, variable in _RUN_LABELS.items()}
        self._requests: defaultdict[Labels, int] = defaultdict(int)
        self._histograms: defaultdict[tuple[Metric, Labels], _Buckets] = defaultdict(_Buckets)
        self._pulses: defaultdict[str, int] = defaultdict(int)
        self._in_flight: dict[int, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The whole page."""
        return generate_latest(self._registry)

    def application(self) -> web.Application:
        """GET /metrics and nothing else."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        return application

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.text(), content_type="text/plain", charset="utf-8")

    def describe(self) -> Iterable[Family]:
        """Nothing is known before the first scrape."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Every family, brought up to date."""
        self._catch_up()
        yield self._counter(
            "loadtest_requests", "Requests by outcome.", ("request", "stage", "outcome"), self._requests
        )
        for metric in _NAMES:
            yield self._histogram(metric)
        for name, value in self._pulses.items():
            yield self._counter(f"loadtest_{name}", f"{name} of this worker.", (), {(): value})
        yield from self._gauges()

    def _gauges(self) -> Iterator[Family]:
        in_flight = self._gauge("loadtest_in_flight_requests", "Mean of the newest second.")
        in_flight.add_metric(list(self._run.values()), sum(self._in_flight.values()))
        yield in_flight
        phase = GaugeMetricFamily("loadtest_worker_phase", "1 for the worker's phase.", labels=[*self._run, "phase"])
        for one in WorkerPhase:
            phase.add_metric([*self._run.values(), one], float(one is self._supervisor.phase))
        yield phase

    def _gauge(self, name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, text, labels=list(self._run))

    def _counter(self, name: str, text: str, labels: Labels, values: dict[Labels, int]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=[*self._run, *labels])
        for given, value in values.items():
            family.add_metric([*self._run.values(), *given], value)
        return family

    def _histogram(self, metric: Metric) -> HistogramMetricFamily:
        family = HistogramMetricFamily(*_NAMES[metric], labels=[*self._run, "request", "stage"])
        for (one, labels), buckets in self._histograms.items():
            if one is metric:
                family.add_metric([*self._run.values(), *labels], buckets.rows(), buckets.total / 1e6)
        return family

    def _catch_up(self) -> None:
        for packed in self._supervisor.deltas.after(self._seen):
            delta = _decode(packed)
            self._seen += 1
            for cell in delta.cells:
                self._add(cell)
            pulse = delta.pulse
            self._in_flight[delta.shard] = pulse.in_flight_microseconds / 1e6
            self._pulses["output_tokens"] += pulse.output_tokens
            self._pulses["received_bytes"] += pulse.bytes_received
            self._pulses["connections_opened"] += pulse.connections_opened

    def _add(self, cell: Cell) -> None:
        plan = self._supervisor.assignment.plan
        request, stage = plan.requests[cell.request].name, plan.load.stages[cell.stage].name
        outcomes = {"Succeeded": cell.succeeded, "Dropped": cell.dropped, "Incomplete": cell.incomplete, **cell.errors}
        for outcome, count in outcomes.items():
            if count:
                self._requests[request, stage, outcome] += count
        for index, sparse in cell.histograms.items():
            metric = DISTRIBUTIONS[index]
            if metric in _NAMES:
                self._histograms[metric, (request, stage)].add(sparse)
