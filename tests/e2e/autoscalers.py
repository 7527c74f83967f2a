"""Autoscalers on the local cluster, whose metrics API answers from Prometheus."""

from typing import Any

from cluster import Object
from workplace import PatientCluster

REQUESTS = "sum(rate(loadtest_requests_total{<<.LabelMatchers>>}[15s]))"
"""What a gateway would count; here the workers do."""


def serve_requests_per_second(cluster: PatientCluster) -> None:
    """As a metric of the namespace."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "custom-metrics"},
            "data": {"requests_per_second": REQUESTS},
        }
    )


def external(name: str, average: str) -> Object:
    """A share of the whole for each replica."""
    target = {"type": "AverageValue", "averageValue": average}
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


def scale_on(cluster: PatientCluster, name: str, *metrics: Object, **spec: Any) -> None:
    """An HPA on the Deployment of that name; ready when it has seen a value of each metric."""
    cluster.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": list(metrics),
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}},
                **spec,
            },
        }
    )
