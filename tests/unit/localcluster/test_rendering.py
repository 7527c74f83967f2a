"""Configuration, command lines and objects of the local cluster."""

import json
import tomllib

import pytest
from localcluster import buildah, components, configs, layout, manifests
from localcluster.layout import Layout


def test_every_rendered_file_is_well_formed(at: Layout) -> None:
    for name, text in configs.files(at).items():
        if name.endswith((".yaml", ".conflist")):
            json.loads(text)
        elif name.endswith(".toml"):
            tomllib.loads(text)


def test_everything_of_containerd_lies_in_the_state_folder(at: Layout) -> None:
    config = tomllib.loads(configs.containerd(at))
    paths = (config["root"], config["state"], config["grpc"]["address"])
    assert all(path.startswith(f"{at.state}/") for path in paths)


def test_the_api_server_starts_before_those_that_need_it(at: Layout) -> None:
    names = list(components.table(at))
    assert names[:2] == ["etcd", "apiserver"]
    assert names.index("containerd") < names.index("kubelet")


def test_admission_defaults_are_added_to_not_replaced(at: Layout) -> None:
    flags = components.apiserver(at)
    assert "--enable-admission-plugins=NodeRestriction" in flags
    assert not any(flag.startswith("--disable-admission-plugins") for flag in flags)


def test_the_autoscaler_reacts_within_seconds(at: Layout) -> None:
    assert "--horizontal-pod-autoscaler-sync-period=5s" in components.controllers(at)


def test_the_node_shows_a_gpu_product(at: Layout) -> None:
    labels = next(flag for flag in components.kubelet(at) if flag.startswith("--node-labels="))
    assert "nvidia.com/gpu.product=NVIDIA-A10G" in labels


def test_no_argument_names_an_address_outside_the_benchmark_range(at: Layout) -> None:
    addresses = {layout.NODE_IP, layout.HOST_END, layout.NODE_END, layout.KUBERNETES_SERVICE_IP}
    assert all(address.startswith(("198.18.", "198.19.")) for address in addresses)


@pytest.mark.parametrize(
    ("thing", "path"),
    [
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}, "/api/v1/namespaces/a"),
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}},
            "/api/v1/namespaces/b/services/a",
        ),
        (manifests.metrics_apis()[0], "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"),
    ],
)
def test_where_the_api_server_keeps_an_object(thing: manifests.Object, path: str) -> None:
    assert manifests.path(thing) == path


def test_every_metrics_api_is_answered_by_a_component_on_its_services_port(at: Layout) -> None:
    things = {(thing["kind"], thing["metadata"]["name"]): thing for thing in manifests.addons()}
    for api in manifests.metrics_apis():
        name = api["spec"]["service"]["name"]
        port = things["EndpointSlice", name]["ports"][0]["port"]
        assert f"--secure-port={port}" in components.table(at)[name].command


def test_prometheus_keeps_the_namespace_that_a_series_names(at: Layout) -> None:
    """The operator's series name the LoadTest's, and dashboards and alerts ask for that."""
    jobs = {job["job_name"]: job for job in configs.prometheus(at)["scrape_configs"]}  # type: ignore[attr-defined]
    assert jobs["pods"]["honor_labels"] is True


def test_prometheus_is_a_service_of_its_own_namespace() -> None:
    service = next(thing for thing in manifests.addons() if thing["metadata"]["name"] == "prometheus")
    assert service["metadata"]["namespace"] == "monitoring"
    assert service["spec"]["ports"][0]["port"] == 9090


@pytest.mark.parametrize(
    ("status", "has"),
    [
        ({}, False),
        ({"capacity": {"nvidia.com/gpu": "2"}}, False),
        (manifests.gpu_status()["status"], True),
        ({"capacity": {"nvidia.com/gpu": "0"}, "allocatable": {"nvidia.com/gpu": "0"}}, False),
    ],
)
def test_gpus_count_only_when_they_can_be_allocated(status: manifests.Object, has: bool) -> None:
    assert manifests.has_gpus({"status": status}) is has


def test_pip_settings_of_all_origins_become_one_file() -> None:
    text = buildah.pip_file("global.cert='/a'\n:env:.timeout='9'\n")
    assert text == "[global]\ncert = /a\ntimeout = 9\n"
