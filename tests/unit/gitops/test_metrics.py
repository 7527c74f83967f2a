"""What alerts rest on: the operator's series say what a status says, and nothing where it says nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.metrics.schedules import ScheduleMetrics
from loadtest_operator.api.schedule import LoadTestScheduleStatus
from loadtest_operator.api.status import LoadTestStatus

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ON = {"namespace": "demo", "schedule": "nightly"}
OF_RUN = {"namespace": "demo", "loadtest": "chat", "run": "1"}


class Schedules:
    """Their gauges and the registry that they are read from."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges = ScheduleMetrics(self.registry)

    def show(self, *verdicts: str | None, **conditions: tuple[str, str]) -> None:
        """Runs, the newest first, and conditions as (status, reason)."""
        recent = [{"name": f"nightly-{place}", "verdict": word} for place, word in enumerate(verdicts)]
        told = [
            {"type": kind, "status": status, "reason": reason, "lastTransitionTime": NOON}
            for kind, (status, reason) in conditions.items()
        ]
        status = LoadTestScheduleStatus.model_validate({"recent": recent, "conditions": told})
        self.gauges.show("demo", "nightly", status)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"loadtest_schedule_{name}", {**ON, **labels})


@pytest.mark.parametrize(
    ("verdicts", "in_a_row"),
    [
        ((), None),
        ((None,), None),
        (("Inconclusive",), 1),
        (("Inconclusive", "Passed", "Inconclusive"), 1),
        (("Inconclusive", "Inconclusive", "Passed"), 2),
        ((None, "Inconclusive", None, "Inconclusive"), 2),
    ],
    ids=[
        "no run yet",
        "one that has not finished",
        "one",
        "two with another between",
        "two",
        "two, and some that have not finished",
    ],
)
def test_verdicts_in_a_row_are_counted(verdicts: tuple[str | None, ...], in_a_row: int | None) -> None:
    """Of finished runs, from the newest on; none where there is no verdict."""
    seen = Schedules()
    seen.show(*verdicts)
    assert seen.value("last_verdict_runs") == in_a_row


def test_a_missed_start_is_shown_by_its_reason_and_goes() -> None:
    """One reason at a time, and none when the next start was made."""
    seen = Schedules()
    seen.show(StartMissed=("True", "StillRunning"))
    seen.show(StartMissed=("True", "OperatorAway"))
    assert seen.value("start_missed", reason="OperatorAway") == 1
    assert seen.value("start_missed", reason="StillRunning") is None
    seen.show(StartMissed=("False", "NoneMissed"))
    assert seen.value("start_missed", reason="OperatorAway") is None
    assert seen.value("start_missed", reason="NoneMissed") is None


def test_whether_a_schedule_is_ready_is_shown() -> None:
    """Nothing before the operator has said so."""
    seen = Schedules()
    seen.show()
    assert seen.value("ready") is None
    seen.show(Ready=("False", "InvalidSchedule"))
    assert seen.value("ready") == 0
    seen.show(Ready=("True", "Scheduled"))
    assert seen.value("ready") == 1


def test_a_schedule_that_is_gone_leaves_no_series() -> None:
    """An alert on it would stay for ever."""
    seen = Schedules()
    seen.show("Failed", Ready=("False", "x"), StartMissed=("True", "OperatorAway"))
    seen.gauges.forget("demo", "nightly")
    assert [sample for family in seen.registry.collect() for sample in family.samples] == []


def shown(**status: Any) -> Metrics:
    metrics = Metrics()
    metrics.show("demo", "chat", LoadTestStatus.model_validate({"run": {"number": 1}, **status}))
    return metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {**OF_RUN, **labels})


def test_what_is_not_known_has_no_sample() -> None:
    """No error ratio of nothing planned, no replicas that nobody saw: a zero would be a claim."""
    metrics = shown(summary={"stages": [{"name": "peak"}]}, scaling={"changes": [{"time": NOON, "ready": 2}]})
    assert sample(metrics, "loadtest_error_ratio") is None
    assert sample(metrics, "loadtest_requests_per_second", stage="peak") is None
    assert sample(metrics, "loadtest_target_replicas", kind="desired") is None
    assert sample(metrics, "loadtest_target_replicas", kind="ready") == 2


def test_percentages_are_ratios_and_milliseconds_are_seconds() -> None:
    """Base units, whatever the status has."""
    summary = {"errorPercent": "12.5", "responseTimeMilliseconds": {"p95": "250"}}
    metrics = shown(summary=summary, run={"number": 1, "progressPercent": 43})
    assert sample(metrics, "loadtest_error_ratio") == 0.125
    assert sample(metrics, "loadtest_progress_ratio") == 0.43
    assert sample(metrics, "loadtest_run_response_time_seconds", statistic="P95") == 0.25


def test_faults_are_counted_by_what_became_of_them() -> None:
    """All results have a sample, so that an alert sees a fault leave; none where the run has no faults."""
    metrics = shown(faults=[{"name": "slow", "result": "NotRecovered"}, {"name": "cut", "result": "Recovered"}])
    assert sample(metrics, "loadtest_faults", result="NotRecovered") == 1
    assert sample(metrics, "loadtest_faults", result="InForce") == 0
    assert sample(shown(), "loadtest_faults", result="InForce") is None


def test_a_process_that_waits_for_the_lease_does_not_lead() -> None:
    """From its first second on, so that nobody acting is told from nobody there."""
    assert Metrics().registry.get_sample_value("loadtest_operator_leading") == 0


def test_scale_ups_are_shown_as_far_as_they_are_known() -> None:
    """And go with the next run."""
    metrics, labels = Metrics(), {**OF_RUN, "scale_up": "1"}
    scale_up = {"fromReplicas": 1, "toReplicas": 2, "seconds": {"decided": "12.5"}}
    metrics.show(
        "demo", "chat", LoadTestStatus.model_validate({"run": {"number": 1}, "scaling": {"scaleUps": [scale_up]}})
    )
    seen = [
        metrics.registry.get_sample_value("loadtest_scale_up_seconds", {**labels, "step": step})
        for step in ("decided", "serving")
    ]
    metrics.show("demo", "chat", LoadTestStatus.model_validate({"run": {"number": 2}}))

    assert seen == [12.5, None]
    assert b"loadtest_scale_up_seconds{" not in metrics.exposition()
