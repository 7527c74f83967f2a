"""Situations and the verdict that each must end with: the golden table of docs/verdicts.md, played on paper."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from builders import Object, a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.fleet.pods import Problem, WorkerPod
from loadtest_operator.core.observed import JobView, ProbeResult
from unit.operator.world import TARGET, Worker, World

Play = Callable[[World], None]
DELAY: dict[str, Any] = {
    "name": "slow", "startInStage": "peak", "startAfterSeconds": 3, "durationSeconds": 4,
    "networkDelay": {"latencyMilliseconds": 300},
}  # fmt: skip
QUICK = {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}
FAST = {"name": "fast", "stages": ["peak"], **QUICK}
ERRORS = {"name": "errors", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}
RARE = {"name": "rare", "metric": "ResponseTime", "statistic": "P999", "operator": "LessThan", "value": 100}
GROWS: Object = {"name": "grows", "scaleUp": {"toAtLeast": 3, "withinSeconds": 8, "fromStage": "peak"}}
LONG = a_stage(durationSeconds=40)


@dataclass(frozen=True)
class Situation:
    """A sentence, how it ends, and how it comes about."""

    what: str
    verdict: Verdict
    play: Play = lambda _world: None
    stages: tuple[Object, ...] = ()
    spec: tuple[tuple[str, Any], ...] = ()

    def world(self) -> World:
        """After the run."""
        world = World(a_valid_spec(*self.stages, **dict(self.spec)))
        self.play(world)
        if world.status.phase is not Phase.FINISHED:
            world.run()
        return world


def setting(**changes: Any) -> Play:
    """The world is like this from the beginning."""

    def play(world: World) -> None:
        for name, value in changes.items():
            setattr(world, name, value)

    return play


def pods(reason: Reason, words: str, *, final: bool = False) -> Play:
    """The first worker's pod complains."""

    def play(world: World) -> None:
        world.job = JobView(created=world.now)
        world.pods = {0: WorkerPod(0, "worker-0", problem=Problem(reason, words, final=final))}

    return play


def refused_by_quota(world: World) -> None:
    world.job = JobView(created=world.now, trouble='pods "w-0" is forbidden: exceeded quota: compute')


def of_another_release(world: World) -> None:
    world.workers = {
        0: Worker(other_release="pod worker-0 speaks wire version 1, the operator 2: use images of one release")
    }


def aborted(phase: Phase) -> Play:
    def play(world: World) -> None:
        world.run(phase)
        world.spec = world.spec.model_copy(update={"abort": True})

    return play


def worker_lost(world: World) -> None:
    world.run_to_second(4)
    world.lose(1)


def worker_lost_while_failing(world: World) -> None:
    world.errors_percent = 20
    worker_lost(world)


def half_told(world: World) -> None:
    world.run(Phase.RUNNING)
    late = world.workers[1]
    late.start_at, late.phase, world.starts = None, type(late.phase).READY, 1
    world.pass_time(30)


def proxy_refuses(world: World) -> None:
    world.run_to_second(1)
    assert world.proxy is not None
    world.proxy.refuses = True


def proxy_dies(world: World) -> None:
    """Long after the fault; from then on most requests fail."""
    world.run_to_second(20)
    world.errors_percent, world.errors_in = 100, range(20, 40)
    world.lose_proxy()


def proxy_saturated(world: World) -> None:
    """Long after the fault; most requests time out in it."""
    world.run_to_second(15)
    assert world.proxy is not None
    world.proxy.cpu = 0.97
    world.run_to_second(28)
    world.errors_percent, world.errors_in = 100, range(20, 40)


def grown(world: World) -> None:
    world.scale(1)
    world.run_to_second(5)
    world.scale(3)


def grown_by_another_hand(world: World) -> None:
    world.scale(1)
    scaler = world.target.autoscaler
    assert scaler is not None
    blind = replace(scaler, active=False, inactive_because="FailedGetResourceMetric")
    world.target = replace(world.target, autoscaler=blind)
    world.run_to_second(5)
    world.scale(3)


def metric_lost(world: World) -> None:
    world.scale(1)
    world.run_to_second(5)
    scaler = world.target.autoscaler
    assert scaler is not None
    blind = replace(scaler, active=False, inactive_because="FailedGetResourceMetric: no metrics")
    world.target = replace(world.target, autoscaler=blind)


def left_over(world: World) -> None:
    world.scale(3)
    world.run_to_second(5)
    world.scale(1)


def away_around_the_deadline(world: World) -> None:
    world.scale(1)
    world.run_to_second(4)
    world.pass_time(10)


def operator_killed(world: World) -> None:
    world.run_to_second(4)
    world.probe = world.stored = None
    world.pass_time(20)


STOP = (("load", {"autoStop": {"windowSeconds": 5}}),)
NO_STOP = {"autoStop": {"disabled": True}}
EXPECTING = (("scaling", {"expectations": [GROWS]}),)
BEYOND = (("scaling", {"expectations": [{**GROWS, "scaleUp": {**GROWS["scaleUp"], "toAtLeast": 11}}]}),)
CALM = (("scaling", {"expectations": [{"name": "calm", "flapping": {"maxDirectionChanges": 0}}]}),)
SHRINKS = {"name": "shrinks", "scaleDown": {"toAtMost": 1, "withinSeconds": 15, "fromStage": "peak"}}
SHRINKING = (("scaling", {"expectations": [SHRINKS]}),)
SITUATIONS: tuple[Situation, ...] = (
    Situation(
        "The image of the workers does not exist", Verdict.ERROR, pods(reasons.IMAGE_PULL_ERROR, "no such image")
    ),
    Situation("No node takes a worker", Verdict.ERROR, pods(reasons.UNSCHEDULABLE, "0/3 nodes: Insufficient cpu")),
    Situation(
        "A worker crashes before the load", Verdict.ERROR, pods(reasons.WORKER_CRASHED, "exit code 1", final=True)
    ),
    Situation(
        "A worker runs out of memory before the load", Verdict.ERROR, pods(reasons.OOM_KILLED, "killed", final=True)
    ),
    Situation("A quota refuses the workers' pods", Verdict.ERROR, refused_by_quota),
    Situation("The workers are of another release than the operator", Verdict.ERROR, of_another_release),
    Situation(
        "A file of prompts has a line that cannot be read",
        Verdict.ERROR,
        setting(
            unusable="spec.requests[chat].openAIChat.prompt.jsonl: ConfigMap prompts, key a.jsonl, line 3: not JSON"
        ),
    ),
    Situation("The spec cannot be run", Verdict.ERROR, setting(problems=("spec.load.stages: at least one is needed",))),
    Situation(
        "The target is a URL and the administrator allows none",
        Verdict.ERROR,
        spec=(("target", {"url": "http://example.test:80"}),),
    ),
    Situation("spec.abort before the load", Verdict.ABORTED, aborted(Phase.PREPARING)),
    Situation(
        "spec.abort during the load, whatever was measured",
        Verdict.ABORTED,
        aborted(Phase.RUNNING),
        spec=(("thresholds", [FAST]),),
    ),
    Situation(
        "A Secret that the spec refers to never comes",
        Verdict.INCONCLUSIVE,
        setting(lacking="spec.target.authorization.bearer: there is no Secret gateway in demo"),
    ),
    Situation("The target never gets ready", Verdict.INCONCLUSIVE, setting(target=replace(TARGET, endpoints=()))),
    Situation(
        "The target answers the probe with 404",
        Verdict.INCONCLUSIVE,
        setting(probe_answer=ProbeResult(ok=False, message="probe home: GET / answered 404", refused_in_a_row=1)),
    ),
    Situation(
        "activeDeadlineSeconds passes first",
        Verdict.INCONCLUSIVE,
        setting(target=replace(TARGET, endpoints=())),
        spec=(("activeDeadlineSeconds", 30),),
    ),
    Situation("A worker is lost during the load", Verdict.INCONCLUSIVE, worker_lost, (LONG,)),
    Situation(
        "A worker is lost during the load and a threshold does not hold",
        Verdict.INCONCLUSIVE,
        worker_lost_while_failing,
        (LONG,),
        (("load", NO_STOP),),
    ),
    Situation("One worker did not get the start", Verdict.INCONCLUSIVE, half_told),
    Situation(
        "More than 5 % of the requests had no answer at the end", Verdict.INCONCLUSIVE, setting(unanswered_percent=35)
    ),
    Situation("Too few requests for a threshold's percentile", Verdict.INCONCLUSIVE, spec=(("thresholds", [RARE]),)),
    Situation(
        "A required fault could not be injected", Verdict.INCONCLUSIVE, proxy_refuses, (LONG,), (("faults", [DELAY]),)
    ),
    Situation(
        "The delay proxy dies after the fault, and every request fails",
        Verdict.INCONCLUSIVE,
        proxy_dies,
        (LONG,),
        (("faults", [DELAY]), *STOP),
    ),
    Situation(
        "The delay proxy has no CPU left, and most requests fail",
        Verdict.INCONCLUSIVE,
        proxy_saturated,
        (LONG,),
        (("faults", [DELAY]), *STOP),
    ),
    Situation("An expectation, and no autoscaler", Verdict.INCONCLUSIVE, spec=EXPECTING),
    Situation(
        "Replicas grew, but the autoscaler had no metric",
        Verdict.INCONCLUSIVE,
        grown_by_another_hand,
        (a_stage(durationSeconds=20),),
        EXPECTING,
    ),
    Situation(
        "Half of the requests fail: the run stops itself",
        Verdict.FAILED,
        setting(errors_percent=60, unanswered_percent=35),
        (LONG,),
        STOP,
    ),
    Situation(
        "A threshold with abortOnFail is violated beyond doubt",
        Verdict.FAILED,
        setting(errors_percent=20),
        (LONG,),
        (("thresholds", [{**ERRORS, "abortOnFail": True}]),),
    ),
    Situation("No request succeeds", Verdict.FAILED, setting(errors_percent=100), spec=(("load", NO_STOP),)),
    Situation("A tenth of the requests fail and no threshold is written", Verdict.FAILED, setting(errors_percent=10)),
    Situation(
        "Two thresholds are violated",
        Verdict.FAILED,
        setting(errors_percent=10),
        spec=(("thresholds", [FAST, ERRORS]),),
    ),
    Situation(
        "The autoscaler does too little",
        Verdict.FAILED,
        lambda world: world.scale(1),
        (a_stage(durationSeconds=20),),
        EXPECTING,
    ),
    Situation(
        "A bound over a fault's window is violated",
        Verdict.FAILED,
        spec=(("faults", [{**DELAY, "tolerate": [QUICK]}]),),
    ),
    Situation(
        "A threshold of severity Warning is violated",
        Verdict.PASSED,
        spec=(("thresholds", [{**FAST, "severity": "Warning"}]),),
    ),
    Situation("The fault comes and goes, and its bounds hold", Verdict.PASSED, spec=(("faults", [DELAY]),)),
    Situation("An expectation beyond maxReplicas", Verdict.INCONCLUSIVE, lambda world: world.scale(1), spec=BEYOND),
    Situation(
        "The autoscaler loses its metric during the load",
        Verdict.INCONCLUSIVE,
        metric_lost,
        (a_stage(durationSeconds=40),),
        CALM,
    ),
    Situation(
        "The target had been scaled up before the load",
        Verdict.INCONCLUSIVE,
        lambda world: world.scale(3),
        spec=EXPECTING,
    ),
    Situation(
        "It shrank from what an earlier run left",
        Verdict.INCONCLUSIVE,
        left_over,
        (a_stage(durationSeconds=20),),
        SHRINKING,
    ),
    Situation(
        "The operator was away around an expectation's deadline",
        Verdict.INCONCLUSIVE,
        away_around_the_deadline,
        (a_stage(durationSeconds=20),),
        EXPECTING,
    ),
    Situation("The autoscaler grows in time", Verdict.PASSED, grown, (a_stage(durationSeconds=20),), EXPECTING),
    Situation("The operator is killed during the load and comes back", Verdict.PASSED, operator_killed, (LONG,)),
    Situation("Everything holds", Verdict.PASSED),
)


@functools.cache
def played(place: int) -> World:
    """The world after the situation; nobody may change it."""
    return SITUATIONS[place].world()
