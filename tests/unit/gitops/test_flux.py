"""Flux and everything else that waits by kstatus: a LoadTest is Current when it has passed, Failed at any other end."""

import copy
from typing import Any

import pytest
import yaml

from loadgen.model.report import Verdict
from unit.gitops.kstatus import GITOPS, computed, evaluated
from unit.gitops.objects import ENDS, a_load_test, a_schedule, a_sweep, ended, nightly, on_its_way
from unit.operator.sweep_world import SweepWorld, a_grid

GATE, TREND = (
    next(iter(body["spec"]["healthCheckExprs"]))
    for body in yaml.safe_load_all((GITOPS / "flux" / "kustomization.yaml").read_text())
)
IDS = [situation.what for situation, _ in ENDS]


@pytest.mark.parametrize(("situation", "status"), ENDS, ids=IDS)
def test_a_wait_ends_with_the_verdict(situation: Any, status: dict[str, Any]) -> None:
    """By the conditions alone as by the expressions: Passed is Current, any other end Failed."""
    wanted = "Current" if situation.verdict is Verdict.PASSED else "Failed"
    assert computed(a_load_test(status)) == wanted
    assert evaluated(a_load_test(status), GATE) == wanted


@pytest.mark.parametrize(("situation", "status"), ENDS, ids=IDS)
def test_without_a_gate_every_end_is_current(situation: Any, status: dict[str, Any]) -> None:
    assert evaluated(a_load_test(status), TREND) == "Current", situation.what


def test_a_run_that_goes_on_is_waited_for() -> None:
    """At every look from the first on."""
    for phase, status in on_its_way():
        body = a_load_test(status)
        assert {computed(body), evaluated(body, GATE), evaluated(body, TREND)} == {"InProgress"}, phase


def test_another_run_token_is_waited_for() -> None:
    """kstatus sees the new generation, the expressions the token; neither takes the last run's verdict for the next one's."""
    for _, status in ENDS:
        body = a_load_test(copy.deepcopy(status), generation=2, runToken="2")
        assert computed(body) == "InProgress"
        for checks in (GATE, TREND):
            assert evaluated(body, checks) == "InProgress"
            assert evaluated({**body, "metadata": {"generation": 1}}, checks) == "InProgress"


def test_before_the_first_look_only_the_expressions_wait() -> None:
    """To kstatus an object without a status is Current: why the example has expressions."""
    assert computed(a_load_test()) == "Current"
    for body in (a_load_test(), a_load_test({})):
        for checks in (GATE, TREND):
            assert evaluated(body, checks) in {"Unknown", "InProgress"}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_schedule_is_current_while_its_next_start_will_be_made(verdict: Verdict) -> None:
    """Whatever its last run found: a schedule is no gate to Flux."""
    assert computed(a_schedule(nightly(verdict))) == "Current"


def test_a_schedule_that_cannot_be_read_is_waited_for() -> None:
    assert computed(a_schedule(nightly(schedule="99 * * * *"))) == "InProgress"


def test_a_schedule_that_was_edited_is_waited_for() -> None:
    world = nightly(Verdict.PASSED)
    world.edit(timeZone="Europe/Berlin")
    assert computed(a_schedule(world)) == "InProgress"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_sweep_is_waited_for_until_it_passed(verdict: Verdict) -> None:
    """By its conditions alone: Passed is Current, any other end Failed."""
    world = SweepWorld(a_grid())
    world.look()
    assert computed(a_sweep(world)) == "InProgress"
    assert computed(a_sweep(ended(verdict))) == ("Current" if verdict is Verdict.PASSED else "Failed")
