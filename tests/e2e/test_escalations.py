"""Ways in that only the operator can shut, on a real cluster: each of escalations.yaml ends in its words, before any worker
is made; and what is taken does no harm to anybody else."""

import json
from collections.abc import Iterator

import pytest
from cluster import Object
from operator_process import OperatorProcess
from workplace import WORKER_IMAGE, PatientCluster, deployment, loadtest, operating, service, workplace

from contract.objects import ESCALATIONS, changed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ENDED = [number for number, row in enumerate(ESCALATIONS) if "operator" in row]
WAITING = [number for number, row in enumerate(ESCALATIONS) if "waits" in row]
CHAT = [{"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "x"}}}]
SECRET_TEXT = "sk-of-somebody-else"


def titled(number: int) -> str:
    title: str = ESCALATIONS[number]["title"]
    return title


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-ways-in") as cluster:
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


@pytest.fixture(scope="module", autouse=True)
def attempts(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """All at once, each with a Service of its own; those of one workload wait for each other."""
    things: list[Object] = []
    for number in (*ENDED, *WAITING):
        name, row = f"way-{number}", ESCALATIONS[number]
        body = loadtest(name, target={"serviceRef": {"name": name, "port": "http"}})
        body["spec"] = changed(body["spec"], row.get("change", {}))
        around = json.loads(json.dumps(row.get("around", [])).replace("NAME", name))
        things += [service(name, app=f"target-{number}"), *around, body]
        if number in NEEDS_A_TARGET:
            things.append(deployment(f"target-{number}"))
    cluster.apply({"apiVersion": "v1", "kind": "List", "items": things})


NEEDS_A_TARGET = [
    number
    for number in (*ENDED, *WAITING)
    if "workerTemplate.labels" in ESCALATIONS[number].get("change", {}) or "change" not in ESCALATIONS[number]
]
"""What is only seen when workers are about to be made."""


@pytest.mark.parametrize("number", ENDED, ids=titled)
def test_it_ends_in_words_and_without_a_worker(cluster: PatientCluster, number: int) -> None:
    name, words = f"way-{number}", ESCALATIONS[number]["operator"]
    status = cluster.finished(name, seconds=120)

    assert status["verdict"] == "Error"
    assert words in status["message"]
    assert cluster.jobs(name) == []
    assert SECRET_TEXT not in json.dumps(cluster.get("loadtest", name))


@pytest.mark.parametrize("number", WAITING, ids=titled)
def test_it_waits_for_consent(cluster: PatientCluster, number: int) -> None:
    """Of whoever owns what is in the way, and says how that is given."""
    name = f"way-{number}"
    words = ESCALATIONS[number]["waits"].replace("NAME", name)

    status = cluster.wait(name, lambda status: words in status.get("message", ""), 120)

    assert "verdict" not in status
    assert cluster.jobs(name) == []
    assert SECRET_TEXT not in json.dumps(cluster.get("loadtest", name))
    cluster.change(name, {"abort": True})
    assert cluster.finished(name, seconds=30)["verdict"] == "Aborted"


def begin(cluster: PatientCluster, body: Object) -> str:
    name: str = body["metadata"]["name"]
    for thing in (deployment(f"target-{name}"), service(name, app=f"target-{name}"), body):
        cluster.apply(thing)
    return name


def test_a_redirect_is_not_followed(cluster: PatientCluster) -> None:
    body = loadtest("led-on", requests=[{"name": "page", "http": {"path": "/leads-on"}}])
    name = begin(cluster, {**body, "spec": {**body["spec"], "target": {"serviceRef": {"name": "led-on", "port": "http"},
                                                                     "readiness": {"timeoutSeconds": 8}}}})  # fmt: skip
    status = cluster.finished(name, seconds=60)

    assert status["verdict"] == "Inconclusive"
    assert "answered 307" in status["message"]
    path = f"/api/v1/namespaces/{cluster.namespace}/services/target:http/proxy/counts"
    assert "/followed" not in json.loads(cluster.kubectl("get", "--raw", path))


def test_a_forged_status_says_nothing(cluster: PatientCluster) -> None:
    """Neither at the creation nor by a change; and labels, annotations and an owner of the author's change nothing."""
    target = cluster.get("deployment", "target")
    assert target is not None
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "target", "uid": target["metadata"]["uid"]}
    forged = {"phase": "Finished", "verdict": "Passed", "run": {"number": 1, "token": "1"}}
    body = loadtest("forged", seconds=4)
    body["status"] = forged
    body["metadata"] |= {
        "labels": {"loadtest.dev/name": "other", "loadtest.dev/run": "7", "loadtest.dev/component": "worker"},
        "annotations": {"operator.loadtest.dev/run": "no JSON", "loadtest.dev/gate": "x"},
        "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
    }
    name = begin(cluster, body)
    cluster.run("patch", "loadtest", name, "--type=merge", "-p", json.dumps({"status": forged}))
    assert cluster.status(name).get("verdict") is None

    cluster.offering(name)
    assert cluster.finished(name, seconds=60)["verdict"] == "Passed"
    cluster.rm(name)
    cluster.gone(name)
    assert cluster.get("deployment", "target") is not None


def pretender(name: str, run: str) -> Object:
    """A pod with a worker's labels, whose number is no number."""
    pod = deployment(name)["spec"]["template"]["spec"]
    labels = {"app.kubernetes.io/name": "loadtest-worker", "loadtest.dev/name": run, "loadtest.dev/run": "1"}
    metadata = {
        "name": name,
        "labels": {**labels, "loadtest.dev/component": "worker"},
        "annotations": {"batch.kubernetes.io/job-completion-index": "none"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


def test_a_pretender_among_the_workers_is_not_listened_to(cluster: PatientCluster, operator: OperatorProcess) -> None:
    cluster.apply(pretender("pretender", "honest"))
    cluster.kubectl("wait", "pod/pretender", "--for=condition=Ready", "--timeout=60s")
    name = begin(cluster, loadtest("honest", seconds=4))

    assert cluster.finished(name, seconds=60)["verdict"] == "Passed"
    assert operator.alive


def test_who_holds_a_load_test_does_not_hold_its_load(cluster: PatientCluster) -> None:
    """A finalizer of somebody else keeps the object; load and workers go all the same."""
    body = loadtest("held", seconds=120)
    body["metadata"]["finalizers"] = ["example.com/hold"]
    name = begin(cluster, body)
    cluster.offering(name)
    cluster.rm(name)
    try:
        cluster.until("the workers go", lambda: not cluster.list("pods", "loadtest.dev/name=held"), 90)
        assert cluster.get("loadtest", name) is not None
    finally:
        cluster.run("patch", "loadtest", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    cluster.gone(name)


def test_a_worker_has_nothing_to_take(cluster: PatientCluster) -> None:
    """Whoever gets into a worker is nobody: no token, no right, no other image, and sends to its target."""
    name = begin(cluster, loadtest("poor", seconds=20, workerTemplate={"labels": {"team": "x"}}))
    cluster.offering(name)
    (pod,) = cluster.pods(name)
    (container,) = pod["spec"]["containers"]

    assert container["image"] == WORKER_IMAGE
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not [mount for mount in container["volumeMounts"] if "serviceaccount" in mount["mountPath"]]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    asked = "import os; print(os.getuid(), os.path.exists('/var/run/secrets/kubernetes.io'))"
    assert cluster.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", asked).split()[1] == "False"
    cluster.change(name, {"abort": True})
    cluster.finished(name, seconds=30)


def test_a_schedule_is_no_way_around(cluster: PatientCluster) -> None:
    spec = {**loadtest("x")["spec"], "target": {"url": "http://169.254.169.254"}}
    template = {"metadata": {"labels": {"app": "around"}}, "spec": spec}
    schedule = {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTestSchedule",
        "metadata": {"name": "around"},
        "spec": {"schedule": "* * * * *", "loadTestTemplate": template},
    }
    cluster.apply(schedule)
    try:
        words = "no LoadTest is made: spec.target.url 'http://169.254.169.254' is not allowed"
        cluster.until("its refusal", lambda: words in json.dumps(cluster.get("loadtestschedule", "around")), 30)
        assert cluster.list("loadtests", "app=around") == []
    finally:
        cluster.run("delete", "loadtestschedule", "around", "--wait=false")
