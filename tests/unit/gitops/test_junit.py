"""A report in CI: green where the run passed and never else; what is not known is an error, not a failure."""

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.model.plan import Severity
from loadgen.model.report import Report, Result, ThresholdResult, Validity, ValidityLevel, Verdict
from loadgen.report import junit
from unit.loadgen.test_html import CASES, usual

USUAL = usual().model_copy(update={"validity": Validity(level=ValidityLevel.VALID)})


def a_threshold(
    name: str = "fast", result: Result = Result.PASSED, severity: Severity = Severity.ERROR
) -> ThresholdResult:
    return ThresholdResult(
        name=name,
        result=result,
        severity=severity,
        observed="12 ms",
        wanted="< 50 ms",
        window="peak",
        message=f"{name}: seen",
    )


def a_report(verdict: Verdict, *thresholds: ThresholdResult, **changes: Any) -> Report:
    return USUAL.model_copy(update={"verdict": verdict, "message": "because", "thresholds": thresholds, **changes})


def suites(**reports: Report) -> list[ElementTree.Element]:
    text = junit.render(reports)
    return list(ElementTree.fromstring(text.encode()))  # noqa: S314 - our own


def outcomes(report: Report) -> dict[str, str]:
    """What CI shows of each case."""
    (suite,) = suites(one=report)
    kinds = ("failure", "error", "skipped")
    return {
        str(case.get("name")): next((kind for kind in kinds if case.find(kind) is not None), "green")
        for case in suite.iter("testcase")
    }


def is_green(report: Report) -> bool:
    return not {"failure", "error"} & set(outcomes(report).values())


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict.PASSED, "green"),
        (Verdict.FAILED, "failure"),
        (Verdict.INCONCLUSIVE, "error"),
        (Verdict.ERROR, "error"),
        (Verdict.ABORTED, "error"),
    ],
)
def test_a_suite_is_as_green_as_its_verdict(verdict: Verdict, shown: str) -> None:
    """Also where every threshold holds and only the measurement was not valid, or there is none."""
    for thresholds in ((), (a_threshold(),)):
        report = a_report(verdict, *thresholds)
        assert outcomes(report)["verdict"] == shown
        assert is_green(report) is (verdict is Verdict.PASSED)


@pytest.mark.parametrize(
    ("result", "severity", "shown"),
    [
        (Result.PASSED, Severity.ERROR, "green"),
        (Result.FAILED, Severity.ERROR, "failure"),
        (Result.UNKNOWN, Severity.ERROR, "error"),
        (Result.PASSED, Severity.WARNING, "green"),
        (Result.FAILED, Severity.WARNING, "skipped"),
        (Result.UNKNOWN, Severity.WARNING, "skipped"),
    ],
)
def test_a_threshold_of_a_run_that_was_judged(result: Result, severity: Severity, shown: str) -> None:
    """A warning stands out and breaks nothing."""
    assert outcomes(a_report(Verdict.FAILED, a_threshold("fast", result, severity)))["fast"] == shown


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.ABORTED])
@pytest.mark.parametrize("result", [Result.PASSED, Result.FAILED])
def test_where_the_run_could_not_be_trusted_no_threshold_was_judged(verdict: Verdict, result: Result) -> None:
    """Neither good nor bad is counted; what was seen is said."""
    report = a_report(verdict, a_threshold("fast", result))
    assert outcomes(report)["fast"] == "skipped"
    (suite,) = suites(one=report)
    (skipped,) = suite.iter("skipped")
    assert skipped.get("message") == f"not judged, for the run is {verdict}; what was seen: fast: seen"


def test_what_is_unknown_says_its_reason() -> None:
    (suite,) = suites(one=a_report(Verdict.INCONCLUSIVE, a_threshold("fast", Result.UNKNOWN)))
    messages = [each.get("message") for each in suite.iter("error")]
    assert messages == ["Inconclusive: because", "fast: seen"]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (ValidityLevel.VALID, "green"),
        (ValidityLevel.DEGRADED, "skipped"),
        (ValidityLevel.GENERATOR_LIMITED, "error"),
    ],
)
def test_the_measurement_is_a_case_of_its_own(level: ValidityLevel, shown: str) -> None:
    validity = USUAL.validity.model_copy(update={"level": level, "reasons": ("the CPU was the limit",)})
    assert outcomes(a_report(Verdict.PASSED, validity=validity))["measurement"] == shown


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_run_can_be_read(case: str) -> None:
    """The counts of a suite are those of its cases, and its name is the report's."""
    (suite,) = suites(**{"report.json": CASES[case]()})
    shown = list(outcomes(CASES[case]()).values())
    assert suite.get("name") == "report.json"
    counts = {
        "tests": len(shown),
        "failures": shown.count("failure"),
        "errors": shown.count("error"),
        "skipped": shown.count("skipped"),
    }
    assert {name: int(suite.get(name, "")) for name in counts} == counts


def test_several_reports_are_several_suites() -> None:
    assert [suite.get("name") for suite in suites(before=USUAL, after=USUAL)] == ["before", "after"]


def test_a_password_in_the_address_is_not_told() -> None:
    text = junit.render({"one": a_report(Verdict.PASSED, target="http://user:secret@web:80/")})
    assert "secret" not in text
    assert "http://web:80/" in text


@given(words=st.text(max_size=40), name=st.text(max_size=20))
def test_no_text_breaks_the_file(words: str, name: str) -> None:
    """Control characters, quotes, markup: all of it stays text."""
    threshold = a_threshold(name, Result.FAILED).model_copy(update={"message": words, "observed": words})
    (suite,) = suites(**{name: a_report(Verdict.FAILED, threshold, message=words)})
    assert [case.get("classname") for case in suite.iter("testcase")] == ["loadtest", "loadtest", "loadtest.thresholds"]


def test_green_is_passed_whatever_the_thresholds_say() -> None:
    """Every combination of verdict, results and severities, also those that cannot be."""
    pairs = list(itertools.product(Result, Severity))
    for verdict, (result, severity) in itertools.product(Verdict, pairs):
        if is_green(a_report(verdict, a_threshold("fast", result, severity))):
            assert verdict is Verdict.PASSED
