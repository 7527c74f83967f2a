"""`kubectl loadtest sweep`: the table, the exit code, and waiting for it."""

from copy import deepcopy

import pytest

from builders import Object
from component.plugin.api import Server
from component.plugin.conftest import Call
from loadtest_operator.core.common.kinds import LOAD_TEST_SWEEP
from unit.operator.sweep_world import SweepWorld, a_grid, a_search

CODES = {"Passed": 0, "Failed": 1, "Inconclusive": 3, "Error": 4, "Aborted": 5}


def put(server: Server, world: SweepWorld, **status: object) -> None:
    metadata = {"name": "knee", "namespace": "demo"}
    server.put(LOAD_TEST_SWEEP, {"metadata": metadata, "spec": world.spec, "status": {**world.stored, **status}})


def played(spec: Object) -> SweepWorld:
    world = SweepWorld(deepcopy(spec))
    world.run()
    return world


def test_a_grid_is_shown_with_its_best_level(call: Call, server: Server) -> None:
    put(server, played(a_grid()))
    said = call("sweep", "knee")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("Passed  every level was measured")
    assert "LoadTestSweep demo/knee · 6 of 6 LoadTests finished" in said.out
    assert [line.split()[:3] for line in lines if line.startswith("  ") and line.split()[0] in ("10", "30", "80")] == [
        ["10", "Passed", "2"],
        ["30", "Passed", "2"],
        ["80", "Failed", "2"],
    ]
    assert "best: load.stages[hold].arrivalRate = 30" in said.out
    assert "knee: " in said.out


def test_a_search_is_shown_with_its_hold(call: Call, server: Server) -> None:
    put(server, played(a_search()))
    said = call("sweep", "loadtestsweep/knee")
    assert "95 % interval" in said.out
    assert "held 3" in said.out


@pytest.mark.parametrize(("verdict", "code"), CODES.items())
def test_the_verdict_is_the_exit_code(verdict: str, code: int, call: Call, server: Server) -> None:
    put(server, played(a_grid(10, repeats=1)), verdict=verdict)
    assert call("sweep", "knee").code == code


def test_what_gave_no_evidence_is_told(call: Call, server: Server) -> None:
    world = SweepWorld(a_grid(10, 30, repeats=1), limit=15)
    world.run()
    put(server, world)
    said = call("sweep", "knee")
    assert said.code == 3
    assert "No evidence" in said.out
    assert "the processor was busy" in said.out


def test_one_that_goes_on_is_shown_and_waited_for(call: Call, server: Server) -> None:
    """Without --wait as it is; with it until its verdict, or until the time is over."""
    world = SweepWorld(a_grid(10, repeats=1))
    world.look()
    world.look()
    put(server, world)
    said = call("sweep", "knee")
    assert said.code == 0
    assert said.out.startswith("Running  knee-1 runs")
    late = call("sweep", "knee", "--wait", "--timeout", "1s")
    assert late.code == 3
    assert "the sweep goes on: `kubectl loadtest sweep knee --wait` follows it" in late.err
    server.trouble = lambda _: put(server, played(a_grid(10, repeats=1)))
    assert call("sweep", "knee", "--wait").code == 0


def test_one_that_is_not_there_is_an_error(call: Call) -> None:
    said = call("sweep", "nope")
    assert said.code != 0
    assert "LoadTestSweep nope is not in namespace demo" in said.err
