"""The objects of a run, as plain dictionaries.

Worker pods fit the restricted Pod Security Standard: no token, no root, no capabilities, a read-only root file
system. No user id is written down (the image has a numeric user; OpenShift chooses its own). The Job never
restarts a worker: a share of the load that was lost stays lost and makes the verdict Inconclusive.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from loadgen.core.prompts.material import wanted
from loadgen.model.references import Holder
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, NETWORK_POLICY, SECRET, Kind
from loadtest_operator.core.common.names import COMPONENT_LABEL, Names
from loadtest_operator.core.common.settings import WorkerAccess, WorkerEgress
from loadtest_operator.core.observed import Observed

Object = dict[str, Any]

CONTROL_PORT = 8090
METRICS_PORT = 8092
TIMELINE_KEY = "timeline.json.gz"
WORKER = "worker"
TOKEN_FILE, PLAN_FILE = "/etc/loadtest/token/token", "/etc/loadtest/plan/plan.json"
DATA = "/etc/loadtest/data"
"""Folder of what the spec refers to: one volume, one file for each key and nothing else of the objects."""
# After activeDeadlineSeconds the operator has time to collect; then the worker ends itself, then the Job ends it.
WORKER_GRACE_SECONDS, JOB_GRACE_SECONDS = 120, 180


def metadata(observed: Observed, name: str, component: str) -> Object:
    """Name, labels and the owner that takes it along."""
    return {
        "name": name,
        "namespace": observed.namespace,
        "labels": observed.names.labels(component),
        "ownerReferences": [
            {
                "apiVersion": "loadtest.dev/v1alpha1",
                "kind": "LoadTest",
                "name": observed.name,
                "uid": observed.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def shell(kind: Kind, observed: Observed, name: str, component: str) -> Object:
    """An object with nothing in it yet."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata(observed, name, component)}


def secret(observed: Observed) -> Object:
    """The run's Secret, its token still to be drawn."""
    return {**shell(SECRET, observed, observed.names.secret, WORKER), "type": "Opaque", "immutable": True}


def plan(observed: Observed) -> Object:
    """The plan as every worker reads it, and the whole spec of this run: a new runToken may come with another."""
    body = observed.plan.model_dump_json(exclude_none=True)
    spec = observed.valid_spec.model_dump_json(exclude_none=True)
    frame = shell(CONFIG_MAP, observed, observed.names.plan, WORKER)
    return {**frame, "immutable": True, "data": {"plan.json": body, "spec.json": spec}}


def timeline(observed: Observed, text: str) -> Object:
    """What was seen of the target, compressed (`scaling.timeline.stored`), kept for an operator that comes after a crash."""
    return {**shell(CONFIG_MAP, observed, observed.names.timeline, "timeline"), "binaryData": {TIMELINE_KEY: text}}


def network_policy(observed: Observed, more: Iterable[Mapping[str, Any]] = ()) -> Object:
    """Only the operator's pods may command the run's pods; whoever scrapes (who that is, nobody here knows) may reach the
    metrics port; `more` are the rules of what makes the faults. Where the operator comes through the API server, or is no pod of
    this cluster, its requests come from wherever that is: then only the token guards the control port.
    """
    settings = observed.settings
    anybody = settings.worker_access is WorkerAccess.API_SERVER_PROXY or not settings.operator_namespace
    operator = _pods(settings.operator_namespace, {"app.kubernetes.io/name": "loadtest-operator"})
    return {
        **shell(NETWORK_POLICY, observed, observed.names.network_policy, WORKER),
        "spec": {
            "podSelector": {"matchLabels": _of_run(observed.names)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {**({} if anybody else {"from": [operator]}), "ports": [{"port": CONTROL_PORT, "protocol": "TCP"}]},
                {"ports": [{"port": METRICS_PORT, "protocol": "TCP"}]},
                *more,
            ],
        },
    }


def egress_policy(observed: Observed, between: tuple[str, ...]) -> tuple[Object, ...]:
    """Workers, and what stands `between` them and the target (components), reach nothing but the target's pods, each other's
    way there, and DNS. Nothing where the target's pods cannot be named: behind a URL, on their node's network, or where the
    administrator says that workers need more (a mesh's sidecar talks to its control plane).
    """
    view, reference = observed.target, observed.valid_spec.target.service_ref
    if view is None or reference is None or observed.settings.worker_egress is WorkerEgress.ANYWHERE:
        return ()
    if not view.selector or any(pod.on_node for pod in view.pods):
        return ()
    ours = {"matchLabels": _of_run(observed.names)}
    part = {"key": COMPONENT_LABEL, "operator": "In"}
    target = _pods(reference.namespace or observed.namespace, dict(view.selector))
    way = {"podSelector": {**ours, "matchExpressions": [{**part, "values": [*between]}]}}
    dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    spec = {
        "podSelector": {**ours, "matchExpressions": [{**part, "values": [WORKER, *between]}]},
        "policyTypes": ["Egress"],
        "egress": [{"to": [target, *([way] if between else [])]}, {"ports": dns}],
    }
    return ({**shell(NETWORK_POLICY, observed, observed.names.egress_policy, WORKER), "spec": spec},)


def _of_run(names: Names) -> dict[str, str]:
    """What every pod of a run carries."""
    return {key: value for key, value in names.labels(WORKER).items() if key != COMPONENT_LABEL}


def _pods(namespace: str, labels: Mapping[str, str]) -> Object:
    """A peer in a NetworkPolicy."""
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {"namespaceSelector": where, "podSelector": {"matchLabels": dict(labels)}}


def job(observed: Observed, way: str = "") -> Object:
    """One pod for each worker, each tried once. `way` is the `host:port` that they connect to instead of the target."""
    spec = observed.valid_spec
    workers = spec.load.workers
    return {
        **shell(JOB, observed, observed.names.job, WORKER),
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimitPerIndex": 0,
            "maxFailedIndexes": workers,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": spec.active_deadline_seconds + JOB_GRACE_SECONDS,
            "podFailurePolicy": {
                "rules": [{"action": "FailIndex", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {
                "metadata": _pod_metadata(observed.names, spec, WORKER),
                "spec": pod_spec(observed, _worker_container(observed, way), *_data(observed)),
            },
        },
    }


def worker_labels(names: Names) -> dict[str, str]:
    """What every worker carries, whatever the user adds."""
    return {"app.kubernetes.io/name": "loadtest-worker", **names.labels(WORKER)}


def _pod_metadata(names: Names, spec: LoadTestSpec, component: str) -> Object:
    template = spec.worker_template
    return {
        "labels": {**template.labels, **worker_labels(names), **names.labels(component)},
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(METRICS_PORT),
            "prometheus.io/path": "/metrics",
            **template.annotations,
        },
    }


def pod_spec(observed: Observed, one: Object, *volumes: Object) -> Object:
    """Of any pod of a run: one container, restricted, away from the target."""
    template = observed.valid_spec.worker_template
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": dict(template.node_selector),
        "tolerations": [item.model_dump(mode="json", exclude_none=True) for item in template.tolerations],
        "imagePullSecrets": [{"name": item.name} for item in template.image_pull_secrets],
        "affinity": _away_from_target(observed),
        "containers": [one],
        "volumes": [*_volumes(observed.names), *volumes],
    }
    if template.priority_class_name:
        spec["priorityClassName"] = template.priority_class_name
    return spec


def _away_from_target(observed: Observed) -> Object:
    """The load generator must not take the target's CPU: another node, if there is one."""
    view = observed.target
    reference = observed.valid_spec.target.service_ref
    if view is None or not view.selector or reference is None:
        return {}
    term = {
        "labelSelector": {"matchLabels": dict(view.selector)},
        "namespaces": [reference.namespace or observed.namespace],
        "topologyKey": "kubernetes.io/hostname",
    }
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def _volumes(names: Names) -> list[Object]:
    return [
        {"name": "token", "secret": {"secretName": names.secret, "defaultMode": 0o444}},
        {"name": "plan", "configMap": {"name": names.plan, "items": [{"key": "plan.json", "path": "plan.json"}]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]


def _data(observed: Observed) -> list[Object]:
    """What the spec refers to. Optional: what was deleted since it was seen makes a worker say so, not a pod wait."""
    objects: dict[tuple[Holder, str], dict[str, str]] = {}
    for one in wanted(observed.plan, observed.valid_spec.target.access):
        objects.setdefault((one.to.holder, one.to.name), {})[one.to.key] = one.to.path
    sources = [
        {SOURCES[holder]: {"name": name, "items": _items(keys), "optional": True}}
        for (holder, name), keys in objects.items()
    ]
    return [{"name": "data", "projected": {"sources": sources, "defaultMode": 0o444}}] if sources else []


SOURCES = {Holder.CONFIG_MAP: "configMap", Holder.SECRET: "secret"}


def _items(keys: Mapping[str, str]) -> list[Object]:
    return [{"key": key, "path": path} for key, path in keys.items()]


def container(observed: Observed, name: str, variables: Mapping[str, str]) -> Object:
    """`python -m loadgen NAME`, restricted."""
    requests, limits = observed.valid_spec.worker_template.resources.effective
    return {
        "name": name,
        "image": observed.settings.worker_image,
        "imagePullPolicy": observed.settings.worker_image_pull_policy,
        "command": ["python", "-m", "loadgen", name],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": [{"name": "control", "containerPort": CONTROL_PORT}],
        "resources": {"requests": requests, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_FILE.rpartition("/")[0], "readOnly": True},
            {"name": "plan", "mountPath": PLAN_FILE.rpartition("/")[0], "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
        ],
    }


def environment(observed: Observed) -> dict[str, str]:
    """What every process of a run is told."""
    deadline = observed.valid_spec.active_deadline_seconds + WORKER_GRACE_SECONDS
    return {
        "LOADTEST_TOKEN_FILE": TOKEN_FILE,
        "LOADTEST_PORT": str(CONTROL_PORT),
        "LOADTEST_DEADLINE_SECONDS": str(deadline),
        "LOADTEST_NAMESPACE": observed.namespace,
        "LOADTEST_NAME": observed.name,
        "LOADTEST_RUN": str(observed.status.run.number),
    }


def _worker_container(observed: Observed, way: str) -> Object:
    # JOB_COMPLETION_INDEX is set by the Job controller.
    variables = {
        "LOADTEST_PLAN": PLAN_FILE,
        "LOADTEST_TARGET": observed.status.run.target,
        "LOADTEST_VIA": way,
        "LOADTEST_ACCESS": observed.valid_spec.target.access.model_dump_json(exclude_none=True),
        "LOADTEST_DATA": DATA,
        "LOADTEST_WORKERS": str(observed.valid_spec.load.workers),
        "LOADTEST_SHARDS": "0",
        "LOADTEST_METRICS_PORT": str(METRICS_PORT),
        **environment(observed),
    }
    body = container(observed, WORKER, variables)
    mounts = [{"name": volume["name"], "mountPath": DATA, "readOnly": True} for volume in _data(observed)]
    return {
        **body,
        "ports": [*body["ports"], {"name": "metrics", "containerPort": METRICS_PORT}],
        "volumeMounts": [*body["volumeMounts"], *mounts],
    }
