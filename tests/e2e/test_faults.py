"""Faults on a real cluster: pods of the target are killed under load, with every consent, and come back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Object
from workplace import PatientCluster, loadtest, operating, service, workplace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-faults") as cluster:
        cluster.kubectl("scale", "deployment/target", "--replicas=2")
        cluster.kubectl("rollout", "status", "deployment/target", "--timeout=60s")
        yield cluster


def a_kill(name: str, **fault: object) -> Object:
    """One of two pods, 4 s into the second stage; errors while it lasts are tolerated."""
    kill = {
        "name": "kill", "startInStage": "second", "startAfterSeconds": 4, "durationSeconds": 40,
        "podKill": {"count": 1, "gracePeriodSeconds": 0},
        "tolerate": [{"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 60}],
    }  # fmt: skip
    errors = {"name": "errors", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}
    return loadtest(name, seconds=100, faults=[kill | fault], thresholds=[errors])


def uids(cluster: PatientCluster) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.list("pods", "app=target")}


def test_a_pod_is_killed_and_the_users_recover(cluster: PatientCluster, tmp_path: Path) -> None:
    """One identity of two is gone for good; as many are ready as before; outside of its window nobody was hurt."""
    cluster.kubectl("label", "namespace", cluster.namespace, "loadtest.dev/faults=allowed", "--overwrite")
    before = uids(cluster)
    with operating(cluster, tmp_path, LOADTEST_POD_KILL_ENABLED="true"):
        cluster.apply(service("killed"))
        cluster.apply(a_kill("killed"))
        status = cluster.wait("killed", lambda status: status.get("phase") == "Finished", 200)
        left = cluster.get("configmap", "killed-1-kills")

    assert status["verdict"] == "Passed", status["message"]
    (fault,) = status["faults"]
    assert (fault["result"], fault["effects"], fault["via"]) == ("Recovered", 1, "PodKill")
    assert len(before & uids(cluster)) == 1
    assert len(uids(cluster)) == 2
    assert fault["message"].startswith("killed target-")
    assert left is None


def test_without_the_namespaces_consent_nothing_is_begun(cluster: PatientCluster, tmp_path: Path) -> None:
    """The run waits with what to do about it, and no pod has gone."""
    cluster.kubectl("label", "namespace", cluster.namespace, "loadtest.dev/faults-")
    before = uids(cluster)
    with operating(cluster, tmp_path, LOADTEST_POD_KILL_ENABLED="true"):
        cluster.apply(service("unasked"))
        cluster.apply(a_kill("unasked"))
        cluster.wait("unasked", lambda status: "kubectl label namespace" in status.get("message", ""), 90)
        cluster.change("unasked", {"abort": True})
        cluster.wait("unasked", lambda status: status.get("phase") == "Finished", 60)

    assert uids(cluster) == before
