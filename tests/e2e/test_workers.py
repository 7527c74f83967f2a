"""Workers that are lost or never come: the cause is in the status within seconds, and never a false green."""

import time
from collections.abc import Callable, Iterator

import pytest
from cluster import Object, condition
from operator_process import OperatorProcess
from workplace import PatientCluster, loadtest, operating, service, workplace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

START_SECONDS = 30
"""How long the operator waits for workers here."""
SOON = 10
"""A pod's complaint reaches the status within so many seconds."""
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-more-pods"},
    "spec": {"hard": {"pods": "0"}},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-workers") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    seconds = str(START_SECONDS)
    with operating(cluster, tmp_path_factory.mktemp("operator"), LOADTEST_WORKER_START_SECONDS=seconds) as operator:
        yield operator


def begin(cluster: PatientCluster, name: str, **spec: object) -> str:
    cluster.apply(service(name))
    cluster.apply(loadtest(name, **spec))
    return name


def complaint(cluster: PatientCluster, name: str, reason: str) -> Object:
    """The WorkersReady condition with this reason, within ten seconds of the Job."""
    cluster.until(f"the Job of {name}", lambda: cluster.jobs(name), 40)

    def told() -> Object | None:
        found = condition(cluster.status(name), "WorkersReady")
        return found if found["reason"] == reason else None

    found: Object = cluster.until(f"{reason} in the status of {name}", told, SOON)
    assert found["message"] in cluster.status(name)["message"]
    return found


def check_nothing_runs(cluster: PatientCluster, name: str) -> None:
    """Workers that cannot start are taken away with their Job."""

    def idle() -> bool:
        return all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in cluster.pods(name))

    cluster.until("no worker runs or waits", idle, 30)


def test_a_deleted_worker_makes_the_run_inconclusive(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """The message says which share of the load was lost; nobody offers it a second time."""
    name = begin(cluster, "lost", workers=2, seconds=20)
    cluster.offering(name)
    before = {pod["metadata"]["name"] for pod in cluster.pods(name)}
    victim = sorted(before)[0]

    cluster.kubectl("delete", "pod", victim, "--wait=false")
    status = cluster.finished(name, seconds=40)

    assert operator.alive
    assert status["verdict"] == "Inconclusive"
    for word in ("lost worker 0 of 2", "50 %", victim):
        assert word in status["message"], status["message"]
    assert {pod["metadata"]["name"] for pod in cluster.pods(name)} <= before
    assert condition(status, "Passed")["status"] == "False"
    assert condition(status, "WorkersReady")["reason"] == "WorkerLost"
    check_nothing_runs(cluster, name)


def test_workers_that_cannot_start_say_why_and_end_in_error(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """No node for them, and too little memory, at the same time."""
    nowhere = begin(cluster, "nowhere", workerTemplate={"nodeSelector": {"there-is": "no-such-node"}})
    little = {"limits": {"memory": "12Mi"}, "requests": {"memory": "12Mi"}}
    hungry = begin(cluster, "hungry", workerTemplate={"resources": little})

    assert "found no node" in complaint(cluster, nowhere, "Unschedulable")["message"]
    killed = cluster.finished(hungry, seconds=40)
    assert killed["verdict"] == "Error"
    assert condition(killed, "WorkersReady")["reason"] == "OOMKilled", killed["message"]
    assert "memory limit" in killed["message"]
    check_nothing_runs(cluster, hungry)

    homeless = cluster.finished(nowhere, seconds=START_SECONDS + 20)
    assert homeless["verdict"] == "Error"
    assert "found no node" in homeless["message"]
    check_nothing_runs(cluster, nowhere)
    assert operator.alive


def test_a_quota_is_named_and_waited_for(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """The Job controller's complaint is shown; the run may be aborted meanwhile."""
    cluster.apply(QUOTA)
    try:
        name = begin(cluster, "poor")
        assert "no-more-pods" in complaint(cluster, name, "QuotaExceeded")["message"]
        cluster.change(name, {"abort": True})
        assert cluster.finished(name, seconds=20)["verdict"] == "Aborted"
    finally:
        cluster.kubectl("delete", "resourcequota", "no-more-pods")
    check_nothing_runs(cluster, name)
    assert operator.alive


def with_image(cluster: PatientCluster, operator: OperatorProcess, policy: str, check: Callable[[], None]) -> None:
    """The same operator, told of an image that does not exist."""
    wrong = {"LOADTEST_WORKER_IMAGE": "localhost/no-such-image:1", "LOADTEST_WORKER_IMAGE_PULL_POLICY": policy}
    operator.stop()
    try:
        with operating(cluster, operator.folder, **{**operator.settings, **wrong}):
            check()
    finally:
        operator.start()


def test_an_image_that_cannot_be_pulled_is_named(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """Shown within ten seconds; hopeless at once where it is never pulled."""

    def pulled() -> None:
        name = begin(cluster, "unpullable")
        assert "no-such-image" in complaint(cluster, name, "ImagePullError")["message"]
        cluster.rm(name)
        cluster.gone(name)

    def never() -> None:
        name = begin(cluster, "unloaded")
        begun = time.monotonic()
        status = cluster.finished(name, seconds=30)
        assert time.monotonic() - begun < 20
        assert status["verdict"] == "Error"
        assert "no-such-image" in status["message"]
        check_nothing_runs(cluster, name)

    with_image(cluster, operator, "IfNotPresent", pulled)
    with_image(cluster, operator, "Never", never)
