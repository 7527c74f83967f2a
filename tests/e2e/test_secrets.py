"""A key from a Secret, an authority and prompts from ConfigMaps, on a real cluster: what is missing is named within seconds,
what is there arrives at the target, and the key is shown by nothing that `kubectl` can show."""

import base64
import gzip
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Object, condition
from operator_process import OperatorProcess
from workplace import WORKER_IMAGE, PatientCluster, operating, workplace

from fakes.certificates import Authority

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NAMESPACE = "ldt-secrets"
KEY = "sk-0123456789abcdef-end-to-end"
SOON = 10
"""What is missing is in the status within so many seconds."""
LINES = 500
APP = "guarded"
EVERYTHING = "loadtests,jobs,pods,configmaps,events,networkpolicies,services,endpointslices"
"""Whatever a person may look at without being trusted with Secrets."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PatientCluster]:
    with workplace(NAMESPACE) as cluster:
        authority = Authority.of(tmp_path_factory.mktemp("pki") / "ours")
        stranger = Authority.of(tmp_path_factory.mktemp("pki") / "theirs")
        authority.server(f"DNS:*.{NAMESPACE}.svc")
        for thing in guarded(authority.folder):
            cluster.apply(thing)
        cluster.apply(config_map("trust", **{"ca.crt": authority.pem.decode(), "other.crt": stranger.pem.decode()}))
        lines = (json.dumps({"prompt": f"prompt {number}"}) for number in range(LINES))
        cluster.apply(
            config_map("prompts", **{"good.jsonl": "\n".join(lines), "bad.jsonl": '{"prompt": "x"}\n{"y": 1}\n'})
        )
        cluster.kubectl("rollout", "status", f"deployment/{APP}", "--timeout=60s")
        yield cluster


@pytest.fixture(scope="module")
def operator(cluster: PatientCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with operating(cluster, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_secret(name: str, text: str, **labels: str) -> Object:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": text, "other": "x"}}


def guarded(pki: Path) -> list[Object]:
    """The target with its certificate."""
    files = {name: (pki / name).read_text() for name in ("server.crt", "server.key")}
    probe = {"httpGet": {"path": "/ready", "port": 8443, "scheme": "HTTPS"}, "periodSeconds": 1}
    container = {
        "name": "target",
        "image": WORKER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            *("python", "/script/guarded_target.py", "/pki/server.crt", "/pki/server.key"),
            f"Bearer {KEY}",
        ],
        "ports": [{"name": "https", "containerPort": 8443}],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "script", "mountPath": "/script"}, {"name": "pki", "mountPath": "/pki"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            {"name": "script", "configMap": {"name": APP}},
            {"name": "pki", "secret": {"secretName": "pki", "defaultMode": 0o444}},
        ],
    }
    template = {"metadata": {"labels": {"app": APP}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": APP}}, "template": template}
    script = (Path(__file__).parent / "guarded_target.py").read_text()
    return [
        config_map(APP, **{"guarded_target.py": script}),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pki"}, "stringData": files},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": APP}, "spec": spec},
    ]


def begin(
    cluster: PatientCluster,
    name: str,
    secret: str,
    *,
    ca: str = "ca.crt",
    prompts: str = "good.jsonl",
    path: str = "/v1/chat/completions",
    **spec: object,
) -> str:
    """A run against the target through a Service of its own."""
    ports = [{"name": "https", "port": 8443}]
    service = {"selector": {"app": APP}, "ports": ports}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service})
    jsonl = {"configMapKeyRef": {"name": "prompts", "key": prompts}}
    chat = {"model": "m", "prompt": {"jsonl": jsonl}, "stream": False, "path": path}
    stages = [{"name": "steady", "durationSeconds": 8, "arrivalRate": 20}]
    body = {
        "target": {
            "serviceRef": {"name": name, "port": "https", "scheme": "HTTPS"},
            "authorization": {"bearer": {"secretKeyRef": {"name": secret, "key": "token"}}},
            "tls": {"ca": {"configMapKeyRef": {"name": "trust", "key": ca}}},
        },
        "requests": [{"name": "chat", "openAIChat": chat}],
        "load": {"workers": 2, "seed": 7, "gracefulStopSeconds": 5, "stages": stages},
        **spec,
    }
    metadata = {"name": name}
    cluster.apply({"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTest", "metadata": metadata, "spec": body})
    return name


def says(cluster: PatientCluster, name: str, words: str, seconds: float = SOON) -> Object:
    """TargetReady, once its message has these words."""

    def told() -> Object | None:
        conditions = cluster.status(name).get("conditions", [])
        found = [one for one in conditions if one["type"] == "TargetReady" and words in one["message"]]
        return found[0] if found else None

    found: Object = cluster.until(f"{words!r} in the status of {name}", told, seconds)
    return found


def shown(cluster: PatientCluster, operator: OperatorProcess, name: str) -> dict[str, str]:
    """What a person can see of a run."""
    seen = {
        "objects": cluster.kubectl("get", EVERYTHING, "-l", f"loadtest.dev/name={name}", "-o", "json"),
        "LoadTest": cluster.kubectl("get", "loadtest", name, "-o", "json"),
        "events": cluster.kubectl("get", "events", "-o", "json"),
        "describe pods": cluster.kubectl("describe", "pods", "-l", f"loadtest.dev/name={name}"),
        "describe": cluster.kubectl("describe", "loadtest", name),
        "operator's log": operator.log,
        "operator's metrics": _metrics(operator),
    }
    for pod in cluster.pods(name):
        pod_name = pod["metadata"]["name"]
        seen[f"log of {pod_name}"] = cluster.kubectl("logs", pod_name)
    for item in json.loads(seen["objects"])["items"]:
        for key, data in item.get("binaryData", {}).items():
            seen[f"{item['metadata']['name']}/{key}"] = gzip.decompress(base64.b64decode(data)).decode()
    return seen


def _metrics(operator: OperatorProcess) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.metrics_port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def check_hidden(cluster: PatientCluster, operator: OperatorProcess, name: str) -> None:
    hidden = (KEY, base64.b64encode(KEY.encode()).decode(), KEY[:12])
    seen = shown(cluster, operator, name)
    assert not [where for where, text in seen.items() if any(secret in text for secret in hidden)]


def command_lines() -> str:
    """Of every process on this machine that is a worker's: the local cluster's pods run here."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if "loadgen" in line)


def test_a_key_is_waited_for_used_and_hidden(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """Absent, not released, released: then a run over TLS with the key and a prompt of the file for each request."""
    name = begin(cluster, "locked", "gateway")

    absent = says(cluster, name, f"there is no Secret gateway in {NAMESPACE}", SOON + 5)
    assert (absent["status"], absent["reason"]) == ("Unknown", "ReferenceNotFound")
    cluster.apply(a_secret("gateway", KEY))
    says(cluster, name, "kubectl label secret gateway loadtest.dev/authorization=true")
    assert cluster.jobs(name) == []
    cluster.kubectl("label", "secret", "gateway", "loadtest.dev/authorization=true")
    cluster.offering(name)
    running = command_lines()
    status = cluster.finished(name, seconds=60)

    assert status["verdict"] == "Passed", status["message"]
    heard = json.loads(
        cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/services/https:{name}:https/proxy/heard")
    )
    probe, load = heard[:1], heard[1:]
    assert len(probe) == 1
    assert len(load) == status["summary"]["requests"]["succeeded"] > 100
    assert len(set(load)) == len(load)
    assert KEY not in running
    check_hidden(cluster, operator, name)
    assert operator.alive


def test_a_target_that_repeats_the_key_is_not_quoted(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """It refuses the probe with the whole head of the request in its answer."""
    cluster.apply(a_secret("spoken", KEY, **{"loadtest.dev/authorization": "true"}))
    name = begin(cluster, "indiscreet", "spoken", path="/indiscreet")

    status = cluster.finished(name, seconds=40)

    assert status["verdict"] == "Inconclusive"
    assert "answered 403 (its text is not shown: it might repeat the key)" in status["message"]
    check_hidden(cluster, operator, name)


def test_another_authority_is_not_believed(cluster: PatientCluster, operator: OperatorProcess) -> None:
    cluster.apply(a_secret("trusting", KEY, **{"loadtest.dev/authorization": "true"}))
    name = begin(cluster, "stranger", "trusting", ca="other.crt")

    found = says(cluster, name, "certificate verify failed", 30)
    assert "no answer over TLS (see spec.target.tls)" in found["message"]
    cluster.change(name, {"abort": True})
    assert cluster.finished(name, seconds=20)["verdict"] == "Aborted"


def test_what_cannot_be_used_ends_the_run_before_any_pod(cluster: PatientCluster, operator: OperatorProcess) -> None:
    """A bad line of the prompts, and a value that would begin another header."""
    labels = {"loadtest.dev/authorization": "true"}
    cluster.apply(a_secret("fine", KEY, **labels))
    cluster.apply(a_secret("broken", f"{KEY}\r\nHost: evil", **labels))
    misspelt = begin(cluster, "misspelt", "fine", prompts="bad.jsonl")
    injected = begin(cluster, "injected", "broken")

    for name, words in ((misspelt, "key bad.jsonl, line 2: "), (injected, "the value has control characters")):
        status = cluster.finished(name, seconds=30)
        assert status["verdict"] == "Error"
        assert words in status["message"]
        assert condition(status, "TargetReady")["reason"] == "ReferenceUnusable"
        assert cluster.jobs(name) == []
    check_hidden(cluster, operator, injected)
