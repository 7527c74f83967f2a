"""What a real API server makes of our CRDs: what it accepts, refuses, in which words, and what it shows."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.conftest import CRDS, Server
from contract.objects import BAD, GOOD, Object, bound, changed, load_test

pytestmark = pytest.mark.e2e

FROZEN = (
    "cannot change while runToken stays the same: set a new runToken, which starts a new run "
    "(suspend, abort and ttlSecondsAfterFinished can change at any time)"
)
Replace = Callable[[Object], str]


@pytest.fixture(scope="module")
def stored(server: Server) -> Replace:
    """A stored LoadTest; the value says what the API server would answer to a change of its spec."""
    assert "created" in (said := server.run("create", "-f", "-", body=load_test(GOOD, "stored"))), said

    def replace(change: Object) -> str:
        body = load_test(changed(GOOD, change), "stored")
        return server.run("replace", "--dry-run=server", "-f", "-", body=body)

    return replace


@pytest.fixture
def observed(server: Server) -> Iterator[str]:
    """Name of a stored LoadTest whose status may be changed."""
    assert "created" in (said := server.run("create", "-f", "-", body=load_test(GOOD, "observed"))), said
    yield "observed"
    server.run("delete", "loadtest", "observed")


def create(server: Server, spec: Object, name: str = "sample") -> str:
    """What the API server would say to a new LoadTest."""
    return server.run("create", "--dry-run=server", "-f", "-", body=load_test(spec, name))


def test_good_spec_is_accepted(server: Server) -> None:
    assert create(server, GOOD).endswith("/sample created (server dry run)\n")


def test_rules_are_affordable_for_the_largest_spec(server: Server) -> None:
    assert create(server, bound()).endswith("/sample created (server dry run)\n")


@pytest.fixture(scope="module")
def refusals(server: Server) -> dict[str, str]:
    """What the API server says to each of the bad objects; one call for all of them."""
    tests = [load_test(changed(GOOD, bad["change"]), f"bad-{number}") for number, bad in enumerate(BAD)]
    everything = {"apiVersion": "v1", "kind": "List", "items": tests}
    said = server.run("create", "--dry-run=server", "--validate=ignore", "-f", "-", body=everything)
    return dict(re.findall(r'"(bad-\d+)" is invalid: (.*)', said))


REFUSED = [pytest.param(number, id=bad["title"]) for number, bad in enumerate(BAD) if "server" in bad]
"""The others are what only the operator can tell: it says so in the status, before anything is begun."""


@pytest.mark.parametrize("number", REFUSED)
def test_bad_spec_is_refused(refusals: dict[str, str], number: int) -> None:
    assert BAD[number]["server"] in refusals.get(f"bad-{number}", "accepted")


def test_name_too_long_for_pods_is_refused(server: Server) -> None:
    assert "metadata.name: Too long: may not be more than 49 bytes" in create(server, GOOD, "x" * 50)


def test_unknown_field_is_told(server: Server) -> None:
    assert 'unknown field "spec.load.stagez"' in create(server, changed(GOOD, {"load.stagez": []}))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("target", {"target.serviceRef.name": "other"}),
        ("requests", {"requests.0.openAIChat.maxTokens": 5}),
        ("load", {"load.stages.1.arrivalRate": 5}),
        ("thresholds", {"thresholds": None}),
        ("defaults", {"defaults": {"errorPercent": 9}}),
        ("scaling", {"scaling": None}),
        ("faults", {"faults.0.durationSeconds": 31}),
        ("results", {"results.keepRuns": 3}),
        ("workerTemplate", {"workerTemplate.nodeSelector": {"pool": "load"}}),
        ("activeDeadlineSeconds", {"activeDeadlineSeconds": 7200}),
    ],
)
def test_changed_spec_wants_a_new_token(stored: Replace, field: str, change: Object) -> None:
    said = stored(change)
    assert f"spec.{field}: Invalid value: {field} {FROZEN}" in said
    assert "replaced" in stored({**change, "runToken": "2"})


def test_applying_the_same_again_changes_nothing(server: Server, observed: str) -> None:
    generation = ("get", "loadtest", observed, "-o", "jsonpath={.metadata.generation}")
    before = server.run(*generation)
    assert "replaced" in server.run("replace", "-f", "-", body=load_test(GOOD, observed))
    assert server.run(*generation) == before


@pytest.mark.parametrize("change", [{"suspend": True}, {"abort": True}, {"ttlSecondsAfterFinished": 60}])
def test_some_fields_may_change_at_any_time(stored: Replace, change: Object) -> None:
    assert "replaced" in stored(change)


def set_status(server: Server, name: str, status: Object) -> None:
    """As the operator does."""
    patch = json.dumps({"status": status})
    said = server.run("patch", "loadtest", name, "--subresource=status", "--type=merge", "-p", patch)
    assert "patched" in said, said


@pytest.mark.parametrize(
    ("phase", "answer"), [("Running", "(phase Running)"), ("Pending", "patched"), ("Finished", "patched")]
)
def test_a_running_test_keeps_its_token(server: Server, observed: str, phase: str, answer: str) -> None:
    set_status(server, observed, {"phase": phase})
    patch = ("--type=merge", "-p", '{"spec": {"runToken": "2"}}')
    assert answer in server.run("patch", "loadtest", observed, *patch)


def test_explain_shows_descriptions(server: Server) -> None:
    plural = f"--api-version={server.group}/v1alpha1"
    said = " ".join(server.run("explain", "contractloadtests.spec.load.stages", plural).split())
    assert "arrivalRate <" in said
    assert "Open model: requests started per second over all workers" in said


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CRDS])
def test_crd_can_be_applied_by_a_client(server: Server, path: Path) -> None:
    """With the annotation that a client-side apply leaves."""
    said = server.run("apply", "--dry-run=server", "-f", str(path))
    assert "(server dry run)" in said
    assert "Too long" not in said


def test_columns(server: Server, observed: str) -> None:
    status = {
        "phase": "Finished",
        "verdict": "Passed",
        "message": "Fine.",
        "run": {"number": 2, "target": "http://chat:80", "currentStage": "peak", "progressPercent": 43},
        "summary": {
            "requestsPerSecond": "19.8",
            "errorPercent": "0.4",
            "responseTimeMilliseconds": {"highest": "P99 1710"},
        },
        "scaling": {"replicas": {"course": "1→3→1"}},
    }
    set_status(server, observed, status)
    header, row = server.run("get", "loadtest", observed, "-o", "wide").splitlines()
    names = "NAME PHASE VERDICT STAGE PROGRESS RPS RESPONSE ERRORS REPLICAS RUN AGE MESSAGE TARGET"
    assert header.split() == names.split()
    assert row.split()[:7] == ["observed", "Finished", "Passed", "peak", "43", "19.8", "P99"]
    assert row.split()[7:11] == ["1710", "0.4", "1→3→1", "2"]
    assert row.split()[-2:] == ["Fine.", "http://chat:80"]


def test_schedule_is_accepted(server: Server) -> None:
    schedule = {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTestSchedule",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "loadTestTemplate": {"spec": GOOD}},
    }
    assert "created" in server.run("create", "--dry-run=server", "-f", "-", body=schedule)
    schedule["spec"]["schedule"] = "daily"  # type: ignore[index]
    assert "spec.schedule: Invalid value" in server.run("create", "--dry-run=server", "-f", "-", body=schedule)
