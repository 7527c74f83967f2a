"""How many replicas each metric asks for.

Integers are cut as the controller cuts them: a utilization of 77.9 % is 77 %, so 77/70 is within a tolerance of 10 %.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from loadtest_operator.core.scaling.shadow.orders import Flags, Orders, Steering
from loadtest_operator.core.scaling.shadow.sight import FAILED, PENDING, RUNNING, Pod, Sight, Usage

MOST: Final = 2**31 - 1


class NoValueError(Exception):
    """A metric from which nothing follows; says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a metric asks for."""

    replicas: int
    value: int
    """As the HPA's status shows it: percent, or thousandths a pod or in all."""
    ratio: float
    """Of the value to its target, as it decided."""
    held: bool = False
    """It asks for the current number: within tolerance, or pods without a value may make up for the rest."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """A pod's value and when it was measured."""

    value: int
    at: float = math.inf
    window: float = 0.0


@dataclass(frozen=True, slots=True)
class _Groups:
    """The pods by what their values are good for."""

    counted: tuple[str, ...]
    unready: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """A metric, asked at a moment."""

    steering: Steering
    orders: Orders
    sight: Sight
    now: float

    def within(self, ratio: float) -> bool:
        down, up = self.orders.tolerances
        return 1.0 - down <= ratio <= 1.0 + up


def propose(steering: Steering, orders: Orders, sight: Sight, now: float) -> Proposal:
    """What one metric asks for.

    Raises:
        NoValueError: it has no value, or none that counts.
    """
    return PROPOSALS[steering.key](_Question(steering, orders, sight, now))


def _utilization(asked: _Question) -> Proposal:
    groups, values = _grouped(asked, _resource_values(asked), asked.steering.name)
    requests = {pod.name: _request(asked.steering, pod) for pod in asked.sight.pods}
    return _of_pods(asked, values, groups, _Share(requests, asked.steering.target))


def _usage_per_pod(asked: _Question) -> Proposal:
    groups, values = _grouped(asked, _resource_values(asked), asked.steering.name)
    return _of_pods(asked, values, groups, _Average(asked.steering.target))


def _per_pod(asked: _Question) -> Proposal:
    served = asked.sight.served.get(asked.steering.name)
    if not isinstance(served, Mapping) or not served:
        raise NoValueError(f"no value of {asked.steering.name} for any pod")
    groups, values = _grouped(asked, {pod: _Measured(value) for pod, value in served.items()}, "")
    return _of_pods(asked, values, groups, _Average(asked.steering.target))


def _in_all(asked: _Question) -> Proposal:
    """Value: the ratio times the ready pods. Unready ones count for nothing, so the number may fall with them."""
    value = _sum(asked)
    ratio = value / asked.steering.target
    if not asked.sight.replicas:
        return Proposal(_ceil(ratio), value, ratio)
    if asked.within(ratio):
        return Proposal(asked.sight.replicas, value, ratio, held=True)
    if not asked.sight.pods:
        raise NoValueError("the workload has no pods")
    ready = sum(1 for pod in asked.sight.pods if pod.phase == RUNNING and pod.ready)
    return Proposal(_ceil(ratio * ready), value, ratio)


def _shared_out(asked: _Question) -> Proposal:
    """AverageValue: the value over its target, whatever the pods do."""
    value, counted = _sum(asked), asked.sight.counted
    shown = math.ceil(value / counted) if counted else value
    ratio = value / (asked.steering.target * counted) if counted else math.inf
    if asked.within(ratio):
        return Proposal(counted, shown, ratio, held=True)
    return Proposal(_ceil(value / asked.steering.target), shown, ratio)


PROPOSALS: Final[dict[tuple[str, str], Callable[[_Question], Proposal]]] = {
    ("Resource", "Utilization"): _utilization,
    ("Resource", "AverageValue"): _usage_per_pod,
    ("ContainerResource", "Utilization"): _utilization,
    ("ContainerResource", "AverageValue"): _usage_per_pod,
    ("Pods", "AverageValue"): _per_pod,
    ("Object", "Value"): _in_all,
    ("Object", "AverageValue"): _shared_out,
    ("External", "Value"): _in_all,
    ("External", "AverageValue"): _shared_out,
}
"""By type of the metric and of its target: all that the API allows."""


@dataclass(frozen=True, slots=True)
class _Share:
    """Values as a share of what the pods ask for, against percent."""

    requests: Mapping[str, int]
    target: int

    def of(self, values: Mapping[str, int]) -> tuple[int, float]:
        known = [pod for pod in values if pod in self.requests]
        asked = sum(self.requests[pod] for pod in known)
        if not asked:
            raise NoValueError("no value is one of the workload's pods")
        percent = _cut(sum(values[pod] for pod in known) * 100, asked)
        return percent, percent / self.target

    def full(self, pod: str) -> int:
        """What a pod without a value is taken to use, where that keeps replicas."""
        return _cut(self.requests[pod] * max(100, self.target), 100)


@dataclass(frozen=True, slots=True)
class _Average:
    """Values as an average of the pods."""

    target: int

    def of(self, values: Mapping[str, int]) -> tuple[int, float]:
        average = _cut(sum(values.values()), len(values))
        return average, average / self.target

    def full(self, _pod: str) -> int:
        return self.target


def _of_pods(asked: _Question, values: dict[str, int], groups: _Groups, measure: _Share | _Average) -> Proposal:
    """By the pods that count; the others only hold it back, never turn it round."""
    current = asked.sight.replicas
    shown, ratio = measure.of(values)
    unready = groups.unready if ratio > 1 else ()
    if not unready and not groups.missing:
        if asked.within(ratio):
            return Proposal(current, shown, ratio, held=True)
        return Proposal(_ceil(ratio * len(groups.counted)), shown, ratio)
    filled = {**values, **_without_value(groups.missing, ratio, measure), **dict.fromkeys(unready, 0)}
    _, again = measure.of(filled)
    wanted = _ceil(again * len(filled))
    turned = again > 1 if ratio < 1 else again < 1 < ratio
    against = wanted > current if again < 1 else wanted < current and again > 1
    if asked.within(again) or turned or against:
        return Proposal(current, shown, again, held=True)
    return Proposal(wanted, shown, again)


def _without_value(missing: tuple[str, ...], ratio: float, measure: _Share | _Average) -> dict[str, int]:
    if ratio == 1:
        return {}
    return {pod: measure.full(pod) if ratio < 1 else 0 for pod in missing}


def _grouped(asked: _Question, measured: Mapping[str, _Measured], resource: str) -> tuple[_Groups, dict[str, int]]:
    counted, unready, missing, ignored = [], [], [], []
    for pod in asked.sight.pods:
        if pod.deleting or pod.phase == FAILED:
            ignored.append(pod.name)
        elif pod.phase == PENDING:
            unready.append(pod.name)
        elif pod.name not in measured:
            missing.append(pod.name)
        elif resource == "cpu" and _not_yet(pod, measured[pod.name], asked.orders.flags, asked.now):
            unready.append(pod.name)
        else:
            counted.append(pod.name)
    left = {pod: found.value for pod, found in measured.items() if pod not in {*unready, *ignored}}
    if not asked.sight.pods or not left:
        raise NoValueError(f"no value of {asked.steering.name} for a pod that counts: they may be unready")
    return _Groups(tuple(counted), tuple(unready), tuple(missing)), left


def _not_yet(pod: Pod, measured: _Measured, flags: Flags, now: float) -> bool:
    """CPU of a pod that starts is not what it will use."""
    if pod.ready is None or pod.started is None or pod.since is None:
        return True
    if pod.started + flags.cpu_initialization > now:
        return not pod.ready or measured.at < pod.since + measured.window
    return not pod.ready and pod.started + flags.initial_readiness > pod.since


def _resource_values(asked: _Question) -> dict[str, _Measured]:
    if not asked.sight.usage:
        raise NoValueError(f"the resource metrics API has no value of {asked.steering.name}")
    found = {pod: _used(asked.steering, usage) for pod, usage in asked.sight.usage.items()}
    return {
        pod: _Measured(value, asked.sight.usage[pod].at, asked.sight.usage[pod].window)
        for pod, value in found.items()
        if value is not None
    }


def _used(steering: Steering, usage: Usage) -> int | None:
    """Of one container, or of all: nothing as soon as one of them has no value."""
    wanted = [steering.container] if steering.container else list(usage.containers)
    found = [usage.containers.get(name, {}).get(steering.name) for name in wanted]
    known = [value for value in found if value is not None]
    return sum(known) if found and len(known) == len(found) else None


def _request(steering: Steering, pod: Pod) -> int:
    wanted = [steering.container] if steering.container else list(pod.requests)
    found = [pod.requests.get(name, {}).get(steering.name) for name in wanted]
    if None in found:
        raise NoValueError(f"pod {pod.name} requests no {steering.name} in each of its containers")
    return sum(value for value in found if value is not None)


def _sum(asked: _Question) -> int:
    served = asked.sight.served.get(asked.steering.name)
    if not isinstance(served, int):
        raise NoValueError(f"no value of {asked.steering.name}")
    return served


def _ceil(number: float) -> int:
    return min(math.ceil(number), MOST)


def _cut(number: int, by: int) -> int:
    """Towards zero, as Go divides."""
    return int(math.copysign(abs(number) // by, number)) if number < 0 else number // by
