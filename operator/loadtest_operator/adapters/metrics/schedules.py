"""What Prometheus sees of schedules: the verdict of the last run and how often in a row, the next start, whether it will be
made, and starts that were missed.

Alerts rest on these alone (`charts/loadtest-operator/files/rules`), so each is written at every look, from the status.
"""

from itertools import takewhile

from prometheus_client import CollectorRegistry, Gauge

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import Condition, ConditionStatus
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
        self.in_a_row = Gauge(
            "loadtest_schedule_last_verdict_runs",
            "How many of the newest finished runs in a row ended with the last verdict, at most 20",
            LABELS,
            registry=registry,
        )
        self.ready = Gauge(
            "loadtest_schedule_ready",
            "1 if the next start will be made, 0 if something is in its way",
            LABELS,
            registry=registry,
        )
        self.start_missed = Gauge(
            "loadtest_schedule_start_missed",
            "1 while the last start that was due is one that was not made, by the reason",
            (*LABELS, "reason"),
            registry=registry,
        )

    def show(self, namespace: str, name: str, status: LoadTestScheduleStatus) -> None:
        """The schedule's gauges, from its status."""
        self.missed.labels(namespace, name).set(status.missed_starts)
        if status.next_schedule_time:
            self.next.labels(namespace, name).set(status.next_schedule_time.timestamp())
        else:
            self.next.remove_by_labels({"namespace": namespace, "schedule": name})
        self._show_verdicts(namespace, name, status)
        self._show_conditions(namespace, name, status)

    def _show_verdicts(self, namespace: str, name: str, status: LoadTestScheduleStatus) -> None:
        verdicts = [run.verdict for run in status.recent if run.verdict]
        if not verdicts:
            return
        for verdict in Verdict:
            self.verdict.labels(namespace, name, str(verdict)).set(int(verdict is verdicts[0]))
        self.in_a_row.labels(namespace, name).set(len(list(takewhile(lambda each: each is verdicts[0], verdicts))))

    def _show_conditions(self, namespace: str, name: str, status: LoadTestScheduleStatus) -> None:
        self.start_missed.remove_by_labels({"namespace": namespace, "schedule": name})
        for condition in status.conditions:
            if condition.type == "Ready":
                self.ready.labels(namespace, name).set(int(_holds(condition)))
            if condition.type == "StartMissed" and _holds(condition):
                self.start_missed.labels(namespace, name, condition.reason).set(1)

    def forget(self, namespace: str, name: str) -> None:
        """The schedule's series go."""
        for gauge in (self.verdict, self.in_a_row, self.next, self.missed, self.ready, self.start_missed):
            gauge.remove_by_labels({"namespace": namespace, "schedule": name})


def _holds(condition: Condition) -> bool:
    return condition.status is ConditionStatus.TRUE
