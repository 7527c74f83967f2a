"""The objects of a run, as plain dictionaries.

Worker pods fit the restricted Pod Security Standard: no token, no root, no capabilities, a read-only root file
system. No user id is written down (the image has a numeric user; OpenShift chooses its own). The Job never
restarts a worker: a share of the load that was lost stays lost and makes the verdict Inconclusive.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from loadgen.core.prompts.material import wanted
from loadgen.model.references import Holder
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, NETWORK_POLICY, POD, SECRET, SERVICE
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.settings import WorkerAccess
from loadtest_operator.core.observed import Observed

Object = dict[str, Any]

CONTROL_PORT = 8090
PROXY_PORT = 8091
METRICS_PORT = 8092
TIMELINE_KEY = "timeline.json.gz"
WORKER, PROXY = "worker", "proxy"
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


def _object(kind: Any, observed: Observed, name: str, component: str) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata(observed, name, component)}


def secret(observed: Observed) -> Object:
    """The run's Secret, its token still to be drawn."""
    return {**_object(SECRET, observed, observed.names.secret, WORKER), "type": "Opaque", "immutable": True}


def plan(observed: Observed) -> Object:
    """The plan as every worker reads it, and the whole spec of this run: a new runToken may come with another."""
    body = observed.plan.model_dump_json(exclude_none=True)
    spec = observed.valid_spec.model_dump_json(exclude_none=True)
    shell = _object(CONFIG_MAP, observed, observed.names.plan, WORKER)
    return {**shell, "immutable": True, "data": {"plan.json": body, "spec.json": spec}}


def timeline(observed: Observed, text: str) -> Object:
    """What was seen of the target, compressed (`scaling.timeline.stored`), kept for an operator that comes after a crash."""
    return {**_object(CONFIG_MAP, observed, observed.names.timeline, "timeline"), "binaryData": {TIMELINE_KEY: text}}


def network_policy(observed: Observed) -> Object:
    """Only the operator's pods may command the run's pods; the workers reach the proxy's data port; whoever scrapes (who
    that is, nobody here knows) the metrics port. Where the operator comes through the API server, its requests come
    from wherever that is: then only the token guards the control port.
    """
    here, anybody = (
        observed.settings.operator_namespace,
        observed.settings.worker_access is WorkerAccess.API_SERVER_PROXY,
    )
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": here}} if here else {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "loadtest-operator"}},
    }
    workers = {"podSelector": {"matchLabels": observed.names.labels(WORKER)}}
    run_labels = {key: value for key, value in observed.names.labels(WORKER).items() if not key.endswith("component")}
    return {
        **_object(NETWORK_POLICY, observed, observed.names.network_policy, WORKER),
        "spec": {
            "podSelector": {"matchLabels": run_labels},
            "policyTypes": ["Ingress"],
            "ingress": [
                {**({} if anybody else {"from": [operator]}), "ports": [{"port": CONTROL_PORT, "protocol": "TCP"}]},
                {"from": [workers], "ports": [{"port": PROXY_PORT, "protocol": "TCP"}]},
                {"ports": [{"port": METRICS_PORT, "protocol": "TCP"}]},
            ],
        },
    }


def job(observed: Observed) -> Object:
    """One pod for each worker, each tried once."""
    spec = observed.valid_spec
    workers = spec.load.workers
    return {
        **_object(JOB, observed, observed.names.job, WORKER),
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
                "spec": _pod_spec(observed, _worker_container(observed), *_data(observed)),
            },
        },
    }


def proxy_pod(observed: Observed) -> Object:
    """The delay proxy in the workers' path."""
    shell = _object(POD, observed, observed.names.proxy, PROXY)
    shell["metadata"]["annotations"] = dict(observed.valid_spec.worker_template.annotations)
    return {**shell, "spec": {**_pod_spec(observed, _proxy_container(observed)), "enableServiceLinks": False}}


def proxy_service(observed: Observed) -> Object:
    """What workers call instead of the target."""
    return {
        **_object(SERVICE, observed, observed.names.proxy, PROXY),
        "spec": {
            "selector": observed.names.labels(PROXY),
            "ports": [{"name": "data", "port": PROXY_PORT, "targetPort": PROXY_PORT}],
        },
    }


def via(observed: Observed) -> str:
    """Through what workers reach the target: the proxy for the whole run if there is one, so that the path is the same
    in and outside a fault's window. It is plain TCP: TLS and the Host header stay the target's."""
    return f"{observed.names.proxy}.{observed.namespace}.svc:{PROXY_PORT}" if observed.uses_proxy else ""


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


def _pod_spec(observed: Observed, container: Object, *volumes: Object) -> Object:
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
        "containers": [container],
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


def _container(observed: Observed, name: str, environment: Mapping[str, str]) -> Object:
    requests, limits = observed.valid_spec.worker_template.resources.effective
    return {
        "name": name,
        "image": observed.settings.worker_image,
        "imagePullPolicy": observed.settings.worker_image_pull_policy,
        "command": ["python", "-m", "loadgen", name],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
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


def _environment(observed: Observed) -> dict[str, str]:
    deadline = observed.valid_spec.active_deadline_seconds + WORKER_GRACE_SECONDS
    return {
        "LOADTEST_TOKEN_FILE": TOKEN_FILE,
        "LOADTEST_PORT": str(CONTROL_PORT),
        "LOADTEST_DEADLINE_SECONDS": str(deadline),
        "LOADTEST_NAMESPACE": observed.namespace,
        "LOADTEST_NAME": observed.name,
        "LOADTEST_RUN": str(observed.status.run.number),
    }


def _worker_container(observed: Observed) -> Object:
    # JOB_COMPLETION_INDEX is set by the Job controller.
    environment = {
        "LOADTEST_PLAN": PLAN_FILE,
        "LOADTEST_TARGET": observed.status.run.target,
        "LOADTEST_VIA": via(observed),
        "LOADTEST_ACCESS": observed.valid_spec.target.access.model_dump_json(exclude_none=True),
        "LOADTEST_DATA": DATA,
        "LOADTEST_WORKERS": str(observed.valid_spec.load.workers),
        "LOADTEST_SHARDS": "0",
        "LOADTEST_METRICS_PORT": str(METRICS_PORT),
        **_environment(observed),
    }
    container = _container(observed, WORKER, environment)
    mounts = [{"name": volume["name"], "mountPath": DATA, "readOnly": True} for volume in _data(observed)]
    return {
        **container,
        "ports": [*container["ports"], {"name": "metrics", "containerPort": METRICS_PORT}],
        "volumeMounts": [*container["volumeMounts"], *mounts],
    }


def _proxy_container(observed: Observed) -> Object:
    environment = {
        "LOADTEST_TARGET": _upstream(observed.status.run.target),
        "LOADTEST_LISTEN": str(PROXY_PORT),
        **_environment(observed),
    }
    container = _container(observed, PROXY, environment)
    return {
        **container,
        "ports": [*container["ports"], {"name": "data", "containerPort": PROXY_PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": CONTROL_PORT}, "periodSeconds": 1},
    }


def _upstream(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
