"""The real judge against the oracle, on few draws; `make oracle` plays many."""

import pytest

from oracle.__main__ import tallied
from oracle.comparison import MOST_UNKNOWN


@pytest.mark.timeout(600)  # a busy machine is slow, not wrong
def test_the_judge_and_the_oracle_do_not_contradict() -> None:
    """Five hundred plans, targets and faults: no false green, no false red, and Unknown only now and then."""
    tally = tallied(500)
    assert not tally.greens
    assert not tally.reds
    assert tally.unknown_percent <= MOST_UNKNOWN, tally.line()
