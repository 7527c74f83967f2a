"""A second, naive judge: it has every request's true record, no histograms and no seconds, and plain binomial sums.

Whatever is drawn, the real judge never passes what this one calls violated or not known, and never fails what it calls kept or not known.
That it may know less (dependence between seconds, values in the bin of the bound) is bounded.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from loadgen.core.judge.thresholds import evaluate
from loadgen.core.stats.tally import Tally
from loadgen.model.report import Result
from unit.loadgen.deltas import a_cell, a_delta, a_tally
from unit.loadgen.plans import a_plan, opened

SECONDS = 12
SHARES = {"P50": Fraction(1, 2), "P90": Fraction(9, 10), "P95": Fraction(19, 20), "P99": Fraction(99, 100)}


TARGETS = (
    (1, 0, 0, 0),
    (300, 1, 0, 0),
    (300, 0, 0, 1),
    (97, 1, 1, 1),
    (90, 5, 0, 5),
    (90, 0, 0, 10),
    (50, 30, 20, 0),
    (0, 1, 0, 0),
    (0, 0, 0, 1),
)
"""How often it answers, fails, makes requests wait until they are dropped, or says nothing to the end."""


@dataclass(frozen=True)
class Told:
    """One request as it really was."""

    second: int
    outcome: str
    milliseconds: float = 0.0


def tail(hits: int, attempts: int, share: Fraction) -> float:
    """P(Binomial ≤ hits)."""
    p = float(share)
    return math.fsum(math.comb(attempts, k) * p**k * (1 - p) ** (attempts - k) for k in range(hits + 1))


def claimed(hits: int, attempts: int, limit: Fraction) -> str:
    """At most `limit` of all such attempts: by the tails of what was seen, were the limit true."""
    if limit >= 1:
        return "Passed"
    if hits < attempts and tail(hits, attempts, limit) < 0.05:
        return "Passed"
    if hits and 1 - tail(hits - 1, attempts, limit) < 0.05:
        return "Failed"
    return "Unknown"


def naive(told: list[Told], against: Any, limit: Fraction) -> str:
    """At both ends of what has no answer."""
    hits = sum(against(one) for one in told if one.outcome != "open")
    open_ = sum(one.outcome == "open" for one in told)
    ends = {claimed(hits, len(told), limit), claimed(hits + open_, len(told), limit)}
    return ends.pop() if len(ends) == 1 else "Unknown"


def tally_of(plan: Any, told: list[Told]) -> Tally:
    deltas = []
    for at in range(SECONDS):
        here = [one for one in told if one.second == at]
        kinds = {kind: sum(one.outcome == kind for one in here) for kind in ("failed", "dropped", "open")}
        cell = a_cell(
            at,
            ms=[one.milliseconds for one in here if one.outcome == "ok"],
            errors={"Http500": kinds["failed"]} if kinds["failed"] else {},
            dropped=kinds["dropped"],
            incomplete=kinds["open"],
        )
        deltas.append(a_delta(at, cell))
    return a_tally(plan, *deltas)


@st.composite
def runs(draw: st.DrawFn) -> list[Told]:
    """Requests of a target that is good, bad or in between, and stays so."""
    number = draw(st.sampled_from([1, 20, 60, 150, 400, 700]))
    weights = draw(st.sampled_from(TARGETS))
    middle = draw(st.sampled_from([20, 60, 90, 180]))
    random = draw(st.randoms(use_true_random=False))
    outcomes = random.choices(("ok", "failed", "dropped", "open"), weights, k=number)
    return [Told(random.randrange(SECONDS), outcome, round(middle * random.uniform(0.3, 3), 3)) for outcome in outcomes]


@settings(max_examples=100)
@given(runs(), st.sampled_from([*SHARES]), st.sampled_from([50, 100, 200, 500, 1000]))
def test_percentiles_are_never_surer_than_the_oracle(told: list[Told], statistic: str, bound: int) -> None:
    """Failed and dropped requests are over; those without an answer are played at both ends."""
    asked = {"name": "t", "metric": "ResponseTime", "statistic": statistic, "operator": "LessThan", "value": bound}
    expected = naive(told, lambda one: one.outcome != "ok" or one.milliseconds >= bound, 1 - SHARES[statistic])
    check(told, asked, expected)


@settings(max_examples=100)
@given(runs(), st.sampled_from([0.5, 1, 2, 5, 20]))
def test_errors_are_never_surer_than_the_oracle(told: list[Told], percent: float) -> None:
    asked = {"name": "t", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": str(percent)}
    limit = Fraction(str(percent)) / 100
    check(told, asked, naive(told, lambda one: one.outcome in ("failed", "dropped"), limit))


@settings(max_examples=100)
@given(runs(), st.sampled_from([50, 90, 99]))
def test_attainment_is_never_surer_than_the_oracle(told: list[Told], percent: int) -> None:
    asked = {"name": "t", "metric": "SloAttainmentPercent", "operator": "GreaterThanOrEqual", "value": percent}
    check(told, asked, naive(told, lambda one: one.outcome != "ok", 1 - Fraction(percent, 100)))


def check(told: list[Told], asked: dict[str, Any], expected: str) -> None:
    plan = a_plan(opened("0.1", SECONDS), thresholds=[asked])
    (found,) = evaluate(plan.thresholds, plan, tally_of(plan, told))
    event(f"oracle {expected}, judge {found.result}")
    assert found.result in (Result.UNKNOWN, expected), found.message


@pytest.mark.parametrize(("good", "open_", "result"), [(400, 0, "Passed"), (400, 30, "Unknown"), (100, 300, "Unknown")])
def test_requests_without_an_answer_count_against_certainty(good: int, open_: int, result: str) -> None:
    """Not as good, not as bad: Unknown, with their number."""
    told = [Told(i % SECONDS, "ok", 10) for i in range(good)] + [Told(i % SECONDS, "open") for i in range(open_)]
    for metric in (
        {"metric": "ErrorPercent", "value": 1},
        {"metric": "ResponseTime", "statistic": "P99", "value": 100},
    ):
        plan = a_plan(opened("0.1", SECONDS), thresholds=[{"name": "t", "operator": "LessThanOrEqual", **metric}])
        (found,) = evaluate(plan.thresholds, plan, tally_of(plan, told))
        assert found.result == result
        if open_:
            assert f"{open_} had no answer when the run ended" in found.message
            assert found.doubt == "NoAnswer"
