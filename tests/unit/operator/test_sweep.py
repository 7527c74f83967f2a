"""A LoadTestSweep in virtual time: what it makes, in which order, what it comes to, and what it says meanwhile."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from loadgen.model.report import Verdict
from loadtest_operator.api.sweep import LoadTestSweepSpec, SweepPhase
from loadtest_operator.core.sweep import figures
from loadtest_operator.core.sweep.decide import AbortChild
from unit.operator.sweep_world import FIELD, NOON, RUN_SECONDS, SweepWorld, a_grid, a_search, a_template


def condition(world: SweepWorld, kind: str) -> Any:
    (found,) = [each for each in world.status.conditions if each.type == kind]
    return found


def finished(spec: dict[str, Any], **more: Any) -> SweepWorld:
    world = SweepWorld(spec, **more)
    world.run()
    return world


def test_a_grid_ends_with_its_table_and_its_best_point() -> None:
    world = finished(a_grid())
    status = world.status
    assert world.order == [f"knee-{number}" for number in range(1, 7)]
    assert [(level.values, level.runs, level.verdict) for level in status.levels] == [
        (("10",), 2, Verdict.PASSED),
        (("30",), 2, Verdict.PASSED),
        (("80",), 2, Verdict.FAILED),
    ]
    assert status.best is not None
    assert (status.best.level, status.fields) == (f"{FIELD} = 30", (FIELD,))
    assert float(status.best.requests_per_second) == pytest.approx(30, rel=0.15)
    assert status.knee is not None
    assert status.verdict is Verdict.PASSED
    assert status.message is not None
    assert "every level was measured" in status.message
    assert f"best: {FIELD} = 30" in status.message
    assert [event.reason for event in world.events] == ["SweepPassed"]


def test_levels_are_set_in_ordinary_load_tests_of_the_sweep() -> None:
    world = SweepWorld(a_grid(loadTestTemplate={"metadata": {"labels": {"team": "chat"}}, **a_template()}))
    world.look()
    (body,) = world.children.values()
    assert body["kind"] == "LoadTest"
    assert body["metadata"]["labels"] == {
        "team": "chat", "app.kubernetes.io/managed-by": "loadtest-operator", "loadtest.dev/sweep": "knee",
    }  # fmt: skip
    assert body["metadata"]["ownerReferences"][0]["kind"] == "LoadTestSweep"
    assert body["spec"]["load"]["stages"][0]["arrivalRate"] in (10, 30, 80)
    assert world.spec["loadTestTemplate"]["spec"]["load"]["stages"][0]["arrivalRate"] == 1


def test_a_knee_is_searched_and_held() -> None:
    """Of a server of 40 requests a second; the hold lasts a minute, and its deadline grows with it."""
    world = finished(a_search())
    status = world.status
    assert status.verdict is Verdict.PASSED, status.message
    assert world.order[-1] == "knee-hold"
    held = world.children["knee-hold"]["spec"]
    assert held["load"]["stages"][0]["durationSeconds"] == 60
    assert held["activeDeadlineSeconds"] == 3600 + 60 - RUN_SECONDS
    assert status.knee is not None
    assert status.knee.low is not None
    assert status.knee.high is not None
    assert float(status.knee.low) <= 38 <= float(status.knee.high)
    assert status.hold is not None
    assert (status.hold.held, status.best) == (True, None)
    assert condition(world, "Passed").status == "True"


def test_every_level_that_misses_the_slo_fails_the_sweep() -> None:
    world = finished(a_grid(60, 80))
    assert (world.status.verdict, world.status.best) == (Verdict.FAILED, None)
    assert condition(world, "Stalled").status == "True"


def test_a_level_beyond_the_generator_is_not_known() -> None:
    world = finished(a_grid(10, 30), limit=15)
    assert world.status.verdict is Verdict.INCONCLUSIVE
    assert world.status.message == (
        f"no run at {FIELD} = 30 is evidence (the processor was busy); " + world.status.message.partition("; ")[2]  # type: ignore[union-attr]
    )
    assert world.status.best is not None
    assert world.status.runs is not None
    assert world.status.runs.without_evidence == 2
    assert len(world.status.without_evidence) == 2


@pytest.mark.parametrize("spoilt", ["gone", "changed", "none", "not complete", "strange"])
def test_a_run_that_left_no_evidence_is_told_and_made_up_for(spoilt: str) -> None:
    """Whatever happened to its record, it is neither good nor bad: a search makes the level again."""
    world = SweepWorld(a_search())
    world.look()
    world.look()
    (name,) = world.running
    uncompleted: dict[str, Any] = {"verdict": "Inconclusive", "conditions": []} if spoilt == "not complete" else {}
    world.finish(**uncompleted)
    if spoilt == "gone":
        world.config_maps.clear()
    elif spoilt == "changed":
        world.children[name]["status"]["artifacts"][0]["sha256"] = "0" * 64
    elif spoilt == "strange":
        world.children[name]["status"]["verdict"] = "Unheard"
    elif spoilt == "none":
        world.children[name]["status"]["artifacts"] = []
    world.run()
    assert world.status.verdict is Verdict.PASSED, world.status.message
    assert [lost.name for lost in world.status.without_evidence] == ["knee-1"]
    first, second = (world.children[f"knee-{number}"]["spec"]["load"] for number in (1, 2))
    assert first == second


def test_a_run_whose_threshold_is_undecided_has_measured_all_the_same() -> None:
    """Inconclusive for want of samples is evidence of the level."""
    world = SweepWorld(a_grid(10, 30, repeats=1))
    for _ in range(2):
        world.look()
        world.finish("Inconclusive")
    world.run()
    assert (world.status.verdict, world.status.without_evidence) == (Verdict.PASSED, ())


def test_three_in_vain_end_it() -> None:
    world = SweepWorld(a_grid())
    for _ in range(3):
        world.look()
        world.finish("Error")
    world.run()
    assert world.status.verdict is Verdict.INCONCLUSIVE
    assert (world.status.message or "").startswith("3 runs in a row gave no evidence")
    assert len(world.made) == 3


def test_it_rests_between_two_runs() -> None:
    world = SweepWorld(a_grid(between={"restSeconds": 30}))
    world.look()
    world.now += timedelta(seconds=RUN_SECONDS)
    world.finish()
    assert world.look().wake_after == 30
    assert "resting until 2026-06-01T12:00:50Z" in (world.status.message or "")
    world.now += timedelta(seconds=29)
    world.look()
    assert len(world.made) == 1
    world.now += timedelta(seconds=1)
    world.look()
    assert len(world.made) == 2


def test_suspend_holds_the_next_run_and_nothing_else() -> None:
    world = SweepWorld(a_grid())
    world.look()
    world.edit(suspend=True)
    world.look()
    assert world.running == ["knee-1"]
    world.finish()
    world.look()
    assert (len(world.made), world.status.phase) == (1, SweepPhase.RUNNING)
    assert condition(world, "Reconciling").reason == "Suspended"
    world.edit(suspend=False)
    world.run()
    assert world.status.verdict is Verdict.PASSED


def test_abort_stops_what_runs_and_keeps_what_was_measured() -> None:
    world = SweepWorld(a_grid())
    world.step()
    world.look()
    world.edit(abort=True)
    assert AbortChild("knee-2") in world.look().actions
    assert world.look().actions == ()
    world.finish("Aborted")
    world.look()
    assert (world.status.phase, world.status.verdict) == (SweepPhase.FINISHED, Verdict.ABORTED)
    assert "2 of 6 runs finished" in (world.status.message or "")
    assert len(world.status.levels) == 1


def test_what_is_over_stays_as_it_is() -> None:
    """Whatever becomes of its LoadTests."""
    world = finished(a_grid())
    before = world.table
    world.children.clear()
    world.edit(abort=True)
    world.look()
    assert world.table == {**before, "observedGeneration": 2}
    assert not world.children


def test_a_load_test_that_cannot_be_made_is_tried_again_and_told() -> None:
    world = SweepWorld(a_grid())
    world.refusal = "exceeded quota: loadtests"
    world.look()
    assert world.look().wake_after == 10
    assert condition(world, "Ready").message == "knee-1 is not made: exceeded quota: loadtests; tried again"
    world.refusal = ""
    world.run()
    assert world.status.verdict is Verdict.PASSED


def test_a_namesakes_load_test_counts_for_nothing() -> None:
    world = SweepWorld(a_grid())
    world.look()
    world.children["knee-1"]["metadata"]["ownerReferences"][0]["uid"] = "somebody"
    world.finish()
    world.look()
    assert (world.status.levels, world.status.current) == ((), None)


REFERENCES = {"grid": finished(a_grid()), "search": finished(a_search())}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["grid", "search"]), st.lists(st.integers(0, 3), max_size=25))
def test_an_operator_that_is_killed_anywhere_comes_to_the_same_table(kind: str, lives: list[int]) -> None:
    """Before the status is written, after it, between any two actions: nothing is made twice, nothing is lost."""
    reference = REFERENCES[kind]
    world = SweepWorld(reference.spec)
    for survives in lives:
        assert len(world.running) <= 1
        world.trouble = ""
        world.step(survives=survives)
    world.run()
    assert world.table == reference.table
    assert world.order == reference.order
    assert set(world.made.values()) == {1}


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 6), max_size=3))
def test_load_tests_that_a_user_deletes_are_made_again(places: list[int]) -> None:
    """While the sweep goes on; the table is the same."""
    world = SweepWorld(a_grid())
    for place in places:
        world.step()
        world.children.pop(f"knee-{place}", None)
    world.run()
    wanted, found = REFERENCES["grid"].table, world.table
    assert found == wanted


def test_the_largest_table_fits_its_bound() -> None:
    """Three fields, 256 levels, the longest values that a number has; the figures are those of a real run."""
    world = finished(a_grid(10, repeats=1))
    (level,) = world.status.levels
    long = level.model_copy(update={"values": ("123456789012345678901.123456789",) * 3, "p99": "1234567.891"})
    shown, more = figures._fitting([long] * 256)
    assert more == 256 - len(shown) > 0
    status = world.status.model_copy(update={"levels": shown, "more_levels": more})
    assert len(status.model_dump_json(exclude_none=True).encode()) < 64 * 1024
    usual, none = figures._fitting([level] * 200)
    assert (len(usual), none) == (200, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vary": None}, "set exactly one of vary and search, not 0"),
        ({"search": a_search()["search"]}, "set exactly one of vary and search, not 2"),
        ({"repeats": 100}, "which with repeats 100 are 300 runs; at most 256 can be made"),
        ({"vary": []}, "at least 1 item"),
        (
            {"vary": [{"field": "load.stages[no].arrivalRate", "values": [1]}]},
            "there is no 'no' among stages: one of hold",
        ),
        ({"vary": [{"field": "load.stagez[hold].arrivalRate", "values": [1]}]}, "loadTestTemplate.spec has no stagez"),
        (
            {"vary": [{"field": "load.sead", "values": [1]}]},
            "with load.sead = 1, loadTestTemplate.spec.load.sead: extra",
        ),
        ({"vary": [{"field": "activeDeadlineSeconds", "values": [99]}]}, "is none of the plan: write one of requests"),
        (
            {"vary": [{"field": "load.workers", "values": [0]}]},
            "with load.workers = 0, loadTestTemplate.spec.load.workers: input should be greater than or equal to 1",
        ),
        (
            {"vary": None, "search": {"field": "load.maxInFlight", "min": 1, "max": 2}},
            "a search needs load.stages[NAME]",
        ),
        ({"vary": None, "search": {"field": FIELD, "min": 3, "max": 2}}, "write 0 < min < max"),
    ],
)
def test_a_bad_sweep_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    """With field, value and remedy."""
    spec = {name: value for name, value in a_grid(**changes).items() if value is not None}
    with pytest.raises(ValidationError) as refused:
        LoadTestSweepSpec.model_validate(json.loads(json.dumps(spec)))
    assert said in str(refused.value)


def test_it_begins_when_it_is_first_seen() -> None:
    world = SweepWorld(a_grid(suspend=True))
    world.look()
    assert (world.status.phase, world.status.start_time) == (SweepPhase.PENDING, NOON)
