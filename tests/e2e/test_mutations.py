"""What a user may change while a run lives, what is refused, and that a deleted LoadTest takes everything with it."""

import json
from collections.abc import Iterator

import pytest
from cluster import Object, condition
from operator_process import OperatorProcess
from workplace import PatientCluster, deployment, loadtest, operating, service, workplace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-mutate") as cluster:
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


def begin(cluster: PatientCluster, body: Object, app: str = "target") -> str:
    name: str = body["metadata"]["name"]
    cluster.apply(service(name, app))
    cluster.apply(body)
    return name


def refused(cluster: PatientCluster, name: str, spec: Object) -> str:
    """The API server's answer to a patch that it must refuse."""
    result = cluster.run("patch", "loadtest", name, "--type=merge", "-p", json.dumps({"spec": spec}))
    assert result.returncode != 0, f"{spec} was taken"
    return result.stderr


def facts(cluster: PatientCluster, name: str) -> tuple[object, ...]:
    """What a re-apply must not change."""
    found = cluster.get("loadtest", name)
    assert found is not None
    run = found["status"]["run"]
    return (
        found["metadata"]["generation"],
        run["number"],
        run["startTime"],
        [job["metadata"]["uid"] for job in cluster.jobs(name)],
    )


def test_held_resumed_guarded_and_run_again(cluster: PatientCluster) -> None:
    """One LoadTest's whole life, as a user and Argo CD lead it."""
    body = loadtest("life", suspend=True)
    name = begin(cluster, body)
    cluster.wait(name, lambda status: "suspended" in status.get("message", ""), 30)
    assert condition(cluster.status(name), "Accepted")["reason"] == "Suspended"
    assert not cluster.jobs(name)

    body = loadtest("life")
    cluster.apply(body)
    cluster.offering(name)
    check_guarded(cluster, name, body)

    cluster.kubectl("wait", "loadtest", name, "--for=condition=Finished", "--timeout=60s")
    cluster.kubectl("wait", "loadtest", name, "--for=condition=Passed", "--timeout=1s")
    check_reapply(cluster, name, body)
    check_second_run(cluster, name)


def check_guarded(cluster: PatientCluster, name: str, body: Object) -> None:
    """While load is offered: no other token, no other load, and the same YAML again changes nothing."""
    told = refused(cluster, name, {"runToken": "2"})
    assert "runToken cannot change while a run is active (phase Running)" in told
    assert "load cannot change while runToken stays the same" in refused(cluster, name, {"load": {"seed": 8}})
    assert "target cannot change" in refused(cluster, name, {"target": {"serviceRef": {"name": "target"}}})
    check_reapply(cluster, name, body)


def check_reapply(cluster: PatientCluster, name: str, body: Object) -> None:
    before = facts(cluster, name)
    cluster.apply(body)
    assert facts(cluster, name) == before


def check_second_run(cluster: PatientCluster, name: str) -> None:
    """A new token, with another load, after the end: run 2; run 1 is in the history, its report stays, its Job goes."""
    first = cluster.status(name)
    stages = [{"name": "only", "durationSeconds": 4, "arrivalRate": 10}]
    load = {"workers": 1, "seed": 7, "gracefulStopSeconds": 5, "stages": stages}
    cluster.apply(loadtest(name, runToken="2", load=load))
    cluster.wait(name, lambda status: status["run"]["number"] == 2, 20)
    second = cluster.finished(name, seconds=60)
    assert second["verdict"] == "Passed", second["message"]
    assert second["run"]["token"] == "2"
    past = second["history"][0]
    assert (past["number"], past["token"], past["verdict"]) == (1, "1", "Passed")
    assert past["completionTime"] == first["run"]["completionTime"]
    assert [job["metadata"]["name"] for job in cluster.jobs(name)] == [f"{name}-2-workers"]
    for artifact in (past["artifact"], second["artifacts"][0]["name"]):
        assert cluster.get("configmap", artifact) is not None


def test_abort_stops_the_load(cluster: PatientCluster) -> None:
    """Verdict Aborted within seconds, and the target hears no more."""
    name = begin(cluster, loadtest("aborted", seconds=60))
    cluster.offering(name)

    cluster.change(name, {"abort": True})
    status = cluster.finished(name, seconds=20)

    assert status["verdict"] == "Aborted"
    assert "spec.abort" in status["message"]
    heard = cluster.counted(name)
    requests = status["summary"]["requests"]
    assert 0 < requests["planned"] < 60 * 15 / 2
    cluster.until(
        "the workers exit", lambda: all(pod["status"]["phase"] != "Running" for pod in cluster.pods(name)), 20
    )
    assert cluster.counted(name) == heard


def test_deleted_in_each_phase_everything_goes(cluster: PatientCluster) -> None:
    """Pending, Preparing, Running, Settling and Finished: gone within a minute, the load first."""
    begin(cluster, loadtest("in-pending", suspend=True))
    begin(cluster, loadtest("in-preparing"), app="nobody")
    begin(cluster, loadtest("in-running", seconds=120))
    for app in ("settling", "finishing"):
        cluster.apply(deployment(app))
    begin(cluster, loadtest("in-settling", seconds=4, scaling={"settleSeconds": 300}), app="settling")
    begin(cluster, loadtest("in-finished", seconds=4), app="finishing")
    for phase in ("Pending", "Preparing", "Finished", "Settling"):
        cluster.phase(f"in-{phase.lower()}", phase, seconds=90)
    cluster.offering("in-running")
    names = [f"in-{phase}" for phase in ("pending", "preparing", "running", "settling", "finished")]

    cluster.rm(*names)

    for name in names:
        cluster.gone(name, seconds=60)
    heard = cluster.counted("in-running")
    cluster.kubectl("get", "loadtests")
    assert cluster.counted("in-running") == heard
