"""Looking at the target: its Service, endpoints, pods, workload and autoscaler. Reads only.

The workload is named in the spec or found by following the owners of the Service's pods; once found it is
remembered, for owners do not change during a run.

What only looking tells (endpoints, the workload's replicas) is read at every look, about once a second; what carries the
API's own times is read less often, and at once when something changes.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.adapters.errors import ForbiddenError, NotFoundError
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.api.loadtest import LoadTestSpec, ServiceReference, WorkloadReference
from loadtest_operator.core.common.kinds import ENDPOINT_SLICE, HPA, POD, SERVICE, WORKLOADS, Kind
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.run.guard import leads_elsewhere
from loadtest_operator.core.scaling.target import (
    Autoscaler,
    Endpoint,
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
LOOK_SECONDS = 0.9
"""Less than a second, so that a look a second always reads; quicker looks of other reasons do not."""
EXPECTED_SECONDS, PODS_SECONDS = 2.0, 5.0
HPA_SECONDS, SEARCH_SECONDS = 2.0, 5.0
SERVICE_SECONDS = 10.0


async def look(kube: KubeApi, spec: LoadTestSpec, namespace: str, known: Paced, now: datetime) -> TargetView:
    """The target as it is now; `known` is what the last look of this run saw."""
    reference = spec.target.service_ref
    if reference is None:
        return TargetView(url=str(spec.target.url))
    where = reference.namespace or namespace
    service = await known.ask("service", SERVICE_SECONDS, now, lambda: kube.get(SERVICE, where, reference.name))
    elsewhere = leads_elsewhere(service) if service else ""
    port = service_port(service, reference.port) if service else None
    if service is None or port is None:
        known.forget("service")
        return TargetView(url=_url(reference, where, None), found=False, elsewhere=elsewhere)
    eyes = _Eyes(kube, spec, where, service["spec"].get("selector") or {}, known, now)
    endpoints, workload = await asyncio.gather(eyes.endpoints(reference.name, port.get("name") or ""), eyes.workload())
    desired = _desired(workload)
    pods = await eyes.pods(endpoints, desired)
    if workload is None:
        workload = await eyes.owner(pods)
    return TargetView(
        url=_url(reference, where, port),
        namespace=where,
        workload=f"{workload['kind']}/{workload['metadata']['name']}" if workload else "",
        desired=_desired(workload),
        endpoints=endpoints,
        pods=tuple(target_pod(pod) for pod in pods),
        autoscaler=await eyes.autoscaler(workload),
        selector=tuple(sorted(eyes.selector.items())),
        elsewhere=elsewhere,
    )


@dataclass(frozen=True, slots=True)
class _Eyes:
    """One look's questions."""

    kube: KubeApi
    spec: LoadTestSpec
    where: str
    selector: Mapping[str, str]
    known: Paced
    now: datetime

    async def endpoints(self, service: str, port: str) -> tuple[Endpoint, ...]:
        labels = f"kubernetes.io/service-name={service}"
        slices = await self.known.ask(
            "endpoints", LOOK_SECONDS, self.now, lambda: self.kube.list(ENDPOINT_SLICE, self.where, labels=labels)
        )
        return endpoints_of(slices, port)

    async def pods(self, endpoints: tuple[Endpoint, ...], desired: int | None) -> list[Any]:
        """Their times are the API's own, so they can be read later without being less exact: at once when something has
        changed, soon while something is expected, else now and then."""
        if not self.selector:
            return []
        seconds = PODS_SECONDS if desired == len(endpoints) else EXPECTED_SECONDS
        labels = _labels(self.selector)
        return await self.known.ask(
            "pods",
            seconds,
            self.now,
            lambda: self.kube.list(POD, self.where, labels=labels),
            given=(endpoints, desired),
        )

    async def workload(self) -> Object | None:
        """The named workload, or the one that was found to own the pods. None: nobody knows it yet."""
        reference = self.spec.target.workload_ref
        if reference is not None:
            kind, name = WORKLOADS.get(reference.kind, _unknown_kind(reference)), reference.name
        elif (found := self.known.last("owner")) is not None:
            kind, name = found
        else:
            return None
        thing = await self.known.ask("workload", LOOK_SECONDS, self.now, lambda: self._get(kind, name))
        if thing is None:
            self.known.forget("owner")
        return {**thing, "kind": kind.kind} if thing else None

    async def owner(self, pods: list[Any]) -> Object | None:
        """What owns the Service's pods in the end."""
        thing, found = (pods[0] if pods else None), None
        for _ in range(MOST_OWNERS if self.spec.target.workload_ref is None else 0):
            owner = owner_of(thing) if thing else None
            if owner is None or owner[0] not in WORKLOADS:
                break
            kind, name = WORKLOADS[owner[0]], owner[1]
            thing = await self._get(kind, name)
            if thing is not None:
                found = {**thing, "kind": kind.kind}
                self.known.note("owner", (kind, name), self.now)
        return found

    async def autoscaler(self, workload: Object | None) -> Autoscaler | None:
        """Its decisions carry their own time; a change of the workload is looked at together with what decided it."""
        reference = self.spec.scaling.autoscaler_ref if self.spec.scaling else None
        if reference is None and workload is None:
            return None
        name = reference.name if reference else self.known.last("autoscaler name")
        try:
            if name is None:
                return await self._search(workload or {})
            hpa = await self.known.ask(
                "autoscaler",
                HPA_SECONDS,
                self.now,
                lambda: self.kube.get(HPA, self.where, name),
                given=_desired(workload),
            )
        except (ForbiddenError, NotFoundError):
            return None
        if reference is None and (hpa is None or not _scales(hpa, workload)):
            self.known.forget("autoscaler name")
            return None
        return autoscaler_of(hpa) if hpa else None

    async def _search(self, workload: Object) -> Autoscaler | None:
        every = await self.known.ask("autoscalers", SEARCH_SECONDS, self.now, lambda: self.kube.list(HPA, self.where))
        for hpa in every:
            if _scales(hpa, workload):
                self.known.note("autoscaler name", hpa["metadata"]["name"], self.now)
                return autoscaler_of(hpa)
        return None

    async def _get(self, kind: Kind, name: str) -> Object | None:
        # What may not be read is not known; the target can be loaded all the same.
        try:
            return await self.kube.get(kind, self.where, name)
        except ForbiddenError:
            return None


def _scales(hpa: Object, workload: Object | None) -> bool:
    return workload is not None and scales(hpa, workload["kind"], workload["metadata"]["name"])


def _desired(workload: Object | None) -> int | None:
    return workload["spec"].get("replicas", 1) if workload else None


def _url(reference: ServiceReference, namespace: str, port: Object | None) -> str:
    number = port["port"] if port else reference.port
    return f"{reference.scheme.lower()}://{reference.name}.{namespace}.svc:{number}"


def _labels(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


def _unknown_kind(reference: WorkloadReference) -> Kind:
    return Kind(reference.api_version, reference.kind, f"{reference.kind.lower()}s")
