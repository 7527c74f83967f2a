"""A whole sweep in virtual time: simulated runs in place of real ones, and what it comes to."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from loadgen.commands.sweeping import Sweeper, read
from loadgen.core.capacity import points, steady, sweeping
from loadgen.model.errors import InvalidPlanError
from loadgen.model.plan import Plan
from loadgen.model.report import Report, Validity, ValidityLevel, Verdict
from loadgen.model.sweep import Conclusion, Sweep
from loadgen.report import plain
from loadgen.report import sweep as view
from unit.loadgen.capacity.groups import a_tally_of
from unit.loadgen.capacity.queues import fifo, poisson
from unit.loadgen.test_summary import a_report

FIELD = "load.stages[hold].arrivalRate"
TEMPLATE = {
    "requests": [{"name": "get", "http": {"path": "/"}, "slo": {"responseTimeMilliseconds": 500}}],
    "load": {"stages": [{"name": "hold", "durationSeconds": 60, "arrivalRate": 1}]},
}


def a_sweep(**changes: Any) -> dict[str, Any]:
    search = {"field": FIELD, "min": 5, "max": 80, "holdSeconds": 120}
    return {"loadTestTemplate": {"spec": TEMPLATE}, "search": search, **changes}


def swept(document: dict[str, Any], capacity: float, tmp_path: Path, **more: Any) -> Sweep:
    """Against a queue that takes so many a second; `limit` is the rate past which the generator is the limit, `verdicts`
    what the first runs end with."""
    rng, verdicts = np.random.default_rng(1), list(more.get("verdicts", ()))

    def play(plan: Plan) -> Report:
        (stage,) = plan.load.stages
        rate = float(stage.arrival_rate or 0)
        arrivals = poisson(rng, rate, stage.duration_seconds)
        times = fifo(arrivals, np.full(arrivals.size, 1 / capacity))
        limited = rate > more.get("limit", np.inf)
        level = ValidityLevel.GENERATOR_LIMITED if limited else ValidityLevel.VALID
        validity = Validity(level=level, reasons=("the processor was busy",) if limited else ())
        verdict = verdicts.pop(0) if verdicts else more.get("verdict", Verdict.PASSED)
        return steady.beside(a_report(plan, a_tally_of(plan, arrivals, times, 0.5), validity=validity, verdict=verdict))

    return Sweeper(read(document), "http://x", play, tmp_path / "out.json").run()


def test_a_knee_is_found_held_and_shown_again(tmp_path: Path) -> None:
    """Of a server of 40 requests a second: half a second is kept up to 37."""
    done = swept(a_sweep(), 40, tmp_path)
    assert done.conclusion is Conclusion.CONFIRMED, done.message
    assert done.knee is not None
    assert done.knee.low is not None
    assert done.knee.high is not None
    assert done.knee.low <= 37.1 <= done.knee.high
    assert done.hold is not None
    assert (done.hold.held, done.hold.seconds) == (True, 120)
    again = view.load(json.loads((tmp_path / "out.json").read_text()), "out.json")
    assert again == done
    assert plain.plain(view.render(again)).startswith(
        "Confirmed  95 % keep the SLO up to load.stages[hold].arrivalRate = "
    )


def test_a_range_that_is_not_enough_is_not_confirmed(tmp_path: Path) -> None:
    """And says what would do."""
    high = swept(a_sweep(), 400, tmp_path)
    assert (high.conclusion, high.knee and high.knee.bound) == (Conclusion.UNCONFIRMED, "AtLeast")
    assert "raise search.max" in high.message
    low = swept(a_sweep(), 2, tmp_path)
    assert (low.conclusion, low.knee and low.knee.bound) == (Conclusion.UNCONFIRMED, "AtMost")


def test_a_generator_at_its_limit_is_no_knee(tmp_path: Path) -> None:
    """Past 15 requests a second nothing is evidence: at least 10, not 15."""
    done = swept(a_sweep(), 40, tmp_path, limit=15)
    assert (done.conclusion, done.knee and done.knee.bound) == (Conclusion.UNCONFIRMED, "AtLeast")
    assert done.knee is not None
    assert done.knee.load == 10
    assert all(run.valid == (run.point[FIELD] <= 15) for run in done.runs)


def test_a_hold_that_fails_does_not_count(tmp_path: Path) -> None:
    """Whatever attainment says: a threshold that the hold violates is no capacity."""
    done = swept(a_sweep(), 40, tmp_path, verdict=Verdict.FAILED)
    assert done.conclusion is Conclusion.UNCONFIRMED
    assert "it does not count" in done.message


@pytest.mark.parametrize(
    ("capacity", "held", "said"),
    [(100, True, "100.00 % kept the SLO"), (41, False, "over the stage"), (20, False, "95 % were wanted")],
)
def test_what_a_hold_needs(capacity: float, held: bool, said: str) -> None:
    """Forty requests a second for two minutes: an idle server, one that drifts within its SLO, one that is too slow."""
    plan = points.plan(read(a_sweep()), {FIELD: Decimal(40)}, **{"load.stages[hold].durationSeconds": 120})
    arrivals = np.arange(0, 120, 1 / 40)
    slower = 1 + 0.002 * arrivals if capacity == 41 else 1.0
    times = fifo(arrivals, np.full(arrivals.size, 1 / capacity)) * slower
    report = steady.beside(a_report(plan, a_tally_of(plan, arrivals, times, 0.5)))
    found = sweeping.held(40, 120, report, "hold", 0.95)
    assert found.held is held
    assert said in found.message


def test_stopping_keeps_what_was_measured(tmp_path: Path) -> None:
    """An interrupted run ends the sweep."""
    done = swept(a_sweep(), 40, tmp_path, verdict=Verdict.ABORTED)
    assert (done.conclusion, len(done.runs)) == (Conclusion.ABORTED, 0)


def test_a_grid_has_a_best_point(tmp_path: Path) -> None:
    """The most requests a second that keep the SLO, each level as often as asked."""
    values = {"vary": [{"field": FIELD, "values": [10, 30, 80]}], "repeats": 2}
    document = {name: value for name, value in a_sweep(**values).items() if name != "search"}
    done = swept(document, 40, tmp_path)
    assert (done.conclusion, done.best) == (Conclusion.MEASURED, {FIELD: 30})
    assert [(level.point[FIELD], level.runs) for level in done.levels] == [(10, 2), (30, 2), (80, 2)]
    assert [level.verdict for level in done.levels] == [Verdict.PASSED, Verdict.PASSED, Verdict.FAILED]
    assert done.knee is not None


def a_grid(*values: int, **changes: Any) -> dict[str, Any]:
    return {"loadTestTemplate": {"spec": TEMPLATE}, "vary": [{"field": FIELD, "values": list(values)}], **changes}


def test_a_level_without_evidence_is_not_called_measured(tmp_path: Path) -> None:
    """It is named, with the reason: a table with a hole in it is not whole."""
    done = swept(a_grid(10, 30, repeats=2), 40, tmp_path, limit=15)
    assert done.conclusion is Conclusion.UNCONFIRMED
    assert done.message == f"no run at {FIELD} = 30 is evidence (the processor was busy)"
    assert done.best == {FIELD: 10}


def test_a_level_that_lies_at_the_bound_is_not_called_good(tmp_path: Path) -> None:
    """Its interval reaches over what is wanted: neither Passed nor Failed, and never the best point."""
    template = json.loads(json.dumps(TEMPLATE))
    template["load"]["stages"][0]["durationSeconds"] = 20
    done = swept(a_grid(10, 39, repeats=1, loadTestTemplate={"spec": template}), 40, tmp_path)
    low, high = done.levels
    assert high.attainment_low is not None
    assert high.attainment_high is not None
    assert high.attainment_low < 95 < high.attainment_high
    assert (low.verdict, high.verdict, done.best) == (Verdict.PASSED, Verdict.INCONCLUSIVE, {FIELD: 10})


def test_the_file_of_the_cluster_is_read_on_a_laptop() -> None:
    """The sample, with all that a cluster knows besides."""
    sample = Path(__file__).parents[4] / "deploy" / "samples" / "chat-levels.yaml"
    document = yaml.safe_load(sample.read_text())
    document["spec"] |= {"suspend": True, "abort": False}
    document["spec"]["loadTestTemplate"]["metadata"] = {"labels": {"team": "chat"}}
    assert len(points.grid(read(document))) == 6


def test_a_run_that_measured_nothing_is_made_again(tmp_path: Path) -> None:
    """An error of the platform at the lowest level is no limit of the generator: the knee is found all the same."""
    done = swept(a_sweep(), 40, tmp_path, verdicts=[Verdict.ERROR, Verdict.PASSED, Verdict.INCONCLUSIVE])
    assert done.conclusion is Conclusion.CONFIRMED, done.message
    assert [(run.point[FIELD], run.valid) for run in done.runs[:4]] == [(5, False), (5, True), (10, False), (10, True)]


@pytest.mark.parametrize("document", [a_sweep(), a_grid(10, 30, 80)])
def test_three_runs_in_vain_end_a_sweep(document: dict[str, Any], tmp_path: Path) -> None:
    """Nobody wants to wait for the rest of them."""
    done = swept(document, 40, tmp_path, verdict=Verdict.ERROR)
    assert (done.conclusion, len(done.runs)) == (Conclusion.UNCONFIRMED, 3)
    assert done.message.startswith("3 runs in a row gave no evidence, the last at ")


@pytest.mark.parametrize("document", [a_sweep(), a_grid(10, 30, 80)])
def test_a_sweep_goes_on_where_it_was_cut_off(document: dict[str, Any], tmp_path: Path) -> None:
    """After each run, the next one follows from the runs before."""
    done = swept(document, 40, tmp_path)
    progress = sweeping.Progress(read(document))
    for run in done.runs:
        assert sweeping.next_point(progress) == run.point
        progress.runs.append(run)
    assert sweeping.next_point(progress) is None


GRID = {"vary": [{"field": "load.stages[no].concurrency", "values": [1]}], "search": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": None}, "set exactly one of vary and search"),
        (GRID, "there is no 'no' among stages: one of hold"),
        ({"vary": [{"field": "load.seeds", "values": [1]}], "search": None}, "seeds"),
        ({"vary": [{"field": "lead.seed", "values": [1]}], "search": None}, "has no lead"),
        ({"search": {"field": "load.seed", "min": 1, "max": 2}}, "a search needs load.stages"),
        ({"search": {"field": FIELD, "min": 3, "max": 2}}, "write 0 < min < max"),
        ({"search": {"field": "load.stages[hold].concurrency", "min": 1, "max": 2}}, "arrivalRate"),
        (
            {"vary": [{"field": FIELD, "values": list(range(1, 101))}], "search": None},
            "which with repeats 3 are 300 runs",
        ),
        ({"vary": [{"field": FIELD, "values": [1]}] * 2, "search": None}, "arrivalRate twice"),
        ({"kind": "LoadTest"}, "write LoadTestSweep"),
    ],
)
def test_a_bad_sweep_is_refused_before_any_load(changes: dict[str, Any], said: str) -> None:
    """With field, value and remedy."""
    with pytest.raises(InvalidPlanError, match=said.replace("[", r"\[")):
        read({name: value for name, value in a_sweep(**changes).items() if value is not None})


def test_blocks_leave_ramps_out_and_lose_nothing() -> None:
    """35 s after a ramp of 5 are blocks of 10, 10 and 15 s."""
    template = json.loads(json.dumps(TEMPLATE))
    template["load"]["stages"][0] |= {"durationSeconds": 40, "rampSeconds": 5}
    spec = read(a_sweep(loadTestTemplate={"spec": template}))
    plan = points.plan(spec, {FIELD: Decimal(2)})
    arrivals = np.arange(0.25, 40, 0.5)
    report = a_report(plan, a_tally_of(plan, arrivals, np.where(arrivals > 30, 1.0, 0.1), 0.5))
    assert points.blocks(report, "hold") == ((20, 20), (20, 20), (10, 30))
