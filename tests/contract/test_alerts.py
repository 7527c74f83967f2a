"""Each alert fires when it should, is silent when it should, says what to do, and has a section in the runbook.

The cases are played by `promtool test rules`: it evaluates the chart's rule file minute by minute and renders the texts.
"""

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.objects import ROOT, Object
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.core.schedule import starts

RULES = ROOT / "charts" / "loadtest-operator" / "files" / "rules" / "loadtest.yaml"
RUNBOOK = ROOT / "docs" / "alerts.md"
ALERTS: dict[str, Object] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
NIGHTLY = 'namespace="demo",schedule="nightly"'
RUN = 'namespace="demo",loadtest="chat",run="3"'
POD = 'namespace="loadtest-system",pod="{}"'
OPERATOR = POD.format("a")
ON = {"namespace": "demo", "schedule": "nightly"}
OF_RUN = {"namespace": "demo", "loadtest": "chat", "run": "3"}
HERE = {"namespace": "loadtest-system"}


@functools.cache
def promtool() -> str:
    """Where it is; how to get it, where it is not."""
    found = shutil.which("promtool")
    assert found, "promtool is needed: apt-get install prometheus, or make contract, which does it"
    return found


def last_verdict(word: str, values: str = "1x60") -> tuple[str, str]:
    return f'loadtest_schedule_last_verdict{{{NIGHTLY},verdict="{word}"}}', values


@dataclass(frozen=True)
class Case:
    """A situation in series, and what must be firing at a minute of it; no labels: the alert is silent."""

    what: str
    alert: str
    series: tuple[tuple[str, str], ...]
    fires: tuple[Object, ...] = ()
    minute: int = 30
    value: str = ""
    """As the texts show it."""


def firing(alert: str, what: str, *series: tuple[str, str], labels: Object, minute: int = 30, value: str = "") -> Case:
    return Case(what, alert, series, (labels,), minute, value)


def silent(alert: str, what: str, *series: tuple[str, str], minute: int = 30) -> Case:
    return Case(what, alert, series, minute=minute)


STREAK = "loadtest_schedule_last_verdict_runs{" + NIGHTLY + "}"
MISSED = "loadtest_schedule_start_missed{" + NIGHTLY + ',reason="%s"}'
NEXT = "loadtest_schedule_next_start_timestamp_seconds{" + NIGHTLY + "}"
READY = "loadtest_schedule_ready{" + NIGHTLY + "}"
LEADING = "loadtest_operator_leading{%s}"
ERRORS = "loadtest_operator_reconcile_errors_total{" + OPERATOR + ',kind="Bug"}'
FAULTS = "loadtest_faults{" + RUN + ',result="%s"}'
ORPHANS = "loadtest_fault_orphans{" + OPERATOR + "}"
FINISHED = 'loadtest_run_info{%s,phase="Finished"}' % RUN  # noqa: UP031  (braces are PromQL's)
VERDICT = 'loadtest_verdict{%s,verdict="%s"}'

CASES = (
    firing("LoadTestScheduleFailed", "the last run failed", last_verdict("Failed"), labels=ON),
    silent("LoadTestScheduleFailed", "the last run passed", last_verdict("Failed", "0x60"), last_verdict("Passed")),
    silent("LoadTestScheduleFailed", "the last run was Inconclusive", last_verdict("Inconclusive")),
    firing(
        "LoadTestScheduleFailed",
        "the operator is replaced, which takes three minutes without any series",
        last_verdict("Failed", "1x20 stale _x60"),
        labels=ON,
        minute=24,
    ),
    silent(
        "LoadTestScheduleFailed", "a later run passed, ten minutes ago", last_verdict("Failed", "1x20 0x60"), minute=31
    ),
    firing("LoadTestScheduleError", "the last run ended in Error", last_verdict("Error"), labels=ON),
    silent("LoadTestScheduleError", "the last run failed", last_verdict("Failed"), last_verdict("Error", "0x60")),
    firing(
        "LoadTestScheduleInconclusiveTwice", "two in a row", last_verdict("Inconclusive"), (STREAK, "2x60"), labels=ON
    ),
    silent("LoadTestScheduleInconclusiveTwice", "only the last", last_verdict("Inconclusive"), (STREAK, "1x60")),
    silent(
        "LoadTestScheduleInconclusiveTwice",
        "five in a row that passed",
        last_verdict("Passed"),
        last_verdict("Inconclusive", "0x60"),
        (STREAK, "5x60"),
    ),
    *(
        firing("LoadTestScheduleStartMissed", f"given up: {reason}", (MISSED % reason, "1x60"), labels={**ON, "reason": reason})
        for reason in (
            "OperatorAway", "DeadlineExceeded", "StillRunning", "TargetNotAllowed", "StartRefused", "TooManyActive",
        )
    ),
    silent("LoadTestScheduleStartMissed", "nobody wanted it: suspended", (MISSED % "Suspended", "1x60")),
    silent(
        "LoadTestScheduleStartMissed",
        "older starts were missed and the last one was made at the same look",
        (MISSED % "OperatorAway", "1 stale _x60"),
        minute=1,
    ),
    firing(
        "LoadTestScheduleOverdue", "due 15 minutes ago", (NEXT, "900x60"), labels=ON, minute=30, value="15m 0s"
    ),
    silent("LoadTestScheduleOverdue", "due 5 minutes ago, being retried", (NEXT, "1500x60")),
    silent("LoadTestScheduleOverdue", "due in a day", (NEXT, "88200x60")),
    silent("LoadTestScheduleOverdue", "suspended: there is no next start", (READY, "1x60")),
    firing("LoadTestScheduleNotReady", "its cron expression cannot be read", (READY, "0x60"), labels=ON),
    silent("LoadTestScheduleNotReady", "it was repaired within ten minutes", (READY, "1x20 0x5 1x60")),
    silent("LoadTestScheduleNotReady", "it is ready", (READY, "1x60")),
    *(
        firing(
            "LoadTestNotPassed", f"a run ended {word}", (VERDICT % (RUN, word), "1x60"), labels={**OF_RUN, "verdict": word}
        )
        for word in ("Failed", "Error", "Inconclusive")
    ),
    silent("LoadTestNotPassed", "a run passed", (VERDICT % (RUN, "Passed"), "1x60")),
    silent("LoadTestNotPassed", "somebody aborted a run", (VERDICT % (RUN, "Aborted"), "1x60")),
    firing(
        "LoadTestFaultNotRemoved", "two could not be taken back", (FAULTS % "NotRecovered", "2x60"), labels=OF_RUN, value="2"
    ),
    firing(
        "LoadTestFaultNotRemoved",
        "the run is over and nobody saw the fault go",
        (FAULTS % "InForce", "1x60"),
        (FINISHED, "1x60"),
        labels=OF_RUN,
        value="1",
    ),
    firing(
        "LoadTestFaultNotRemoved",
        "the run is over while it was told to go",
        (FAULTS % "Recovering", "1x60"),
        (FINISHED, "1x60"),
        labels=OF_RUN,
        value="1",
    ),
    silent("LoadTestFaultNotRemoved", "it is in force, and its run goes on", (FAULTS % "InForce", "1x60")),
    silent(
        "LoadTestFaultNotRemoved",
        "it came and went",
        (FAULTS % "InForce", "0x60"),
        (FAULTS % "NotRecovered", "0x60"),
        (FAULTS % "Recovered", "1x60"),
        (FINISHED, "1x60"),
    ),
    firing("LoadTestFaultOrphans", "two will not go", (ORPHANS, "2x60"), labels=HERE, value="2"),
    silent("LoadTestFaultOrphans", "one went at the next sweep", (ORPHANS, "1x1 0x60")),
    firing("LoadTestOperatorDown", "the pod is gone", (LEADING % OPERATOR, "1x20 stale _x60"), labels=HERE),
    firing("LoadTestOperatorDown", "there never was one", labels={}),
    firing(
        "LoadTestOperatorDown",
        "one of two installations is gone, and the other does not hide it",
        (LEADING % OPERATOR, "1x20 stale _x60"),
        (LEADING % 'namespace="other",pod="b"', "1x60"),
        labels=HERE,
    ),
    firing(
        "LoadTestOperatorDown", "it has been gone for more than an hour", (LEADING % OPERATOR, "1x5 stale _x200"), labels={}, minute=90
    ),
    silent(
        "LoadTestOperatorDown",
        "its pod was replaced",
        (LEADING % OPERATOR, "1x20 stale _x60"),
        (LEADING % POD.format("b"), "_x22 1x60"),
    ),
    silent("LoadTestOperatorDown", "it only waits for the lease", (LEADING % OPERATOR, "0x60")),
    firing("LoadTestOperatorNoLeader", "the only one waits for the lease", (LEADING % OPERATOR, "0x60"), labels=HERE),
    silent(
        "LoadTestOperatorNoLeader",
        "one of two has the lease",
        (LEADING % OPERATOR, "0x60"),
        (LEADING % POD.format("b"), "1x60"),
    ),
    silent("LoadTestOperatorNoLeader", "a takeover of a minute", (LEADING % OPERATOR, "1x29 0x1 1x60"), minute=31),
    firing(
        "LoadTestOperatorFailing",
        "two errors a minute",
        (ERRORS, "0+2x60"),
        labels={**HERE, "kind": "Bug"},
        value="20",
    ),
    silent("LoadTestOperatorFailing", "an error now and then", (ERRORS, "0x10 1x10 2x60")),
)  # fmt: skip


def rendered(text: str, labels: Object, value: str) -> str:
    """What Prometheus' templates make of it: the few forms that the rules use."""
    text = re.sub(r"\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ \. \}\}(.*?)\{\{ end \}\}",
                  lambda found: f"{found[2]}{labels[found[1]]}{found[3]}" if found[1] in labels else "", text)  # fmt: skip
    text = re.sub(r"\{\{ \$value(?: \| \w+)? \}\}", value, text)
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: str(labels[found[1]]), text)


def expected(case: Case, labels: Object) -> Object:
    rule = ALERTS[case.alert]
    texts = {name: rendered(text, labels, case.value) for name, text in rule["annotations"].items()}
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": texts}


def as_promtool_has_it(case: Case) -> Object:
    return {
        "interval": "1m",
        "name": case.what,
        "input_series": [{"series": name, "values": values} for name, values in case.series],
        "alert_rule_test": [
            {
                "eval_time": f"{case.minute}m",
                "alertname": case.alert,
                "exp_alerts": [expected(case, labels) for labels in case.fires],
            }
        ],
    }


def played(folder: Path, *cases: Case) -> subprocess.CompletedProcess[str]:
    tests = folder / "tests.yaml"
    body: dict[str, Any] = {"rule_files": [str(RULES)], "tests": [as_promtool_has_it(case) for case in cases]}
    tests.write_text(yaml.safe_dump(body, width=1000))
    return subprocess.run(
        [promtool(), "test", "rules", str(tests)], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_rules_are_rules() -> None:
    done = subprocess.run([promtool(), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=[f"{case.alert}: {case.what}" for case in CASES])
def test_an_alert(case: Case, tmp_path: Path) -> None:
    """promtool compares labels and texts whole."""
    done = played(tmp_path, case)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_firing_and_silent(alert: str) -> None:
    seen = {bool(case.fires) for case in CASES if case.alert == alert}
    assert seen == {True, False}


def test_every_reason_for_a_missed_start_is_known_here() -> None:
    """A new reason must be thought of: does it want an alert?"""
    source = Path(starts.__file__).read_text()
    reasons = set(re.findall(r'(?:return \(?|Why: )"(\w+)", ', source)) - {"NoVerdictYet"}
    played_reasons = {
        found[1] for case in CASES for name, _ in case.series if (found := re.search('reason="([^"]+)"', name))
    }
    assert reasons == played_reasons


def anchors() -> list[str]:
    """Of the runbook's sections, as GitHub and GitLab make them."""
    return re.findall(r"^## (LoadTest\w+)$", RUNBOOK.read_text(), re.MULTILINE)


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    assert anchors() == list(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_leads_to_its_section(alert: str) -> None:
    assert ALERTS[alert]["annotations"]["runbook_url"] == f"docs/alerts.md#{alert.lower()}"


@pytest.mark.parametrize("alert", ALERTS)
def test_a_section_says_what_happened_what_to_do_and_when_it_ends(alert: str) -> None:
    section = RUNBOOK.read_text().partition(f"## {alert}\n")[2].partition("\n## ")[0]
    assert [word for word in ("**Means.**", "**Do.**", "**Ends**") if word not in section] == []


def test_results_of_faults_in_the_rules_are_results() -> None:
    """A word that no fault has any more would make an alert that never fires."""
    asked = re.findall(r'loadtest_faults\{result=~?"([^"]+)"', RULES.read_text())
    assert asked
    assert {word for words in asked for word in words.split("|")} <= set(FaultResult)
