"""The four samples of the README, on the real cluster with the real model, and what the dashboards show of them."""

import json
import time
from datetime import datetime

import dashboards
import pytest
from cluster import Cluster, Object, condition, stage, threshold
from workplace import LOCAL, PatientCluster

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

BEGUN = time.time()
EVERY_MINUTE: Object = {
    "apiVersion": "loadtest.dev/v1alpha1",
    "kind": "LoadTestSchedule",
    "metadata": {"name": "every-minute"},
    "spec": {
        "schedule": "* * * * *",
        "loadTestTemplate": {
            "spec": {
                "target": {"serviceRef": {"name": "llm", "port": "http"}},
                "requests": [{"name": "health", "http": {"path": "/health"}}],
                "load": {"stages": [{"name": "calm", "durationSeconds": 10, "arrivalRate": 5}]},
            }
        },
    },
}


def test_chat_capacity_passes_and_shows_the_autoscaler_at_work(cluster: Cluster) -> None:
    """Verdict, merged percentiles of two workers, and the first scale-up decomposed."""
    cluster.settle("llm", replicas=1, seconds=180)

    status = cluster.run_sample("chat-capacity", seconds=360)

    assert status["verdict"] == "Passed", status["message"]
    assert status["workers"]["ready"] == 2
    peak = stage(status, "peak")
    assert float(peak["requestsPerSecond"]) > 1
    assert 0 < float(peak["ttftMilliseconds"]["p50"]) <= float(peak["ttftMilliseconds"]["p90"])
    assert float(peak["ttftMilliseconds"]["max"]) <= float(peak["responseTimeMilliseconds"]["max"])
    requests = status["summary"]["requests"]
    assert (
        requests["succeeded"] + requests["failed"] + requests["dropped"] + requests["incomplete"] == requests["planned"]
    )
    assert threshold(status, "ttft-p90")["result"] == "Passed"
    assert threshold(status, "ttft-p90")["observed"]
    assert status["summary"]["responseTimeMilliseconds"]["highest"].startswith("P9")
    check_scaling(status["scaling"])
    assert condition(status, "Passed")["status"] == "True"
    assert condition(status, "ScalingVerified")["status"] == "True"


def check_scaling(scaling: dict) -> None:  # type: ignore[type-arg]
    """From one replica to at least two, each step of the way with its time, in order."""
    assert scaling["replicas"]["initial"] == 1
    assert scaling["replicas"]["peak"] >= 2
    assert scaling["replicas"]["course"].startswith(f"1→{scaling['replicas']['peak']}→")
    first = scaling["scaleUps"][0]
    steps = ["loadStepTime", "decidedTime", "podScheduledTime", "podReadyTime", "servingTime"]
    times = [datetime.fromisoformat(first[step]) for step in steps]
    assert times == sorted(times), first
    assert {found["name"]: found["result"] for found in scaling["expectations"]} == {
        "grows": "Passed",
        "quick": "Passed",
    }


def test_too_strict_fails_and_says_which_by_how_much_and_where(cluster: Cluster) -> None:
    """A threshold that the model cannot keep."""
    status = cluster.run_sample("too-strict", seconds=240)

    assert status["verdict"] == "Failed"
    for word in ("first-token", "steady", "5 ms"):
        assert word in status["message"], status["message"]
    broken = threshold(status, "first-token")
    assert broken["result"] == "Failed"
    assert float(broken["observed"].split()[0]) > 5
    assert threshold(status, "errors")["result"] == "Passed"
    assert condition(status, "ThresholdsMet")["status"] == "False"


def test_a_service_that_answers_404_does_not_pass(cluster: Cluster) -> None:
    """The peers' classic false green."""
    status = cluster.run_sample("broken-path", seconds=120)

    assert status["verdict"] not in ("Passed", "")
    assert "404" in status["message"]
    assert "/v1/no-such-path" in status["message"]
    assert condition(status, "Passed")["status"] == "False"


def test_network_delay_shows_in_its_window_only(cluster: Cluster) -> None:
    """300 ms for 30 s: the window's latency shows it, the rest of the run does not, and no proxy stays behind."""
    status = cluster.run_sample("slow-network", seconds=240)

    assert status["verdict"] == "Passed", status["message"]
    fault = status["faults"][0]
    assert fault["result"] == "Recovered"
    inside = fault["tolerate"][0]
    assert inside["wanted"] == ">= 300 ms"
    assert 300 <= float(inside["observed"].split()[0]) < 1000
    assert {found["result"] for found in fault["tolerate"]} == {"Passed"}
    outside = threshold(status, "fast")
    assert outside["result"] == "Passed"
    assert float(outside["observed"].split()[0]) < 100
    cluster.wait_gone("pods,services", "loadtest.dev/name=slow-network,loadtest.dev/component=proxy", seconds=60)


@pytest.mark.skipif(not LOCAL, reason="asks the local cluster's Prometheus")
def test_every_query_of_the_dashboards_has_data(cluster: Cluster) -> None:
    """After the runs above (an autoscaler at work, a fault in force) and one that a schedule starts, as Grafana would ask."""
    patient = PatientCluster(cluster.namespace)
    patient.apply(EVERY_MINUTE)
    try:
        patient.until("a run of the schedule has a verdict", lambda: verdicts(patient), 180)
        time.sleep(10)
        names = ["chat-capacity", "slow-network", ".*"]
        assert dashboards.empty(cluster.namespace, names, BEGUN, time.time()) == []
    finally:
        patient.kubectl("delete", "loadtestschedule", "every-minute", "--ignore-not-found")


def verdicts(cluster: Cluster) -> list[str]:
    """Of the schedule's runs."""
    found = json.loads(cluster.kubectl("get", "loadtestschedule", "every-minute", "-o", "json"))
    return [run["verdict"] for run in found.get("status", {}).get("recent", []) if run.get("verdict")]
