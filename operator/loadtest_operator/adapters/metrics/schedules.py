"""What Prometheus sees of schedules: the verdict of the last run, the next start, starts that were missed."""

from prometheus_client import CollectorRegistry, Gauge

from loadgen.model.report import Verdict
from loadtest_operator.api.schedule import LoadTestScheduleStatus

LABELS = ("namespace", "schedule")


class ScheduleMetrics:
    """Gauges by schedule; they go when the schedule goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verdict = Gauge(
            "loadtest_schedule_last_verdict",
            "1 for the verdict of the newest finished run, 0 for the others",
            (*LABELS, "verdict"),
            registry=registry,
        )
        self.next = Gauge(
            "loadtest_schedule_next_start_timestamp_seconds",
            "When the next start is due, seconds since 1970",
            LABELS,
            registry=registry,
        )
        self.missed = Gauge(
            "loadtest_schedule_missed_starts", "Starts that were due and not made", LABELS, registry=registry
        )

    def show(self, namespace: str, name: str, status: LoadTestScheduleStatus) -> None:
        """The schedule's gauges, from its status."""
        self.missed.labels(namespace, name).set(status.missed_starts)
        if status.next_schedule_time:
            self.next.labels(namespace, name).set(status.next_schedule_time.timestamp())
        else:
            self.next.remove_by_labels({"namespace": namespace, "schedule": name})
        last = next((run.verdict for run in status.recent if run.verdict), None)
        for verdict in Verdict if last else ():
            self.verdict.labels(namespace, name, str(verdict)).set(int(verdict is last))

    def forget(self, namespace: str, name: str) -> None:
        """The schedule's series go."""
        for gauge in (self.verdict, self.next, self.missed):
            gauge.remove_by_labels({"namespace": namespace, "schedule": name})
