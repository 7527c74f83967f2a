"""A recording played through the shadow: sync by sync, what the controller decided and what the shadow decides. Pure.

The shadow is shown the same scale, pods and values as the controller saw, never its own. When the controller synced is
known exactly where it asked our metrics API; where it did not, each change of the HPA's status was one, and between two
of those it synced every `sync` seconds.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from loadtest_operator.core.scaling.shadow import controller
from loadtest_operator.core.scaling.shadow.controller import Decision
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Flags, Orders, milli, orders_of
from loadtest_operator.core.scaling.shadow.sight import Pod, Served, Sight, Usage

Object = dict[str, Any]
FOLDER = Path(__file__).parent / "hpa"


@dataclass(frozen=True, eq=False)
class Recording:
    """One file."""

    name: str
    kubernetes: str
    orders: Orders
    requests: dict[str, dict[str, int]]
    looks: tuple[Object, ...]

    @cached_property
    def states(self) -> list[Object]:
        """After each look: what was last seen of everything."""
        states: list[Object] = [{}]
        for look in self.looks:
            states.append(states[-1] | {kind: value for kind, value in look.items() if kind != "served"})
        return states[1:]

    def state(self, at: float) -> Object:
        return self.states[max(0, bisect_right(self.looks, at, key=lambda look: float(look["at"])) - 1)]

    @property
    def asks_us(self) -> bool:
        """Whether each decision by metrics is seen, because our metrics API was asked for one."""
        return any("served" in look for look in self.looks)


@dataclass(frozen=True)
class Sync:
    """What both decided at one sync."""

    at: float
    sight: Sight
    real: int
    decision: Decision
    status: Object = field(default_factory=dict)
    """The HPA's, afterwards."""


@dataclass(frozen=True)
class Agreement:
    """How often."""

    syncs: int
    exact: int
    near: int
    """Within one replica of what the controller decided at this sync or at one of its neighbours."""
    moved: int
    """Syncs at which the controller wanted another number than there was: where agreeing is no matter of course."""
    moved_alike: int


@cache
def load(name: str) -> Recording:
    return recording_of(json.loads((FOLDER / f"{name}.json").read_text()))


def recording_of(found: Object) -> Recording:
    requests = {
        container: {resource: milli(value) for resource, value in wanted.items()}
        for container, wanted in found["requests"].items()
    }
    orders = orders_of(found["spec"], Flags(**found["flags"]))
    return Recording(found["scenario"], found["kubernetes"], orders, requests, tuple(found["looks"]))


@cache
def played(recording: Recording) -> list[Sync]:
    """Every sync of the recording."""
    moments = _moments(recording)
    memory, syncs = Memory(), []
    for at, until in pairwise([*moments, moments[-1] + recording.orders.flags.sync]):
        sight = _sight(recording, at)
        memory, decision = controller.sync(recording.orders, memory, sight, at)
        status = recording.state((at + until) / 2)["hpa"]
        if decision.steps:
            memory = controller.after(recording.orders, memory, sight.replicas, status["desired"], at)
        syncs.append(Sync(at, sight, status["desired"], decision, status))
    return syncs


def agreement(syncs: list[Sync]) -> Agreement:
    exact = sum(1 for sync in syncs if sync.decision.desired == sync.real)
    near = sum(1 for place in range(len(syncs)) if _near(syncs, place))
    moved = [sync for sync in syncs if sync.real != sync.sight.replicas]
    return Agreement(
        len(syncs), exact, near, len(moved), sum(1 for sync in moved if sync.decision.desired == sync.real)
    )


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def total(found: Iterable[Agreement]) -> Agreement:
    return Agreement(*map(sum, zip(*map(astuple, found), strict=True)))


def _near(syncs: list[Sync], place: int) -> bool:
    mine = syncs[place].decision.desired
    around = [sync.real for sync in syncs[max(0, place - 1) : place + 2]]
    return any(abs(mine - real) <= 1 for real in around)


def _moments(recording: Recording) -> list[float]:
    """When it synced."""
    sync = recording.orders.flags.sync
    known = _apart(sorted(_known(recording)), sync / 2)
    if not known:
        raise ValueError(f"recording {recording.name}: nothing tells when the controller decided")
    moments = []
    for one, other in pairwise([*known, recording.looks[-1]["at"]]):
        steps = 1 if recording.asks_us else max(1, round((other - one) / sync))
        moments += [one + (other - one) * step / steps for step in range(steps)]
    return moments


def _known(recording: Recording) -> Iterator[float]:
    before, scaled = False, (0.0, 0)
    for look in recording.looks:
        at = look["at"]
        if "scale" in look and look["scale"][0] != scaled[1]:
            scaled = at, look["scale"][0]
        if "served" in look:
            yield at
        elif "hpa" in look:
            # With our metrics API only a decision without metrics is not seen there.
            if before and not (recording.asks_us and look["hpa"]["metrics"]):
                yield _moved(at, scaled, look["hpa"])
            before = True


def _moved(at: float, scaled: tuple[float, int], hpa: Object) -> float:
    """It moves the scale a moment before it says so."""
    return scaled[0] if at - scaled[0] < 1 and scaled[1] == hpa["desired"] else at


def _apart(times: list[float], least: float) -> list[float]:
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] > least:
            kept.append(time)
    return kept


def _sight(recording: Recording, at: float) -> Sight:
    """What it saw: of the cluster what held just before, of our metrics API what it was answered then."""
    state = recording.state(at - 0.01)
    replicas, counted = state["scale"]
    usage = state.get("usage")
    return Sight(
        replicas=replicas,
        counted=counted,
        pods=tuple(_pod(name, found, recording.requests) for name, found in state["pods"].items()),
        usage={name: _usage(found) for name, found in usage.items()} if usage else None,
        served=_served(recording, at),
    )


def _served(recording: Recording, at: float) -> dict[str, Served]:
    found: dict[str, Served] = {}
    for look in recording.looks:
        if at - 0.01 <= look["at"] <= at + 1:
            found |= {metric: _value(value) for metric, value in look.get("served", {}).items()}
    return found


def _value(value: Any) -> Served:
    if isinstance(value, dict):
        return {pod: milli(found) for pod, found in value.items()}
    return milli(value) if value else None


def _pod(name: str, found: list[Any], requests: dict[str, dict[str, int]]) -> Pod:
    phase, deleting, started, ready = found
    status, since = ready or (None, None)
    return Pod(name, phase, deleting, started, None if status is None else status == "True", since, requests)


def _usage(found: list[Any]) -> Usage:
    at, window, containers = found
    values = {
        container: {resource: milli(value) for resource, value in used.items()}
        for container, used in containers.items()
    }
    return Usage(at, window, values)
