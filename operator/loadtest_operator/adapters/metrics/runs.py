"""The operator's own Prometheus metrics, in a registry of its own, and the port they are read from.

A run's series carry {namespace, loadtest, run}; they go when the LoadTest goes or its next run begins. No label
takes values that a target or a user could multiply. Units are base units (seconds, ratios); no name is also one of a
worker's (`loadgen/runtime/worker/exporter.py`), for one name has one type.
"""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.status import LoadTestStatus, Percentiles

RUN = ("namespace", "loadtest", "run")


class Metrics:
    """Gauges of runs, counters of the operator."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs: dict[tuple[str, str], str] = {}
        self.info = self._gauge("loadtest_run_info", "A run and where it is", *RUN, "phase")
        self.verdict = self._gauge("loadtest_verdict", "1 for the verdict of a finished run", *RUN, "verdict")
        self.rate = self._gauge("loadtest_requests_per_second", "Successes per second", *RUN, "stage")
        self.errors = self._gauge("loadtest_error_ratio", "Share of planned requests that went wrong, 0 to 1", *RUN)
        self.response = self._gauge("loadtest_run_response_time_seconds", "Response time", *RUN, "statistic")
        self.first_token = self._gauge(
            "loadtest_run_time_to_first_token_seconds", "Time to first token", *RUN, "statistic"
        )
        self.replicas = self._gauge("loadtest_target_replicas", "Replicas of the target", *RUN, "kind")
        self.scale_ups = self._gauge(
            "loadtest_scale_up_seconds", "From the load's rise to a step of a scale-up", *RUN, "scale_up", "step"
        )
        self.workers = self._gauge("loadtest_workers", "Workers by state", *RUN, "state")
        self.stage = self._gauge("loadtest_stage_info", "1 for the stage that the load is in", *RUN, "stage")
        self.progress = self._gauge("loadtest_progress_ratio", "How much of the load is over, 0 to 1", *RUN)
        self.faults = self._gauge("loadtest_faults", "Faults of the run by what became of them", *RUN, "result")
        self.ticks = Histogram(
            "loadtest_operator_reconcile_seconds", "One look at one LoadTest", registry=self.registry
        )
        self.failures = Counter(
            "loadtest_operator_reconcile_errors_total", "Looks that failed", ["kind"], registry=self.registry
        )
        self.conflicts = Counter(
            "loadtest_operator_status_conflicts_total",
            "Writes of a LoadTest's status that the API server refused because the object had changed since",
            registry=self.registry,
        )
        self.lag = Gauge("loadtest_operator_loop_lag_seconds", "How late the event loop is", registry=self.registry)
        self.active = Gauge("loadtest_operator_active_runs", "Runs that are not finished", registry=self.registry)
        self.orphans = Gauge(
            "loadtest_fault_orphans",
            "Objects that make faults, belong to no run that goes on, and could not be removed",
            registry=self.registry,
        )
        self.leading = Gauge(
            "loadtest_operator_leading", "1 while this process holds the lease and acts", registry=self.registry
        )

    def show(self, namespace: str, name: str, status: LoadTestStatus) -> None:
        """The run's gauges, from its status."""
        run = str(status.run.number)
        if self._runs.get((namespace, name)) != run:
            self.forget(namespace, name)
            self._runs[namespace, name] = run
        labels = (namespace, name, run)
        self._one_of(self.info, labels, [status.phase] if status.phase else [])
        self._one_of(self.verdict, labels, [status.verdict] if status.verdict else [])
        self._one_of(self.stage, labels, [status.run.current_stage] if status.run.current_stage else [])
        self.progress.labels(*labels).set((status.run.progress_percent or 0) / 100)
        self._show_workers(labels, status)
        self._show_figures(labels, status)
        self._show_replicas(labels, status)
        self._show_scale_ups(labels, status)
        for result in FaultResult if status.faults else ():
            self.faults.labels(*labels, result).set(sum(fault.result is result for fault in status.faults))

    def forget(self, namespace: str, name: str) -> None:
        """The run's series go."""
        run = self._runs.pop((namespace, name), None)
        if run is None:
            return
        for gauge in self._run_gauges():
            gauge.remove_by_labels({"namespace": namespace, "loadtest": name, "run": run})

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    async def serve(self, port: int) -> web.AppRunner:
        """GET /metrics until the runner is cleaned up."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
        return runner

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.exposition(), content_type="text/plain", charset="utf-8")

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(name, help_text, labels, registry=self.registry)

    def _run_gauges(self) -> Iterable[Gauge]:
        return (
            self.info, self.verdict, self.rate, self.errors, self.response, self.first_token,
            self.replicas, self.scale_ups, self.workers, self.stage, self.progress, self.faults,
        )  # fmt: skip

    def _one_of(self, gauge: Gauge, labels: tuple[str, str, str], values: list[str]) -> None:
        gauge.remove_by_labels(dict(zip(RUN, labels, strict=True)))
        for value in values:
            gauge.labels(*labels, str(value)).set(1)

    def _show_workers(self, labels: tuple[str, str, str], status: LoadTestStatus) -> None:
        for state in ("desired", "ready", "armed", "finished", "failed"):
            self.workers.labels(*labels, state).set(getattr(status.workers, state))

    def _show_figures(self, labels: tuple[str, str, str], status: LoadTestStatus) -> None:
        summary = status.summary
        if summary is None:
            return
        _known(self.rate, (*labels, ""), summary.requests_per_second)
        for stage in summary.stages:
            _known(self.rate, (*labels, stage.name), stage.requests_per_second)
        _known(self.errors, labels, summary.error_percent, 100)
        self._show_quantiles(self.response, labels, summary.response_time_milliseconds)
        self._show_quantiles(self.first_token, labels, summary.ttft_milliseconds)

    def _show_quantiles(self, gauge: Gauge, labels: tuple[str, str, str], found: Percentiles | None) -> None:
        for name in ("p50", "p90", "p95", "p99"):
            _known(gauge, (*labels, name.upper()), getattr(found, name, None), 1000)

    def _show_replicas(self, labels: tuple[str, str, str], status: LoadTestStatus) -> None:
        if status.scaling is None or not status.scaling.changes:
            return
        last = status.scaling.changes[-1]
        _known(self.replicas, (*labels, "desired"), last.replicas if last.desired is None else last.desired)
        _known(self.replicas, (*labels, "ready"), last.ready)

    def _show_scale_ups(self, labels: tuple[str, str, str], status: LoadTestStatus) -> None:
        for number, found in enumerate(status.scaling.scale_ups if status.scaling else (), 1):
            seconds = found.seconds
            for step, value in (
                ("decided", seconds.decided),
                ("scheduled", seconds.pod_scheduled),
                ("ready", seconds.pod_ready),
                ("serving", seconds.serving),
            ):
                _known(self.scale_ups, (*labels, str(number), step), value)


def _known(gauge: Gauge, labels: tuple[str, ...], value: str | int | None, per: float = 1) -> None:
    """What is not known has no sample: a zero would be a claim."""
    gauge.remove(*labels)
    if value is not None:
        gauge.labels(*labels).set(float(value) / per)
