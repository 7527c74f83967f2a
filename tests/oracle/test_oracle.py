"""The real judge against the oracle, on few draws; `make oracle` plays many."""

from random import Random

import pytest

from oracle import runs
from oracle.__main__ import tallied
from oracle.comparison import MOST_UNKNOWN
from oracle.planted import tally as planted
from oracle.planted.plants import usual


@pytest.mark.timeout(600)  # a busy machine is slow, not wrong
def test_the_judge_and_the_oracle_do_not_contradict() -> None:
    """Five hundred plans, targets and faults: no false green, no false red, and Unknown only now and then."""
    tally = tallied(500)
    assert not tally.greens
    assert not tally.reds
    assert tally.unknown_percent <= MOST_UNKNOWN, tally.line()


@pytest.mark.timeout(600)
def test_whole_runs_and_the_oracle_do_not_contradict() -> None:
    """A hundred runs through every decision of the operator: clocks that differ, absences, lost workers, autoscalers."""
    tally = runs.tallied(100)
    assert tally.answers > 80
    assert len(tally.words) == 3, tally.line()
    assert tally.holds, [tally.line(), *tally.greens, *tally.reds]


@pytest.mark.timeout(600)
def test_what_keeps_an_autoscaler_from_its_goal_is_named() -> None:
    """Three hundred failures with one planted cause: it is named, and where nothing explains one, that is said."""
    tally = planted.tallied(300)
    assert tally.failures > 250
    assert tally.holds, [tally.line(), *tally.wrong[:20]]


@pytest.mark.parametrize("kind", ["scaleUp", "scaleDown", "reactionTime"])
def test_the_same_worlds_without_a_planted_cause_pass(kind: str) -> None:
    """What keeps it from its goal is what was planted."""
    for seed in range(8):
        result, _, message = planted.named(usual(Random(seed), kind))
        assert result == "Passed", message
