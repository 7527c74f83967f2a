"""The order of verdicts, and that nothing but a good run passes."""

from typing import Any

import pytest

from loadgen.core.judge.verdict import Findings, judge
from loadgen.model.plan import Severity
from loadgen.model.report import (
    Counts,
    ErrorCount,
    Result,
    ThresholdResult,
    Validity,
    ValidityLevel,
    Verdict,
    Window,
)

VALID = Validity(level=ValidityLevel.VALID)
LIMITED = Validity(level=ValidityLevel.GENERATOR_LIMITED, reasons=("CPU was short",), whole=True)
PARTLY = Validity(level=ValidityLevel.GENERATOR_LIMITED, reasons=("CPU was short",), limited_stages=("peak",))
DEGRADED = Validity(level=ValidityLevel.DEGRADED, reasons=("lag",))


def a_window(planned: int = 10, succeeded: int = 10, incomplete: int = 0, **more: Any) -> Window:
    rates = dict.fromkeys(("offered_per_second", "sent_per_second", "requests_per_second", "goodput"), 1.0)
    counts = Counts(planned=planned, succeeded=succeeded, incomplete=incomplete)
    return Window(name="run", start_second=0, end_second=10, counts=counts, **rates, **more)


def a_result(result: Result, severity: Severity = Severity.ERROR, name: str = "t") -> ThresholdResult:
    said = {"observed": "1 ms", "wanted": "< 1 ms", "window": "run", "message": f"{name} {result}"}
    return ThresholdResult(name=name, result=result, severity=severity, **said)


PASSED, FAILED, UNKNOWN = (a_result(result) for result in Result)
OPEN = a_result(Result.UNKNOWN, name="open")
NO_SUCCESS = a_result(Result.FAILED, name="any-success")
UNKNOWN_WARNING = a_result(Result.UNKNOWN, Severity.WARNING, "soft")
WARNED = a_result(Result.FAILED, Severity.WARNING, "soft")
OTHER, ERRORS = a_result(Result.FAILED, name="other"), a_result(Result.FAILED, name="errors")
STOPPED = "60 % of the 40 requests failed; load.autoStop stops at 50 %"
CUT_OFF = a_window(256, 166, 90)


@pytest.mark.parametrize(
    ("findings", "verdict", "message"),
    [
        ({}, "Passed", "all 1 thresholds hold over 10 requests"),
        ({"thresholds": [PASSED, WARNED]}, "Passed", "all 1 thresholds hold over 10 requests; warnings: soft"),
        ({"validity": DEGRADED}, "Passed", "all 1 thresholds hold over 10 requests"),
        ({"thresholds": [PASSED, FAILED]}, "Failed", "t Failed"),
        ({"thresholds": [FAILED, WARNED, OTHER, ERRORS]}, "Failed", "t Failed; also violated: other, errors"),
        ({"thresholds": [UNKNOWN]}, "Inconclusive", "t Unknown"),
        ({"thresholds": [FAILED, OPEN]}, "Failed", "t Failed; not known: open"),
        ({"thresholds": [UNKNOWN_WARNING]}, "Passed", "all 0 thresholds hold over 10 requests; warnings: soft"),
        ({"thresholds": [FAILED], "validity": LIMITED}, "Inconclusive", "the generator was the limit: CPU was short"),
        ({"thresholds": [FAILED], "validity": PARTLY}, "Failed", "t Failed"),
        ({"thresholds": [UNKNOWN], "validity": PARTLY}, "Inconclusive", "t Unknown"),
        ({"thresholds": [UNKNOWN], "violated": ["no scale-up"]}, "Failed", "no scale-up"),
        ({"thresholds": [FAILED], "violated": ["no scale-up"]}, "Failed", "t Failed; no scale-up"),
        ({"thresholds": [FAILED], "unknown": ["not injected"]}, "Failed", "t Failed"),
        ({"unknown": ["not injected"]}, "Inconclusive", "not injected"),
        ({"thresholds": [FAILED], "inconclusive": ["a worker was lost"]}, "Inconclusive", "a worker was lost"),
        (
            {"total": a_window(0, 0)},
            "Inconclusive",
            "no request was started in any stage that counts, so nothing was measured",
        ),
        (
            {"total": a_window(9, 0), "thresholds": [FAILED, NO_SUCCESS]},
            "Failed",
            "none of 9 requests succeeded; also violated: t, any-success",
        ),
        (
            {"total": a_window(9, 0, errors=[ErrorCount(failure="Http404", count=9)]), "thresholds": [NO_SUCCESS]},
            "Failed",
            "none of 9 requests succeeded, mostly Http404; also violated: any-success",
        ),
        (
            {"total": a_window(9, 0), "thresholds": [], "validity": LIMITED},
            "Inconclusive",
            "the generator was the limit: CPU was short",
        ),
        ({"given_up": STOPPED, "total": CUT_OFF}, "Failed", STOPPED),
        (
            {"given_up": STOPPED, "thresholds": [ERRORS, OPEN]},
            "Failed",
            f"{STOPPED}; also violated: errors; not known: open",
        ),
        ({"given_up": "errors: 9 %", "thresholds": [ERRORS]}, "Failed", "errors: 9 %"),
        ({"given_up": STOPPED, "total": a_window(0, 0)}, "Failed", STOPPED),
        ({"given_up": STOPPED, "inconclusive": ["no scale-up seen"]}, "Failed", STOPPED),
        ({"given_up": STOPPED, "validity": PARTLY, "thresholds": [UNKNOWN]}, "Inconclusive", "t Unknown"),
        (
            {"given_up": STOPPED, "validity": PARTLY, "thresholds": [ERRORS]},
            "Failed",
            f"{STOPPED}; also violated: errors",
        ),
        ({"given_up": STOPPED, "validity": LIMITED}, "Inconclusive", "the generator was the limit: CPU was short"),
        ({"given_up": STOPPED, "aborted": "stopped by spec.abort"}, "Aborted", "stopped by spec.abort"),
        ({"aborted": "stopped by spec.abort", "inconclusive": ["x"]}, "Aborted", "stopped by spec.abort"),
        ({"aborted": "x", "errors": ["image not found", "quota"]}, "Error", "image not found; quota"),
    ],
)
def test_the_first_that_holds(findings: dict[str, Any], verdict: str, message: str) -> None:
    given = {"validity": VALID, "thresholds": [PASSED], "total": a_window(), **findings}
    assert judge(Findings(**given)) == (Verdict(verdict), message)
