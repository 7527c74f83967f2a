"""What only a crash makes happen: figures pulled a second time, and things that were forgotten."""

from dataclasses import replace
from datetime import timedelta

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from loadtest_operator.core import retention
from loadtest_operator.core.decide import decide
from loadtest_operator.core.kinds import JOB
from unit.operator.world import World


def a_world_in(phase: Phase) -> World:
    world = World(a_valid_spec(a_stage(durationSeconds=12)))
    while world.status.phase is not phase:
        world.step()
    return world


def test_figures_lost_in_evaluating_are_collected_again() -> None:
    """Not: no load was offered."""
    world = a_world_in(Phase.EVALUATING)
    seen = replace(world.look(), stored=None)
    not_yet = tuple(replace(worker, state=None, samples=0, collected=0, silent_seconds=0.0) for worker in seen.workers)

    decision = decide(replace(seen, tally=None, workers=not_yet))

    assert decision.status.phase is Phase.EVALUATING
    assert not decision.actions
    assert "collecting from worker 0, 1" in (decision.status.message or "")


def test_a_worker_that_is_silent_in_evaluating_is_not_waited_for() -> None:
    """Its figures are missing, and the verdict says so."""
    world = a_world_in(Phase.EVALUATING)
    seen = replace(world.look(), stored=None)
    silent = tuple(replace(worker, state=None, samples=0, collected=0, silent_seconds=6.0) for worker in seen.workers)

    decision = decide(replace(seen, tally=None, workers=silent))

    assert decision.status.verdict is Verdict.INCONCLUSIVE


def test_workers_that_run_after_the_end_were_forgotten() -> None:
    """The operator was killed between the verdict and its farewell."""
    world = a_world_in(Phase.FINISHED)
    ended = world.status.run.completion_time
    assert ended is not None

    assert not retention.stray("demo", world.status, 1, ended + timedelta(seconds=5))
    assert JOB in {thing.kind for thing in retention.stray("demo", world.status, 1, ended + timedelta(seconds=20))}
    assert not retention.stray("demo", world.status, 2, ended + timedelta(seconds=20))
