"""The soak's ten-run version: random kills, right verdicts, nothing left. `make soak` does a hundred."""

from pathlib import Path

import pytest

from soak.soak import soak

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(420)]


def test_ten_runs_under_random_kills(tmp_path: Path) -> None:
    """Two workers, an API server and a good many operators die."""
    tally = soak(tmp_path, runs=10, seed=4, longest_seconds=300)

    print(tally.text())
    assert tally.right, tally.text()
    assert sum(tally.outcomes.values()) == 10
