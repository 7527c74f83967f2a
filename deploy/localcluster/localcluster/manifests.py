"""The few Kubernetes objects that belong to the cluster itself. Pure.

The servers of the metrics APIs and Prometheus are processes on the node, not pods: a Service without a selector and an EndpointSlice
made by hand let everybody reach them in the usual way.
"""

from typing import Any

from localcluster import layout

Object = dict[str, Any]
GPUS = "2"


METRICS_APIS = {
    ("metrics.k8s.io", "v1beta1"): "metrics-server",
    ("custom.metrics.k8s.io", "v1beta1"): "custom-metrics",
    ("custom.metrics.k8s.io", "v1beta2"): "custom-metrics",
    ("external.metrics.k8s.io", "v1beta1"): "custom-metrics",
}
"""Which Service answers each."""


def addons() -> list[Object]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}},
        *_node_service("metrics-server", "kube-system", 443, 10251, "https"),
        *_node_service("custom-metrics", "kube-system", 443, 10254, "https"),
        *_node_service("prometheus", "monitoring", 9090, 9090, "http"),
        *metrics_apis(),
    ]


def metrics_apis() -> list[Object]:
    return [
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{version}.{group}"},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": service, "namespace": "kube-system"},
            },
        }
        for (group, version), service in METRICS_APIS.items()
    ]


def _node_service(name: str, namespace: str, port: int, node_port: int, port_name: str) -> list[Object]:
    metadata = {"name": name, "namespace": namespace}
    service = {"ports": [{"name": port_name, "port": port, "targetPort": node_port}]}
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "localcluster"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [layout.NODE_IP], "conditions": {"ready": True}}],
            "ports": [{"name": port_name, "port": node_port}],
        },
    ]


def gpu_status() -> Object:
    """What a device plugin would report; the kubelet keeps it while it runs and drops it when it restarts."""
    amount = {"nvidia.com/gpu": GPUS}
    return {"status": {"capacity": amount, "allocatable": amount}}


def has_gpus(node: Object) -> bool:
    status = node.get("status", {})
    return all(status.get(key, {}).get("nvidia.com/gpu") == GPUS for key in ("capacity", "allocatable"))


def is_true(thing: Object, condition: str) -> bool:
    conditions = thing.get("status", {}).get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def path(thing: Object) -> str:
    """Where the API server keeps an object of the kinds above."""
    version, kind, metadata = thing["apiVersion"], thing["kind"], thing["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{kind.lower()}s/{metadata['name']}"
