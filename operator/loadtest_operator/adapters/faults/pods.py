"""Pods of the target are killed, by delete or by eviction, each by its uid: a pod of the same name that came after is another.

Consent is looked at before and at each kill: the namespace's label, and the right to delete, which only a role of its own
gives. What is to be killed is written into the run's record first.
"""

import random
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError, ConflictError, NotFoundError, RetryableError
from loadtest_operator.adapters.workers.proxy import Way
from loadtest_operator.core.common.kinds import CONFIG_MAP, NAMESPACE, POD
from loadtest_operator.core.faults import pod_kill
from loadtest_operator.core.faults.pod_kill import Kill, Victim
from loadtest_operator.core.faults.provider import Order
from loadtest_operator.core.faults.view import Reading, View
from loadtest_operator.core.scaling.target import TargetPod, target_pod

CONSENT_SECONDS = 5.0
CONSENT = "consent to kills"


async def look(way: Way, before: View | None) -> View:
    """Whether it may, and what became of each kill."""
    try:
        record, dissent = (
            await _record(way),
            await way.known.ask(CONSENT, CONSENT_SECONDS, way.now, lambda: _dissent(way)),
        )
        if record is None or dissent:
            return View(trouble=dissent or f"its record, ConfigMap {pod_kill.name_of(way.names)}, is not there")
        return View(ready=True, answered=way.now, readings=await _readings(way, record))
    except AdapterError as error:
        return View(trouble=str(error), readings=before.readings if before else {})


async def inject(way: Way, fault: str, order: Order) -> None:
    """Kill those that were chosen for this fault, the first time by lot; whoever is gone already is not killed again."""
    if dissent := await _dissent(way):
        raise RetryableError(dissent)
    record = await _record(way)
    if record is None:
        raise RetryableError(f"its record, ConfigMap {pod_kill.name_of(way.names)}, is not there")
    pods = await _pods(way, _labels(order["selector"]))
    kill = record.get(fault) or await _chosen(way, fault, order, pods)
    alive = {pod.uid for pod in pods if not pod.deleting}
    for victim in kill.victims:
        if victim.uid in alive:
            await _kill(way, victim, order)


async def recover(_way: Way, _fault: str) -> None:
    """Nothing is to be taken back: what runs the pods brings them back."""


async def _chosen(way: Way, fault: str, order: Order, pods: list[TargetPod]) -> Kill:
    ready = pod_kill.ready_of(pods)
    count, why_not = pod_kill.too_many(order, len(ready))
    if why_not:
        raise RetryableError(why_not)
    victims = tuple(Victim(pod.name, pod.uid) for pod in random.sample(ready, count))
    kill = Kill(way.now, len(ready), victims, _labels(order["selector"]))
    data = {"data": {fault: pod_kill.written(kill)}}
    await way.kube.merge_patch(CONFIG_MAP, way.namespace, pod_kill.name_of(way.names), data)
    return kill


async def _kill(way: Way, victim: Victim, order: Order) -> None:
    options: dict[str, Any] = {"preconditions": {"uid": victim.uid}}
    if order["gracePeriodSeconds"] is not None:
        options["gracePeriodSeconds"] = order["gracePeriodSeconds"]
    try:
        if order["by"] == "Evict":
            await way.kube.evict(way.namespace, victim.name, options)
        else:
            await way.kube.delete(POD, way.namespace, victim.name, options)
    except (NotFoundError, ConflictError):
        return  # it is gone, or another pod has its name


async def _dissent(way: Way) -> str:
    return pod_kill.dissent(await way.kube.get(NAMESPACE, "", way.namespace), way.namespace)


async def _record(way: Way) -> Mapping[str, Kill] | None:
    """By the names of the faults; None where it is not there."""
    name = pod_kill.name_of(way.names)
    found = await way.kube.get(CONFIG_MAP, way.namespace, name)
    try:
        return {fault: pod_kill.read(text) for fault, text in (found.get("data") or {}).items()} if found else None
    except (ValueError, KeyError, TypeError) as error:
        raise AdapterError(f"its record, ConfigMap {name}, is not as it was written: {error!r}") from error


async def _readings(way: Way, record: Mapping[str, Kill]) -> Mapping[str, Reading]:
    return {name: pod_kill.reading(kill, await _pods(way, kill.labels)) for name, kill in record.items()}


async def _pods(way: Way, labels: str) -> list[TargetPod]:
    if not labels:
        raise RetryableError("the target's Service has no selector, so nobody knows which pods are its own")
    return [target_pod(pod) for pod in await way.kube.list(POD, way.namespace, labels=labels)]


def _labels(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
