"""The operator is killed at every step of a run, and what it stands on is killed under it: the run ends as if nothing
had happened, and load is offered once.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Object
from operator_process import OperatorProcess
from workplace import LOCAL, PatientCluster, component, loadtest, operator_for, service, workplace

from loadgen.core.schedule.arrivals import schedule
from loadgen.core.schedule.segment import Segment
from loadtest_operator.api.loadtest import LoadTestSpec

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STEPS = (
    "write Pending", "write Preparing", "ProbeTarget", "write Preparing target", "CreateToken", "Create ConfigMap",
    "Create NetworkPolicy", "Create Job", "write Running target", "StartWorkers", "write Running first target",
    "write Running second target", "write Settling target", "write Evaluating target", "StoreReport",
    "write Finished target",
)  # fmt: skip
"""What the operator must have died after: each leaves the cluster in another state."""
EACH = "after [!E]*"
"""After every write and action but Events."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-crash") as cluster:
        yield cluster


@pytest.fixture
def operator(cluster: PatientCluster, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Not started; dead at the end."""
    operator = operator_for(cluster, tmp_path)
    yield operator
    operator.close()
    print(operator.log[-6000:])


def expected(spec: Object) -> int:
    """How many requests the plan's seed makes."""
    return sum(len(chunk) for chunk in schedule(LoadTestSpec.model_validate(spec).plan, Segment(0, 1)))


def begin(cluster: PatientCluster, body: Object) -> str:
    """Apply a LoadTest with a Service of its own."""
    name: str = body["metadata"]["name"]
    cluster.apply(service(name))
    cluster.apply(body)
    return name


def carried_on(cluster: PatientCluster, operator: OperatorProcess, name: str, seconds: float) -> Object:
    """The final status, while a dead operator is started again as Kubernetes would do."""

    def finished(status: Object) -> bool:
        if not operator.alive:
            operator.start(crash_at=EACH)
        return status.get("phase") == "Finished"

    return cluster.wait(name, finished, seconds)


def check_as_if_nothing_happened(cluster: PatientCluster, body: Object, status: Object) -> None:
    """Passed; everything planned was sent, once: by the figures, by the target's own count, by the cluster's objects."""
    name = body["metadata"]["name"]
    planned = expected(body["spec"])
    assert status["verdict"] == "Passed", status["message"]
    assert status["summary"]["requests"]["planned"] == planned
    assert status["summary"]["requests"]["succeeded"] == planned
    assert len(cluster.jobs(name)) == 1
    workers = cluster.pods(name)
    assert len(workers) == body["spec"]["load"]["workers"]
    addresses = {pod["status"]["podIP"] for pod in workers}
    assert sum(count for client, count in cluster.counted(name).items() if client in addresses) == planned
    assert status["run"]["number"] == 1
    assert not status.get("history")
    assert len(status["artifacts"]) == 1


def check_left(cluster: PatientCluster, name: str) -> None:
    """A finished run's workers exit, and nothing but what the ttl keeps is there."""

    def exited() -> bool:
        return all(pod["status"]["phase"] == "Succeeded" for pod in cluster.pods(name))

    cluster.until("the workers have exited", exited, 40)

    def kept() -> bool:
        return {found["metadata"]["name"] for found in cluster.list("configmaps", f"loadtest.dev/name={name}")} == {
            f"{name}-1-plan",
            f"{name}-1-report",
        }

    cluster.until("only the plan and the report are left", kept, 20)


def test_killed_at_every_step_the_run_ends_as_if_nothing_had_happened(
    cluster: PatientCluster, operator: OperatorProcess
) -> None:
    """One run, and the operator dies before and after each thing that it does for the first time."""
    body = loadtest("walk", workers=2, seconds=12)
    name = begin(cluster, body)

    status = carried_on(cluster, operator, name, seconds=200)

    check_as_if_nothing_happened(cluster, body, status)
    if not operator.alive:
        operator.start(crash_at=EACH)
    check_left(cluster, name)
    missed = {f"after {step}" for step in STEPS} - set(operator.crashes)
    assert not missed, operator.crashes
    for reason in ("LoadCompleted", "RunPassed", "RunCreated"):
        assert len(cluster.events(name, reason)) <= 1


def test_a_second_operator_takes_over_within_30_s(cluster: PatientCluster, tmp_path: Path) -> None:
    """Two operators, one lease: the leader dies in mid-load, the other one carries the run to its end."""
    leader = operator_for(cluster, tmp_path / "leader", LOADTEST_IDENTITY="leader")
    second = operator_for(cluster, tmp_path / "second", LOADTEST_IDENTITY="second")
    body = loadtest("failover", seconds=8)
    try:
        leader.start()
        name = begin(cluster, body)
        cluster.phase(name, "Preparing")
        second.start()
        cluster.offering(name)
        leader.kill()
        killed = time.monotonic()
        cluster.until("the second operator leads", lambda: "second leads" in second.log, 30)
        print(f"failover after {time.monotonic() - killed:.1f} s")
        check_as_if_nothing_happened(cluster, body, cluster.finished(name, seconds=60))
        check_left(cluster, name)
        assert second.stop() == 0
    finally:
        leader.close()
        second.close()


@pytest.mark.alone
@pytest.mark.skipif(not LOCAL, reason="only the local cluster's components can be killed")
def test_api_server_and_etcd_die_in_mid_load(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """Load goes on without them, and so does the verdict."""
    operator.start()
    body = loadtest("without-api", seconds=12)
    name = begin(cluster, body)
    cluster.offering(name)

    component("restart", "apiserver")
    component("restart", "etcd")

    check_as_if_nothing_happened(cluster, body, cluster.finished(name, seconds=90))
    check_left(cluster, name)
    assert operator.alive
    assert operator.stop() == 0
