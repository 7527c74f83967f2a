"""Reasons to fail, one a draw, beside noise that explains nothing."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from builders import a_stage, a_valid_spec
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.outcome import Cause
from oracle.planted.world import BEGIN, CPU, EACH, RATE, STEP, Pod, World


@dataclass
class Draw:
    """A world, what is asked of it, and why it will not be met."""

    world: World
    kind: str
    goal: int
    within: int
    peak: int
    """Seconds of it."""
    cause: Cause
    idle: int = 400

    @property
    def begin(self) -> int:
        """Of the stage in question."""
        return STEP + self.peak if self.kind == "scaleDown" else STEP

    @property
    def deadline(self) -> int:
        return self.begin + self.within

    @property
    def spec(self) -> LoadTestSpec:
        rates = {name: max(1, round(self.world.rate(second))) for name, second in self._stages.items()}
        lengths = {"base": STEP, "peak": self.peak, "idle": self.idle}
        stages = [a_stage(name, arrivalRate=rates[name], durationSeconds=lengths[name]) for name in rates]
        asked = {
            "scaleUp": {"toAtLeast": self.goal, "withinSeconds": self.within, "fromStage": "peak"},
            "scaleDown": {"toAtMost": self.goal, "withinSeconds": self.within, "fromStage": "idle"},
            "reactionTime": {"maxSeconds": self.within},
        }
        expectation = {"name": "it", self.kind: asked[self.kind]}
        return a_valid_spec(*stages, scaling={"expectations": [expectation]}, activeDeadlineSeconds=80000)

    @property
    def _stages(self) -> dict[str, int]:
        return {"base": 0, "peak": STEP, "idle": STEP + self.peak}


UPS: Final = ("scaleUp", "reactionTime")
ANY: Final = (*UPS, "scaleDown")


def usual(rng: Random, kind: str, *, low: int = 1, high: int = 0, cpu: bool | None = None) -> Draw:
    """It grows from `low` to `high` pods with the peak, and goes back within a minute: nothing is wrong."""
    high = high or low + rng.randint(1, 3)
    within, peak = rng.randint(40, 60), rng.randint(110, 140)
    metric = (CPU if rng.random() < 0.5 else RATE) if cpu is None else CPU if cpu else RATE
    spec = {
        "minReplicas": low,
        "maxReplicas": high + rng.randint(1, 4),
        "metrics": [copy.deepcopy(metric)],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": rng.choice([0, 15])}},
    }
    rates = [(-1e9, low * EACH * 0.8), (STEP, high * EACH * 0.97), (STEP + peak, low * EACH * 0.6)]
    world = World(rng, spec, rates, low, start_seconds=rng.uniform(1, 6))
    return Draw(world, kind, low if kind == "scaleDown" else high, within, peak, Cause.UNKNOWN)


def disabled(rng: Random, kind: str) -> Draw:
    """selectPolicy Disabled, or a workload at 0 replicas."""
    draw = usual(rng, kind)
    way = "scaleDown" if kind == "scaleDown" else "scaleUp"
    if kind == "scaleDown" or rng.random() < 0.6:
        draw.world.spec["behavior"].setdefault(way, {})["selectPolicy"] = "Disabled"
        return draw
    since = rng.uniform(-30, STEP - 1)
    draw.world.every_second = lambda world, second: world.scale(0) if since <= second else None
    return draw


def without_metric(rng: Random, kind: str) -> Draw:
    """No value from before the load moved until after the deadline."""
    draw = usual(rng, kind)
    moment = draw.begin - rng.uniform(0, 10)
    gone = moment if kind == "scaleDown" else rng.choice([BEGIN, moment])
    back = draw.deadline + rng.choice([1e9, rng.uniform(0, 100)])
    draw.world.metric_known = lambda now: not gone <= now < back
    return draw


def limited(rng: Random, kind: str) -> Draw:
    """Its maximum is below the goal, or its minimum above."""
    draw = usual(rng, kind)
    spec = draw.world.spec
    if kind == "scaleDown":
        spec["minReplicas"] = draw.goal + 1
        spec["maxReplicas"] += 1
        draw.world.replicas = max(draw.world.replicas, draw.goal + 1)
    elif kind == "scaleUp":
        spec["maxReplicas"] = draw.goal - 1
        spec["minReplicas"] = min(spec["minReplicas"], draw.goal - 1)
        if spec["maxReplicas"] == 1:
            return limited(rng, kind)
    else:
        spec["maxReplicas"] = draw.world.replicas = spec["minReplicas"] + 1
        draw.world.rates[0] = (-1e9, spec["maxReplicas"] * EACH * 0.97)
        draw.world.rates[1] = (STEP, spec["maxReplicas"] * EACH * 1.5)
    return draw


def owned(rng: Random, kind: str) -> Draw:
    """A script applies its own number every few seconds."""
    draw = usual(rng, kind)
    every, since, offset = rng.uniform(2, 6), rng.uniform(-40, 5), rng.random()
    fixed = draw.goal + rng.randint(1, 2) if kind == "scaleDown" else draw.world.replicas
    last = [-math.inf]

    def apply(world: World, second: float) -> None:
        if second < since or second - last[0] < every + offset:
            return
        last[0] = second
        if world.replicas != fixed:
            world.scale(fixed)
            world.writer = "argocd"

    draw.world.every_second = apply
    return draw


def rolled_out(rng: Random, kind: str) -> Draw:
    """New pods wait until it is over."""
    draw = usual(rng, kind)
    begin, end = rng.uniform(-20, STEP + 5), draw.deadline + rng.uniform(20, 150)
    draw.world.rolling = lambda second: begin <= second < end
    draw.world.new_pod = lambda pod: replace(pod, ready=max(pod.ready, end - rng.uniform(0, 5)))
    return draw


def tolerated(rng: Random, kind: str) -> Draw:
    """The load moves by less than the tolerance."""
    low = rng.randint(1, 4) + (kind == "scaleDown")
    draw = usual(rng, kind, low=low, high=low + 1)
    world = draw.world
    if kind == "scaleDown":
        world.rates = [
            (-1e9, low * EACH * 0.97),
            (STEP, low * EACH * 1.02),
            (STEP + draw.peak, low * EACH * rng.uniform(0.92, 0.97)),
        ]
        world.spec["minReplicas"] = draw.goal = low - 1
    else:
        world.rates[0] = (-1e9, low * EACH * 0.94)
        world.rates[1] = (STEP, low * EACH * rng.uniform(1.01, 1.08))
        draw.goal = low + 1
    return draw


def stabilized(rng: Random, kind: str) -> Draw:
    """A window longer than the time."""
    draw = usual(rng, kind)
    way = "scaleDown" if kind == "scaleDown" else "scaleUp"
    draw.world.spec["behavior"].setdefault(way, {})["stabilizationWindowSeconds"] = draw.within + rng.randint(20, 240)
    return draw


def held_by_unready(rng: Random, kind: str) -> Draw:
    """Half of the pods, or more, are never ready, and use no CPU that counts."""
    low = 2
    draw = usual(rng, kind, low=low, high=low + 1, cpu=True)
    draw.world.rates[0] = (-1e9, EACH * 0.9)
    draw.world.rates[1] = (STEP, EACH * rng.uniform(1.3, 2.0))
    broken = draw.world.pods[rng.randrange(low)]
    broken.created, broken.scheduled, broken.ready = -100, -99, math.inf
    draw.goal = low + 1
    return draw


def without_node(rng: Random, kind: str) -> Draw:
    """New pods find none in time, or never."""
    draw = usual(rng, kind)
    wait = rng.choice([math.inf, draw.within + rng.uniform(10, 100)])
    said = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."

    def placed(pod: Pod) -> Pod:
        moment = pod.created + wait
        return replace(pod, scheduled=moment, ready=moment + 3, waiting_for=said)

    draw.world.new_pod = placed
    return draw


def slow(rng: Random, kind: str) -> Draw:
    """New pods have a node at once, and are ready too late, or never."""
    draw = usual(rng, kind)
    took = rng.choice([math.inf, draw.within + rng.uniform(5, 150)])
    draw.world.new_pod = lambda pod: replace(pod, ready=pod.scheduled + took)
    return draw


def by_policy(rng: Random, kind: str) -> Draw:
    """A policy lets it make one step a few minutes: not among the causes."""
    draw = usual(rng, kind, high=4, cpu=False)
    way = "scaleDown" if kind == "scaleDown" else "scaleUp"
    slow_policy = {"type": "Pods", "value": 1, "periodSeconds": rng.randint(90, 300)}
    draw.world.spec["behavior"].setdefault(way, {})["policies"] = [slow_policy]
    return draw


def beyond_the_load(rng: Random, kind: str) -> Draw:
    """The goal is more than this load asks for, or less."""
    draw = usual(rng, kind)
    if kind == "scaleDown":
        draw.world.rates[2] = (STEP + draw.peak, (draw.goal + 1) * EACH * 0.97)
        draw.world.rates[1] = (STEP, (draw.goal + 3) * EACH * 0.97)
        draw.world.spec["maxReplicas"] = draw.goal + 5
    else:
        draw.goal += 1
    return draw


def too_short(rng: Random, kind: str) -> Draw:
    """The time is over before the autoscaler has looked once."""
    draw = usual(rng, kind)
    draw.within = rng.randint(5, 11)
    draw.world.spec["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    draw.world.syncs_at = BEGIN + (draw.deadline - BEGIN + rng.uniform(0.5, 3)) % 15
    return draw


def replaced(rng: Random, kind: str) -> Draw:
    """Another autoscaler takes its place while it has to act, and has to get to know the load first; or none does."""
    draw = usual(rng, kind)
    begin = draw.begin + rng.uniform(-5, 5)
    end = begin + rng.choice([rng.uniform(0, 20), 1e9])
    draw.world.gone = lambda second: begin <= second < end

    def rename(world: World, second: float) -> None:
        if second >= end and world.name == "web":
            world.name, world.status = rng.choice(["web-2", "keda-hpa-web"]), {}
            world.spec = copy.deepcopy(world.spec)
            way = "scaleDown" if kind == "scaleDown" else "scaleUp"
            world.spec["behavior"].setdefault(way, {})["policies"] = [
                {"type": "Pods", "value": 1, "periodSeconds": 200}
            ]

    draw.world.every_second = rename
    return draw


PLANTS: Final[dict[Callable[[Random, str], Draw], tuple[Cause, tuple[str, ...]]]] = {
    disabled: (Cause.SCALING_DISABLED, ANY),
    without_metric: (Cause.METRIC_UNAVAILABLE, ANY),
    limited: (Cause.REPLICA_LIMIT, ANY),
    owned: (Cause.REPLICAS_OWNED_ELSEWHERE, ANY),
    rolled_out: (Cause.ROLLOUT_IN_PROGRESS, UPS),
    tolerated: (Cause.WITHIN_TOLERANCE, ANY),
    stabilized: (Cause.STABILIZED, ANY),
    held_by_unready: (Cause.BLOCKED_BY_UNREADY, UPS),
    without_node: (Cause.UNSCHEDULABLE, UPS),
    slow: (Cause.SLOW_START, UPS),
    by_policy: (Cause.UNKNOWN, ("scaleUp", "scaleDown")),
    beyond_the_load: (Cause.UNKNOWN, ("scaleUp", "scaleDown")),
    too_short: (Cause.UNKNOWN, ANY),
    replaced: (Cause.UNKNOWN, ANY),
}
"""Which cause it is, and whose it can be."""


def a_draw(seed: int) -> tuple[str, Draw]:
    """A plant, an expectation, and now and then noise that explains nothing."""
    rng = Random(seed)
    plant = rng.choice(list(PLANTS))
    cause, kinds = PLANTS[plant]
    draw = plant(rng, rng.choice(kinds))
    draw.cause = cause
    for noise in NOISES:
        if plant is not too_short and rng.random() < 0.2:
            noise(rng, draw)
    return plant.__name__, draw


def blink(rng: Random, draw: Draw) -> None:
    """The metric has no value at one sync."""
    known, begin = draw.world.metric_known, rng.uniform(BEGIN, draw.deadline)
    draw.world.metric_known = lambda now: known(now) and not begin <= now < begin + 15


def quick_rollout(rng: Random, draw: Draw) -> None:
    """Over in a few seconds."""
    rolling, begin, length = draw.world.rolling, rng.uniform(BEGIN, draw.deadline), rng.uniform(1, 9)
    draw.world.rolling = lambda second: rolling(second) or begin <= second < begin + length


def unready_moment(rng: Random, draw: Draw) -> None:
    """A pod that is not ready for a few seconds."""
    begin = rng.uniform(STEP, draw.deadline)
    draw.world.pods[0].unready = begin, begin + rng.uniform(1, 6)


NOISES: Final = (blink, quick_rollout, unready_moment)
