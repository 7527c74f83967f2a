"""Reports as JUnit XML, which every CI shows: a suite a report, a case for the verdict, the measurement and each threshold.

A suite is green where the verdict is Passed and never else. What is not known is an error with its reason, not a failure of
the target. Where the run as a whole could not be trusted (Inconclusive, Error, Aborted) nothing was judged: what held and
what did not is skipped and says what was seen, so that no trend over cases counts it as either.

The form is that of Jenkins' and GitLab's readers: `failure`, `error` or `skipped` with a message, counts on the suite.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from loadgen.model.plan import Severity
from loadgen.model.report import Result, ValidityLevel, Verdict
from loadgen.report.html.markup import Element, el
from loadgen.report.html.plans import address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadgen.model.report import Report, ThresholdResult

Outcome = str | None
"""The element that a case has; None is green."""
FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"
VERDICTS: dict[Verdict, Outcome] = {
    Verdict.PASSED: None,
    Verdict.FAILED: FAILURE,
    Verdict.INCONCLUSIVE: ERROR,
    Verdict.ERROR: ERROR,
    Verdict.ABORTED: ERROR,
}
JUDGED = (Verdict.PASSED, Verdict.FAILED)
"""Verdicts under which a threshold's result stands."""
LEVELS: dict[ValidityLevel, Outcome] = {
    ValidityLevel.VALID: None,
    ValidityLevel.DEGRADED: SKIPPED,
    ValidityLevel.GENERATOR_LIMITED: ERROR,
}
RESULTS: dict[tuple[Result, Severity], Outcome] = {
    (Result.PASSED, Severity.ERROR): None,
    (Result.PASSED, Severity.WARNING): None,
    (Result.FAILED, Severity.ERROR): FAILURE,
    (Result.FAILED, Severity.WARNING): SKIPPED,
    (Result.UNKNOWN, Severity.ERROR): ERROR,
    (Result.UNKNOWN, Severity.WARNING): SKIPPED,
}
if {*VERDICTS} != {*Verdict} or {*LEVELS} != {*ValidityLevel} or {*RESULTS} != {*product(Result, Severity)}:
    raise LookupError("every verdict, validity and result needs an outcome of its case")


def render(reports: Mapping[str, Report]) -> str:
    """The XML of reports by name; a suite has the name of its report."""
    suites = [_suite(name, report) for name, report in reports.items()]
    whole = el("testsuites", *suites)
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"


def _suite(name: str, report: Report) -> Element:
    cases = [_verdict(report), _measurement(report), *(_threshold(report, each) for each in report.thresholds)]
    counts = {f"{each}s": sum(case.find(each) is not None for case in cases) for each in (FAILURE, ERROR)}
    skipped = sum(case.find(SKIPPED) is not None for case in cases)
    return el(
        "testsuite", _properties(report), *cases,
        name=name, tests=len(cases), **counts, skipped=skipped,
        time=report.plan.load.duration_seconds, timestamp=report.start_time[:19],
    )  # fmt: skip


def _properties(report: Report) -> Element:
    known = {
        "target": address(report.target),
        "verdict": report.verdict,
        "plan": report.plan_hash,
        "generator": report.generator,
    }
    return el("properties", *(el("property", name=name, value=value) for name, value in known.items()))


def _verdict(report: Report) -> Element:
    seconds = report.plan.load.duration_seconds
    message = f"{report.verdict}: {report.message}"
    return _case("loadtest", "verdict", VERDICTS[report.verdict], message, time=seconds)


def _measurement(report: Report) -> Element:
    validity = report.validity
    return _case("loadtest", "measurement", LEVELS[validity.level], ": ".join([validity.level, *validity.reasons]))


def _threshold(report: Report, threshold: ThresholdResult) -> Element:
    outcome, message = RESULTS[threshold.result, threshold.severity], threshold.message
    if report.verdict not in JUDGED and threshold.result is not Result.UNKNOWN:
        outcome, message = SKIPPED, f"not judged, for the run is {report.verdict}; what was seen: {message}"
    elif outcome is SKIPPED:
        message = f"warning ({threshold.result}): {message}"
    details = f"observed {threshold.observed}, wanted {threshold.wanted}, in {threshold.window}"
    return _case("loadtest.thresholds", threshold.name, outcome, message, details)


def _case(group: str, name: str, outcome: Outcome, message: str, details: str = "", **attributes: object) -> Element:
    """Green cases say what was seen, too."""
    kind = None if outcome == SKIPPED else outcome
    inner = el(outcome, details, message=message, type=kind) if outcome else el("system-out", message)
    return el("testcase", inner, classname=group, name=name, **attributes)
