"""Random and broken objects, a few of each kind; `make fuzz` has the long run."""

import pytest

from fuzz.cases import run
from fuzz.operator_targets import TARGETS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_it_is_taken_or_refused_in_words(target: object) -> None:
    assert sum(run(target, 60, seed=7).values()) == 60  # type: ignore[arg-type]
