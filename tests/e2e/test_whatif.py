"""A real run, asked what its autoscaler would have done with other settings."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest
from autoscalers import external, scale_on, serve_requests_per_second
from operator_process import OperatorProcess
from workplace import LOCAL, PatientCluster, loadtest, operating, service, workplace

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not LOCAL, reason="needs the local cluster's metrics API"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-whatif") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


def test_a_real_run_is_reproduced_and_another_setting_predicted(
    cluster: PatientCluster, operator: OperatorProcess
) -> None:
    """The stored run is enough to play it again: within the stated error of what the real autoscaler did."""
    serve_requests_per_second(cluster)
    cluster.apply(service("paced"))
    scale_on(cluster, "target", external("requests_per_second", "3"), maxReplicas=4)
    cluster.settle("target", replicas=1, seconds=60)
    stages = [
        {"name": "low", "durationSeconds": 20, "arrivalRate": 1},
        {"name": "peak", "durationSeconds": 80, "arrivalRate": 9},
        {"name": "calm", "durationSeconds": 70, "arrivalRate": 1},
    ]
    body = loadtest("paced")
    body["spec"]["load"]["stages"] = stages
    body["spec"]["scaling"] = {"settleSeconds": 10}
    cluster.apply(body)
    status = cluster.finished("paced", seconds=260)

    assert operator.alive
    assert status["scaling"]["replicas"]["peak"] >= 3, status["scaling"]
    (served,) = status["scaling"]["metrics"]
    assert (served["type"], served["target"]) == ("External", "3")
    print(json.dumps({name: status["scaling"].get(name) for name in ("score", "recommendation", "replicas")}, indent=1))
    assert status["scaling"]["recommendation"]["arithmetic"][1].startswith("minReplicas: ⌈"), status["scaling"]
    starts = status["scaling"]["coldStarts"]
    assert len(starts) >= 2, starts
    assert all(start["serving"] and len(start["phases"]) == 5 for start in starts), starts
    down = status["scaling"]["scaleDowns"][0]
    times = [down[step] for step in ("loadFallTime", "decidedTime", "terminatingTime", "goneTime")]
    assert [datetime.fromisoformat(time) for time in times] == sorted(map(datetime.fromisoformat, times)), down
    print(json.dumps({"coldStarts": starts, "scaleDowns": status["scaling"]["scaleDowns"]}, indent=1))
    said = plugin(cluster, "whatif", "paced", "--set", "max=2")
    print(said)
    rows = {line[:26].strip(): line[26:].split() for line in said.splitlines()}
    happened, replayed, predicted = map(int, rows["replica-seconds"])
    assert abs(replayed - happened) <= 0.2 * happened
    assert rows["at most"][-1] == "2"
    assert predicted < happened


def plugin(cluster: PatientCluster, *words: str) -> str:
    """What kubectl-loadtest prints; it must end well."""
    command = [sys.executable, "-m", "kubectl_loadtest", *words, "-n", cluster.namespace]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
