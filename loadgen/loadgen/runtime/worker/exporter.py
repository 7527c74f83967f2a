"""Prometheus text of one worker: counters by request, stage and outcome, and response-time histograms.

A page is made of the worker's totals when somebody scrapes. The buckets are Prometheus' (few, coarse, for dashboards);
the exact histograms travel by the control API.

They have a port of their own, without a token: whoever may scrape need not reach the control API.
"""

import os
from collections.abc import Iterable, Iterator

import numpy as np
from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from loadgen.core.stats.histogram import BINS, Histogram, value_of
from loadgen.core.stats.tally import Selection, Totals
from loadgen.model.plan import Metric
from loadgen.model.wire import WorkerPhase
from loadgen.runtime.worker.supervisor import Supervisor

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAST_BINS = np.searchsorted(value_of(np.arange(BINS)), np.array(BUCKETS) * 1e6, side="right") - 1
"""The last bin whose values a bucket holds."""
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


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """How many values are at most each bucket's edge, as Prometheus wants it."""
    at_most = np.cumsum(histogram.counts)[_LAST_BINS].tolist()
    return [*zip(map(str, BUCKETS), at_most, strict=True), ("+Inf", histogram.count)]


class Exporter(Collector):
    """Reads a worker's totals when scraped."""

    def __init__(self, supervisor: Supervisor, totals: Totals) -> None:
        self._supervisor, self._totals = supervisor, totals
        self._run = {label: os.environ.get(variable, "") for label, variable in _RUN_LABELS.items()}
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
        """Every family."""
        yield self._requests()
        for metric in _NAMES:
            yield self._histogram(metric)
        totals = self._totals
        yield self._counter("output_tokens", "Output tokens that arrived.", totals.output_tokens)
        yield self._counter("received_bytes", "Bytes of answers that arrived.", totals.bytes_received)
        yield self._counter("connections_opened", "Connections that were opened.", totals.connections_opened)
        yield from self._gauges()

    def _gauges(self) -> Iterator[Family]:
        in_flight = self._gauge("loadtest_in_flight_requests", "Mean of the newest second.")
        in_flight.add_metric(list(self._run.values()), sum(self._totals.in_flight_microseconds.values()) / 1e6)
        yield in_flight
        phase = GaugeMetricFamily("loadtest_worker_phase", "1 for the worker's phase.", labels=[*self._run, "phase"])
        for one in WorkerPhase:
            phase.add_metric([*self._run.values(), one], float(one is self._supervisor.phase))
        yield phase

    def _gauge(self, name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, text, labels=list(self._run))

    def _counter(self, name: str, text: str, value: int) -> CounterMetricFamily:
        family = CounterMetricFamily(f"loadtest_{name}", text, labels=list(self._run))
        family.add_metric(list(self._run.values()), value)
        return family

    def _requests(self) -> CounterMetricFamily:
        labels = [*self._run, "request", "stage", "outcome"]
        family = CounterMetricFamily("loadtest_requests", "Requests by outcome.", labels=labels)
        for given, selection in self._apart():
            counts = selection.counts
            outcomes = {"Succeeded": counts.succeeded, "Dropped": counts.dropped, "Incomplete": counts.incomplete}
            for outcome, count in (outcomes | counts.errors).items():
                if count:
                    family.add_metric([*self._run.values(), *given, outcome], count)
        return family

    def _histogram(self, metric: Metric) -> HistogramMetricFamily:
        family = HistogramMetricFamily(*_NAMES[metric], labels=[*self._run, "request", "stage"])
        for given, selection in self._apart():
            histogram = selection.histogram(metric)
            if histogram.count:
                family.add_metric([*self._run.values(), *given], buckets(histogram), histogram.total / 1e6)
        return family

    def _apart(self) -> Iterator[tuple[Labels, Selection]]:
        """By the names of request and stage."""
        plan = self._supervisor.assignment.plan
        for (stage, request), selection in self._totals.apart():
            yield (plan.requests[request].name, plan.load.stages[stage].name), selection
