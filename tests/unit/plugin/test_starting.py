"""What `run`, `rerun` and `abort` write, and what they refuse."""

from typing import Any

import pytest

from builders import Object, a_spec
from kubectl_loadtest.core import starting
from kubectl_loadtest.core.manifest import Manifest
from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.problems import BadInputError
from unit.plugin.statuses import a_run, a_test, finished, past

TESTS = [
    {"op": "test", "path": "/metadata/uid", "value": "uid-of-chat"},
    {"op": "test", "path": "/metadata/generation", "value": 1},
]


def a_manifest(**spec: Any) -> Manifest:
    return Manifest({"kind": "LoadTest", "metadata": {"name": "chat", "labels": {"team": "a"}}, "spec": a_spec(**spec)})


def test_a_rerun_is_a_new_token_on_the_spec_that_was_read() -> None:
    """Nothing else changes, and the server refuses it where the spec is another by then."""
    change = starting.to_rerun(a_test(finished(3)), "new")

    assert change.steps == [*TESTS, {"op": "add", "path": "/spec/runToken", "value": "new"}]
    assert change.wanted == Wanted("new", 3)


def test_a_rerun_takes_an_abort_back() -> None:
    """Left in place it would end the new run before it began."""
    steps = starting.to_rerun(a_test(finished(1, "Aborted"), abort=True), "new").steps
    assert {"op": "add", "path": "/spec/abort", "value": False} in steps


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (a_test(a_run(2, run={"currentStage": "peak", "progressPercent": 40})), "run 2 (Running, stage peak, 40 %)"),
        (a_test(a_run(2, "Pending")), "run 2 (Pending)"),
        (a_test(a_run(2, "Evaluating")), "run 2 (Evaluating)"),
        (a_test(), "its first run (not taken up by the operator yet)"),
        (a_test(finished(2, token="1"), token="2"), "the run after run 2 (not taken up by the operator yet)"),
    ],
    ids=[
        "under load",
        "waiting for its turn",
        "being judged",
        "made a moment ago",
        "asked for a moment ago",
    ],
)
def test_while_a_run_goes_on_there_is_no_other(live: Object, said: str) -> None:
    """Also where the operator has not seen it yet; the refusal says which run, and what to do."""
    for make in (lambda: starting.to_rerun(live, "new"), lambda: starting.to_run(a_manifest(), live, "new")):
        with pytest.raises(BadInputError) as refused:
            make()
        assert said in str(refused.value)
        assert "kubectl loadtest abort chat" in str(refused.value)


def test_a_load_test_that_is_being_deleted_is_left_alone() -> None:
    """It would go in the middle of the run."""
    live = a_test(finished())
    live["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    with pytest.raises(BadInputError, match="being deleted"):
        starting.to_rerun(live, "new")


def test_running_a_file_again_is_a_new_run() -> None:
    """A file without a token does not show the last verdict once more: it gets a token of its own."""
    change = starting.to_run(a_manifest(), a_test(finished(4)), "fresh")

    assert change.wanted == Wanted("fresh", 4)
    assert change.steps[:2] == TESTS
    assert change.steps[2]["value"]["runToken"] == "fresh"
    assert change.steps[3] == {"op": "add", "path": "/metadata/labels", "value": {"team": "a"}}


def test_a_file_with_a_token_of_its_own_keeps_it() -> None:
    """As GitOps writes it."""
    change = starting.to_run(a_manifest(runToken="v2"), a_test(finished(1)), "fresh")
    assert change.wanted == Wanted("v2", 1)


@pytest.mark.parametrize(
    ("token", "number"), [("1", 4), ("older", 2)], ids=["the last run's token", "an earlier run's token"]
)
def test_a_token_that_was_run_is_refused(token: str, number: int) -> None:
    """Its verdict is an old one, whatever it was."""
    live = a_test(finished(4, history=[past(2, "Failed", "older")]))
    with pytest.raises(BadInputError, match=f"was run already, as run {number}"):
        starting.to_run(a_manifest(runToken=token), live, "fresh")


def test_abort_sets_the_flag_once() -> None:
    """Said twice it changes nothing."""
    live = a_test(a_run(2))
    assert starting.to_abort(live).steps == [*TESTS, {"op": "add", "path": "/spec/abort", "value": True}]
    live["spec"]["abort"] = True
    assert starting.to_abort(live).steps == []


def test_there_is_nothing_to_abort_after_the_end() -> None:
    """The flag would only wait for the next run."""
    with pytest.raises(BadInputError, match="run 2 ended Failed"):
        starting.to_abort(a_test(finished(2, "Failed")))
