"""Comparison: what may be set against what, the four answers, and how often chance alone would give a wrong one."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from loadgen.core.capacity import compare
from loadgen.core.capacity.compare import Answer, Comparison, Method
from loadgen.model.plan import Plan, Severity
from loadgen.model.report import Report, Result, ThresholdResult, ValidityLevel, Verdict
from unit.loadgen.capacity.groups import a_tally_of
from unit.loadgen.capacity.queues import Array, mmc, poisson
from unit.loadgen.deltas import steady
from unit.loadgen.plans import a_plan, closed, opened
from unit.loadgen.test_summary import a_report

PLAN = a_plan(opened(40, 30))


def a_run(minute: int, arrivals: Array, times: Array, plan: Plan = PLAN, **more: Any) -> Report:
    report = a_report(plan, a_tally_of(plan, arrivals, times))
    return report.model_copy(update={"start_time": f"2026-01-01T00:{minute:02d}:00Z", **more})


def independent(minute: int, factor: float = 1.0, *, seed: int | None = None, **more: Any) -> Report:
    """Log-normal times around 100 ms · factor; the same arrivals in every run, as the plan's seed makes them."""
    rng = np.random.default_rng(minute if seed is None else seed)
    arrivals = poisson(np.random.default_rng(99), 40, 30)
    return a_run(minute, arrivals, factor * rng.lognormal(-2.3, 0.15, arrivals.size), **more)


def constant(minute: int, ms: float = 100, **more: Any) -> Report:
    report = a_report(PLAN, steady(PLAN, ms=[ms] * 20))
    return report.model_copy(update={"start_time": f"2026-01-01T00:{minute:02d}:00Z", **more})


def asked(before: Sequence[Report], after: Sequence[Report], margin: float = 10) -> Comparison:
    return compare.compare(before, after, margin)


@pytest.mark.parametrize(
    ("factor", "answer"),
    [(1.0, Answer.EQUIVALENT), (1.3, Answer.WORSE), (0.75, Answer.BETTER), (1.1, Answer.UNDECIDED)],
)
def test_one_run_a_side(factor: float, answer: Answer) -> None:
    """Clear differences are told, clear sameness too, and just at the margin nothing is."""
    found = asked([independent(0)], [independent(1, factor)])
    assert (found.answer, found.method) == (answer, Method.POOLED)


def test_the_same_run_twice_proves_nothing() -> None:
    """Whatever its file is called."""
    run = independent(0)
    assert asked([run], [run.model_copy()]).message.startswith("the run of 2026-01-01T00:00:00Z was given twice")
    assert asked([run, independent(1), run], [independent(2)]).answer is Answer.UNDECIDED


@pytest.mark.parametrize("ms", [100, 100.05])
@pytest.mark.parametrize("margin", [0, 10])
def test_equal_values_are_equivalent(ms: float, margin: float) -> None:
    """Two runs that measured the same, to the histogram's resolution, whatever the margin; pairs too."""
    assert asked([constant(0)], [constant(1, ms)], margin).answer is Answer.EQUIVALENT
    before, after = [constant(at) for at in range(0, 12, 2)], [constant(at, ms) for at in range(1, 12, 2)]
    found = asked(before, after, margin)
    assert (found.answer, found.method) == (Answer.EQUIVALENT, Method.PAIRS)


def test_half_the_time_is_not_believed() -> None:
    """An improvement of 50 % is a reason to look at the measurement."""
    found = asked([independent(0)], [independent(1, 0.45)])
    assert found.answer is Answer.UNDECIDED
    assert "check that the target still did the same work" in found.message


def test_twice_the_time_is() -> None:
    """A deterioration needs no such doubt."""
    assert asked([independent(0)], [independent(1, 2.5)]).answer is Answer.WORSE


def other(**more: Any) -> Report:
    return independent(1).model_copy(update=more)


OTHER_PLAN = a_plan(opened(40, 30), requests=[{"name": "get", "http": {"path": "/other"}}])


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (other(plan=OTHER_PLAN, plan_hash="x"), r"the plans differ in requests\[0\].http.path"),
        (other(record=(), schema_version="1"), "keeps no record"),
        (other(verdict=Verdict.ABORTED, message="interrupted"), "ended Aborted: interrupted"),
        (other(verdict=Verdict.INCONCLUSIVE, message="a worker was lost"), "ended Inconclusive: a worker was lost"),
        (
            other(validity=independent(1).validity.model_copy(update={"level": ValidityLevel.GENERATOR_LIMITED})),
            "generator was the limit",
        ),
        (a_run(1, *mmc(np.random.default_rng(1), 35, 30, 8, 0.1)), "requests were planned"),
        (a_report(PLAN, steady(PLAN, seconds=20, ms=[100] * 40)), "seconds were measured, in the run"),
    ],
    ids=["other plan", "no record", "aborted", "not measured", "generator", "other volume", "cut short"],
)
def test_what_forbids_an_answer(after: Report, said: str) -> None:
    """Each on its own, on either side."""
    for sides in (([independent(0)], [after]), ([after], [independent(0)])):
        found = asked(*sides)
        assert found.answer is Answer.UNDECIDED
        assert re.search(said, found.message), found.message


def test_a_threshold_that_was_not_decided_forbids_nothing() -> None:
    """The measurement may be good where the question was too hard for it."""
    unknown = ThresholdResult(
        name="a", result=Result.UNKNOWN, severity=Severity.ERROR, observed="", wanted="", window="", message=""
    )
    run = independent(1, verdict=Verdict.INCONCLUSIVE, thresholds=(unknown,))
    assert asked([independent(0)], [run]).answer is Answer.EQUIVALENT


def test_too_few_values_say_how_many_would_do() -> None:
    """P95 of 30 values has no limit."""
    plan = a_plan(opened(1, 30))
    runs = [
        a_report(plan, steady(plan, ms=[100])).model_copy(update={"start_time": at})
        for at in ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")
    ]
    found = asked(runs[:1], runs[1:])
    assert found.answer is Answer.UNDECIDED
    assert "ResponseTime P95" in found.message


def test_noise_is_named_against_the_margin() -> None:
    """And what it would take."""
    found = asked([independent(0)], [independent(1, 1.02)], margin=1)
    assert found.answer is Answer.UNDECIDED
    assert "> margin 1 %: about" in found.message


def test_failed_requests_are_worse_and_their_latencies_no_better() -> None:
    """Half of them refused at once: the rest's latencies prove nothing, the errors do."""
    bad = steady(PLAN, ms=[100] * 10, errors={"Http503": 10})
    found = asked([constant(0)], [a_report(PLAN, bad)])
    assert found.answer is Answer.WORSE
    assert "ErrorPercent" in found.message
    assert {row.answer for row in found.rows if row.figure.of_answers} == {Answer.UNDECIDED}


def test_requests_without_an_answer_are_good_and_bad() -> None:
    """One of twenty hangs at the end of the run: neither errors nor P95 are known to be the same, P50 is."""
    found = asked([constant(0)], [a_report(PLAN, steady(PLAN, ms=[100] * 19, incomplete=1))])
    answers = {row.figure.name: row.answer for row in found.rows}
    assert answers["ErrorPercent"] is Answer.UNDECIDED
    assert answers["ResponseTime P95"] is Answer.UNDECIDED
    assert answers["ResponseTime P50"] is Answer.EQUIVALENT


def test_a_closed_stage_is_compared_by_its_rate_too() -> None:
    """There the volume is what came out."""
    plan = a_plan(closed(4, 30))
    before, after = (
        a_report(plan, steady(plan, ms=[ms] * count)).model_copy(update={"start_time": start})
        for ms, count, start in ((100, 40, "2026-01-01T00:00:00Z"), (125, 32, "2026-01-01T00:05:00Z"))
    )
    rows = {row.figure.name: row for row in asked([before], [after]).rows}
    assert rows["RequestsPerSecond"].answer is Answer.WORSE
    assert rows["RequestsPerSecond"].change is not None
    assert rows["RequestsPerSecond"].change.estimate == pytest.approx(-20)


def drifting(order: str, factor: float, seed: int) -> tuple[list[Report], list[Report]]:
    """Runs one after the other on a machine that gets slower: 4 % a run; B takes `factor` as long."""
    rng = np.random.default_rng(seed)
    runs: dict[str, list[Report]] = {"A": [], "B": []}
    for at, side in enumerate(order):
        scale = 1.04**at * rng.normal(1, 0.01) * (factor if side == "B" else 1)
        runs[side].append(independent(at, scale, seed=seed * 100 + at))
    return runs["A"], runs["B"]


def test_pairs_in_turns_cancel_a_drift() -> None:
    """ABBA… finds no difference where there is none, and one of 20 % where there is."""
    found = asked(*drifting("ABBAABBAABBA", 1.0, 1))
    assert (found.method, found.answer) == (Method.PAIRS, Answer.EQUIVALENT)
    assert asked(*drifting("ABBAABBAABBA", 1.2, 2)).answer is Answer.WORSE


def test_runs_not_in_turns_are_no_pairs() -> None:
    """First all of one, then all of the other: the drift counts and the answer says so."""
    found = asked(*drifting("AAAAAABBBBBB", 1.0, 1))
    assert found.method is Method.RUNS
    assert found.answer is not Answer.EQUIVALENT


def test_several_runs_know_how_much_runs_differ() -> None:
    """Runs that scatter by 15 % are not worse for one that is slow; the histograms alone would say so."""
    scales = (1.0, 1.15, 0.9), (1.2, 0.95, 1.25)
    sides = [[independent(at * 2 + side, scale) for at, scale in enumerate(scales[side])] for side in (0, 1)]
    assert asked(*sides).answer is Answer.UNDECIDED


def tally_of(factor: float, tries: int) -> Counter[Answer]:
    """Independent requests, one run a side."""
    return Counter(
        asked([independent(0, seed=2 * at)], [independent(1, factor, seed=2 * at + 1)]).answer for at in range(tries)
    )


def test_false_alarms_and_power() -> None:
    """On A/A none of 25 is worse or better; 25 % slower is always found."""
    same = tally_of(1.0, 25)
    assert same[Answer.WORSE] + same[Answer.BETTER] == 0
    assert tally_of(1.25, 15)[Answer.WORSE] >= 14
