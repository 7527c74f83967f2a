"""Argo CD: a test that did not pass is no broken application, unless somebody made it a gate; then doubt closes it."""

import itertools
from typing import Any

import pytest

from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from unit.gitops import argocd
from unit.gitops.argocd import Health, health, phase_of_a_hook
from unit.gitops.objects import ENDS, a_load_test, a_schedule, a_sweep, ended, nightly, on_its_way
from unit.operator.sweep_world import SweepWorld, a_grid

NO_GATE = (None, "false")
GATES = ("true", "True", "yes", "")
"""What is not clearly no is a gate: a word that was meant as one must not open it."""


def test_the_config_map_carries_the_scripts() -> None:
    assert argocd.CONFIG_MAP.read_text() == argocd.config_map(), "PYTHONPATH=tests python -m unit.gitops.argocd"


@pytest.mark.parametrize(("situation", "status"), ENDS, ids=[situation.what for situation, _ in ENDS])
def test_every_end_is_healthy_and_says_its_verdict(situation: Any, status: dict[str, Any]) -> None:
    """The application is not broken by what a test found out; the message has the words of the status."""
    for gate in NO_GATE:
        answer = health("LoadTest", a_load_test(status, gate=gate))
        assert answer.status == "Healthy"
        assert answer.message.startswith(f"{situation.verdict}: {status['message']}")


@pytest.mark.parametrize(("situation", "status"), ENDS, ids=[situation.what for situation, _ in ENDS])
def test_a_gate_opens_for_passed_alone(situation: Any, status: dict[str, Any]) -> None:
    for gate in GATES:
        answer = health("LoadTest", a_load_test(status, gate=gate))
        wanted = "Healthy" if situation.verdict is Verdict.PASSED else "Degraded"
        assert answer == Health(wanted, f"{situation.verdict}: {status['message']}")
        assert phase_of_a_hook(answer) == ("Succeeded" if wanted == "Healthy" else "Failed")


def test_every_phase_of_a_run_is_progressing() -> None:
    """From the first look to the last but one, gate or not; a wave waits for it."""
    seen = set()
    for phase, status in on_its_way():
        answers = {health("LoadTest", a_load_test(status, gate=gate)) for gate in (None, "true")}
        assert {answer.status for answer in answers} == {"Progressing"}
        assert all(answer.message.startswith(phase) for answer in answers)
        seen.add(phase)
    assert seen >= {Phase.PENDING, Phase.PREPARING, Phase.RUNNING, Phase.EVALUATING}


@pytest.mark.parametrize("gate", [None, "true"])
def test_the_verdict_of_another_run_counts_for_nothing(gate: str | None) -> None:
    """Between the change of the token and the operator's next look the status is the last run's."""
    for situation, status in ENDS:
        answer = health("LoadTest", a_load_test(status, gate=gate, runToken="2"))
        assert answer.status == "Progressing", situation.what
        assert "runToken 2" in answer.message


@pytest.mark.parametrize("gate", [None, "true"])
def test_nobody_has_looked_yet(gate: str | None) -> None:
    for body in (a_load_test(gate=gate), a_load_test({}, gate=gate)):
        assert health("LoadTest", body).status == "Progressing"


def test_a_token_that_is_not_written_is_the_default() -> None:
    (passed,) = [status for situation, status in ENDS if situation.what == "Everything holds"]
    body = a_load_test(passed, gate="true")
    del body["spec"]["runToken"]
    assert health("LoadTest", body).status == "Healthy"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (None, "Suspended"),
        ({"phase": "Pending", "run": {"token": "1"}, "message": "suspended"}, "Suspended"),
        ({"phase": "Preparing", "run": {"token": "1"}}, "Suspended"),
        ({"phase": "Running", "run": {"token": "1", "loadStartTime": "2026-01-01T00:00:00Z"}}, "Progressing"),
        ({"phase": "Finished", "run": {"token": "0"}, "verdict": "Passed"}, "Suspended"),
        ({"phase": "Finished", "run": {"token": "1"}, "verdict": "Passed"}, "Healthy"),
    ],
    ids=["not seen yet", "waiting", "prepared", "under load already", "to be run again", "over"],
)
def test_suspend_holds_the_start_and_nothing_else(status: dict[str, Any] | None, wanted: str) -> None:
    assert health("LoadTest", a_load_test(status, gate="true", suspend=True)).status == wanted


@pytest.mark.parametrize(("gate", "wanted"), [(None, "Unknown"), ("true", "Degraded")])
def test_an_end_without_a_verdict_opens_nothing(gate: str | None, wanted: str) -> None:
    """It cannot be, and is not taken for good; nor is a verdict of a newer release."""
    status = {"phase": "Finished", "run": {"token": "1"}}
    answer = health("LoadTest", a_load_test(status, gate=gate))
    assert answer.status == wanted
    assert phase_of_a_hook(answer) == "Failed"
    strange = health("LoadTest", a_load_test({**status, "verdict": "Excellent"}, gate="true"))
    assert strange.status == "Degraded"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_schedule_is_healthy_whatever_its_runs_found(verdict: Verdict) -> None:
    answer = health("LoadTestSchedule", a_schedule(nightly(verdict)))
    assert answer.status == "Healthy"
    assert str(verdict) in answer.message


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ((), "Progressing"),
        ((Verdict.PASSED,), "Healthy"),
        ((Verdict.PASSED, Verdict.FAILED), "Degraded"),
        ((Verdict.FAILED, Verdict.PASSED), "Healthy"),
        ((Verdict.INCONCLUSIVE,), "Degraded"),
        ((Verdict.ERROR,), "Degraded"),
        ((Verdict.ABORTED,), "Degraded"),
    ],
    ids=["no run yet", "passed", "failed after it passed", "passed after it failed", "no answer", "error", "aborted"],
)
def test_a_schedule_as_a_gate_is_open_while_its_last_run_passed(verdicts: tuple[Verdict, ...], wanted: str) -> None:
    """What is not known yet is waited for."""
    for gate in GATES:
        assert health("LoadTestSchedule", a_schedule(nightly(*verdicts), gate=gate)).status == wanted


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "Healthy"),
        ({"suspend": True}, "Suspended"),
        ({"schedule": "99 * * * *"}, "Degraded"),
        ({"timeZone": "Europe/Nowhere"}, "Degraded"),
    ],
    ids=["all is well", "suspended", "no cron expression", "no time zone"],
)
def test_a_schedule_is_as_healthy_as_its_next_start_is_sure(changes: dict[str, Any], wanted: str) -> None:
    world = nightly(**changes)
    answer = health("LoadTestSchedule", a_schedule(world))
    assert answer.status == wanted
    assert answer.message.startswith(world.stored["conditions"][0]["message"])


@pytest.mark.parametrize("gate", [None, "true"])
def test_what_was_said_of_an_older_spec_counts_for_nothing(gate: str | None) -> None:
    """A schedule that was repaired is not Degraded for what it was, and one that was broken not Healthy."""
    for world in (nightly(schedule="99 * * * *"), nightly(Verdict.PASSED), nightly(suspend=True)):
        world.edit(timeZone="Europe/Berlin")
        assert health("LoadTestSchedule", a_schedule(world, gate=gate)).status == "Progressing"


def test_a_schedule_that_nobody_has_looked_at_is_progressing() -> None:
    for status in ({}, {"status": {}}, {"status": {"conditions": []}}):
        assert health("LoadTestSchedule", {"metadata": {"generation": 1}, "spec": {}, **status}).status == "Progressing"


def test_no_status_of_a_gate_is_healthy_but_passed() -> None:
    """Every combination of phase, verdict and token, also those that cannot be."""
    phases, verdicts, tokens = (None, *Phase), (None, *Verdict), (None, "1", "2")
    for phase, verdict, token in itertools.product(phases, verdicts, tokens):
        known = {"phase": phase, "verdict": verdict, "run": {"token": token} if token else None}
        status = {name: value for name, value in known.items() if value is not None}
        opened = health("LoadTest", a_load_test(status, gate="true")).status == "Healthy"
        assert opened is (phase is Phase.FINISHED and verdict is Verdict.PASSED and token == "1")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_sweep_as_a_gate_opens_for_passed_alone(verdict: Verdict) -> None:
    world = ended(verdict)
    for gate in GATES:
        wanted = "Healthy" if verdict is Verdict.PASSED else "Degraded"
        assert health("LoadTestSweep", a_sweep(world, gate=gate)).status == wanted
    for gate in NO_GATE:
        answer = health("LoadTestSweep", a_sweep(world, gate=gate))
        assert answer.status == "Healthy"
        assert answer.message.startswith(f"{verdict}: {world.status.message}")


@pytest.mark.parametrize("gate", [None, "true"])
def test_a_sweep_on_its_way_is_progressing_and_one_that_is_held_suspended(gate: str | None) -> None:
    world = SweepWorld(a_grid(10, repeats=1))
    answers = [health("LoadTestSweep", a_sweep(world, gate=gate)).status]
    while world.look() and world.stored["phase"] != "Finished":
        answers.append(health("LoadTestSweep", a_sweep(world, gate=gate)).status)
        if world.running and world.stored.get("current"):
            world.finish()
    assert set(answers) == {"Progressing"}
    assert len(answers) > 2
    held = SweepWorld(a_grid(suspend=True))
    held.look()
    assert health("LoadTestSweep", a_sweep(held, gate=gate)).status == "Suspended"


def test_a_sweep_that_ended_without_a_verdict_opens_nothing() -> None:
    body = {"metadata": {"annotations": {"loadtest.dev/gate": "true"}}, "spec": {}, "status": {"phase": "Finished"}}
    assert health("LoadTestSweep", body).status == "Degraded"
    assert health("LoadTestSweep", {**body, "metadata": {}}).status == "Unknown"
