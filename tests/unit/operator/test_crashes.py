"""The operator is killed at every step of a run, between writing and acting, and another one takes over.

The run must end as if nothing had happened: one verdict, load offered once, faults gone, nothing doubled.
"""

from dataclasses import replace

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.status import Phase
from loadtest_operator.core.run.decide import decide
from unit.operator.world import World

STEPS = range(0, 48, 3)
DELAY = {
    "name": "slow",
    "startInStage": "peak",
    "startAfterSeconds": 5,
    "durationSeconds": 4,
    "networkDelay": {"latencyMilliseconds": 300},
}


def a_world() -> World:
    return World(a_valid_spec(a_stage(durationSeconds=12), faults=[DELAY]))


def forget(world: World) -> None:
    """What was only in the operator's memory is gone."""
    world.probe = None
    world.stored = None


@pytest.mark.parametrize("away", [0.5, 2.5], ids=["a moment", "too late for the start"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_after_writing_before_acting(step: int, away: float) -> None:
    world = a_world()
    for _ in range(step):
        world.step()
    world.write(decide(world.look()).status)
    forget(world)
    world.pass_time(away)

    status = world.run() if world.status.phase is not Phase.FINISHED else world.status

    assert status.verdict is Verdict.PASSED, status.message
    assert world.starts == 2
    assert status.faults[0].result is FaultResult.RECOVERED


@pytest.mark.parametrize("step", STEPS)
def test_killed_before_writing(step: int) -> None:
    world = a_world()
    for _ in range(step):
        world.step()
    decide(world.look())
    forget(world)
    world.pass_time(1)

    status = world.run() if world.status.phase is not Phase.FINISHED else world.status

    assert status.verdict is Verdict.PASSED, status.message
    assert world.starts == 2


def test_killed_between_writing_the_start_and_telling_it_and_away_for_long() -> None:
    world = a_world()
    while (decision := decide(world.look())).status.phase is not Phase.RUNNING:
        world.step()
    world.write(decision.status)
    world.pass_time(60)

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert "StartMoved" in world.events
    assert world.starts == 2


def test_killed_when_only_one_worker_had_been_told() -> None:
    world = a_world()
    world.run(Phase.RUNNING)
    late = world.workers[1]
    late.start_at, late.phase = None, type(late.phase).READY
    world.starts = 1
    world.pass_time(30)

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "worker 1 did not get the start" in (status.message or "")
    assert world.starts == 1


OFFERED = {
    "one worker waits, the other one has just begun": (0.1, [1]),
    "all wait, and have measured something": (3, [0, 1]),
}


@pytest.mark.parametrize(("second", "waiting"), OFFERED.values(), ids=OFFERED)
def test_a_start_does_not_move_once_load_was_offered(second: float, waiting: list[int]) -> None:
    world = a_world()
    world.run_to_second(second)
    for index in waiting:
        world.workers[index].start_at, world.workers[index].phase = None, WorkerPhase.READY

    decision = decide(world.look())

    assert decision.status.run.load_start_time == world.status.run.load_start_time
    assert decision.status.phase is Phase.SETTLING


def test_taken_over_when_the_workers_are_long_gone() -> None:
    world = a_world()
    world.run_to_second(3)
    world.workers.clear()
    world.pods.clear()

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "lost worker 0, 1 of 2" in (status.message or "")


@pytest.mark.parametrize(
    ("trip", "write", "least", "most"),
    [
        (0, 0.0, 0.7, 0.8),
        (1_000_000, 0.02, 0.7, 0.9),
        (500_000_000, 0.0, 2.7, 2.8),
        (0, 2.0, 6.7, 6.8),
        (0, 60.0, 30, 30.1),
    ],
)
def test_the_start_is_as_near_as_answers_are_quick(trip: int, write: float, least: float, most: float) -> None:
    """A slow API server or a slow worker gets the time it needs; nobody else waits for it."""
    world = a_world()
    while decide(world.look()).status.phase is not Phase.RUNNING:
        world.step()
    seen = world.look()
    slow = replace(seen, workers=tuple(replace(one, round_trip=trip) for one in seen.workers), write_seconds=write)

    begin = decide(slow).status.run.load_start_time

    assert begin is not None
    assert least <= (begin - world.now).total_seconds() <= most
