"""When users were well again after a fault, held against seconds in which requests really failed."""

from typing import Any

import pytest

from loadgen.model.report import Result, Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import RecoveryStatus
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.evidence import verdict
from unit.operator.situations import DELAY
from unit.operator.test_judgement import claimed, evaluated

LAX = {"errorPercent": 15}
"""One second of five in which all fail is too much; four of the run are not."""


def a_judgement(errors_in: range, **fault: Any) -> Judgement:
    """40 s of load with a fault in force from second 3 to 7; all requests of these seconds fail."""
    faults = [{**DELAY, **fault}]
    return verdict.judge(evaluated(errors_percent=100, errors_in=errors_in, faults=faults, defaults=LAX))


def recovery_of(judgement: Judgement) -> RecoveryStatus:
    (status,) = judgement.faults
    assert status.recovery is not None
    return status.recovery


SECONDS = {
    "well as soon as it has gone": (range(3, 7), 0),
    "three seconds later": (range(3, 10), 3),
    "never hurt": (range(39, 40), 0),
    "well for a while, and then not: that is no recovery": (range(18, 22), 15),
}


@pytest.mark.parametrize(("errors_in", "seconds"), SECONDS.values(), ids=SECONDS)
def test_well_again_is_three_good_windows_on_end(errors_in: range, seconds: int) -> None:
    """Each second of errors is told from the next."""
    assert recovery_of(a_judgement(errors_in)).seconds == seconds


def test_what_it_cost_is_told() -> None:
    """Forty requests failed in each of seven seconds, one of them before the fault; 15 % of 1600 may fail in the run."""
    found = recovery_of(a_judgement(range(2, 9)))

    assert (found.requests_failed, found.requests_failed_before) == (240, 40)
    assert found.error_budget_percent == "100.0"
    assert found.noticed_seconds == 5
    assert found.result is None, "nobody asked for a bound"
    assert found.message == (
        "users were well again 2 s after it had gone; 240 requests failed from its coming to then, 40 in as many seconds before"
    )


def test_in_time_is_passed_and_too_late_fails_the_run() -> None:
    """The same recovery of four seconds, against two bounds."""
    in_time = a_judgement(range(3, 11), recoverWithinSeconds=4)
    late = a_judgement(range(3, 11), recoverWithinSeconds=3)

    assert (in_time.verdict, recovery_of(in_time).result) == (Verdict.PASSED, Result.PASSED)
    assert (late.verdict, recovery_of(late).result) == (Verdict.FAILED, Result.FAILED)
    claim = claimed(late, ConditionType.THRESHOLDS_MET)
    assert claim.reason is reasons.TOLERANCE_EXCEEDED
    assert claim.message.startswith(
        "fault slow: users were not well again 3 s after it had gone, wanted within 3 s (errors-default"
    )


def test_users_that_are_hurt_to_the_end_of_the_load_were_not_seen_to_recover() -> None:
    """Without a bound that is not known, and the run is not failed for it."""
    found = a_judgement(range(3, 40))

    assert recovery_of(found).seconds is None
    assert "s after the fault, before users were seen to be well" in recovery_of(found).message


def test_another_faults_seconds_say_nothing_of_this_ones_recovery() -> None:
    """The second begins 5 s after the first has gone: neither well nor not, so the run is open."""
    first = {**DELAY, "recoverWithinSeconds": 10}
    second = {**DELAY, "name": "later", "startAfterSeconds": 12}
    observed = evaluated(errors_percent=100, errors_in=range(3, 5), faults=[first, second], defaults=LAX)
    found = verdict.judge(observed)

    recovery = found.faults[0].recovery
    assert recovery is not None
    assert recovery.result is Result.UNKNOWN
    assert "another fault was in force" in recovery.message
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_threshold_of_another_stage_does_not_say_how_users_are() -> None:
    """What no window lies in is not asked there; what nothing can be said of is not known."""
    slow = {"name": "slow", "metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}
    faults = [{**DELAY, "recoverWithinSeconds": 5}]
    violated = verdict.judge(evaluated(faults=faults, thresholds=[slow]))

    recovery = violated.faults[0].recovery
    assert recovery is not None
    assert recovery.result is Result.FAILED
    assert "slow: P50 of ResponseTime was" in recovery.message
