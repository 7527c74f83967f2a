"""The Kubernetes objects of a scenario. Pure."""

import json
from pathlib import Path
from typing import Any

from recordings.scenarios import REQUEST, Object, Scenario

NAMESPACE = "shadow-recordings"
BURNER_IMAGE = "localhost/loadtest-worker:dev"
PAUSE_IMAGE = "localhost/pause:1"
LABEL = "scenario"
GROUPS = {"external.metrics.k8s.io": "v1beta1", "custom.metrics.k8s.io": "v1beta2"}
SERVICE = "planned-metrics"


def deployment(name: str, scenario: Scenario, origin: float) -> Object:
    labels = {LABEL: name}
    spec: Object = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "containers": [_main(scenario, origin), *([_pause("side")] if scenario.sidecar else [])],
    }
    if scenario.apart:
        term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": scenario.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def autoscaler(name: str, scenario: Scenario) -> Object:
    spec: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": scenario.low,
        "maxReplicas": scenario.high,
        "metrics": list(scenario.metrics),
    }
    if scenario.behavior is not None:
        spec["behavior"] = scenario.behavior
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {LABEL: name}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def source(address: str, port: int) -> list[Object]:
    """The Service of our metrics API, which listens outside of the cluster, and the APIs that it answers."""
    metadata = {"name": SERVICE, "namespace": NAMESPACE}
    labels = {"kubernetes.io/service-name": SERVICE, "endpointslice.kubernetes.io/managed-by": "recordings"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [_port(443, targetPort=port)]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [_port(port)],
        },
        *(_api(group, version) for group, version in GROUPS.items()),
    ]


def _api(group: str, version: str) -> Object:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}", "labels": {LABEL: "all"}},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": SERVICE, "namespace": NAMESPACE},
        },
    }


def _port(number: int, **more: int) -> Object:
    return {"name": "https", "port": number, **more}


def _pause(name: str) -> Object:
    requests = {"requests": {"cpu": f"{REQUEST}m"}}
    return {"name": name, "image": PAUSE_IMAGE, "imagePullPolicy": "Never", "resources": requests}


def _main(scenario: Scenario, origin: float) -> Object:
    if not scenario.burn:
        return {**_pause("main"), "resources": {}}
    plan: list[list[Any]] = [[origin + second, milli] for second, milli in scenario.burn]
    environment = {
        "PLAN": json.dumps(plan),
        "READY_AFTER": str(scenario.ready_after),
        "SLOW_FROM": str(origin + scenario.slow_from),
    }
    return {
        **_pause("main"),
        "image": BURNER_IMAGE,
        "command": ["python3", "-c", (Path(__file__).parent / "burner.py").read_text()],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
