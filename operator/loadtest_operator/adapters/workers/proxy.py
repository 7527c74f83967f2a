"""The delay proxy as a provider of faults: where its pod is, its control API, its times on the operator's clock.

The pod is asked for now and then, and at once when the proxy does not answer: a proxy that is gone is told from one that
is merely not heard.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from loadgen.model.proxy import PULSES_A_STATE, PathPulse, ProxyState
from loadgen.model.wire import WIRE_VERSION
from loadtest_operator.adapters.errors import AdapterError, OtherReleaseError, RetryableError
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.workers.control import Address, ControlClient
from loadtest_operator.core.common import times
from loadtest_operator.core.common.kinds import POD
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.faults import delay_proxy
from loadtest_operator.core.faults.provider import Order
from loadtest_operator.core.faults.view import PathRecord, Reading, View
from loadtest_operator.core.fleet.manifests import CONTROL_PORT
from loadtest_operator.core.fleet.pods import problem_of

WELL_SECONDS, STARTING_SECONDS = 5.0, 0.4
"""Between two readings of the pod: while it answers, and while it is expected."""
RECOVER_SECONDS = 0.3
"""It is told again at the next look."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an adapter reaches what makes a run's faults."""

    kube: KubeApi
    control: ControlClient
    known: Paced
    namespace: str
    names: Names
    token: str
    now: datetime


@dataclass(frozen=True, slots=True)
class _Seen:
    """The view, and what is needed to ask for the rest."""

    boot: str
    last: int
    offset: int
    round_trip: int
    """Of the poll that the offset is from, nanoseconds."""


@dataclass(frozen=True, slots=True)
class ProxyView(View):
    """With what the next look goes on from."""

    seen: _Seen | None = None


async def look(way: Way, before: View | None) -> View:
    """What it tells now; what it told before stays known when it does not answer."""
    old = before if isinstance(before, ProxyView) else ProxyView()
    seconds = WELL_SECONDS if old.ready else STARTING_SECONDS
    try:
        pod = await way.known.ask(_what(way), seconds, way.now, lambda: _pod(way))
        if not (lost := _lost(pod)):
            return await _told(way, old, pod)
        return replace(old, ready=False, lost=lost, trouble="")
    except OtherReleaseError as error:
        return replace(old, ready=False, lost=str(error), trouble="")
    except AdapterError as error:
        return await _not_told(way, old, str(error))


async def _not_told(way: Way, old: ProxyView, trouble: str) -> View:
    if not way.known.fresh(_what(way), way.now):
        way.known.forget(_what(way))
        try:
            lost = _lost(await way.known.ask(_what(way), 0, way.now, lambda: _pod(way)))
        except AdapterError:
            lost = ""
        if lost:
            return replace(old, ready=False, lost=lost, trouble="")
    return replace(old, ready=False, lost="", trouble=trouble)


async def inject(way: Way, fault: str, order: Order) -> None:
    """From now on, for the duration in the order; nothing where it has that fault already."""
    body = msgspec.json.encode(order)
    await _request(way, await _address(way), "PUT", f"/v1/faults/{quote(fault, safe='')}", body)


async def recover(way: Way, fault: str) -> None:
    """Nothing where the fault is gone, or the proxy is."""
    if not _lost(await _pod(way)):
        path = f"/v1/faults/{quote(fault, safe='')}"
        await _request(way, await _address(way), "DELETE", path, seconds=RECOVER_SECONDS)


async def _pod(way: Way) -> Mapping[str, Any] | None:
    return await way.kube.get(POD, way.namespace, delay_proxy.name_of(way.names))


def _what(way: Way) -> str:
    """Under which its pod is known."""
    return delay_proxy.name_of(way.names)


def _lost(pod: Mapping[str, Any] | None) -> str:
    """Why it will not answer any more."""
    if pod is None:
        return "its pod is gone"
    name = pod["metadata"]["name"]
    if "deletionTimestamp" in pod["metadata"]:
        return f"its pod {name} is being deleted"
    phase, problem = pod.get("status", {}).get("phase", ""), problem_of(pod)
    if problem is not None and problem.final:
        return problem.message
    return f"its pod {name} has ended" if phase in ("Failed", "Succeeded") else ""


async def _address(way: Way) -> Address:
    pod = await _pod(way)
    ip = (pod or {}).get("status", {}).get("podIP", "")
    if not ip:
        raise RetryableError("the delay proxy has no address")
    return Address(way.namespace, delay_proxy.name_of(way.names), ip, CONTROL_PORT)


async def _told(way: Way, old: ProxyView, pod: Mapping[str, Any] | None) -> View:
    ip, problem = (pod or {}).get("status", {}).get("podIP", ""), problem_of(pod or {})
    if problem is not None or not ip or not way.token:
        return replace(old, ready=False, lost="", trouble=problem.message if problem else "its pod is starting")
    address = Address(way.namespace, delay_proxy.name_of(way.names), ip, CONTROL_PORT)
    seen = await _poll(way, address, old)
    while len(seen[0].pulses) == PULSES_A_STATE:
        old = _view(way, old, *seen)
        seen = await _poll(way, address, old)
    return _view(way, old, *seen)


async def _poll(way: Way, address: Address, old: ProxyView) -> tuple[ProxyState, _Seen]:
    after = old.seen.last if old.seen else 0
    sent = time.time_ns()
    state = await _request(way, address, "GET", f"/v1/state?after={after}")
    received = time.time_ns()
    mine = _Seen(state.boot, state.last, state.now - (sent + received) // 2, received - sent)
    if old.seen and old.seen.boot == state.boot and old.seen.round_trip < mine.round_trip:
        mine = replace(old.seen, last=state.last)
    return state, mine


def _view(way: Way, old: ProxyView, state: ProxyState, seen: _Seen) -> ProxyView:
    """Of another process nothing is known of what the one before had measured."""
    same = old.seen is not None and old.seen.boot == state.boot
    if not same and old.seen is not None:
        return ProxyView(
            ready=True, answered=way.now, readings=_readings(state, seen.offset, way), path=_path(state, (), seen)
        )
    kept = old.path.pulses if old.path else ()
    return ProxyView(
        ready=True,
        answered=way.now,
        readings=_readings(state, seen.offset, way),
        path=_path(state, kept, seen),
        seen=seen,
    )


def _path(state: ProxyState, kept: tuple[PathPulse, ...], seen: _Seen) -> PathRecord:
    new = (msgspec.structs.replace(pulse, at=pulse.at - seen.offset) for pulse in state.pulses)
    return PathRecord(state.cores, (*kept, *new), state.at_rest)


def _readings(state: ProxyState, offset: int, way: Way) -> dict[str, Reading]:
    return {
        fault.name: Reading(
            since=times.from_nanoseconds(fault.injected_at - offset),
            gone=times.from_nanoseconds(fault.recovered_at - offset) if fault.recovered_at is not None else None,
            effects=fault.effects,
        )
        for fault in state.faults
        if fault.run == way.names.run
    }


async def _request(
    way: Way, address: Address, method: str, path: str, body: bytes | None = None, seconds: float = 0
) -> ProxyState:
    status, answer = await way.control.request(method, address, path, token=way.token, body=body, seconds=seconds)
    if status != 200:
        words = answer[:200].decode(errors="replace")
        raise RetryableError(f"{method} {path} of the delay proxy: {status} {words}")
    try:
        state = msgspec.json.decode(answer, type=ProxyState)
    except msgspec.MsgspecError as error:
        raise AdapterError(f"the delay proxy's answer is unreadable: {error}") from error
    if state.version != WIRE_VERSION:
        raise OtherReleaseError(
            f"it speaks wire version {state.version}, the operator {WIRE_VERSION}: use images of one release"
        )
    return state
