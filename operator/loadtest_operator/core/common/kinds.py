"""The kinds of objects the operator touches: where the API server has them."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, an object or a subresource."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = [
            root,
            *(["namespaces", namespace] if namespace else []),
            self.plural,
            quote(name, safe=":"),
            subresource,
        ]
        return "/".join(part for part in parts if part)


POD = Kind("v1", "Pod", "pods")
NAMESPACE = Kind("v1", "Namespace", "namespaces")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
EVENT = Kind("v1", "Event", "events")
JOB = Kind("batch/v1", "Job", "jobs")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
HPA = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
LOAD_TEST = Kind("loadtest.dev/v1alpha1", "LoadTest", "loadtests")
LOAD_TEST_SCHEDULE = Kind("loadtest.dev/v1alpha1", "LoadTestSchedule", "loadtestschedules")
LOAD_TEST_SWEEP = Kind("loadtest.dev/v1alpha1", "LoadTestSweep", "loadtestsweeps")

WORKLOADS = {kind.kind: kind for kind in (DEPLOYMENT, STATEFUL_SET, REPLICA_SET)}
"""What `workloadRef.kind` may be, and what the owners of pods are followed through."""
SELECTING = (SERVICE, NETWORK_POLICY, DEPLOYMENT, STATEFUL_SET, DISRUPTION_BUDGET)
"""What does something to pods that it finds by their labels, whoever made them."""
