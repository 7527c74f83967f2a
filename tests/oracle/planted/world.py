"""Load, an autoscaler, a workload and its pods, second by second. Times are seconds since the load's start."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from loadtest_operator.core.common import times
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.autoscaler import autoscaler_of
from loadtest_operator.core.scaling.shadow import controller
from loadtest_operator.core.scaling.shadow.controller import Why
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Flags, orders_of
from loadtest_operator.core.scaling.shadow.sight import PENDING, RUNNING, Sight, Usage
from loadtest_operator.core.scaling.shadow.sight import Pod as SeenPod
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from loadtest_operator.core.scaling.timeline import Timeline
from unit.operator.film import at

Object = dict[str, Any]
BEGIN, STEP = -45, 10
EACH = 10
"""Requests per second for which one pod is right."""
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
RATE = {
    "type": "External",
    "external": {"metric": {"name": "rate"}, "target": {"type": "AverageValue", "averageValue": str(EACH)}},
}


@dataclass
class Pod:
    """What is to become of it is known when it is made."""

    name: str
    created: float
    scheduled: float
    ready: float
    waiting_for: str = ""
    unready: tuple[float, float] = (math.inf, math.inf)

    def is_ready(self, second: float) -> bool:
        return self.ready <= second and not self.unready[0] <= second < self.unready[1]

    def ready_since(self, second: float) -> float:
        return self.unready[1] if self.unready[1] <= second else self.ready

    def seen(self, second: float) -> TargetPod:
        """With the API's times, which are whole seconds."""
        scheduled = self.scheduled <= second
        return TargetPod(
            self.name,
            created=_whole(self.created),
            scheduled=_whole(self.scheduled) if scheduled else None,
            ready=_whole(self.ready_since(second)) if self.is_ready(second) else None,
            waiting_for="" if scheduled else self.waiting_for,
        )


@dataclass
class World:
    """One draw. What a plant changes is a field or a hook."""

    rng: Random
    spec: Object
    """Of the HPA."""
    rates: list[tuple[float, float]]
    """From when on how many requests per second."""
    replicas: int
    name: str = "web"
    start_seconds: float = 4.0
    """From having a node to being ready."""
    metric_known: Callable[[float], bool] = lambda _: True
    metric_of: Callable[[float], float] | None = None
    """What the metric shows instead of the load."""
    new_pod: Callable[[Pod], Pod] = lambda pod: pod
    every_second: Callable[["World", float], None] = lambda _world, _second: None
    rolling: Callable[[float], bool] = lambda _: False
    writer: str = ""
    gone: Callable[[float], bool] = lambda _: False
    """Whether the autoscaler is not there."""
    pods: list[Pod] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    status: Object = field(default_factory=dict)
    syncs_at: float = 0.0
    made: int = 0

    def __post_init__(self) -> None:
        self.syncs_at = BEGIN + self.rng.uniform(0, 15)
        for _ in range(self.replicas):
            self._make(-600.0)

    def rate(self, second: float) -> float:
        return next((rate for begin, rate in reversed(self.rates) if begin <= second), 0.0)

    def film(self, until: float) -> Timeline:
        """A look a second."""
        seen, look = Timeline(), BEGIN + self.rng.random()
        while look <= until:
            self.move(look)
            seen = timeline.extended(seen, self.view(look), at(look))
            look += 1.0
        return timeline.loaded(timeline.stored(seen))

    def move(self, second: float) -> None:
        """What happens up to this second."""
        self.every_second(self, second)
        if self.syncs_at <= second:
            if not self.gone(second):
                self.sync(self.syncs_at)
            self.syncs_at += 15.0
        self._follow(second)

    def scale(self, count: int) -> None:
        """By another hand."""
        self.replicas = count

    def _follow(self, second: float) -> None:
        del self.pods[self.replicas :]
        while len(self.pods) < self.replicas:
            self._make(second)

    def _make(self, second: float) -> None:
        scheduled = second + self.rng.uniform(0.1, 0.8)
        pod = Pod(f"web-{self.made}", second, scheduled, scheduled + self.start_seconds)
        self.made += 1
        self.pods.append(self.new_pod(pod) if second > BEGIN else pod)

    def sync(self, now: float) -> None:
        orders = orders_of(self.spec, Flags())
        before = self.replicas
        self.memory, found = controller.sync(orders, self.memory, self._sight(now), now)
        if found.steps and found.why is not Why.DISABLED:
            self.memory = controller.after(orders, self.memory, before, found.desired, now)
            self.replicas = found.desired
        if self.replicas != before:
            self.writer = ""
            self.status["lastScaleTime"] = times.text(_whole(now))
        blind = found.why in (Why.INVALID, Why.DISABLED)
        self.status |= {
            "desiredReplicas": found.desired,
            "currentMetrics": [] if blind else [self._current(found)],
            "conditions": [_able(found), _active(found)],
        }

    def _current(self, found: controller.Decision) -> Object:
        proposal = found.proposals[0] if found.proposals else None
        if proposal is None:
            return next(iter(self.status.get("currentMetrics") or ()), {})
        if "resource" in self.spec["metrics"][0]:
            return {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": proposal.value}}}
        shown = {"metric": {"name": "rate"}, "current": {"averageValue": f"{proposal.value}m"}}
        return {"type": "External", "external": shown}

    def _sight(self, now: float) -> Sight:
        shown = self.metric_of(now) if self.metric_of else self.rate(now)
        ready = [pod for pod in self.pods if pod.is_ready(now)]
        used = {
            pod.name: self._usage(now, shown * 60 / max(1, len(ready)), idle=pod not in ready)
            for pod in self.pods
            if pod.scheduled + 1 <= now
        }
        known = self.metric_known(now)
        return Sight(
            replicas=self.replicas,
            counted=len(self.pods),
            pods=tuple(_sight_of(pod, now) for pod in self.pods),
            usage=used if known else None,
            served={"rate": int(shown * 1000) if known else None},
        )

    def _usage(self, now: float, milli: float, *, idle: bool) -> Usage:
        return Usage(now, 0.0, {"main": {"cpu": 1 if idle else int(milli)}})

    def hpa(self) -> Object:
        return {"metadata": {"name": self.name}, "spec": self.spec, "status": self.status}

    def view(self, second: float) -> TargetView:
        return TargetView(
            url="http://web",
            workload="Deployment/web",
            desired=self.replicas,
            pods=tuple(pod.seen(second) for pod in self.pods),
            endpoints=tuple(
                Endpoint(f"10.0.0.{place}", 80, pod.name) for place, pod in enumerate(self.pods) if pod.is_ready(second)
            ),
            autoscaler=None if self.gone(second) else autoscaler_of(self.hpa()),
            rollout=self.rolling(second),
            writer=self.writer,
        )


def _able(found: controller.Decision) -> Object:
    stabilized = "ScaleDownStabilized" if found.desired >= (found.wanted or 0) else "ScaleUpStabilized"
    reason = stabilized if found.why is Why.STABILIZED else "ReadyForNewScale"
    return {"type": "AbleToScale", "status": "True", "reason": reason, "message": ""}


def _active(found: controller.Decision) -> Object:
    said = {
        Why.INVALID: ("False", "FailedGetExternalMetric", found.invalid),
        Why.DISABLED: ("False", "ScalingDisabled", "the replica count of the target is zero"),
    }
    status, reason, message = said.get(found.why, ("True", "ValidMetricFound", ""))
    return {"type": "ScalingActive", "status": status, "reason": reason, "message": message}


def _sight_of(pod: Pod, now: float) -> SeenPod:
    placed = pod.scheduled <= now
    ready = pod.is_ready(now)
    since = pod.ready_since(now) if ready else pod.unready[0] if pod.unready[0] <= now else pod.scheduled
    return SeenPod(
        pod.name,
        RUNNING if placed else PENDING,
        started=pod.scheduled if placed else None,
        ready=ready,
        since=since,
        requests={"main": {"cpu": 1000}},
    )


def _whole(second: float) -> Any:
    return at(math.floor(second))
