"""Objects as the API server sends them, read whole: the target's pods, workload and endpoints, and its autoscaler."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loadtest_operator.core.common.kinds import DEPLOYMENT, Kind
from loadtest_operator.core.scaling import workload
from loadtest_operator.core.scaling.autoscaler import Autoscaler, Direction, Metric, autoscaler_of, scales
from loadtest_operator.core.scaling.target import (
    Endpoint,
    TargetPod,
    endpoints_of,
    is_rolling_out,
    other_writer,
    owner_of,
    service_port,
    target_pod,
)
from loadtest_operator.core.scaling.workload import Workload
from unit.operator.film import START, at

HPA: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
            {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}},
        ],
        "behavior": {
            "scaleUp": {
                "selectPolicy": "Max",
                "policies": [
                    {"type": "Pods", "value": 4, "periodSeconds": 15},
                    {"type": "Percent", "value": 100, "periodSeconds": 60},
                ],
            },
            "scaleDown": {"selectPolicy": "Disabled"},
        },
    },
    "status": {
        "desiredReplicas": 4,
        "lastScaleTime": "2026-01-01T12:00:20Z",
        "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "ScaleDownStabilized"},
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound",
             "lastTransitionTime": "2026-01-01T12:00:05Z", "message": "the HPA was able to compute the replica count"},
        ],
        "currentMetrics": [
            {"type": "Resource", "resource": {"name": "memory", "current": {"averageUtilization": 7, "averageValue": "512Mi"}}},
            {"type": "External", "external": {"metric": {"name": "queue"}, "current": {"value": "60"}}},
        ],
    },
}  # fmt: skip


def test_an_autoscaler_is_read_whole() -> None:
    """A current value comes in several units: the one that the target has is shown and compared."""
    assert autoscaler_of(HPA) == Autoscaler(
        name="web",
        desired=4,
        minimum=2,
        maximum=9,
        metrics=(Metric("memory", "512Mi", "1Gi", 0.5), Metric("queue", "60", "30", 2.0)),
        active=True,
        able=True,
        inactive_because="ValidMetricFound: the HPA was able to compute the replica count",
        since=at(5),
        doing="ScaleDownStabilized",
        up=Direction(stabilization=0, policies=("4 Pods in 15 s", "100 Percent in 60 s")),
        down=Direction(stabilization=300, disabled=True),
        last_scale_time=at(20),
    )


def test_an_autoscaler_that_was_just_made_has_its_defaults_and_wants_nothing() -> None:
    """minReplicas is 1 where nothing is said; there is no status before the controller's first turn."""
    new = {"metadata": {"name": "web"}, "spec": {"maxReplicas": 5, "scaleTargetRef": {}}}

    assert autoscaler_of(new) == Autoscaler(
        name="web", maximum=5, active=False, inactive_because="NoCondition: it has not synced yet"
    )


def test_a_metric_that_is_not_understood_has_no_value_and_a_name() -> None:
    """A kind of metric that came after this release."""
    spec = {**HPA["spec"], "metrics": [{"type": "Quantum", "quantum": {}}, {}, {"type": "Pods"}]}

    found = autoscaler_of({**HPA, "spec": spec, "status": {}}).metrics

    assert found == (Metric("Quantum"), Metric("?"), Metric("Pods"))
    assert all(metric.missing for metric in found)


def test_what_cannot_be_compared_has_no_ratio() -> None:
    odd = {
        "type": "External",
        "external": {"metric": {"name": "q"}, "target": {"value": "0"}, "current": {"value": "3"}},
    }

    assert autoscaler_of({**HPA, "spec": {**HPA["spec"], "metrics": [odd]}, "status": {"currentMetrics": [odd]}}).metrics == (
        Metric("q", "3", "0"),
    )  # fmt: skip


SCALED = [("Deployment", "web", True), ("Deployment", "other", False), ("StatefulSet", "web", False)]


@pytest.mark.parametrize(("kind", "name", "expected"), SCALED)
def test_what_an_autoscaler_scales(kind: str, name: str, *, expected: bool) -> None:
    assert scales(HPA, kind, name) is expected


POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "uid": "u1", "creationTimestamp": "2026-01-01T12:00:01Z"},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T12:00:02Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:00:09Z"},
        ],
    },
}


def test_a_pod_is_read_whole() -> None:
    ready = TargetPod("web-1", created=at(1), scheduled=at(2), ready=at(9), uid="u1")
    leaving = {**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-01-01T12:00:30Z"}}

    assert target_pod(POD) == ready
    assert target_pod(leaving) == replace(ready, deleting=at(30), told_to_go=at(30))
    patient = {**leaving, "metadata": {**leaving["metadata"], "deletionGracePeriodSeconds": 20}}
    assert target_pod(patient) == replace(ready, deleting=at(30), told_to_go=at(10))


@pytest.mark.parametrize(("phase", "ended"), [("Failed", True), ("Succeeded", True), ("Pending", False)])
def test_a_pod_that_has_ended(phase: str, *, ended: bool) -> None:
    assert target_pod({"metadata": {"name": "web-1"}, "status": {"phase": phase}}).ended is ended


def test_a_pod_without_a_node_says_what_it_waits_for() -> None:
    """Its condition Ready is False, too, and tells something else."""
    conditions = [
        {"type": "Ready", "status": "False", "message": "containers with unready status"},
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"},
    ]
    silent = {"type": "PodScheduled", "status": "False"}

    assert target_pod({**POD, "status": {"conditions": conditions}}).waiting_for == "0/3 nodes are available"
    assert target_pod({**POD, "status": {"conditions": [silent]}}).waiting_for == ""
    assert target_pod({"metadata": {"name": "web-1"}}) == TargetPod("web-1")


SERVICE: dict[str, Any] = {"spec": {"ports": [{"name": "http", "port": 80}, {"port": 9000}]}}
PORTS = [("http", 80), ("80", 80), ("9000", 9000), ("https", None), ("443", None)]


@pytest.mark.parametrize(("wanted", "number"), PORTS)
def test_a_port_is_found_by_name_or_number(wanted: str, number: int | None) -> None:
    found = service_port(SERVICE, wanted)

    assert (found["port"] if found else None) == number


def test_a_service_without_ports_has_none() -> None:
    assert service_port({"spec": {}}, "http") is None


OWNERS: dict[str, tuple[list[dict[str, Any]], tuple[str, str, str] | None]] = {
    "none": ([], None),
    "one that only keeps it from being collected": ([{"kind": "Secret", "name": "s"}], None),
    "its controller, among others": (
        [{"kind": "Secret", "name": "s"}, {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "controller": True}],
        ("batch/v1", "Job", "j"),
    ),
    "one without a version": (
        [{"kind": "ReplicaSet", "name": "web-x", "controller": True}],
        ("apps/v1", "ReplicaSet", "web-x"),
    ),
}


@pytest.mark.parametrize(("owners", "expected"), OWNERS.values(), ids=OWNERS)
def test_who_made_it(owners: list[dict[str, Any]], expected: tuple[str, str, str] | None) -> None:
    assert owner_of({"metadata": {"ownerReferences": owners}}) == expected


def test_nobody_made_what_has_no_owners() -> None:
    assert owner_of({"metadata": {}}) is None


def test_endpoints_without_words_are_ready_and_have_no_pod() -> None:
    """The API: a condition `ready` that is not there means ready. A port without a name is the one asked for by none."""
    plain = {"endpoints": [{"addresses": ["10.0.0.7"]}], "ports": [{"port": 8080}]}
    named = {"endpoints": [{"addresses": ["10.0.0.8"], "conditions": {}}], "ports": [{"name": "http", "port": 80}]}
    elsewhere = {"endpoints": [{"addresses": ["10.0.0.9"]}], "ports": None}

    assert endpoints_of([plain, named, elsewhere], "") == (Endpoint("10.0.0.7", 8080, ""),)
    assert endpoints_of([plain, named, elsewhere], "http") == (Endpoint("10.0.0.8", 80, ""),)
    assert endpoints_of([{"ports": [{"port": 80}]}], "") == ()


def test_what_runs_the_pods_is_read_whole() -> None:
    field = {"f:spec": {"f:replicas": {}}}
    thing = {
        "metadata": {"name": "web", "generation": 2, "managedFields": [{"manager": "argocd", "fieldsV1": field}]},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 1},
    }

    assert workload.of_object(DEPLOYMENT, thing) == Workload("Deployment", "web", 3, rollout=True, writer="argocd")
    assert str(workload.of_object(DEPLOYMENT, thing)) == "Deployment/web"
    assert workload.of_object(DEPLOYMENT, {"metadata": {"name": "web"}}) == Workload("Deployment", "web", 1)


def test_a_scale_without_replicas_has_none() -> None:
    """In a Deployment no number means one, in a Scale it means zero."""
    model = Kind("serve.example/v1", "ModelServer", "modelservers")

    assert workload.of_scale(model, {"metadata": {"name": "m"}, "spec": {}}) == Workload("ModelServer", "m", 0)
    assert workload.of_scale(model, {"metadata": {"name": "m"}}) == Workload("ModelServer", "m", 0)
    assert workload.of_scale(model, {"metadata": {"name": "m"}, "spec": {"replicas": 2}}) == Workload(
        "ModelServer", "m", 2
    )
    counted = {"metadata": {"name": "m"}, "spec": {"replicas": 2}, "status": {"selector": "a=b"}}
    assert workload.of_scale(model, counted) == Workload("ModelServer", "m", 2, selector="a=b", counted=0)


def test_kinds_that_are_read_whole() -> None:
    assert workload.known("apps/v1", "Deployment") == DEPLOYMENT
    assert workload.known("apps.example/v1", "Deployment") is None
    assert workload.known("apps/v1", "ModelServer") is None


RESOURCES = [
    {"name": "modelservers/status", "kind": "ModelServer"},
    {"name": "modelservers", "kind": "ModelServer"},
    {"name": "modelservers/scale", "kind": "Scale"},
    {"name": "caches", "kind": "Cache"},
    {"name": "caches/status", "kind": "Cache"},
]


def test_a_kind_is_scalable_by_its_subresource() -> None:
    """As discovery tells: `modelservers/scale` is of kind Scale, and `modelservers/status` is no collection."""
    assert workload.scalable(RESOURCES, "serve.example/v1", "ModelServer") == Kind(
        "serve.example/v1", "ModelServer", "modelservers"
    )
    assert workload.scalable(RESOURCES, "serve.example/v1", "Cache") is None
    assert workload.scalable(RESOURCES, "serve.example/v1", "Scale") is None


def wrote(manager: str, second: int, **changes: Any) -> dict[str, Any]:
    moment = (START + timedelta(seconds=second)).isoformat()
    return {"manager": manager, "time": moment, "fieldsV1": {"f:spec": {"f:replicas": {}}}, **changes}


AUTOSCALED = wrote("kube-controller-manager", 5, subresource="scale")
WRITERS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nobody": ([], ""),
    "the autoscaler": ([AUTOSCALED], ""),
    "a script, after it": ([wrote("kubectl", 9), AUTOSCALED], "kubectl"),
    "the autoscaler, after a script": ([wrote("kubectl", 1), AUTOSCALED], ""),
    "by hand, with kubectl scale": ([AUTOSCALED, wrote("kubectl", 9, subresource="scale")], "kubectl"),
    "another controller of the manager": ([wrote("kube-controller-manager", 9)], "kube-controller-manager"),
    "of other fields": ([{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:paused": {}}}}, {"manager": "x"}], ""),
    "without a time, long ago": ([{**wrote("kubectl", 1), "time": ""}, AUTOSCALED], ""),
    "without a name": ([{"fieldsV1": {"f:spec": {"f:replicas": {}}}}], ""),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "expected"), WRITERS.values(), ids=WRITERS)
def test_who_wrote_the_replicas_last(entries: list[dict[str, Any]], expected: str) -> None:
    assert other_writer({"metadata": {"managedFields": entries}}) == expected


def test_a_workload_that_says_little_is_not_rolling_out() -> None:
    assert not is_rolling_out({"metadata": {}})
    assert not is_rolling_out({"metadata": {"generation": 2}, "status": {"updatedReplicas": 1}})
    assert not is_rolling_out({"metadata": {}, "status": {"updateRevision": "b"}})
    assert is_rolling_out({"metadata": {}, "status": {"updatedReplicas": 0, "replicas": 1}})
    assert not is_rolling_out({"metadata": {}, "status": {"observedGeneration": 0, "updatedReplicas": 0}})
