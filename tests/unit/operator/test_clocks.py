"""A new operator on a node whose clock is another: the load goes on, and second 0 is where it was."""

from datetime import timedelta

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.core.common import times
from unit.operator.situations import DELAY
from unit.operator.world import World


def taken_over(seconds: float, **spec: object) -> World:
    """Eight seconds into the load; from now on every moment of the operator's clock is later by so much."""
    world = World(a_valid_spec(a_stage(durationSeconds=40), **spec))
    world.run_to_second(8)
    world.now += timedelta(seconds=seconds)
    for worker in world.workers.values():
        worker.offset -= int(seconds * times.NANOSECONDS)
    return world


@pytest.mark.parametrize("seconds", [2.5, -2.5, 30, -5])
def test_another_clock_is_not_another_start(seconds: float) -> None:
    world = taken_over(seconds)
    begun = world.status.run.load_start_time

    status = world.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert begun is not None
    assert status.run.load_start_time is not None
    assert status.run.load_start_time - begun == timedelta(seconds=seconds)
    assert world.events.count("ClockDiffers") == 1


def test_a_fault_comes_in_its_second_of_the_load() -> None:
    fault = {**DELAY, "startAfterSeconds": 20, "durationSeconds": 4}
    world = taken_over(5, faults=[fault])

    status = world.run()

    (told,) = status.faults
    assert told.injected_time is not None
    assert status.run.load_start_time is not None
    assert 20 <= (told.injected_time - status.run.load_start_time).total_seconds() < 22


def test_one_worker_with_another_start_is_still_two_operators_at_work() -> None:
    world = taken_over(3)
    world.workers[1].start_at = (world.workers[1].start_at or 0) + 4 * times.NANOSECONDS

    status = world.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "did not get the start in time (or got another)" in (status.message or "")
