"""What the generator's own machine could not do makes a run invalid, whatever the target did."""

import pytest

from loadgen.core.judge.validity import judge
from loadgen.model.report import Validity
from unit.loadgen.deltas import a_cell, a_delta, a_tally
from unit.loadgen.plans import a_plan, closed, opened


@pytest.mark.parametrize(
    ("errors", "level"), [({}, "Valid"), ({"Local": 1}, "GeneratorLimited"), ({"ConnectRefused": 5}, "Valid")]
)
def test_what_this_machine_could_not_send_is_its_own_limit(errors: dict[str, int], level: str) -> None:
    """Of 200 requests one is more than 0.1 %; the target's failures are not the generator's."""
    plan = a_plan(opened(10, 20))
    cells = [a_cell(at, ms=[10] * 10) for at in range(20)]
    cells.append(a_cell(19, errors=errors, planned=sum(errors.values()), sent=0))

    found = judge(plan, a_tally(plan, *(a_delta(cell.second, cell) for cell in cells)), allowed_cores=1.0)

    assert found.level == level
    assert ("failure Local" in " ".join(found.reasons)) is (level != "Valid")


@pytest.mark.parametrize(("ceiling", "level"), [(12, "GeneratorLimited"), (13, "Valid"), (0, "Valid")])
def test_a_closed_stage_has_a_ceiling_too(ceiling: int, level: str) -> None:
    """Ten requests a second were sent; more than 80 % of what the null server gave is the generator's own pace."""
    plan = a_plan(closed(1, 20))
    deltas = [a_delta(at, a_cell(at, ms=[10] * 10)) for at in range(20)]

    found: Validity = judge(plan, a_tally(plan, *deltas), allowed_cores=1.0, ceilings={0: ceiling})

    assert found.level == level
