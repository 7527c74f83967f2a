"""The objects of a run: what a security review looks for, and what the contract with the worker says."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_valid_spec
from loadtest_operator.core.common.settings import Settings, WorkerAccess, WorkerEgress
from loadtest_operator.core.faults import delay_proxy, providers
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.run import guard
from loadtest_operator.core.scaling.target import TargetPod, TargetView
from unit.operator.world import World

DELAY = {
    "name": "slow", "startInStage": "peak", "durationSeconds": 4, "networkDelay": {"latencyMilliseconds": 300},
}  # fmt: skip


def a_world(**changes: Any) -> World:
    world = World(a_valid_spec(**changes))
    while not world.status.run.target:
        world.step()
    return world


def the_job(**changes: Any) -> dict[str, Any]:
    return manifests.job(a_world(**changes).look())


def environment_of(thing: dict[str, Any]) -> dict[str, str]:
    """Of the container of a Job or a pod."""
    pod = thing["spec"].get("template", thing)["spec"]
    return {item["name"]: item["value"] for item in pod["containers"][0]["env"]}


def pod_specs() -> list[dict[str, Any]]:
    world = a_world(faults=[DELAY])
    return [manifests.job(world.look())["spec"]["template"]["spec"], delay_proxy.pod(world.look())["spec"]]


@pytest.mark.parametrize("spec", pod_specs(), ids=["worker", "proxy"])
def test_pods_are_restricted(spec: dict[str, Any]) -> None:
    container = spec["containers"][0]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {list(volume)[1] for volume in spec["volumes"]} == {"secret", "configMap", "emptyDir"}


def test_workers_are_never_restarted() -> None:
    spec = the_job(load={"workers": 3})["spec"]

    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert spec["backoffLimitPerIndex"] == 0
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_everything_ends_by_itself() -> None:
    job = the_job(activeDeadlineSeconds=100)
    environment = {item["name"]: item["value"] for item in job["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert 100 < int(environment["LOADTEST_DEADLINE_SECONDS"]) < job["spec"]["activeDeadlineSeconds"]


def test_everything_belongs_to_the_load_test() -> None:
    world = a_world(faults=[DELAY])
    makers = (manifests.job, manifests.secret, manifests.plan, manifests.network_policy, delay_proxy.pod,
              delay_proxy.service)  # fmt: skip

    for make in makers:
        metadata = make(world.look())["metadata"]
        assert metadata["ownerReferences"][0]["uid"] == "uid-of-test"
        assert metadata["labels"]["loadtest.dev/run"] == "1"


def test_workers_send_to_the_target() -> None:
    assert environment_of(the_job())["LOADTEST_TARGET"] == "http://web.demo.svc:80"
    assert environment_of(the_job())["LOADTEST_VIA"] == ""


def test_with_a_delay_they_send_through_the_proxy_for_the_whole_run() -> None:
    """The URL stays the target's: its Host header, its name in TLS, its base path."""
    world = a_world(faults=[DELAY])
    proxy = environment_of(delay_proxy.pod(world.look()))

    assert environment_of(manifests.job(world.look()))["LOADTEST_TARGET"] == "http://web.demo.svc:80"
    assert (
        environment_of(manifests.job(world.look(), providers.way(world.look())))["LOADTEST_VIA"]
        == "test-1-proxy.demo.svc:8091"
    )
    assert proxy["LOADTEST_TARGET"] == "web.demo.svc:80"


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        ("https://web.demo.svc:8443", "web.demo.svc:8443"),
        ("https://chat.test/base", "chat.test:443"),
        ("http://chat.test/base", "chat.test:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_proxy_knows_the_port_of_every_url(url: str, upstream: str) -> None:
    world = a_world(faults=[DELAY])
    world.status = world.status.model_copy(update={"run": world.status.run.model_copy(update={"target": url})})

    assert environment_of(delay_proxy.pod(world.look()))["LOADTEST_TARGET"] == upstream


KEY = {"name": "gateway", "key": "token"}
SECRETIVE: dict[str, Any] = {
    "target": {
        "serviceRef": {"name": "web", "port": 443, "scheme": "HTTPS"},
        "authorization": {"bearer": {"secretKeyRef": KEY}},
        "tls": {"ca": {"configMapKeyRef": {"name": "trust", "key": "ca.crt"}}},
    },
    "requests": [
        {
            "name": "chat",
            "openAIChat": {"model": "m", "prompt": {"jsonl": {"configMapKeyRef": {"name": "data", "key": "a.jsonl"}}}},
        },
        {"name": "page", "http": {"method": "POST", "bodyFrom": {"configMapKeyRef": {"name": "data", "key": "b"}}}},
    ],
}


def test_what_the_spec_refers_to_is_one_volume_of_those_keys_alone() -> None:
    pod = the_job(**SECRETIVE)["spec"]["template"]["spec"]
    (volume,) = [volume for volume in pod["volumes"] if "projected" in volume]
    found = {
        (kind, source["name"], item["key"]): item["path"]
        for one in volume["projected"]["sources"]
        for kind, source in one.items()
        for item in source["items"]
    }
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]

    assert found == {
        ("configMap", "data", "a.jsonl"): "configmaps/data/a.jsonl",
        ("configMap", "data", "b"): "configmaps/data/b",
        ("secret", "gateway", "token"): "secrets/gateway/token",
        ("configMap", "trust", "ca.crt"): "configmaps/trust/ca.crt",
    }
    assert mount["readOnly"] is True
    assert mount["mountPath"] == environment_of(the_job(**SECRETIVE))["LOADTEST_DATA"]


def test_the_proxy_has_no_part_in_it() -> None:
    world = a_world(faults=[DELAY], **SECRETIVE)

    assert not [volume for volume in delay_proxy.pod(world.look())["spec"]["volumes"] if "projected" in volume]


def test_without_references_there_is_no_volume() -> None:
    pod = the_job()["spec"]["template"]["spec"]
    assert not [volume for volume in pod["volumes"] if "projected" in volume]


def test_only_the_operator_reaches_the_control_port() -> None:
    world = a_world()
    world.settings = Settings(operator_namespace="loadtest-system")
    control, *_ = manifests.network_policy(world.look())["spec"]["ingress"]

    assert control["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "loadtest-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "loadtest-operator"}},
        }
    ]


def test_an_operator_that_is_no_pod_is_let_in_by_its_token_alone() -> None:
    control, *_ = manifests.network_policy(a_world().look())["spec"]["ingress"]

    assert "from" not in control


def the_egress(world: World, **view: Any) -> tuple[dict[str, Any], ...]:
    observed = world.look()
    assert observed.target is not None
    seen = replace(observed.target, selector=(("app", "web"),), **view)
    return manifests.egress_policy(replace(observed, target=seen), providers.between(observed))


def test_workers_reach_the_target_the_proxy_and_names_alone() -> None:
    (policy,) = the_egress(a_world(faults=[DELAY]))
    pods, names = policy["spec"]["egress"]
    target, proxy = pods["to"]

    assert target["podSelector"] == {"matchLabels": {"app": "web"}}
    assert target["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "demo"}}
    assert proxy["podSelector"]["matchExpressions"][0]["values"] == ["proxy"]
    assert names == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == ["worker", "proxy"]
    assert policy["spec"]["podSelector"]["matchLabels"]["loadtest.dev/run"] == "1"


def test_where_the_targets_pods_cannot_be_named_nothing_is_shut() -> None:
    anywhere = a_world()
    anywhere.settings = Settings(worker_egress=WorkerEgress.ANYWHERE)

    assert the_egress(anywhere) == ()
    assert the_egress(a_world(), pods=(TargetPod("web-1", on_node=True),)) == ()
    assert manifests.egress_policy(replace(a_world().look(), target=TargetView("http://elsewhere")), ()) == ()


def test_anybody_may_scrape_and_nothing_else() -> None:
    """One port, everywhere the same: container, annotation, policy, environment."""
    pod = the_job()["spec"]["template"]
    container = pod["spec"]["containers"][0]
    world = a_world()
    world.settings = Settings(operator_namespace="loadtest-system")
    rules = manifests.network_policy(world.look())["spec"]["ingress"]
    open_ports = [port["port"] for rule in rules if "from" not in rule for port in rule["ports"]]

    assert open_ports == [8092]
    assert {"name": "metrics", "containerPort": 8092} in container["ports"]
    assert {"name": "LOADTEST_METRICS_PORT", "value": "8092"} in container["env"]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "8092"


def test_behind_the_pod_proxy_nobody_knows_where_the_api_server_is() -> None:
    world = a_world()
    world.settings = Settings(worker_access=WorkerAccess.API_SERVER_PROXY)

    control, _ = manifests.network_policy(world.look())["spec"]["ingress"]

    assert "from" not in control


def test_only_the_runs_workers_reach_the_proxys_data_port() -> None:
    world = a_world(faults=[DELAY])
    *_, data = manifests.network_policy(world.look(), providers.ingress(world.look()))["spec"]["ingress"]

    assert data["from"][0]["podSelector"]["matchLabels"]["loadtest.dev/component"] == "worker"
    assert data["ports"] == [{"port": 8091, "protocol": "TCP"}]


def test_the_secret_is_no_part_of_any_pure_value() -> None:
    assert "data" not in manifests.secret(a_world().look())


def test_the_template_sets_what_it_may() -> None:
    template = {"nodeSelector": {"pool": "load"}, "resources": {"requests": {"cpu": "2"}}, "labels": {"team": "x"}}
    pod = the_job(workerTemplate=template)["spec"]["template"]

    assert pod["spec"]["nodeSelector"] == {"pool": "load"}
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "2", "memory": "128Mi"}
    assert "cpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    assert pod["metadata"]["labels"]["team"] == "x"


def elsewhere(**settings: Any) -> tuple[str, ...]:
    spec = a_valid_spec(target={"serviceRef": {"name": "web", "port": 80, "namespace": "other"}})
    return guard.refusals(spec, "demo", Settings(**settings))


def test_only_the_own_namespace_may_be_loaded() -> None:
    assert "'other' is not allowed" in elsewhere()[0]
    assert not elsewhere(allowed_target_namespaces=("other",))
    assert not elsewhere(allowed_target_namespaces=("*",))


def test_urls_need_the_administrators_word() -> None:
    spec = a_valid_spec(target={"url": "http://chat.test:8000"})

    assert guard.refusals(spec, "demo", Settings())
    assert not guard.refusals(spec, "demo", Settings(allow_urls=True))


def test_a_priority_class_needs_the_administrators_word() -> None:
    spec = a_valid_spec(workerTemplate={"priorityClassName": "production"})

    (refusal,) = guard.refusals(spec, "demo", Settings(allowed_priority_classes=("load", "batch")))
    assert refusal.startswith("spec.workerTemplate.priorityClassName 'production' is not allowed: use load or batch")
    assert not guard.refusals(spec, "demo", Settings(allowed_priority_classes=("production",)))
