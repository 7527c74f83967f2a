"""A LoadTestSchedule on the real cluster: it starts on the minute, tells the verdict and what it missed, and goes whole."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from cluster import Cluster, Object, condition

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NAME = "every-minute"
KIND = "loadtestschedule"
CHILDREN = f"loadtest.dev/schedule={NAME}"
SCHEDULE: Object = {
    "apiVersion": "loadtest.dev/v1alpha1",
    "kind": "LoadTestSchedule",
    "metadata": {"name": NAME},
    "spec": {
        "schedule": "* * * * *",
        "timeZone": "Europe/Berlin",
        "successfulRunsHistoryLimit": 1,
        "loadTestTemplate": {
            "metadata": {"labels": {"team": "chat"}},
            "spec": {
                "target": {"serviceRef": {"name": "llm", "port": "http"}},
                "requests": [{"name": "health", "http": {"path": "/health"}}],
                "load": {"workers": 1, "stages": [{"name": "few", "durationSeconds": 5, "arrivalRate": 2}]},
            },
        },
    },
}


@pytest.fixture
def schedule(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the schedule in it, and without it afterwards."""
    gone(cluster)
    cluster.apply(SCHEDULE)
    yield cluster
    gone(cluster)


def gone(cluster: Cluster) -> None:
    cluster.kubectl("delete", KIND, NAME, "--ignore-not-found", "--wait=true", "--timeout=60s")
    cluster.wait_gone("loadtests", CHILDREN, seconds=90)


def change(cluster: Cluster, spec: str) -> None:
    cluster.kubectl("patch", KIND, NAME, "--type=merge", "-p", f'{{"spec": {spec}}}')


def test_a_schedule_starts_on_the_minute_and_tells_what_it_missed(schedule: Cluster) -> None:
    """Two runs, one after the other; then suspended, misread, and deleted."""
    status = wait(schedule, lambda status: len(finished(status)) >= 2, seconds=240)
    check_runs(schedule, status)

    change(schedule, '{"suspend": true}')
    missed = wait(schedule, lambda status: status.get("missedStarts", 0) > 0, seconds=100)
    assert condition(missed, "StartMissed")["status"] == "True"
    told = condition(wait(schedule, suspended, seconds=100), "StartMissed")
    assert "spec.suspend is true" in told["message"]

    change(schedule, '{"timeZone": "Europe/Atlantis"}')
    wrong = wait(schedule, lambda status: condition(status, "Ready")["status"] == "False", seconds=60)
    for word in ("spec.timeZone", "Europe/Atlantis", "Europe/Berlin"):
        assert word in condition(wrong, "Ready")["message"]
    assert "nextScheduleTime" not in wrong

    reports = "app.kubernetes.io/managed-by=loadtest-operator,loadtest.dev/name=" + status["lastRun"]["name"]
    gone(schedule)
    schedule.wait_gone("configmaps", reports, seconds=60)


def suspended(status: Object) -> bool:
    return condition(status, "StartMissed")["reason"] == "Suspended"


def finished(status: Object) -> list[Object]:
    return [run for run in status.get("recent", []) if run.get("verdict")]


def check_runs(cluster: Cluster, status: Object) -> None:
    """Each LoadTest is named by its minute, belongs to the schedule, and passed; the limit holds."""
    runs = finished(status)
    assert {run["verdict"] for run in runs} == {"Passed"}, runs
    assert all(float(run["requestsPerSecond"]) > 0 and run["errorPercent"] == "0" for run in runs)
    assert len({run["name"] for run in status["recent"]}) == len(status["recent"])
    assert condition(status, "LastRunPassed")["status"] == "True"
    assert condition(status, "Ready")["status"] == "True"
    children = cluster.list("loadtests", CHILDREN)
    for child in children:
        minute = int(child["metadata"]["name"].removeprefix(f"{NAME}-"))
        created = datetime.fromisoformat(child["metadata"]["creationTimestamp"]).timestamp()
        assert 0 <= created - minute * 60 < 30, child["metadata"]
        assert child["metadata"]["labels"]["team"] == "chat"
        assert child["metadata"]["ownerReferences"][0]["kind"] == "LoadTestSchedule"
    assert len([child for child in children if (child.get("status") or {}).get("phase") == "Finished"]) <= 2


def wait(cluster: Cluster, holds: Callable[[Object], bool], seconds: float) -> Object:
    """The first status of the schedule that fulfils the condition."""
    deadline = time.monotonic() + seconds
    while True:
        found = cluster.get(KIND, NAME)
        status: Object = (found or {}).get("status") or {}
        if status.get("conditions") and holds(status):
            return status
        assert time.monotonic() < deadline, f"not within {seconds} s: {status}"
        time.sleep(1)
