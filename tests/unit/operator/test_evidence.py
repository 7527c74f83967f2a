"""One judgement, many views: status, stored report, Events; and what a run knows of itself before and while it goes on."""

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.actions import Emit, StoreReport
from loadtest_operator.core.evidence import report
from loadtest_operator.core.observed import Stored
from unit.operator.situations import DELAY, GROWS, proxy_refuses
from unit.operator.world import World

CALM = {"name": "calm", "flapping": {"maxDirectionChanges": 2}}
ERRORS = {"name": "errors", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}
TOLERANT = {**DELAY, "tolerate": [{"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 70}]}


def stored(world: World) -> dict[str, Any]:
    """What the report says that is stored when it is stored, and the end as it is judged by then."""
    for _ in range(2000):
        observed = world.look()
        decision = world.step()
        if any(isinstance(action, StoreReport) for action in decision.actions):
            assert observed.tally is not None
            artifact = report.build(observed, observed.tally)
            world.stored = Stored(artifact.name, artifact.sha256, artifact.size, judgement=artifact.judgement)
            packed = artifact.body["binaryData"]["report.json.gz"]
            found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
            return found
    raise AssertionError("nothing was stored")


def as_json(status: LoadTestStatus, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = status.model_dump(mode="json", exclude_none=True, include=set(names))
    return found


@pytest.mark.parametrize(
    "more",
    [
        {"scaling": {"expectations": [CALM]}},
        {"scaling": {"expectations": [CALM, GROWS]}},
        {"faults": [TOLERANT]},
        {"thresholds": [ERRORS]},
    ],
)
def test_the_stored_report_says_what_the_status_says(more: dict[str, Any]) -> None:
    """Sections and words: it is one judgement, made before the report was stored."""
    world = World(a_valid_spec(a_stage(durationSeconds=40), **more))
    world.scale(1)
    found = stored(world)
    world.pass_time(30)
    world.silent_since = dict.fromkeys(world.workers, world.now)
    status = world.run()

    assert {name: found[name] for name in as_json(status, "scaling", "faults")} == as_json(status, "scaling", "faults")
    assert (found["report"]["verdict"], found["report"]["message"]) == (status.verdict, status.message)
    told = [(one["name"], one["result"], one["message"]) for one in found["report"]["thresholds"]]
    assert told == [(one.name, one.result, one.message) for one in status.thresholds]


def warnings(world: World) -> list[str]:
    return [action.message for action in world.done if isinstance(action, Emit) and action.type == "Warning"]


def test_what_cannot_be_decided_is_said_before_the_load() -> None:
    """A hundred requests, where 299 are needed."""
    world = World(a_valid_spec(a_stage(), thresholds=[ERRORS]))
    world.run(Phase.RUNNING)
    (said,) = warnings(world)
    assert "needs 299 requests without a failure, and about 100 are planned" in said


def test_what_cannot_be_decided_of_a_fault_is_said_too() -> None:
    """Forty requests in its window, where 59 are needed."""
    bounds = [{"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 5}]
    world = World(a_valid_spec(a_stage(durationSeconds=40), faults=[{**DELAY, "tolerate": bounds}]))
    world.run(Phase.RUNNING)
    (said,) = warnings(world)
    assert said.startswith(
        "faults[slow].tolerate: ErrorPercent <= 5 % needs 59 requests without a failure, and about 40"
    )


def test_a_plan_that_can_decide_is_not_warned_of() -> None:
    world = World(a_valid_spec(a_stage(durationSeconds=40), thresholds=[ERRORS]))
    world.run(Phase.RUNNING)
    assert warnings(world) == []


def test_what_a_fault_does_stops_no_run() -> None:
    """Errors that `tolerate` allows: the run goes on, and is judged without them."""
    fault = {**TOLERANT, "durationSeconds": 15}
    world = World(
        a_valid_spec(a_stage(durationSeconds=40), thresholds=[{**ERRORS, "abortOnFail": True}], faults=[fault])
    )
    world.errors_in = range(3, 19)
    status = world.run()
    assert (status.verdict, status.run.abort_reason) == (Verdict.PASSED, None), status.message


def test_errors_beside_a_fault_stop_it() -> None:
    fault = {**TOLERANT, "startAfterSeconds": 25, "durationSeconds": 5}
    world = World(
        a_valid_spec(a_stage(durationSeconds=40), thresholds=[{**ERRORS, "abortOnFail": True}], faults=[fault])
    )
    world.errors_in = range(3, 12)
    status = world.run()
    assert status.verdict is Verdict.FAILED
    assert "in the run so far" in (status.message or "")


def test_what_is_violated_is_not_hidden_by_a_fault_that_did_not_come() -> None:
    """The fault's part is not known; that a tenth of the requests fail is."""
    world = World(a_valid_spec(a_stage(durationSeconds=40), faults=[DELAY]))
    world.errors_percent = 10
    proxy_refuses(world)
    assert world.run().verdict is Verdict.FAILED


def test_a_warning_that_is_not_known_leaves_the_thresholds_met() -> None:
    rare = {"name": "rare", "metric": "ResponseTime", "statistic": "P999", "operator": "LessThan", "value": 9}
    world = World(a_valid_spec(a_stage(), thresholds=[{**rare, "severity": "Warning"}]))
    status = world.run()
    assert status.verdict is Verdict.PASSED
    assert next(one.status for one in status.conditions if one.type == "ThresholdsMet") == "True"


def test_a_late_look_changes_nothing_that_was_judged() -> None:
    """Whoever finishes says what was stored, whatever the world has become."""
    world = World(a_valid_spec(a_stage()))
    found = stored(world)
    world.errors_percent = 90
    world.target = replace(world.target, endpoints=())
    assert world.run().verdict == found["report"]["verdict"] == "Passed"
