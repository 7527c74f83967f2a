"""Whole runs on paper: from the spec to the verdict, in a world of a few variables."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import Object, a_request, a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import ProbeTarget, ReleaseWorkers, StartWorkers
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.fleet.pods import Problem, WorkerPod
from loadtest_operator.core.observed import JobView, ProbeResult
from unit.operator.world import TARGET, World

DELAY = {
    "name": "slow",
    "startInStage": "peak",
    "startAfterSeconds": 3,
    "durationSeconds": 4,
    "networkDelay": {"latencyMilliseconds": 300},
}


def a_world(*stages: Object, **changes: Any) -> World:
    return World(a_valid_spec(*stages, **changes))


def reason(world: World, kind: ConditionType) -> str:
    found = conditions.find(world.status.conditions, kind)
    return found.reason if found else ""


def test_a_good_target_passes() -> None:
    world = a_world()

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert world.phases == list(Phase)
    assert conditions.is_true(status.conditions, ConditionType.PASSED)
    assert conditions.is_true(status.conditions, ConditionType.READY)
    assert conditions.is_false(status.conditions, ConditionType.STALLED)
    assert all(condition.status != "Unknown" for condition in status.conditions)


def test_the_summary_counts_every_request() -> None:
    status = a_world().run()

    assert status.summary is not None
    assert status.summary.requests.planned == 2 * 10 * 20
    assert [stage.name for stage in status.summary.stages] == ["peak"]
    assert status.artifacts[0].name == "test-1-report"


def test_load_is_offered_once() -> None:
    world = a_world()

    world.run()

    assert world.starts == 2
    assert sum(isinstance(action, StartWorkers) for action in world.done) == 1


def test_the_start_is_written_down_before_it_is_told() -> None:
    world = a_world()
    decision = world.step()
    while not any(isinstance(action, StartWorkers) for action in decision.actions):
        decision = world.step()

    assert decision.status.run.load_start_time is not None


def test_workers_start_at_one_moment_whatever_their_clocks_say() -> None:
    world = a_world()

    world.run(Phase.RUNNING)

    starts = {worker.start_at - worker.offset for worker in world.workers.values() if worker.start_at}
    assert len(starts) == 1


def test_after_the_end_workers_are_released() -> None:
    world = a_world()

    world.run()

    assert any(isinstance(action, ReleaseWorkers) for action in world.done)


def test_a_violated_threshold_fails_and_says_so() -> None:
    slow = {"name": "fast", "metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}
    world = a_world(thresholds=[slow])

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert "fast" in (status.message or "")
    assert reason(world, ConditionType.THRESHOLDS_MET) == "ThresholdViolated"


def test_errors_fail_without_any_threshold() -> None:
    world = a_world(load={"autoStop": {"disabled": True}})
    world.errors_percent = 20

    assert world.run().verdict is Verdict.FAILED


def test_a_broken_target_stops_the_run_early() -> None:
    world = a_world(a_stage(durationSeconds=60), load={"autoStop": {"windowSeconds": 5}})
    world.errors_percent = 100

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert reason(world, ConditionType.LOAD_COMPLETED) == "AutoStopped"
    assert world.workers[0].seconds < 30


def test_a_run_that_stopped_itself_failed_though_the_stop_cut_requests_off() -> None:
    grows = {"name": "grows", "scaleUp": {"toAtLeast": 3, "withinSeconds": 50, "fromStage": "peak"}}
    world = a_world(
        a_stage(durationSeconds=60), load={"autoStop": {"windowSeconds": 5}}, scaling={"expectations": [grows]}
    )
    world.errors_percent, world.unanswered_percent = 60, 35
    world.scale(1)

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert (status.message or "").startswith("120 of the 200 requests of the last 5 s failed (60 %")
    assert "mostly Http500); load.autoStop stops at 50 %; also violated: errors-default" in (status.message or "")


def test_abort_on_fail_names_the_threshold_first() -> None:
    errors = {
        "name": "errors",
        "metric": "ErrorPercent",
        "operator": "LessThanOrEqual",
        "value": 1,
        "abortOnFail": True,
    }
    slow = {"name": "fast", "metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}
    world = a_world(a_stage(durationSeconds=60), thresholds=[slow, errors])
    world.errors_percent = 20

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert (status.message or "").startswith("errors: ErrorPercent was 20 % in the run so far, wanted <= 1 %")
    assert "abortOnFail stopped the run after" in (status.message or "")
    assert (status.message or "").endswith("; also violated: fast, errors-default")


def test_a_hanging_target_is_inconclusive() -> None:
    world = a_world()
    world.unanswered_percent = 35

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "of 400 requests 140 had no answer when the run ended" in (status.message or "")


def test_a_target_that_answers_404_gets_no_load() -> None:
    world = a_world()
    world.probe_answer = ProbeResult(ok=False, message="GET /nope answered 404", refused_in_a_row=1)

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "404" in (status.message or "")
    assert sum(isinstance(action, ProbeTarget) for action in world.done) == 2
    assert world.starts == 0


def test_a_target_that_never_gets_ready_ends_the_run() -> None:
    world = a_world()
    world.target = replace(TARGET, endpoints=())

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert reason(world, ConditionType.TARGET_READY) == "NotEnoughReplicas"


POD_TROUBLES = {
    "an image that cannot be pulled": (Problem(reasons.IMAGE_PULL_ERROR, "no such image"), "ImagePullError"),
    "no node": (Problem(reasons.UNSCHEDULABLE, "Insufficient cpu"), "Unschedulable"),
    "killed at the memory limit": (Problem(reasons.OOM_KILLED, "out of memory", final=True), "OOMKilled"),
    "a crash": (Problem(reasons.WORKER_CRASHED, "exit code 1", final=True), "WorkerCrashed"),
}


@pytest.mark.parametrize(("problem", "expected"), POD_TROUBLES.values(), ids=POD_TROUBLES)
def test_pods_in_trouble_end_in_error_with_their_words(problem: Problem, expected: str) -> None:
    world = a_world()
    world.job = JobView(created=world.now)
    world.pods = {0: WorkerPod(0, "worker-0", problem=problem)}

    status = world.run()

    assert status.verdict is Verdict.ERROR
    assert problem.message in (status.message or "")
    assert reason(world, ConditionType.WORKERS_READY) == expected


def test_trouble_is_shown_while_it_is_waited_for() -> None:
    world = a_world()
    world.job = JobView(created=world.now)
    world.pods = {0: WorkerPod(0, "worker-0", problem=Problem(reasons.UNSCHEDULABLE, "Insufficient cpu"))}
    for _ in range(8):
        world.step()

    assert "Insufficient cpu" in (world.status.message or "")
    assert world.status.phase is Phase.PREPARING


def test_a_lost_worker_makes_it_inconclusive() -> None:
    world = a_world()
    world.run_to_second(4)
    world.lose(1)

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "lost worker 1 of 2" in (status.message or "")
    assert "50 %" in (status.message or "")
    assert world.workers[0].phase is WorkerPhase.ABORTED
    assert world.starts == 2


def test_a_worker_that_fell_silent_was_lost_when_it_did() -> None:
    """Not when it had been silent for long enough to say so."""
    world = a_world(a_stage(durationSeconds=60))
    world.run_to_second(4)
    world.workers[1].answers = False
    world.silent_since[1] = world.now

    status = world.run()

    assert "lost worker 1 of 2 4 s into the load (worker 1: no answer for 1" in (status.message or "")


def test_a_job_that_has_no_pods_yet_goes_with_its_run() -> None:
    """Held back by a quota, say: they would come later, wait for a start, and nobody would tell them to exit."""
    world = a_world()
    world.run(Phase.PREPARING)
    world.job = JobView(created=world.now)
    world.pods, world.workers = {}, {}
    world.spec = world.spec.model_copy(update={"abort": True})

    world.run()

    assert world.job is None


def test_the_job_of_a_run_with_all_its_workers_stays_for_its_ttl() -> None:
    world = a_world()

    world.run()

    assert world.job is not None


def test_abort_stops_the_load() -> None:
    world = a_world()
    world.run_to_second(3)
    world.spec = world.spec.model_copy(update={"abort": True})

    status = world.run()

    assert status.verdict is Verdict.ABORTED
    assert all(worker.phase is WorkerPhase.ABORTED for worker in world.workers.values())
    assert status.summary is not None


ABORTED_IN = {
    "before it began": (Phase.PENDING, Verdict.ABORTED),
    "while it is prepared": (Phase.PREPARING, Verdict.ABORTED),
    "while load is offered": (Phase.RUNNING, Verdict.ABORTED),
}


@pytest.mark.parametrize(("phase", "verdict"), ABORTED_IN.values(), ids=ABORTED_IN)
def test_abort_works_in_every_phase(phase: Phase, verdict: Verdict) -> None:
    world = a_world()
    world.run(phase)
    world.spec = world.spec.model_copy(update={"abort": True})

    assert world.run().verdict is verdict


def test_suspend_holds_the_start() -> None:
    world = a_world(suspend=True)
    for _ in range(20):
        world.step()
    assert world.status.phase is Phase.PENDING
    assert reason(world, ConditionType.ACCEPTED) == "Suspended"

    world.spec = world.spec.model_copy(update={"suspend": False})

    assert world.run().verdict is Verdict.PASSED


def test_an_invalid_spec_never_starts() -> None:
    world = a_world()
    world.problems = ("spec.load.stages: set exactly one of arrivalRate and concurrency, not 0",)

    status = world.run()

    assert status.verdict is Verdict.ERROR
    assert "arrivalRate" in (status.message or "")
    assert reason(world, ConditionType.ACCEPTED) == "InvalidSpec"
    assert world.starts == 0


def test_a_url_is_refused_unless_allowed() -> None:
    world = a_world(target={"url": "http://example.test:80"})

    assert world.run().verdict is Verdict.ERROR
    assert reason(world, ConditionType.ACCEPTED) == "TargetNotAllowed"


def test_two_runs_on_one_target_wait_for_each_other() -> None:
    world = a_world()
    world.blocker = "demo/other"
    for _ in range(5):
        world.step()
    assert "demo/other" in (world.status.message or "")

    world.blocker = ""

    assert world.run().verdict is Verdict.PASSED


def test_the_deadline_ends_everything() -> None:
    world = a_world(activeDeadlineSeconds=30)
    world.target = replace(TARGET, endpoints=())

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "activeDeadlineSeconds" in (status.message or "")


def test_a_new_token_runs_again_and_keeps_the_old_figures() -> None:
    world = a_world()
    world.run()
    world.rerun("2")

    world.step()

    assert world.status.run.number == 2
    assert world.status.verdict is None
    assert world.status.history[0].verdict is Verdict.PASSED


def test_a_new_token_during_a_run_is_refused_in_words() -> None:
    world = a_world()
    world.run_to_second(2)
    world.token = "2"

    world.step()

    assert world.status.run.number == 1
    assert "'2' is not taken" in (world.status.message or "")


def test_a_fault_comes_and_goes() -> None:
    world = a_world(faults=[DELAY])

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    fault = status.faults[0]
    assert fault.result is FaultResult.RECOVERED
    assert fault.injected_time is not None
    assert fault.recovered_time is not None
    assert 3.9 <= (fault.recovered_time - fault.injected_time).total_seconds() <= 4.1
    assert world.proxy is None


def test_a_required_fault_that_could_not_be_injected_is_inconclusive() -> None:
    world = a_world(a_stage(durationSeconds=40), faults=[DELAY])
    world.run_to_second(1)
    world.lose_proxy()

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert status.faults[0].result is FaultResult.NOT_INJECTED


def test_a_fault_in_force_goes_first_when_a_run_is_aborted() -> None:
    """Not when its own time is over: it had most of it left."""
    world = a_world(faults=[{**DELAY, "durationSeconds": 6}])
    world.run_to_second(5)
    world.spec = world.spec.model_copy(update={"abort": True})

    status = world.run()

    fault = status.faults[0]
    assert fault.result is FaultResult.RECOVERED
    assert status.verdict is Verdict.ABORTED
    assert fault.injected_time is not None
    assert fault.recovered_time is not None
    assert fault.recovered_time - fault.injected_time < timedelta(seconds=4)


def test_bounds_over_a_faults_window_can_fail_the_run() -> None:
    bound = {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}
    world = a_world(faults=[{**DELAY, "tolerate": [bound]}])

    status = world.run()

    assert status.verdict is Verdict.FAILED
    assert status.faults[0].tolerate[0].result == "Failed"
    assert reason(world, ConditionType.THRESHOLDS_MET) == "ToleranceExceeded"


GROWS = {"name": "grows", "scaleUp": {"toAtLeast": 3, "withinSeconds": 8, "fromStage": "peak"}}


def scaling_world(*expectations: Object) -> World:
    world = a_world(a_stage(durationSeconds=20), scaling={"expectations": list(expectations or (GROWS,))})
    world.scale(1)
    return world


def test_an_autoscaler_that_grows_in_time_passes() -> None:
    world = scaling_world()
    world.run_to_second(5)
    world.scale(3)

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert status.scaling is not None
    assert status.scaling.replicas.initial == 1
    assert status.scaling.replicas.peak == 3
    assert status.scaling.scale_ups[0].to_replicas == 3
    assert status.scaling.expectations[0].result == "Passed"


def test_an_autoscaler_that_does_nothing_fails() -> None:
    status = scaling_world().run()

    assert status.verdict is Verdict.FAILED
    assert "1 replica after 8 s" in (status.message or "")


def test_without_an_autoscaler_it_is_inconclusive() -> None:
    world = a_world(scaling={"expectations": [GROWS]})

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert reason(world, ConditionType.SCALING_VERIFIED) == "AutoscalerNotFound"


def test_an_autoscaler_without_a_metric_is_inconclusive_even_if_replicas_grew() -> None:
    world = scaling_world()
    world.target = replace(
        world.target,
        autoscaler=replace(world.target.autoscaler, active=False, inactive_because="FailedGetResourceMetric"),
    )
    world.run_to_second(5)
    world.scale(3)

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert reason(world, ConditionType.SCALING_VERIFIED) == "AutoscalerInactive"


def test_settling_goes_on_watching() -> None:
    down = {"name": "shrinks", "scaleDown": {"toAtMost": 1, "withinSeconds": 60, "fromStage": "idle"}}
    stages = (a_stage(), a_stage("idle", durationSeconds=2, arrivalRate=0))
    world = a_world(*stages, scaling={"expectations": [down], "settleSeconds": 60})
    world.scale(1)
    world.run_to_second(5)
    world.scale(3)
    world.run(Phase.SETTLING)
    for _ in range(5):
        world.step()
    assert world.status.phase is Phase.SETTLING
    world.scale(1)

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message


def test_requests_of_a_mix_are_all_probed_before_load() -> None:
    world = a_world(requests=[a_request(), a_request("other", weight=3)])

    assert world.run().verdict is Verdict.PASSED
