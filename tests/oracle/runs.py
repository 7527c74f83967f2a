"""Whole runs in virtual time, through every decision of the operator; a naive judge knows each request and each pod.

Workers' clocks differ, the operator is away now and then, a worker may be lost. `of_requests` are runs of open and closed stages
in any weather, `of_an_autoscaler` runs of a target that is scaled, with or without a reason to fail.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from loadgen.core.stats.histogram import sparse_of
from loadgen.core.stats.tally import Tally as Counts
from loadgen.model.plan import Plan
from loadgen.model.wire import Delta, Pulse, WorkerPhase
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import times
from loadtest_operator.core.observed import Observed
from oracle import naive, play
from oracle.comparison import Tally
from oracle.planted import plants
from oracle.planted.plants import Draw
from oracle.records import CHAT, FAILURES, PAGE, Attempt, Played, Weather, attempts
from unit.operator.film import START
from unit.operator.world import NOON, Worker, World

MOST_LOOKS = 3000
CLOSE = 4.0
"""Seconds around a deadline in which looks cannot tell what came first."""


@dataclass
class Run(World):
    """A world in which each worker tells what its requests became."""

    rng: Random = field(default_factory=Random)
    played: Played | None = None
    cluster: Draw | None = None
    disturbed: bool = False
    """Somebody was away, or a worker was lost."""
    course: list[tuple[float, int, int, int]] = field(default_factory=list)
    """Of the cluster: second, pods that serve, replicas, what the autoscaler wants."""
    _told: dict[int, int] = field(default_factory=dict)
    _kept: Counts | None = None

    def __post_init__(self) -> None:
        self._begun: dict[tuple[int, int], list[Attempt]] = defaultdict(list)
        self._ended: dict[tuple[int, int], list[Attempt]] = defaultdict(list)
        for place, one in enumerate(self.played.attempts if self.played else ()):
            worker = place % self.spec.load.workers
            self._begun[worker, one.second].append(one)
            self._ended[worker, self.length - 1 if one.outcome == "open" else one.ended].append(one)

    @property
    def length(self) -> int:
        return self.spec.load.duration_seconds + self.spec.load.graceful_stop_seconds

    def look(self, **changes: Any) -> Observed:
        if self.cluster is not None:
            self._move((self.now - START).total_seconds())
        return super().look(**changes)

    def _move(self, second: float) -> None:
        assert self.cluster is not None
        world = self.cluster.world
        moment = self.course[-1][0] + 1.0 if self.course else second
        while moment <= second:
            world.move(moment)
            ready = sum(pod.is_ready(moment) for pod in world.pods)
            self.course.append((moment, ready, world.replicas, world.status.get("desiredReplicas", 0)))
            moment += 1.0
        self.target = world.view(second)

    def _create_job(self) -> None:
        super()._create_job()
        for worker in self.workers.values():
            worker.offset = worker.offset or self.rng.randint(-20_000, 20_000) * 1_000_000

    def _live(self, worker: Worker) -> None:
        if worker.start_at is None or not worker.answers or worker.phase in (WorkerPhase.ABORTED, WorkerPhase.FAILED):
            return
        since = (times.nanoseconds(self.now) + worker.offset - worker.start_at) / 1e9
        worker.seconds = max(0, min(int(since), self.length))
        if since >= 0:
            worker.phase = WorkerPhase.FINISHED if since >= self.length + 0.5 else WorkerPhase.RUNNING

    def _tally(self) -> Counts | None:
        if not any(worker.seconds for worker in self.workers.values()):
            return None
        self._kept = self._kept or Counts(self.spec.plan)
        for index, worker in self.workers.items():
            for second in range(self._told.get(index, 0), worker.seconds):
                self._kept.add(self._second(index, second))
            self._told[index] = max(self._told.get(index, 0), worker.seconds)
        return self._kept

    def _second(self, index: int, second: int) -> Delta:
        if self.played is None:
            return self._delta(index, second) if second < self.spec.load.duration_seconds else Delta(index, 0, second)
        cells = [*play.begun(self._begun[index, second]), *play.ended(self.played, self._ended[index, second])]
        return Delta(index, 0, second, cells, Pulse(loop_lag=sparse_of([self.played.lag] * 50)))

    def to_the_end(self, *, away: float, losing: bool) -> None:
        """Looks, absences of up to a minute, and perhaps a lost worker."""
        lost_at = self.rng.uniform(0, self.length) if losing else None
        for _ in range(MOST_LOOKS):
            self.step()
            running = self.status.phase is Phase.RUNNING
            if running and self.rng.random() < away:
                self.disturbed = True
                self.pass_time(self.rng.uniform(1, 60))
            if running and lost_at is not None and self.workers[0].seconds > lost_at:
                self.disturbed, lost_at = True, None
                self.lose(0)
            if self.status.phase is Phase.FINISHED:
                return
        raise AssertionError(f"still {self.status.phase}: {self.status.message}")


def of_requests(seed: int) -> tuple[Run, str]:
    """A run, and what the naive judge says of it."""
    rng = Random(f"requests/{seed}")
    played = _played(rng)
    run = Run(_spec(played.plan, rng), rng=rng, played=played)
    run.to_the_end(away=rng.choice((0, 0, 0.03)), losing=rng.random() < 0.1)
    return run, naive.verdict(played, naive.judge(played))


def _spec(plan: Plan, rng: Random) -> LoadTestSpec:
    document = plan.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    document["load"] |= {"workers": rng.randint(1, 3), "autoStop": {"disabled": True}}
    return LoadTestSpec.model_validate({"target": {"serviceRef": {"name": "web", "port": "http"}}, **document})


def _played(rng: Random) -> Played:
    kinds = rng.choice([[PAGE], [CHAT], [PAGE, CHAT]])
    stages = [_stage(rng, name) for name in ("one", "two", "three")[: rng.randint(1, 3)]]
    asked = [
        {"name": f"t{place}", **_threshold(rng, [one["name"] for one in stages])} for place in range(rng.randint(0, 3))
    ]
    plan = Plan.model_validate(
        {
            "requests": kinds,
            "load": {"arrival": "Uniform", "stages": stages, "gracefulStopSeconds": 5},
            "thresholds": asked,
        }
    )
    weather = [[_weather(rng) for _ in kinds] for _ in stages]
    lag = rng.choice((0, 0, 0, 2_000))
    made = attempts(_opened(plan), weather, lag, rng)
    kept = [one for one in made if one.outcome != "dropped" or plan.load.stages[one.stage].arrival_rate is not None]
    return Played(plan, kept, lag=lag)


def _opened(plan: Plan) -> Plan:
    """A closed stage's requests are begun at a pace of their own."""
    stages = [
        one
        if one.arrival_rate is not None
        else one.model_copy(update={"arrival_rate": one.concurrency, "concurrency": None})
        for one in plan.load.stages
    ]
    return plan.model_copy(update={"load": plan.load.model_copy(update={"stages": tuple(stages)})})


def _stage(rng: Random, name: str) -> dict[str, Any]:
    level = (
        {"concurrency": rng.choice((1, 4, 12))} if rng.random() < 0.3 else {"arrivalRate": rng.choice((1, 4, 10, 30))}
    )
    return {"name": name, "durationSeconds": rng.choice((4, 8, 20)), **level}


def _threshold(rng: Random, stages: list[str]) -> dict[str, Any]:
    scope = {"stages": rng.sample(stages, 1)} if rng.random() < 0.3 else {}
    kind = rng.randrange(3)
    if kind == 0:
        statistic = rng.choice(("P50", "P95", "P99", "Max"))
        bound = {"operator": "LessThan", "value": rng.choice((25, 100, 200, 450, 900, 3000))}
        return {"metric": "ResponseTime", "statistic": statistic, **bound, **scope}
    if kind == 1:
        return {
            "metric": "ErrorPercent",
            "operator": "LessThanOrEqual",
            "value": rng.choice(("0", "1", "5", "20")),
            **scope,
        }
    return {
        "metric": "SloAttainmentPercent",
        "operator": "GreaterThanOrEqual",
        "value": rng.choice(("50", "90", "99")),
        **scope,
    }


def _weather(rng: Random) -> Weather:
    shares = (0.0, 0.0, 0.0, 0.005, 0.02, 0.06, 0.3)
    return Weather(
        median=rng.choice((20.0, 90.0, 180.0, 400.0)),
        spread=rng.choice((0.0, 0.2, 0.7)),
        slow_share=rng.choice((0.0, 0.0, 0.01, 0.08)),
        failing=rng.choice(shares),
        failure=rng.choice(FAILURES),
        dropped=rng.choice(shares),
        hanging=rng.choice((0.0, 0.0, 0.0, 0.1)),
        gusts=rng.random() < 0.5,
    )


def of_an_autoscaler(seed: int) -> tuple[Run, str]:
    """A run without a wrong request, and whether the pods, all of which are known, did what was asked."""
    draw = _cluster(seed)
    lead = _lead(draw.spec)
    rng = Random(f"runs/{seed}")
    run = Run(draw.spec, now=NOON - lead, rng=rng, cluster=draw)
    run.to_the_end(away=rng.choice((0, 0, 0.02)), losing=False)
    return run, _truly(run, draw)


def _cluster(seed: int) -> Draw:
    rng = Random(f"cluster/{seed}")
    draw = plants.usual(rng, rng.choice(plants.ANY)) if rng.random() < 0.4 else plants.a_draw(seed)[1]
    if draw.kind == "scaleDown":
        draw.idle = draw.within + 10
    else:
        draw.peak, draw.idle = draw.within + 5, 5
    return draw


def _lead(spec: LoadTestSpec) -> timedelta:
    """How long after its creation a run's load begins."""
    world = World(spec)
    world.run(Phase.RUNNING)
    assert world.status.run.load_start_time is not None
    return world.status.run.load_start_time - NOON


def _truly(run: Run, draw: Draw) -> str:
    """By what the pods were each second; nothing is said where it was close."""
    scope = [one for one in run.course if draw.begin - 1 <= one[0] <= draw.deadline + CLOSE]
    if not scope:
        return "refused"
    low = scope[0][1]
    goal = draw.goal if draw.kind != "reactionTime" else low + 1
    met = next((at for at, ready, replicas, wanted in scope if _is_met(draw, goal, ready, replicas, wanted)), None)
    if met is None:
        return "Failed"
    if abs(met - draw.deadline) <= CLOSE or abs(met - draw.begin) <= CLOSE:
        return "close"
    return "Passed"


def _is_met(draw: Draw, goal: int, ready: int, replicas: int, wanted: int) -> bool:
    return max(replicas, wanted) <= goal if draw.kind == "scaleDown" else ready >= goal


UNSAID: Final = ("close", "refused")
"""Truths that say nothing of a verdict."""
CLUSTERED: Final = 20
"""One run in so many is of an autoscaler."""


def tallied(draws: int, first: int = 0) -> Tally:
    """So many runs. That nothing is known counts where nothing was in the way: nobody was away, and no worker lost."""
    found = Tally()
    for seed in range(first, first + draws):
        run, truth = (of_requests if seed % CLUSTERED else of_an_autoscaler)(seed)
        said = str(run.status.verdict)
        if truth in UNSAID:
            continue
        if said == "Inconclusive" and (run.disturbed or run.cluster is not None):
            truth = "Inconclusive"
        found.add(f"run {seed}", said, truth, run.status.message or "")
    return found
