"""The delay proxy: a pod that all load goes through for the whole run, and that needs no privilege on any cluster.

What it does to what passes stands in `loadgen.runtime.proxy.effects`; the duration goes with the order and the proxy
keeps it, also when nobody is left to tell it. Its adapter is `adapters.workers.proxy`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic.alias_generators import to_camel

from loadgen.model.proxy import KINDS
from loadtest_operator.api.faults import Fault
from loadtest_operator.core.actions import Create, Delete
from loadtest_operator.core.common.kinds import POD, SERVICE
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.faults.provider import Order, Provider
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.observed import Observed

COMPONENT = "proxy"
PORT = 8091


def name_of(names: Names) -> str:
    """Of its pod and its Service."""
    return names.part(COMPONENT)


ORDERED: Mapping[str, str] = {
    "network_delay": "delay",
    "network_loss": "loss",
    "network_bandwidth": "bandwidth",
    "network_partition": "partition",
    "http_abort": "http_abort",
    "http_delay": "http_delay",
}
"""Members of a Fault, and how the proxy calls them."""
if set(ORDERED.values()) != set(KINDS):
    raise TypeError(
        f"the proxy's kinds {sorted(KINDS)} and those that are ordered {sorted(ORDERED.values())} do not match"
    )


def _order(observed: Observed, fault: Fault) -> Order:
    """A `FaultOrder` as JSON has it."""
    return {
        "run": observed.status.run.number,
        "durationSeconds": fault.duration_seconds,
        to_camel(ORDERED[fault.kind]): getattr(fault, fault.kind).model_dump(mode="json", by_alias=True),
    }


def _objects(observed: Observed) -> tuple[Create, ...]:
    return Create(SERVICE, service(observed)), Create(POD, pod(observed))


def pod(observed: Observed) -> dict[str, Any]:
    """The delay proxy in the workers' path."""
    shell = manifests.shell(POD, observed, name_of(observed.names), COMPONENT)
    shell["metadata"]["annotations"] = dict(observed.valid_spec.worker_template.annotations)
    return {**shell, "spec": manifests.pod_spec(observed, _container(observed))}


def service(observed: Observed) -> dict[str, Any]:
    """What workers call instead of the target."""
    return {
        **manifests.shell(SERVICE, observed, name_of(observed.names), COMPONENT),
        "spec": {
            "selector": observed.names.labels(COMPONENT),
            "ports": [{"name": "data", "port": PORT, "targetPort": PORT}],
        },
    }


def ingress(observed: Observed) -> dict[str, Any]:
    """The run's workers, and nobody else, reach the data port."""
    workers = {"podSelector": {"matchLabels": observed.names.labels(manifests.WORKER)}}
    return {"from": [workers], "ports": [{"port": PORT, "protocol": "TCP"}]}


def _container(observed: Observed) -> dict[str, Any]:
    environment = {
        "LOADTEST_TARGET": _upstream(observed.status.run.target),
        "LOADTEST_LISTEN": str(PORT),
        **manifests.environment(observed),
    }
    container = manifests.container(observed, COMPONENT, environment)
    return {
        **container,
        "ports": [*container["ports"], {"name": "data", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": manifests.CONTROL_PORT}, "periodSeconds": 1},
    }


def _upstream(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _way(observed: Observed) -> str:
    """Plain TCP: TLS and the Host header stay the target's."""
    return f"{name_of(observed.names)}.{observed.namespace}.svc:{PORT}"


def _belongings(names: Names) -> tuple[Delete, ...]:
    mine = name_of(names)
    return Delete(POD, mine), Delete(SERVICE, mine)


PROVIDER = Provider(
    name="DelayProxy",
    title="the delay proxy",
    kinds=tuple(ORDERED),
    order=_order,
    objects=_objects,
    ingress=ingress,
    way=_way,
    belongings=_belongings,
    force=lambda names: (Delete(POD, name_of(names)),),
    traces=((POD, COMPONENT),),
)
