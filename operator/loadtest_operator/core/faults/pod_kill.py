"""Pods of the target are killed: who, how many at most, and what became of it. Its adapter is `adapters.faults.pods`.

In force is the loss of identities: a pod with that uid is gone, or on its way. Gone is the fault when as many pods are ready as
before; so it ends when the target is well, and its duration is the longest that this may take. Who was killed is
written down before anybody is (a ConfigMap of the run), so an operator that comes after a crash kills nobody else.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.api.faults import Fault
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.actions import Create, Delete
from loadtest_operator.core.common import times
from loadtest_operator.core.common.kinds import CONFIG_MAP
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.faults.provider import Order, Provider
from loadtest_operator.core.faults.view import Reading
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.observed import Observed, listed
from loadtest_operator.core.scaling.target import TargetPod

COMPONENT = "kills"
CONSENT, ALLOWED = "loadtest.dev/faults", "allowed"
"""The label by which a namespace consents."""


def name_of(names: Names) -> str:
    """Of the ConfigMap in which it is written who was killed."""
    return names.part(COMPONENT)


def refusals(spec: LoadTestSpec, namespace: str, settings: Settings) -> tuple[str, ...]:
    """Why no pod of this target may be killed, whatever its namespace says."""
    kills = [fault.name for fault in spec.faults if fault.pod_kill is not None]
    if not kills:
        return ()
    where = f"spec.faults[{kills[0]}].podKill"
    if not settings.pod_kill_enabled:
        return (f"{where} is not allowed: ask the administrator to set the operator's faults.podKill.enabled",)
    elsewhere = spec.target.service_ref and spec.target.service_ref.namespace
    if elsewhere and elsewhere != namespace:
        return (
            f"{where} is not allowed: the target is in namespace {elsewhere!r}, and pods are only killed in the LoadTest's own, "
            f"{namespace!r}; create the LoadTest there",
        )
    return ()


def dissent(namespace: Mapping[str, Any] | None, name: str) -> str:
    """Why nobody may be killed in this namespace; empty where it consents."""
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    if labels.get(CONSENT) == ALLOWED:
        return ""
    return f"namespace {name} does not consent to it: kubectl label namespace {name} {CONSENT}={ALLOWED}"


@dataclass(frozen=True, slots=True)
class Victim:
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Kill:
    """What is written down of one fault before it is done."""

    at: datetime
    ready: int
    """Pods that were ready before."""
    victims: tuple[Victim, ...]
    labels: str
    """By which the target's pods are found."""


def written(kill: Kill) -> str:
    return json.dumps({**asdict(kill), "at": times.text(kill.at)})


def read(text: str) -> Kill:
    """Raises ValueError or KeyError: somebody else wrote it."""
    found = json.loads(text)
    victims = tuple(Victim(one["name"], one["uid"]) for one in found["victims"])
    return Kill(datetime.fromisoformat(found["at"]), int(found["ready"]), victims, str(found["labels"]))


def ready_of(pods: Iterable[TargetPod]) -> list[TargetPod]:
    """Those that serve and are to go on serving."""
    return [pod for pod in pods if pod.ready and not pod.deleting and not pod.ended]


def too_many(order: Order, ready: int) -> tuple[int, str]:
    """How many are to be killed of so many, and why that must not be; the reason is empty where it may."""
    count = order["count"] or max(1, ready * order["percent"] // 100)
    most = ready * order["mostPercent"] // 100
    if count <= most:
        return count, ""
    return count, (
        f"{count} of {ready} ready pods are more than the {order['mostPercent']} % that the administrator allows ({most}): "
        "kill fewer, let the target have more replicas, or ask for a higher faults.podKill.mostPercent"
    )


def reading(kill: Kill, pods: Iterable[TargetPod]) -> Reading:
    """What became of it, by the identities and the API's own times: the n-th pod that is ready made it as many as before."""
    present = [pod for pod in pods if not pod.deleting]
    alive = {pod.uid for pod in present}
    left = [victim.name for victim in kill.victims if victim.uid in alive]
    killed = [victim.name for victim in kill.victims if victim.uid not in alive]
    if not killed:
        return Reading()
    since = sorted(pod.ready for pod in ready_of(present) if pod.ready)
    well = max(since[kill.ready - 1], kill.at) if len(since) >= kill.ready and not left else None
    return Reading(
        since=kill.at,
        gone=well,
        effects=len(killed),
        not_covered=f"{listed(left)} would not go" if left else "",
        note=f"killed {listed(killed)}",
    )


def _order(observed: Observed, fault: Fault) -> Order:
    kill = fault.pod_kill
    if kill is None or observed.target is None:
        raise ValueError(f"{fault.name} kills no pods of a Service")
    return {
        **kill.model_dump(mode="json", by_alias=True),
        "selector": dict(observed.target.selector),
        "mostPercent": observed.settings.pod_kill_most_percent,
    }


def _record(observed: Observed) -> tuple[Create, ...]:
    return (Create(CONFIG_MAP, manifests.shell(CONFIG_MAP, observed, name_of(observed.names), COMPONENT)),)


PROVIDER = Provider(
    name="PodKill",
    title="the killer of pods",
    kinds=("pod_kill",),
    order=_order,
    objects=_record,
    ingress=lambda _observed: None,
    way=lambda _observed: "",
    belongings=lambda names: (Delete(CONFIG_MAP, name_of(names)),),
    force=lambda _names: (),
    traces=(),
    until_well=True,
)
