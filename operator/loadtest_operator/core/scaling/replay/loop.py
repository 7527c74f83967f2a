"""Load, replicas, metric and autoscaler in a closed loop, second by second.

What is offered waits until a ready replica has room; what is answered moves the metric, late and averaged as in the run;
the shadow syncs on it; new pods are ready after the measured cold start, the newest go first. Requests that have waited as
long as the generator is patient are given up.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from loadtest_operator.core.scaling.replay.course import Course
from loadtest_operator.core.scaling.replay.fit import Measured, Response, averaged, each, of_pods
from loadtest_operator.core.scaling.shadow import controller
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Orders, Steering
from loadtest_operator.core.scaling.shadow.sight import Pod, Sight, Usage

REQUEST: Final = 1_000_000
"""Thousandths that each simulated pod asks for: fine enough for a percent."""
LONG_AGO: Final = -100_000.0


@dataclass(frozen=True, slots=True)
class Played:
    """One value a second."""

    replicas: tuple[int, ...]
    ready: tuple[int, ...]
    waiting: tuple[float, ...]
    """Requests that no replica had room for."""
    given_up: float
    """Requests that waited longer than the generator's patience."""


@dataclass(slots=True)
class _Pod:
    name: str
    created: float
    ready: float


@dataclass(slots=True)
class _World:
    """What goes on."""

    course: Course
    measured: Measured
    orders: Orders
    cold_start: float
    pods: list[_Pod]
    memory: Memory = field(default_factory=Memory)
    queue: deque[tuple[int, float]] = field(default_factory=deque)
    """Since when how many wait."""
    waiting: float = 0.0
    given_up: float = 0.0
    answered: list[float] = field(default_factory=lambda: [0.0])
    answered_each: list[float] = field(default_factory=lambda: [0.0])
    """Running sums, of all replicas and of one that is ready."""
    born: int = 0


def play(course: Course, measured: Measured, orders: Orders, cold_start: float) -> Played:
    """From the run's beginning to its end, with these orders."""
    first = max(course.replicas[0], course.ready[0])
    pods = [_Pod(f"old-{number}", LONG_AGO, LONG_AGO) for number in range(first)]
    world = _World(course, measured, orders, cold_start, pods)
    replicas, ready, waiting = [], [], []
    syncs = set(_syncs(course, orders.flags.sync))
    for at in range(len(course.offered)):
        now = float(course.begin + at)
        serving = sum(1 for pod in world.pods if pod.ready <= now)
        _answer(world, at, serving)
        if at in syncs:
            _sync(world, at, now)
        replicas.append(len(world.pods))
        ready.append(serving)
        waiting.append(world.waiting)
    return Played(tuple(replicas), tuple(ready), tuple(waiting), world.given_up)


def _syncs(course: Course, every: float) -> Iterator[int]:
    """At the beat of the run's own decisions, as places; from the beginning where it made none."""
    beat = (course.decided[0] - course.begin) % every if course.decided else 0.0
    while beat < len(course.offered):
        yield int(beat)
        beat += every


def _answer(world: _World, at: int, serving: int) -> None:
    """The first that came is the first to be answered; who has waited too long is gone."""
    queue = world.queue
    queue.append((at, world.course.offered[at]))
    while queue[0][0] < at - world.course.patience:
        world.given_up += queue.popleft()[1]
    left = serving * world.measured.capacity if world.measured.short else math.inf if serving else 0.0
    done = 0.0
    while queue and left > 0:
        since, count = queue.popleft()
        taken = min(count, left)
        done, left = done + taken, left - taken
        if taken < count:
            queue.appendleft((since, count - taken))
    world.waiting = sum(count for _, count in queue)
    world.answered.append(world.answered[-1] + done)
    world.answered_each.append(world.answered_each[-1] + each(done, serving))


def _sync(world: _World, at: int, now: float) -> None:
    count = len(world.pods)
    sight = Sight(count, count, tuple(_seen(pod, now, world.orders) for pod in world.pods))
    for response in world.measured.responses:
        sight = _served(world, sight, response, at, now)
    world.memory, decision = controller.sync(world.orders, world.memory, sight, now)
    if not decision.steps:
        return
    world.memory = controller.after(world.orders, world.memory, count, decision.desired, now)
    _scale(world, decision.desired, now)


def _scale(world: _World, wanted: int, now: float) -> None:
    """Those that are not ready go first, then the newest, as a ReplicaSet picks them."""
    while len(world.pods) < wanted:
        world.born += 1
        world.pods.append(_Pod(f"new-{world.born}", now, now + world.cold_start))
    if len(world.pods) > wanted:
        kept = sorted(world.pods, key=lambda pod: (pod.ready > now, pod.created))
        world.pods = kept[:wanted]


def _seen(pod: _Pod, now: float, orders: Orders) -> Pod:
    requests = {"main": {steering.name: REQUEST for steering in orders.metrics}}
    since = pod.ready if pod.ready <= now else pod.created
    return Pod(pod.name, started=pod.created, ready=pod.ready <= now, since=since, requests=requests)


def _served(world: _World, sight: Sight, response: Response, at: int, now: float) -> Sight:
    """What the metrics API would say."""
    ready = [pod.name for pod in sight.pods if pod.ready]
    sums = world.answered_each if of_pods(response.steering) else world.answered
    rate = averaged(sums, response.beat.held(at), response.window, response.late)
    return _with(sight, response.steering, ready, response.per_request * rate + response.idle, now)


def _with(sight: Sight, steering: Steering, ready: list[str], value: float, now: float) -> Sight:
    if steering.kind == "Pods":
        return _adding(sight, served={**sight.served, steering.name: {pod: round(value * 1000) for pod in ready}})
    if not of_pods(steering):
        return _adding(sight, served={**sight.served, steering.name: round(value * 1000)})
    used = round(value / 100 * REQUEST if steering.to == "Utilization" else value * 1000)
    usage = {pod: Usage(now, 0.0, {"main": {**_used(sight, pod), steering.name: used}}) for pod in ready}
    return _adding(sight, usage=usage)


def _adding(sight: Sight, **changes: Any) -> Sight:
    return Sight(
        sight.replicas,
        sight.counted,
        sight.pods,
        changes.get("usage", sight.usage),
        changes.get("served", sight.served),
    )


def _used(sight: Sight, pod: str) -> dict[str, int]:
    found = (sight.usage or {}).get(pod)
    return dict(found.containers["main"]) if found else {}
