"""Workers that answer and do not end: the run ends all the same, in its time."""

from datetime import timedelta
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import AbortWorkers, Action
from loadtest_operator.core.run.decide import decide
from loadtest_operator.core.run.rules.running import OVERDUE
from loadtest_operator.core.run.rules.settling import DRAIN
from unit.operator.world import Worker, World


class Stubborn(World):
    """Workers that offer load for ever."""

    def _live(self, worker: Worker) -> None:
        super()._live(worker)
        if worker.phase is WorkerPhase.FINISHED:
            worker.phase = WorkerPhase.RUNNING

    def perform(self, action: Action) -> None:
        if not isinstance(action, AbortWorkers):
            super().perform(action)


def a_stubborn_world(**changes: Any) -> Stubborn:
    return Stubborn(a_valid_spec(a_stage(durationSeconds=20), **changes))


@pytest.mark.parametrize(("seconds", "phase"), [(0, Phase.RUNNING), (1, Phase.SETTLING)])
def test_what_is_overdue_ends_at_the_next_look_and_not_before(seconds: int, phase: Phase) -> None:
    world = a_stubborn_world()
    world.run_to_second(1)
    end = world.look().load_end
    assert end is not None
    grace = timedelta(seconds=world.spec.load.graceful_stop_seconds) + OVERDUE
    world.now = end + grace + timedelta(seconds=seconds)

    assert decide(world.look()).status.phase is phase


def test_workers_that_do_not_end_are_overdue() -> None:
    world = a_stubborn_world()
    world.run(Phase.SETTLING, most=200)
    end = world.look().load_end
    assert end is not None
    late = (world.now - end).total_seconds() - world.spec.load.graceful_stop_seconds - OVERDUE.total_seconds()
    status = world.run(most=200)

    assert 0 <= late <= 3
    assert status.verdict is Verdict.INCONCLUSIVE
    assert "had not ended" in (status.message or "")


def test_workers_that_do_not_stop_are_not_waited_for() -> None:
    world = a_stubborn_world()
    world.run_to_second(5)
    world.spec = world.spec.model_copy(update={"abort": True})
    world.run(Phase.SETTLING, most=5)
    begun = world.now
    status = world.run(most=200)

    assert status.verdict is Verdict.ABORTED
    assert status.run.completion_time is not None
    assert status.run.completion_time - begun <= 1.5 * DRAIN
