"""The workers' node goes away and comes back: the run ends with its share of the load named, and nothing is offered twice.

The node is this machine, so it is made to look gone: its kubelet is dead and the workers are frozen, which is all that can
be seen of a node without power or network. It comes back with the workers in the middle of what they did.
"""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cluster import Object, condition
from operator_process import OperatorProcess
from workplace import (
    LOCAL,
    OBJECTS,
    PatientCluster,
    component,
    loadtest,
    operating,
    service,
    worker_processes,
    workplace,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LOCAL, reason="only the local cluster's kubelet can be stopped"),
]

LOAD_SECONDS = 120
VERDICT_SECONDS = 60
"""From the moment the node is gone to the verdict: 15 s of silence, then requests that nobody answers."""
NODE_SECONDS = 90
"""Until Kubernetes itself believes that the node is gone."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-node") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


@contextmanager
def node_gone(cluster: PatientCluster, name: str) -> Iterator[None]:
    """In the middle of what its workers do; afterwards it is back, whatever happened meanwhile."""
    component("stop", "kubelet")
    frozen = worker_processes(cluster.namespace, name)
    signalled(frozen, signal.SIGSTOP)
    try:
        assert frozen, "no worker runs on this machine"
        yield
    finally:
        signalled(frozen, signal.SIGCONT)
        component("start", "kubelet")


def signalled(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue


def node_ready(cluster: PatientCluster) -> str:
    """The node's condition: True, False, or Unknown when it is silent."""
    path = "{.items[0].status.conditions[?(@.type=='Ready')].status}"
    return cluster.kubectl("get", "nodes", "-o", f"jsonpath={path}")


def heard(address: str, name: str) -> int:
    """What the target has heard of this run so far, from whomever. It is asked by its pod's address: pods of a node that is
    gone are no endpoints."""
    with urllib.request.urlopen(f"http://{address}:8000/counts", timeout=10) as answer:
        return sum(json.load(answer).get(f"/{name}", {}).values())


def check_told(status: Object) -> None:
    """The verdict, which workers, and how much of the load."""
    assert status["verdict"] == "Inconclusive", status["message"]
    for words in ("lost worker 0, 1 of 2", "100 % of the load was missing", "no answer for"):
        assert words in status["message"], status["message"]
    assert condition(status, "WorkersReady")["reason"] == "WorkerLost"
    assert condition(status, "Passed")["status"] == "False"


def test_a_node_that_goes_away_ends_the_run_and_takes_nothing_up_again(
    cluster: PatientCluster, operator: OperatorProcess
) -> None:
    """Inconclusive in bounded time; no second start of a segment; after the node's return all of it goes."""
    name = "node-gone"
    cluster.apply(service(name))
    cluster.apply(loadtest(name, workers=2, seconds=LOAD_SECONDS))
    cluster.offering(name)
    pods = {pod["metadata"]["name"] for pod in cluster.pods(name)}
    target = cluster.list("pods", "app=target")[0]["status"]["podIP"]

    with node_gone(cluster, name):
        gone = time.monotonic()
        check_told(cluster.finished(name, seconds=VERDICT_SECONDS))
        print(f"verdict {time.monotonic() - gone:.0f} s after the node went away")
        cluster.until("the node is not ready", lambda: node_ready(cluster) != "True", NODE_SECONDS)
        print(f"the node was not ready after {time.monotonic() - gone:.0f} s")
        assert {pod["metadata"]["name"] for pod in cluster.pods(name)} <= pods
        silent = heard(target, name)

    back = time.monotonic()
    cluster.until("the node is back", lambda: node_ready(cluster) == "True", 30)
    cluster.until("no worker lives", lambda: not worker_processes(cluster.namespace, name), 60)
    after = time.monotonic() - back
    print(f"no worker {after:.0f} s after the node's return, which had sent {heard(target, name) - silent} requests")
    check_nothing_taken_up(target, name, silent)
    check_tidy(cluster, name)
    assert operator.alive


def check_nothing_taken_up(target: str, name: str, silent: int) -> None:
    """Workers that woke up were told that it is over before they could do much; nobody else sends either."""
    last = heard(target, name)
    time.sleep(3)
    assert heard(target, name) == last
    assert last - silent <= 15 * 5, "the workers went on loading"


def check_tidy(cluster: PatientCluster, name: str) -> None:
    """The lost run's Job went by itself; with the LoadTest goes the rest."""
    cluster.until("no Job and no pod", lambda: not cluster.jobs(name) and not cluster.pods(name), 40)
    cluster.rm(name)
    cluster.gone(name)
    assert not cluster.kubectl("get", OBJECTS, "-l", "loadtest.dev/component=worker", "-o", "name").split()
