"""What only a crash makes happen: figures pulled a second time, and things that were forgotten."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.loadtest import Results
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import ClearAway, Delete, StartWorkers
from loadtest_operator.core.common.agenda import Agenda
from loadtest_operator.core.common.kinds import JOB, SECRET
from loadtest_operator.core.run import retention
from loadtest_operator.core.run.decide import decide
from unit.operator.world import NOON, World


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
    run = a_world_in(Phase.FINISHED).status.run
    ended = run.completion_time
    assert ended is not None

    assert retention.next_due(run, 3600, settled=False) == ended + timedelta(seconds=15)
    assert retention.next_due(run, 3600, settled=True) == ended + timedelta(hours=1)
    assert JOB in {thing.kind for thing in retention.gone("demo", 1, {1: True}, over=False)}
    assert JOB not in {thing.kind for thing in retention.gone("demo", 1, {1: False}, over=False)}


def test_only_who_waits_is_told_the_start_again() -> None:
    """Killed in the middle of telling: one worker has its start, the other one has not."""
    world = a_world_in(Phase.RUNNING)
    told, waiting = world.workers[0], world.workers[1]
    told.phase, waiting.phase = WorkerPhase.ARMED, WorkerPhase.READY

    orders = [action for action in decide(world.look()).actions if isinstance(action, StartWorkers)]

    assert [list(order.start_at) for order in orders] == [[1]]


def test_a_later_run_takes_along_what_an_earlier_one_left() -> None:
    gone = retention.gone("demo", 3, {1: False, 3: True}, over=False)

    assert Delete(SECRET, "demo-1-token") in gone
    assert Delete(SECRET, "demo-3-token") not in gone


def test_what_the_last_run_left_is_removed_once() -> None:
    world = a_world_in(Phase.FINISHED)
    world.rerun("2")

    world.run()

    cleared = [action for action in world.done if isinstance(action, ClearAway)]
    assert [thing.name for action in cleared for thing in action.things if thing.kind in (JOB, SECRET)] == [
        "test-1-workers",
        "test-1-token",
    ]


@pytest.mark.parametrize(("keep", "gone"), [(10, set()), (2, {1}), (1, {1, 2}), (0, {1, 2, 3})])
def test_reports_go_with_their_run_in_the_history(keep: int, gone: set[int]) -> None:
    """Three runs are kept, then fewer."""
    world = a_world_in(Phase.FINISHED)
    for token in ("2", "3"):
        world.rerun(token)
        world.run()
    world.rerun("4", results=Results(keep_runs=keep))
    world.step()
    world.step()

    deleted = [action for action in world.done if isinstance(action, Delete)]
    deleted += [thing for action in world.done if isinstance(action, ClearAway) for thing in action.things]
    reports = [thing.name for thing in deleted if thing.name.endswith("-report")]
    assert sorted(reports) == [f"test-{number}-report" for number in sorted(gone)]


MOMENTS = st.integers(0, 50).map(lambda seconds: NOON + timedelta(seconds=seconds))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | MOMENTS), max_size=30), MOMENTS)
def test_the_agenda_has_the_last_word_about_each(puts: list[tuple[str, datetime | None]], now: datetime) -> None:
    agenda, last = Agenda(), {}
    for key, due in puts:
        agenda.put(("demo", key), due)
        last[key] = due
    wanted = {key: due for key, due in last.items() if due is not None}

    assert agenda.next() == min(wanted.values(), default=None)
    assert sorted(key for _, key in agenda.take(now)) == sorted(key for key, due in wanted.items() if due <= now)
    assert agenda.next() == min((due for due in wanted.values() if due > now), default=None)
