"""Looking at the target: its Service, endpoints, pods, workload and autoscaler. Reads only.

The workload is named in the spec or found by following the owners of the Service's pods, up to the last one that can be
scaled; once found it is remembered, for owners do not change during a run. What the operator may not look at is said
(`TargetView.blind`): it is never taken for something that is not there.

What only looking tells (endpoints, the workload's replicas) is read at every look, about once a second; what carries the
API's own times is read less often, and at once when something changes.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loadtest_operator.adapters.errors import ForbiddenError, NotFoundError
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.target.meter import Meter
from loadtest_operator.api.loadtest import LoadTestSpec, ServiceReference
from loadtest_operator.core.common.kinds import ENDPOINT_SLICE, HPA, POD, SERVICE, Kind
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.run.guard import leads_elsewhere, written_by_hand
from loadtest_operator.core.scaling import workload as workloads
from loadtest_operator.core.scaling.autoscaler import autoscaler_of, scales
from loadtest_operator.core.scaling.shadow.orders import readable
from loadtest_operator.core.scaling.target import (
    Endpoint,
    TargetView,
    endpoints_of,
    owner_of,
    service_port,
    target_pod,
)
from loadtest_operator.core.scaling.workload import Workload

Object = Mapping[str, Any]
MOST_OWNERS = 4
LOOK_SECONDS = 0.9
"""Less than a second, so that a look a second always reads; quicker looks of other reasons do not."""
EXPECTED_SECONDS, PODS_SECONDS = 2.0, 5.0
HPA_SECONDS, SEARCH_SECONDS = 2.0, 5.0
SERVICE_SECONDS = 10.0
KINDS_SECONDS = 60.0
ONLY_LOOKING_TELLS = ("endpoints", "workload")


async def look(
    kube: KubeApi, spec: LoadTestSpec, namespace: str, known: Paced, meter: Meter, now: datetime
) -> TargetView:
    """The target as it is now; `known` and `meter` are what earlier looks of this run saw."""
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
    elsewhere = elsewhere or written_by_hand(service, known.last("endpoints"))
    pods = await eyes.pods(endpoints, workload.replicas if workload else None)
    if workload is None:
        workload = await eyes.owner(pods)
    hpa = await eyes.autoscaler(workload)
    return TargetView(
        url=_url(reference, where, port),
        namespace=where,
        workload=str(workload) if workload else "",
        desired=workload.replicas if workload else None,
        endpoints=endpoints,
        pods=tuple(target_pod(pod) for pod in pods),
        autoscaler=autoscaler_of(hpa) if hpa else None,
        orders=readable(hpa["spec"]) if hpa else None,
        metrics=meter.newest(kube, where, hpa, workload, now),
        selector=tuple(sorted(eyes.selector.items())),
        elsewhere=elsewhere,
        blind="; ".join(eyes.refused)[:1000],
        rollout=workload.rollout if workload else False,
        writer=workload.writer if workload else "",
        read=min(asked for what in ONLY_LOOKING_TELLS if (asked := known.asked(what)) is not None),
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
    refused: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""

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

    async def workload(self) -> Workload | None:
        """The named workload, or the one that was found to own the pods. None: nobody knows it yet."""
        reference = self.spec.target.workload_ref
        if reference is not None:
            place = (reference.api_version, reference.kind, reference.name)
        elif (found := self.known.last("owner")) is not None:
            place = found
        else:
            return None
        thing = await self.known.ask("workload", LOOK_SECONDS, self.now, lambda: self._read(*place))
        if thing is None:
            self.known.forget("owner")
            self.known.forget("workload")
        return thing

    async def owner(self, pods: list[Any]) -> Workload | None:
        """What owns the Service's pods in the end: the last one that can be scaled."""
        thing, found = (pods[0] if pods else None), None
        for _ in range(MOST_OWNERS if self.spec.target.workload_ref is None else 0):
            place = owner_of(thing) if thing else None
            if place is None:
                break
            if (workload := await self._read(*place, asked=False)) is not None:
                found = workload
                self.known.note("owner", place, self.now)
            kind = workloads.known(*place[:2])
            thing = await self._get(kind, place[2]) if kind else None
        return found

    async def autoscaler(self, workload: Workload | None) -> Object | None:
        """Its decisions carry their own time; a change of the workload is looked at together with what decided it."""
        reference = self.spec.scaling.autoscaler_ref if self.spec.scaling else None
        if reference is None and workload is None:
            return None
        name = reference.name if reference else self.known.last("autoscaler name")
        try:
            if name is None and workload is not None:
                return await self._search(workload)
            hpa = await self.known.ask(
                "autoscaler",
                HPA_SECONDS,
                self.now,
                lambda: self.kube.get(HPA, self.where, name),
                given=workload.replicas if workload else None,
            )
        except ForbiddenError as error:
            self._refused("get and list HorizontalPodAutoscalers", error)
            return None
        except NotFoundError:
            return None
        return self._ours(hpa, workload, named=reference is not None)

    def _ours(self, hpa: Object | None, workload: Workload | None, *, named: bool) -> Object | None:
        """The one that scales this workload. One that the spec names and that scales another is an error to be told."""
        if hpa is None or (workload is not None and not scales(hpa, workload.kind, workload.name)):
            self.known.forget("autoscaler name")
            if hpa is not None and named:
                other = hpa["spec"]["scaleTargetRef"]
                self.refused.append(
                    f"HorizontalPodAutoscaler {hpa['metadata']['name']} scales {other['kind']}/{other['name']}, the target "
                    f"is {workload}: correct spec.scaling.autoscalerRef"
                )
            return None
        return hpa

    async def _search(self, workload: Workload) -> Object | None:
        every = await self.known.ask("autoscalers", SEARCH_SECONDS, self.now, lambda: self.kube.list(HPA, self.where))
        for hpa in every:
            if scales(hpa, workload.kind, workload.name):
                self.known.note("autoscaler name", hpa["metadata"]["name"], self.now)
                return hpa
        return None

    async def _read(self, api_version: str, kind: str, name: str, *, asked: bool = True) -> Workload | None:
        """What may not be read is not known; the target can be loaded all the same. `asked`: the spec names it."""
        if (whole := workloads.known(api_version, kind)) is not None:
            thing = await self._get(whole, name)
            return workloads.of_object(whole, thing) if thing else None
        found = workloads.scalable(await self._resources(api_version), api_version, kind)
        if found is None:
            if asked:
                self.refused.append(
                    f"{api_version} has no kind {kind} with a scale subresource: correct spec.target.workloadRef"
                )
            return None
        scale = await self._get(found, name, "scale")
        return workloads.of_scale(found, scale) if scale else None

    async def _resources(self, api_version: str) -> list[Any]:
        return await self.known.ask(
            f"kinds of {api_version}", KINDS_SECONDS, self.now, lambda: self.kube.resources(api_version)
        )

    async def _get(self, kind: Kind, name: str, subresource: str = "") -> Object | None:
        try:
            return await self.kube.get(kind, self.where, name, subresource)
        except ForbiddenError as error:
            what = f"{kind.plural}/{subresource}" if subresource else kind.plural
            self._refused(f"get {what} of {kind.api_version}", error)
            return None

    def _refused(self, what: str, error: ForbiddenError) -> None:
        self.refused.append(f"the operator may not {what} in namespace {self.where}: grant it to its role ({error})")


def _url(reference: ServiceReference, namespace: str, port: Object | None) -> str:
    number = port["port"] if port else reference.port
    return f"{reference.scheme.lower()}://{reference.name}.{namespace}.svc:{number}"


def _labels(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
