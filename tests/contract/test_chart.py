"""The chart renders, fits the restricted Pod Security Standard, and grants exactly what the code asks for."""

import ast
import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from contract.objects import ROOT, Object
from loadtest_operator.adapters.target import material
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common import kinds, settings

pytestmark = pytest.mark.e2e
"""Needs no cluster, but the Helm that comes with one."""

CHART = ROOT / "charts" / "loadtest-operator"
SOURCE = ROOT / "operator" / "loadtest_operator"
Render = Callable[..., list[Object]]
Grants = set[tuple[str, str]]

VERBS = {
    "get": {"get"},
    "list": {"list"},
    "create": {"create"},
    "replace": {"update"},
    "merge_patch": {"patch"},
    "put": {"create", "patch"},
    "delete": {"delete"},
    "Create": {"create", "get"},
    "Delete": {"delete"},
}
"""What each method of adapters.kube and each action asks of the API server; Create adopts what is there."""
KOPF: Grants = {
    *(("loadtests", verb) for verb in ("get", "list", "watch", "patch")),
    *((kind, verb) for kind in ("loadtestschedules", "loadtestsweeps") for verb in ("list", "watch", "patch")),
    *((resource, verb) for resource in ("customresourcedefinitions", "namespaces") for verb in ("list", "watch")),
    ("events", "create"),
}
INDIRECT: Grants = {
    *((kind.plural, "get") for kind in (*kinds.WORKLOADS.values(), *material.KINDS.values())),
    *((kind.plural, "list") for kind in kinds.SELECTING),
    ("loadtests/status", "patch"),
    ("loadtestschedules/status", "patch"),
    ("loadtestsweeps/status", "patch"),
    ("secrets", "create"),
    ("*", "get"),
    ("*", "list"),
}
"""Through a variable: the workload's kind, what a spec refers to, what selects pods, the status subresource, the drawn token,
and any name of a metric, which is a resource there."""
CONSENTED: Grants = {("namespaces", "get"), ("pods/eviction", "create")}
"""Only where the administrator lets pods be killed."""


@pytest.fixture(scope="session")
def helm() -> str:
    """The local cluster's Helm, or the machine's."""
    local = ROOT / ".localcluster" / "bin" / "helm"
    found = str(local) if local.exists() else shutil.which("helm")
    assert found, "no helm here: make cluster-up builds one"
    return found


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    """What helm template makes of the chart with some values."""

    @functools.cache
    def rendered(*values: str) -> list[Object]:
        flags = [flag for value in values for flag in ("--set", value)]
        command = [helm, "template", "loadtest-operator", str(CHART), "-n", "loadtest-system", *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        bodies = [body for body in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if body]
        return [body for body in bodies if hook(body) != "test"]

    return rendered


def hook(body: Object) -> str:
    """Of Helm; empty for what is a part of the release."""
    return str((body["metadata"].get("annotations") or {}).get("helm.sh/hook", ""))


def of_kind(objects: list[Object], *names: str) -> list[Object]:
    """The rendered objects of some kinds."""
    return [body for body in objects if body["kind"] in names]


def grants(roles: list[Object]) -> Grants:
    """Every (resource, verb) that the roles grant."""
    rules: Iterator[Any] = (rule for role in roles for rule in role["rules"])
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


@functools.cache
def asked() -> Grants:
    """Every (resource, verb) that the source asks for by name of a kind: read from the syntax of all of it, whatever was
    imported or run before."""
    trees = [ast.parse(path.read_bytes()) for path in sorted(SOURCE.rglob("*.py"))]
    return {
        grant for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) for grant in asked_by(node)
    }


def asked_by(call: ast.Call) -> Grants:
    """`kube.get(POD, …)`, `Create(JOB, …)`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    resource = getattr(kinds, first.id, None) if isinstance(first, ast.Name) else None
    return {(resource.plural, verb) for verb in VERBS.get(name, ())} if isinstance(resource, kinds.Kind) else set()


@pytest.mark.parametrize(
    "values", [(), ("watchNamespaces={a,b}",), ("watchNamespaces={a}", "allowedTargetNamespaces={*}")]
)
def test_roles_grant_what_is_asked_for_and_nothing_else(render: Render, values: tuple[str, ...]) -> None:
    wanted = asked() | KOPF | INDIRECT
    wanted -= CONSENTED
    if values:
        wanted -= {
            (resource, verb) for resource, verb in wanted if resource in ("customresourcedefinitions", "namespaces")
        }
    assert grants(of_kind(render(*values), "Role", "ClusterRole")) == wanted


@pytest.mark.parametrize("values", [(), ("watchNamespaces={a,b}",)])
def test_pods_are_killed_only_with_a_role_of_its_own(render: Render, values: tuple[str, ...]) -> None:
    """There when the administrator wants it: without it not even the namespace's consent can be read."""
    before = grants(of_kind(render(*values), "Role", "ClusterRole"))
    after = grants(of_kind(render(*values, "faults.podKill.enabled=true"), "Role", "ClusterRole"))
    assert not before & CONSENTED
    assert after - before == CONSENTED


def test_pod_proxy_is_granted_only_where_it_is_the_way_to_workers(render: Render) -> None:
    assert not {verb for resource, verb in grants(of_kind(render(), "ClusterRole")) if resource == "pods/proxy"}
    proxied = grants(of_kind(render("workerAccess=ApiServerProxy"), "ClusterRole"))
    every = {"get", "create", "update", "patch", "delete"}  # a request of a plan may have any method
    assert {verb for resource, verb in proxied if resource == "pods/proxy"} == every


def test_the_probes_way_to_a_target_is_granted_where_the_target_is(render: Render) -> None:
    """Without it the API server's own no would be all that is ever heard of a target in another namespace."""
    objects = render("workerAccess=ApiServerProxy", "watchNamespaces={a}", "allowedTargetNamespaces={c}")
    targets = [role for role in of_kind(objects, "Role") if role["metadata"]["namespace"] == "c"]
    assert ("pods/proxy", "patch") in grants(targets)


def test_nobody_reads_the_metrics_who_is_not_named(render: Render) -> None:
    """They name the runs of every namespace."""
    (closed,) = of_kind(render(), "NetworkPolicy")
    assert [rule["ports"][0]["port"] for rule in closed["spec"]["ingress"]] == ["probe"]
    (opened,) = of_kind(render("networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus"), "NetworkPolicy")
    (rule,) = [rule for rule in opened["spec"]["ingress"] if rule["ports"][0]["port"] == "metrics"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]


def test_nothing_may_read_all_secrets(render: Render) -> None:
    assert not {("secrets", "list"), ("secrets", "watch")} & grants(of_kind(render(), "Role", "ClusterRole"))


def test_namespaced_install_has_no_cluster_roles(render: Render) -> None:
    objects = render("watchNamespaces={a,b}", "allowedTargetNamespaces={b,c}")
    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []
    places = {(role["metadata"]["name"], role["metadata"]["namespace"]) for role in of_kind(objects, "Role")}
    assert places == {
        ("loadtest-operator", "a"),
        ("loadtest-operator", "b"),
        ("loadtest-operator-targets", "c"),
        ("loadtest-operator-lease", "loadtest-system"),
    }


@pytest.mark.parametrize("values", [(), ("watchNamespaces={a}",), ("replicas=2",)])
def test_one_operator_acts_whatever_is_installed(render: Render, values: tuple[str, ...]) -> None:
    """The Lease that the Deployment names is the one that the role lets it take, in the release's namespace."""
    objects = render(*values)
    (role,) = [role for role in of_kind(objects, "Role") if role["metadata"]["name"].endswith("-lease")]
    (deployment,) = of_kind(objects, "Deployment")
    variables = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["LOADTEST_LEASE_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert role["metadata"]["namespace"] == deployment["metadata"]["namespace"] == "loadtest-system"
    assert role["rules"][1]["resourceNames"] == [variables["LOADTEST_LEASE_NAME"]["value"]]


@pytest.mark.parametrize(
    ("values", "namespace"),
    [
        ((), "loadtest-system"),
        (("watchNamespaces={a,b}",), "a"),
        (("watchNamespaces={a,loadtest-system}",), "loadtest-system"),
    ],
    ids=["watching all", "watching others", "watching its own, too"],
)
def test_the_charts_test_runs_where_the_operator_watches(helm: str, values: tuple[str, ...], namespace: str) -> None:
    """And the pod that waits may read that one LoadTest and nothing else."""
    flags = [flag for value in values for flag in ("--set", value)]
    command = [
        helm,
        "template",
        "loadtest-operator",
        str(CHART),
        "-n",
        "loadtest-system",
        *flags,
        "-s",
        "templates/tests/try.yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    bodies = [body for body in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if body]

    assert {body["metadata"]["namespace"] for body in bodies} == {namespace}
    assert {hook(body) for body in bodies} == {"test"}
    (role,) = of_kind(bodies, "Role")
    (rule,) = role["rules"]
    assert (rule["verbs"], rule["resourceNames"]) == (["get"], ["loadtest-operator-test"])
    (test,) = of_kind(bodies, "LoadTest")
    LoadTestSpec.model_validate(test["spec"])
    (pod,), (service,) = of_kind(bodies, "Pod"), of_kind(bodies, "Service")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    compile(pod["spec"]["containers"][0]["command"][2], "try.py", "exec")


@pytest.mark.parametrize("values", [(), ("watchNamespaces={a}",)])
def test_the_last_job_has_what_the_operator_has(render: Render, values: tuple[str, ...]) -> None:
    """Before the release goes it leads by the same Lease, reaches workers by the same label, and may do the same."""
    objects = render(*values)
    (deployment,), (job,) = of_kind(objects, "Deployment"), of_kind(objects, "Job")
    operator, last = deployment["spec"]["template"]["spec"], job["spec"]["template"]["spec"]
    assert hook(job) == "pre-delete"
    assert last["containers"][0]["args"] == ["uninstall"]
    assert last["containers"][0]["env"] == operator["containers"][0]["env"]
    assert last["serviceAccountName"] == operator["serviceAccountName"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "loadtest-operator"
    assert not deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_two_operators_keep_apart(render: Render) -> None:
    (deployment,) = of_kind(render("replicas=2"), "Deployment")
    assert deployment["spec"]["replicas"] == 2
    assert "podAntiAffinity" in deployment["spec"]["template"]["spec"]["affinity"]


@pytest.mark.parametrize("replicas", [1, 2])
def test_there_is_always_one_that_is_ready(render: Render, replicas: int) -> None:
    """During an upgrade, and when `helm install --wait` says that it is done."""
    (deployment,) = of_kind(render(f"replicas={replicas}"), "Deployment")
    assert deployment["spec"]["replicas"] - deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 1


def test_one_of_two_stays_when_nodes_are_drained(render: Render) -> None:
    """With one there is nothing to keep: a budget would keep its node from being drained."""
    assert of_kind(render(), "PodDisruptionBudget") == []
    objects = render(
        "replicas=2", "topologySpreadConstraints[0].topologyKey=zone", "topologySpreadConstraints[0].maxSkew=1"
    )
    (budget,), (deployment,) = of_kind(objects, "PodDisruptionBudget"), of_kind(objects, "Deployment")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == deployment["spec"]["selector"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("zone", 1)


def test_target_roles_only_read(render: Render) -> None:
    objects = render("watchNamespaces={a}", "allowedTargetNamespaces={c}")
    targets = [role for role in of_kind(objects, "Role") if role["metadata"]["namespace"] == "c"]
    assert {verb for _, verb in grants(targets)} <= {"get", "list"}


def test_operator_knows_every_variable(render: Render) -> None:
    values = ("watchNamespaces={a,b}", "allowUrls=true", "faults.podKill.enabled=true", "faults.podKill.mostPercent=30")
    (deployment,) = of_kind(render(*values), "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    read = settings.read({each["name"]: each.get("value", "from-the-pod") for each in variables})
    assert read.watch_namespaces == ("a", "b")
    assert read.allow_urls
    assert (read.pod_kill_enabled, read.pod_kill_most_percent) == (True, 30)
    assert read.worker_image == "localhost/loadtest-worker:dev"


def test_operator_fits_the_restricted_standard(render: Render) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False


def test_runs_let_the_operators_pods_in(render: Render) -> None:
    """The NetworkPolicy of a run (core.manifests) selects by this label."""
    (deployment,) = of_kind(render(), "Deployment")
    assert deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "loadtest-operator"


def test_crds_stay_when_the_release_goes(render: Render) -> None:
    crds = of_kind(render(), "CustomResourceDefinition")
    kinds = ("loadtests", "loadtestschedules", "loadtestsweeps")
    assert {crd["metadata"]["name"] for crd in crds} == {f"{kind}.loadtest.dev" for kind in kinds}
    assert all(crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for crd in crds)
    generated = {path.name: yaml.safe_load(path.read_text())["spec"] for path in (ROOT / "crds").glob("*.yaml")}
    assert {crd["spec"]["names"]["plural"] + ".yaml": crd["spec"] for crd in crds} == generated
    assert of_kind(render("crds.install=false"), "CustomResourceDefinition") == []


@pytest.mark.parametrize(
    "value",
    [
        "workerAccess=Magic",
        "allowUrls=maybe",
        "replica=2",
        "replicas=3",
        "faults.podKill.mostPercent=0",
        "watchNamespaces={Not_A_Name}",
    ],
)
def test_wrong_values_are_refused(helm: str, value: str) -> None:
    command = [helm, "template", "x", str(CHART), "--set", value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert value.split("=", maxsplit=1)[0].rpartition(".")[2] in done.stderr


def test_every_value_is_in_the_schema_and_back() -> None:
    import json

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)


def test_alerts_are_the_rules_that_are_tested(helm: str) -> None:
    """Those of test_alerts.py, and only the place of the runbook is the administrator's."""
    rules = (CHART / "files" / "rules" / "loadtest.yaml").read_text()
    flags = ["--set", "alerts.enabled=true", "--set", "alerts.runbook=https://wiki.example/alerts"]
    command = [helm, "template", "x", str(CHART), "--api-versions", "monitoring.coreos.com/v1", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    bodies = [body for body in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if body]
    (made,) = of_kind(bodies, "PrometheusRule")
    assert made["spec"] == yaml.safe_load(rules.replace(": docs/alerts.md", ": https://wiki.example/alerts"))


def test_dashboards_come_where_they_are_wanted(render: Render) -> None:
    """With the label that Grafana's sidecar looks for, each whole."""
    import json

    assert of_kind(render(), "ConfigMap") == []
    (made,) = of_kind(render("dashboards.enabled=true"), "ConfigMap")
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    files = CHART / "files" / "dashboards"
    assert {name: json.loads(text) for name, text in made["data"].items()} == {
        path.name: json.loads(path.read_text()) for path in files.glob("*.json")
    }
