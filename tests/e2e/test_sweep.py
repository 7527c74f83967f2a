"""A LoadTestSweep on the real cluster: the table of its levels and the best one, also where the operator is killed meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Object, condition
from operator_process import OperatorProcess
from workplace import PatientCluster, operating, service, workplace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

KIND = "loadtestsweep"
FIELD = "load.stages[hold].arrivalRate"


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-sweep") as cluster:
        yield cluster


@pytest.fixture
def operator(cluster: PatientCluster, tmp_path: Path) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path) as operator:
        yield operator


def a_sweep(name: str, **changes: object) -> Object:
    """Three levels of five seconds each against the tiny target."""
    stage = {"name": "hold", "durationSeconds": 5, "arrivalRate": 1}
    template: Object = {
        "target": {"serviceRef": {"name": name, "port": "http"}},
        "requests": [{"name": "page", "http": {"path": f"/{name}"}, "slo": {"responseTimeMilliseconds": 2000}}],
        "load": {"workers": 1, "gracefulStopSeconds": 5, "stages": [stage]},
    }
    spec = {
        "loadTestTemplate": {"spec": template},
        "vary": [{"field": FIELD, "values": [20, 30, 40]}],
        "repeats": 1,
        "between": {"restSeconds": 1},
        **changes,
    }
    return {"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTestSweep", "metadata": {"name": name}, "spec": spec}


def begin(cluster: PatientCluster, body: Object) -> str:
    name: str = body["metadata"]["name"]
    cluster.apply(service(name))
    cluster.apply(body)
    return name


def wait(cluster: PatientCluster, name: str, holds: Callable[[Object], object], seconds: float) -> Object:
    """The first status of the sweep that fulfils the condition."""
    deadline = time.monotonic() + seconds
    while True:
        status: Object = (cluster.get(KIND, name) or {}).get("status") or {}
        if holds(status):
            return status
        assert time.monotonic() < deadline, f"not within {seconds} s: {status}"
        time.sleep(0.5)


def is_over(status: Object) -> bool:
    return status.get("phase") == "Finished"


def check_table(status: Object) -> None:
    """Three levels, each once; the highest is the best."""
    assert status["verdict"] == "Passed", status["message"]
    assert [(level["values"], level["runs"], level["verdict"]) for level in status["levels"]] == [
        (["20"], 1, "Passed"),
        (["30"], 1, "Passed"),
        (["40"], 1, "Passed"),
    ]
    assert status["best"]["level"] == f"{FIELD} = 40"
    assert float(status["best"]["requestsPerSecond"]) > 30
    assert condition(status, "Passed")["status"] == "True"


def test_a_sweep_ends_with_its_table_though_its_operator_is_killed(
    cluster: PatientCluster, operator: OperatorProcess
) -> None:
    """SIGKILL while the second level runs, and once more before the third is made: every LoadTest is made once."""
    name = begin(cluster, a_sweep("levels"))
    wait(cluster, name, lambda status: status.get("current") == f"{name}-2", 90)
    operator.kill()
    made = {body["metadata"]["uid"] for body in cluster.list("loadtests.loadtest.dev", f"loadtest.dev/sweep={name}")}
    operator.start()
    wait(cluster, name, lambda status: status.get("runs", {}).get("finished") == 2, 90)
    operator.kill()
    operator.start()
    status = wait(cluster, name, is_over, 120)
    check_table(status)
    children = cluster.list("loadtests.loadtest.dev", f"loadtest.dev/sweep={name}")
    assert sorted(body["metadata"]["name"] for body in children) == [f"{name}-{number}" for number in (1, 2, 3)]
    assert made <= {body["metadata"]["uid"] for body in children}
    shown = cluster.kubectl("get", KIND, name)
    print(shown)
    assert f"{FIELD} = 40" in shown
    cluster.kubectl("delete", KIND, name, "--wait=true", "--timeout=60s")
    cluster.wait_gone("loadtests.loadtest.dev", f"loadtest.dev/sweep={name}", seconds=60)


def test_a_sweep_that_is_aborted_takes_its_load_test_along(cluster: PatientCluster, operator: OperatorProcess) -> None:
    name = begin(cluster, a_sweep("stopped"))
    wait(cluster, name, lambda status: status.get("current") == f"{name}-1", 60)
    cluster.kubectl("patch", KIND, name, "--type=merge", "-p", '{"spec": {"abort": true}}')
    status = wait(cluster, name, is_over, 60)
    assert status["verdict"] == "Aborted"
    (child,) = cluster.list("loadtests.loadtest.dev", f"loadtest.dev/sweep={name}")
    assert child["status"]["verdict"] == "Aborted"
