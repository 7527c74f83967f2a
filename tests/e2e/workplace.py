"""A namespace with an operator of its own: for tests that kill the operator, the API server and the workers.

The operator that the chart installed watches every namespace; an admission policy keeps its hands off this one, so that
the tests need not stop it. The operator under test runs on this machine (`operator_process`).
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import ROOT, SYSTEM, Cluster, Object
from operator_process import OperatorProcess

HERE = Path(__file__).parent
WORKER_IMAGE = "localhost/loadtest-worker:dev"
LOCAL = os.environ.get("KUBECONFIG", "") == str(ROOT / ".localcluster" / "kubeconfig")
"""Whether this is the repository's own cluster, whose components may be killed."""
LABEL = "loadtest.dev/own-operator"
POLICY = "loadtest-own-operator"
OBJECTS = "jobs,pods,secrets,configmaps,networkpolicies,services"
"""What a run may own."""
PASSING = (
    "refused",
    "EOF",
    "timeout",
    "timed out",
    "etcd",
    "reset by peer",
    "not ready",
    "ServiceUnavailable",
    "forbidden",
)
"""Words of kubectl while the API server is away or has just come back."""


class PatientCluster(Cluster):
    """kubectl for tests in which the API server goes away: what passes with time is tried again."""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Try for up to 60 s while the API server cannot be reached."""
        deadline = time.monotonic() + 60
        while True:
            result = self.run(*arguments, stdin=stdin)
            if result.returncode == 0:
                return result.stdout
            passing = any(word in result.stderr for word in PASSING) and time.monotonic() < deadline
            assert passing, f"kubectl {' '.join(arguments)}: {result.stderr}"
            time.sleep(0.5)

    def until(self, what: str, holds: Callable[[], object], seconds: float) -> Any:
        """Wait until something is true (or not empty); what it is then."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.25)
        return found

    def phase(self, name: str, phase: str, seconds: float = 60) -> Object:
        """The first status in this phase."""
        return self.wait(name, lambda status: status.get("phase") == phase, seconds)

    def offering(self, name: str, seconds: float = 60) -> Object:
        """The first status that says that load is on its way: a stage is named."""
        return self.wait(name, lambda status: "currentStage" in status.get("run", {}), seconds)

    def change(self, name: str, spec: Object) -> None:
        """Patch the spec."""
        self.kubectl("patch", "loadtest", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def rm(self, *names: str) -> None:
        """Ask for LoadTests to be deleted, without waiting."""
        self.kubectl("delete", "loadtest", *names, "--ignore-not-found", "--wait=false")

    def left(self, name: str) -> list[str]:
        """Everything that carries a LoadTest's label, with the LoadTest itself."""
        found = self.kubectl("get", OBJECTS, "-l", f"loadtest.dev/name={name}", "-o", "name").split()
        return found + self.kubectl("get", "loadtest", name, "-o", "name", "--ignore-not-found").split()

    def gone(self, name: str, seconds: float = 60) -> None:
        """A LoadTest and everything it owned has gone."""
        deadline = time.monotonic() + seconds
        while left := self.left(name):
            assert time.monotonic() < deadline, f"still there after {seconds} s: {left}"
            time.sleep(0.25)

    def jobs(self, name: str) -> list[Object]:
        """The Jobs of a LoadTest."""
        return self.list("jobs", f"loadtest.dev/name={name}")

    def pods(self, name: str) -> list[Object]:
        """The workers' pods of a LoadTest."""
        return self.list("pods", f"loadtest.dev/name={name},loadtest.dev/component=worker")

    def events(self, name: str, reason: str) -> list[str]:
        """Messages of a LoadTest's Events with this reason."""
        fields = f"involvedObject.name={name},reason={reason}"
        return [
            item["message"]
            for item in json.loads(self.kubectl("get", "events", "-o", "json", "--field-selector", fields))["items"]
        ]

    def counted(self, name: str) -> dict[str, int]:
        """What the target counted of a LoadTest's requests, by the client's address."""
        path = f"/api/v1/namespaces/{self.namespace}/services/target:http/proxy/counts"
        found: dict[str, int] = json.loads(self.kubectl("get", "--raw", path)).get(f"/{name}", {})
        return found


def component(action: str, name: str) -> None:
    """Stop, start or restart a component of the local cluster, with SIGKILL."""
    command = ["python3", str(ROOT / "deploy" / "localcluster"), action, name, "--kill"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def worker_processes(namespace: str, name: str = "") -> list[int]:
    """Supervisors and shards of a LoadTest's workers (of all in the namespace) that live on this machine."""
    wanted = {f"LOADTEST_NAMESPACE={namespace}", *([f"LOADTEST_NAME={name}"] if name else [])}
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if wanted <= _environment(path)]


def _environment(path: Path) -> set[str]:
    """Of a process; empty when it is gone."""
    try:
        return set(path.read_bytes().decode(errors="replace").split("\0"))
    except OSError:
        return set()


def loadtest(name: str, *, seconds: int = 8, workers: int = 1, service: str = "", **spec: Any) -> Object:
    """A short run against the tiny target: two stages, a path of its own, a Service of its own (one run per target)."""
    stages = [
        {"name": "first", "durationSeconds": seconds // 2, "arrivalRate": 15},
        {"name": "second", "durationSeconds": seconds - seconds // 2, "arrivalRate": 15},
    ]
    return {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name},
        "spec": {
            "target": {"serviceRef": {"name": service or name, "port": "http"}},
            "requests": [{"name": "page", "http": {"path": f"/{name}"}}],
            "load": {"workers": workers, "seed": 7, "gracefulStopSeconds": 5, "stages": stages},
            **spec,
        },
    }


def service(name: str, app: str = "target") -> Object:
    """A Service in front of the tiny target (or of nothing)."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 8000}]},
    }


@contextmanager
def workplace(namespace: str) -> Iterator[PatientCluster]:
    """The namespace with its target, empty of LoadTests; the namespace goes at the end."""
    cluster = PatientCluster(namespace)
    cluster.until("an earlier namespace has gone", lambda: not _is_going(cluster), 90)
    cluster.apply(_namespace(namespace))  # before the policy: another workplace that ends now leaves that to us
    policy = json.dumps({"apiVersion": "v1", "kind": "List", "items": _hands_off()})
    # By the server: another workplace may create it at the same moment.
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=policy)
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": _target()}))
    _await_policy(cluster)
    cluster.kubectl("rollout", "status", "deployment/target", "--timeout=60s")
    try:
        yield cluster
    finally:
        _without_finalizers(cluster)
        cluster.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
        _hands_free(cluster)


def operator_for(cluster: PatientCluster, folder: Path, **settings: str) -> OperatorProcess:
    """The operator of a workplace, not started yet."""
    return OperatorProcess(
        folder,
        {
            "LOADTEST_WATCH_NAMESPACES": cluster.namespace,
            "LOADTEST_LEASE_NAMESPACE": cluster.namespace,
            "LOADTEST_IDENTITY": "under-test",
            "LOADTEST_WORKER_IMAGE": WORKER_IMAGE,
            **settings,
        },
    )


@contextmanager
def operating(cluster: PatientCluster, folder: Path, **settings: str) -> Iterator[OperatorProcess]:
    """The operator of a workplace, at work; at the end it is dead and its last words are in the test's output."""
    operator = operator_for(cluster, folder, **settings)
    operator.start()
    try:
        yield operator
    finally:
        operator.close()
        print(operator.log[-4000:])


def _is_going(cluster: PatientCluster) -> bool:
    found = cluster.get("namespace", cluster.namespace)
    return found is not None and "deletionTimestamp" in found["metadata"]


def _without_finalizers(cluster: PatientCluster) -> None:
    """A test that failed may leave objects whose operator is dead; the namespace must go all the same."""
    for name in cluster.kubectl("get", "loadtestschedules,loadtestsweeps,loadtests", "-o", "name").split():
        cluster.run("patch", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def _hands_free(cluster: PatientCluster) -> None:
    """The last workplace takes the policy along."""
    found = json.loads(cluster.kubectl("get", "namespaces", "-l", LABEL, "-o", "json"))["items"]
    if all("deletionTimestamp" in namespace["metadata"] for namespace in found):
        kinds = "validatingadmissionpolicy,validatingadmissionpolicybinding"
        cluster.kubectl("delete", kinds, POLICY, "--ignore-not-found")


def _namespace(name: str) -> Object:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", LABEL: "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _hands_off() -> list[Object]:
    """The installed operator may change nothing in namespaces with the label."""
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": POLICY}}
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    installed = f"request.userInfo.username.startsWith('system:serviceaccount:{SYSTEM}:')"
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"namespaceSelector": {"matchLabels": {LABEL: "true"}}, "resourceRules": [everything]},
        "validations": [{"expression": f"!{installed}", "message": "this namespace has an operator of its own"}],
    }
    binding = {"policyName": POLICY, "validationActions": ["Deny"]}
    return [
        {**kind, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**kind, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def _await_policy(cluster: PatientCluster) -> None:
    """A new policy takes a moment to be in force."""
    account = f"system:serviceaccount:{SYSTEM}:somebody"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "not-allowed"}}

    def denied() -> bool:
        attempt = ["create", "--dry-run=server", "-f", "-", f"--as={account}", "--as-group=system:masters"]
        return "operator of its own" in cluster.run(*attempt, stdin=json.dumps(body)).stderr

    cluster.until("the admission policy is in force", denied, 30)


def _target() -> list[Object]:
    script = {"tiny_target.py": (HERE / "tiny_target.py").read_text()}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "target"}, "data": script},
        deployment("target"),
        service("target"),
    ]


def deployment(app: str) -> Object:
    """The target as a workload: one run at a time loads it, so runs side by side need one each."""
    container = {
        "name": "target",
        "image": WORKER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "/script/tiny_target.py"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8000}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "script", "mountPath": "/script"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "script", "configMap": {"name": "target"}}],
    }
    template = {"metadata": {"labels": {"app": app}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": app}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec}
