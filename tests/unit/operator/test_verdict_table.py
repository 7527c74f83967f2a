"""The golden table: each situation ends with its verdict, nothing bad with Passed, and the docs say the same."""

import pytest

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.reasons import Reason
from unit.operator import pages, remedies
from unit.operator.situations import SITUATIONS, Situation, played


@pytest.mark.parametrize(("place", "situation"), list(enumerate(SITUATIONS)), ids=[each.what for each in SITUATIONS])
def test_situation(place: int, situation: Situation) -> None:
    status = played(place).status

    assert status.verdict is situation.verdict, status.message
    assert status.message
    assert "e+" not in status.message
    assert conditions.is_true(status.conditions, ConditionType.PASSED) is (situation.verdict is Verdict.PASSED)


@pytest.mark.parametrize("page", pages.PARTS)
def test_the_page_says_what_the_code_does(page: str) -> None:
    assert (pages.DOCS / page).read_text() == pages.rendered(page), "PYTHONPATH=tests python -m unit.operator.pages"


def test_every_verdict_is_in_the_table() -> None:
    assert {situation.verdict for situation in SITUATIONS} == set(Verdict)


def test_a_reason_that_nothing_is_said_about_is_named() -> None:
    """Whoever adds one says what to do about it."""
    with pytest.raises(LookupError, match="what to do about Odd"):
        remedies.complete([*reasons.BY_NAME.values(), Reason("Odd", "Nobody knows.")])


def test_a_reason_that_forces_a_verdict_is_never_called_good() -> None:
    assert not [reason.name for reason in remedies.GOOD if reason.forces]
