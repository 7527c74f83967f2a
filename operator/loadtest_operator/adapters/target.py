"""Looking at the target: its Service, endpoints, pods, workload and autoscaler. Reads only.

The workload is named in the spec or found by following the owners of the Service's pods; once found it is
remembered by the caller, for owners do not change during a run.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import ForbiddenError, NotFoundError
from loadtest_operator.adapters.kube import KubeApi
from loadtest_operator.api.loadtest import LoadTestSpec, ServiceReference, WorkloadReference
from loadtest_operator.core.kinds import ENDPOINT_SLICE, HPA, POD, SERVICE, WORKLOADS, Kind
from loadtest_operator.core.target import (
    Autoscaler,
    TargetView,
    autoscaler_of,
    endpoints_of,
    owner_of,
    scales,
    service_port,
    target_pod,
)

Object = Mapping[str, Any]
MOST_OWNERS = 4


async def look(kube: KubeApi, spec: LoadTestSpec, namespace: str) -> TargetView:
    """The target as it is now."""
    reference = spec.target.service_ref
    if reference is None:
        return TargetView(url=str(spec.target.url))
    where = reference.namespace or namespace
    service = await kube.get(SERVICE, where, reference.name)
    port = service_port(service, reference.port) if service else None
    if service is None or port is None:
        return TargetView(url=_url(reference, where, None), found=False)
    selector = service["spec"].get("selector") or {}
    slices, pods = await asyncio.gather(
        kube.list(ENDPOINT_SLICE, where, labels=f"kubernetes.io/service-name={reference.name}"),
        _pods(kube, where, selector),
    )
    workload = await _workload(kube, spec.target.workload_ref, where, pods)
    return TargetView(
        url=_url(reference, where, port),
        namespace=where,
        workload=f"{workload['kind']}/{workload['metadata']['name']}" if workload else "",
        desired=workload["spec"].get("replicas", 1) if workload else None,
        endpoints=endpoints_of(slices, port.get("name") or ""),
        pods=tuple(target_pod(pod) for pod in pods),
        autoscaler=await _autoscaler(kube, spec, where, workload),
        selector=tuple(sorted(selector.items())),
    )


def _url(reference: ServiceReference, namespace: str, port: Object | None) -> str:
    number = port["port"] if port else reference.port
    return f"{reference.scheme.lower()}://{reference.name}.{namespace}.svc:{number}"


def _labels(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


async def _pods(kube: KubeApi, namespace: str, selector: Mapping[str, str]) -> list[dict[str, Any]]:
    return await kube.list(POD, namespace, labels=_labels(selector)) if selector else []


async def _workload(
    kube: KubeApi, reference: WorkloadReference | None, namespace: str, pods: list[Any]
) -> Object | None:
    """The named workload, or what owns the Service's pods in the end."""
    if reference is not None:
        kind = WORKLOADS.get(reference.kind, _unknown_kind(reference))
        found = await _get(kube, kind, namespace, reference.name)
        return {**found, "kind": reference.kind} if found else None
    thing: Object | None = pods[0] if pods else None
    found = None
    for _ in range(MOST_OWNERS):
        owner = owner_of(thing) if thing else None
        if owner is None or owner[0] not in WORKLOADS:
            break
        thing = await _get(kube, WORKLOADS[owner[0]], namespace, owner[1])
        found = {**thing, "kind": owner[0]} if thing else found
    return found


def _unknown_kind(reference: WorkloadReference) -> Kind:
    return Kind(reference.api_version, reference.kind, f"{reference.kind.lower()}s")


async def _get(kube: KubeApi, kind: Kind, namespace: str, name: str) -> Object | None:
    # What may not be read is not known; the target can be loaded all the same.
    try:
        return await kube.get(kind, namespace, name)
    except ForbiddenError:
        return None


async def _autoscaler(kube: KubeApi, spec: LoadTestSpec, namespace: str, workload: Object | None) -> Autoscaler | None:
    reference = spec.scaling.autoscaler_ref if spec.scaling else None
    try:
        if reference is not None:
            hpa = await kube.get(HPA, namespace, reference.name)
            return autoscaler_of(hpa) if hpa else None
        if workload is None:
            return None
        for hpa in await kube.list(HPA, namespace):
            if scales(hpa, workload["kind"], workload["metadata"]["name"]):
                return autoscaler_of(hpa)
    except (ForbiddenError, NotFoundError):
        return None
    return None
