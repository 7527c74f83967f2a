"""A real autoscaler on more than CPU, with a real model behind it: the local cluster's metrics API answers from Prometheus."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from autoscalers import external, scale_on, serve_requests_per_second
from cluster import SAMPLES, Object
from operator_process import OperatorProcess
from workplace import LOCAL, PatientCluster, operating, workplace

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not LOCAL, reason="needs the local cluster's metrics API"),
]

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    with workplace("ldt-autoscaling") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


@pytest.fixture(scope="module")
def model(cluster: PatientCluster) -> str:
    """The real model, scaled on CPU and on requests per second at once."""
    serve_requests_per_second(cluster)
    cluster.kubectl("apply", "-k", str(SAMPLES / "targets" / "llm"))
    cluster.kubectl("rollout", "status", "deployment/llm", "--timeout=120s")
    scale_on(cluster, "llm", CPU, external("requests_per_second", "600m"))
    return "llm"


def chat(name: str, service: str) -> Object:
    """A peak for two or three replicas, then too little for two."""
    request = {
        "name": "chat",
        "openAIChat": {"model": "smollm2", "prompt": {"synthetic": {"inputTokens": {"mean": 8}}}, "maxTokens": 8},
        "timeoutSeconds": 30,
    }
    stages = [
        {"name": "low", "durationSeconds": 20, "arrivalRate": "0.3"},
        {"name": "peak", "durationSeconds": 70, "arrivalRate": "1.5"},
        {"name": "calm", "durationSeconds": 100, "arrivalRate": "0.1"},
    ]
    expectations = [
        {"name": "grows", "scaleUp": {"toAtLeast": 2, "withinSeconds": 60, "fromStage": "peak"}},
        {"name": "shrinks", "scaleDown": {"toAtMost": 1, "withinSeconds": 110, "fromStage": "calm"}},
    ]
    return {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name},
        "spec": {
            "target": {"serviceRef": {"name": service, "port": "http"}},
            "requests": [request],
            "load": {"workers": 1, "seed": 7, "connections": {"maxAgeSeconds": 5}, "stages": stages},
            "scaling": {"settleSeconds": 30, "expectations": expectations},
        },
    }


def test_cpu_and_requests_per_second_at_once_up_and_down(
    cluster: PatientCluster, operator: OperatorProcess, model: str
) -> None:
    """Both metrics have values, the autoscaler follows the load up and down, and the verdict says so."""
    cluster.settle(model, replicas=1, seconds=180)
    cluster.apply(chat("both", model))

    cluster.offering("both", seconds=90)
    cluster.until(
        "both metrics ask for more", lambda: asks_for_more(cluster, model) == {"cpu", "requests_per_second"}, 90
    )
    status = cluster.finished("both", seconds=300)

    assert operator.alive
    assert status["verdict"] == "Passed", status["message"]
    scaling = status["scaling"]
    assert {found["name"]: found["result"] for found in scaling["expectations"]} == {
        "grows": "Passed",
        "shrinks": "Passed",
    }
    assert (scaling["replicas"]["initial"], scaling["replicas"]["final"]) == (1, 1)
    assert scaling["replicas"]["peak"] >= 2
    served = {found["name"]: found for found in scaling["metrics"]}
    assert served.keys() == {"cpu", "requests_per_second"}
    assert (served["cpu"]["target"], served["requests_per_second"]["target"]) == ("60%", "600m")
    assert all(found["current"] and "lack" not in found for found in served.values()), served
    first = scaling["scaleUps"][0]
    times = [datetime.fromisoformat(first[step]) for step in ("loadStepTime", "decidedTime", "servingTime")]
    assert times == sorted(times), first


def asks_for_more(cluster: PatientCluster, name: str) -> set[str]:
    """The metrics whose value, as the autoscaler says, is above what it steers for."""
    found = cluster.get("hpa", name)
    assert found is not None
    current = found["status"].get("currentMetrics") or []
    values = {}
    for metric in current:
        if metric["type"] == "Resource":
            values["cpu"] = metric["resource"]["current"].get("averageUtilization", 0) > 66
        if metric["type"] == "External":
            values[metric["external"]["metric"]["name"]] = _number(metric["external"]["current"]["averageValue"]) > 0.66
    return {name for name, above in values.items() if above}


def _number(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)
