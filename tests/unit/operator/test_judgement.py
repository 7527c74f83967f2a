"""The one judgement: what the platform knows beside what was measured, each claim in its words."""

import functools
from dataclasses import replace
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionStatus, ConditionType
from loadtest_operator.api.outcome import FaultStatus
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.evidence import verdict
from loadtest_operator.core.observed import Observed, Stored
from unit.loadgen.deltas import a_delta, a_tally
from unit.operator.situations import DELAY, GROWS
from unit.operator.test_views import a_fleet, a_worker
from unit.operator.world import World

ERRORS = {"metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 20}
RARE = {"metric": "ResponseTime", "statistic": "P999", "operator": "LessThan", "value": 900}
SLOW = {"metric": "ResponseTime", "statistic": "P50", "operator": "LessThan", "value": 1}


@functools.cache
def plain() -> Observed:
    """A run that ends well."""
    return evaluated()


def evaluated(*, errors_percent: int = 0, errors_in: range | None = None, **spec: Any) -> Observed:
    """Forty seconds of load, as they are seen when they are judged."""
    world = World(a_valid_spec(a_stage(durationSeconds=40), **spec))
    world.errors_percent, world.errors_in = errors_percent, errors_in
    world.run(Phase.EVALUATING)
    return world.look()


def claimed(judgement: Judgement, kind: ConditionType) -> Claim:
    (found,) = [claim for claim in judgement.claims if claim.type is kind]
    return found


def said(observed: Observed, kind: ConditionType, reason: reasons.Reason, message: str) -> Observed:
    """As if a False condition had been written before."""
    claims = [conditions.no(kind, reason, message)]
    written = conditions.updated(observed.status.conditions, claims, observed.now, 1)
    return replace(observed, status=observed.status.model_copy(update={"conditions": written}))


def test_without_load_nothing_is_said_of_thresholds_and_scaling() -> None:
    found = verdict.judge(World(a_valid_spec(a_stage())).look())
    assert (found.verdict, found.message) == (Verdict.INCONCLUSIVE, "no load was offered")
    kinds = (ConditionType.THRESHOLDS_MET, ConditionType.SCALING_VERIFIED)
    assert [claimed(found, kind).reason for kind in kinds] == [reasons.NOT_JUDGED] * 2
    assert [claimed(found, kind).status for kind in kinds] == [ConditionStatus.FALSE] * 2
    assert claimed(found, ConditionType.LOAD_COMPLETED).reason is reasons.NOT_OFFERED
    assert claimed(found, ConditionType.LOAD_RUNNING).reason is reasons.NOT_OFFERED


def test_without_load_the_strongest_reason_is_told() -> None:
    """An image that cannot be pulled is why, whatever else is true."""
    observed = said(World(a_valid_spec(a_stage())).look(), ConditionType.WORKERS_READY, reasons.WORKERS_LATE, "late")
    weaker = said(observed, ConditionType.TARGET_READY, reasons.PROBE_FAILED, "404")
    found = verdict.judge(weaker)
    assert (found.verdict, found.message) == (Verdict.ERROR, "late")


def test_what_was_stored_is_not_judged_again() -> None:
    observed = plain()
    first = verdict.judge(observed)
    stored = Stored("r", judgement=replace(first, verdict=Verdict.FAILED, message="as it was"))
    assert verdict.judge(replace(observed, stored=stored)).message == "as it was"
    assert verdict.judge(replace(observed, stored=Stored("r", error="no room"))) == first


def test_a_good_run_claims_that_all_is_met() -> None:
    found = verdict.judge(evaluated(thresholds=[{"name": "errors", **ERRORS}]))
    assert found.verdict is Verdict.PASSED
    assert claimed(found, ConditionType.THRESHOLDS_MET).reason is reasons.THRESHOLDS_MET
    assert claimed(found, ConditionType.SCALING_VERIFIED).reason is reasons.NO_EXPECTATIONS
    assert found.total is not None
    assert found.total.counts.planned == 40 * 20 * 2
    assert found.validity is not None
    assert [one.name for one in found.thresholds] == ["errors", "errors-default", "any-success"]


def test_every_violated_threshold_is_told_in_the_condition() -> None:
    """Those that are not known only where none is violated."""
    fast = [{"name": "fast", **SLOW}, {"name": "faster", **SLOW}, {"name": "rare", **RARE}, {"name": "r2", **RARE}]
    failed = claimed(verdict.judge(evaluated(thresholds=fast)), ConditionType.THRESHOLDS_MET)
    assert (failed.status, failed.reason) == (ConditionStatus.FALSE, reasons.THRESHOLD_VIOLATED)
    assert [part.split(":")[0] for part in failed.message.split("; ")] == ["fast", "faster"]
    open_ = claimed(verdict.judge(evaluated(thresholds=fast[2:])), ConditionType.THRESHOLDS_MET)
    assert (open_.status, open_.reason) == (ConditionStatus.UNKNOWN, reasons.THRESHOLD_UNKNOWN)
    assert open_.message.startswith("rare: ")
    assert "; r2: " in open_.message


def test_a_faults_bounds_are_judged_in_its_window() -> None:
    """Violated and not known, each with the fault's name, and as the threshold of a window has it."""
    fault = {**DELAY, "durationSeconds": 10, "tolerate": [ERRORS, {**ERRORS, "value": 30}]}
    found = verdict.judge(evaluated(errors_percent=50, errors_in=range(3, 13), faults=[fault]))
    (status,) = found.faults
    assert [(one.result, one.wanted, one.observed) for one in status.tolerate] == [
        ("Failed", "<= 20 %", "50 %"),
        ("Failed", "<= 30 %", "50 %"),
    ]
    claim = claimed(found, ConditionType.THRESHOLDS_MET)
    assert (claim.status, claim.reason) == (ConditionStatus.FALSE, reasons.TOLERANCE_EXCEEDED)
    assert claim.message == "; ".join(f"fault slow: {one.message}" for one in status.tolerate)
    assert (found.verdict, found.message) == (Verdict.FAILED, claim.message)


def test_a_faults_bound_that_is_not_known_leaves_the_run_open() -> None:
    fault = {**DELAY, "tolerate": [{**RARE, "decision": "Confident"}, {**RARE, "value": 901}]}
    found = verdict.judge(evaluated(faults=[fault]))
    (status,) = found.faults
    first = status.tolerate[0]
    assert (first.metric, first.statistic, first.operator) == ("ResponseTime", "P999", "LessThan")
    assert (first.result, first.decision, first.doubt, first.wanted) == ("Unknown", "Confident", "TooFew", "< 900 ms")
    claim = claimed(found, ConditionType.THRESHOLDS_MET)
    assert (claim.status, claim.reason) == (ConditionStatus.UNKNOWN, reasons.TOLERANCE_UNKNOWN)
    assert claim.message == "; ".join(f"fault slow: {one.message}" for one in status.tolerate)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_how_a_bound_was_decided_is_told() -> None:
    fault = {**DELAY, "tolerate": [{**RARE, "decision": "Point"}]}
    (status,) = verdict.judge(evaluated(faults=[fault])).faults
    assert [(one.result, one.decision, one.doubt) for one in status.tolerate] == [("Passed", "Point", None)]


def test_bounds_and_thresholds_that_fail_are_both_claimed() -> None:
    """A fault's bound does not hide a threshold, nor a threshold a bound."""
    fault = {**DELAY, "durationSeconds": 10, "tolerate": [ERRORS]}
    slow = {"name": "fast", **SLOW}
    found = verdict.judge(evaluated(errors_percent=50, errors_in=range(3, 13), faults=[fault], thresholds=[slow]))
    told = [claim.reason for claim in found.claims if claim.type is ConditionType.THRESHOLDS_MET]
    assert told == [reasons.TOLERANCE_EXCEEDED, reasons.THRESHOLD_VIOLATED]
    assert "fault slow: errorpercent: ErrorPercent was 50 %" in found.message
    assert "fast: P50 of ResponseTime" in found.message


def test_a_fault_that_the_spec_no_longer_has_is_kept_as_it_was() -> None:
    observed = evaluated(faults=[DELAY])
    (old,) = observed.status.faults
    more = (*observed.status.faults, FaultStatus(name="gone", result="Recovered"))
    found = verdict.judge(replace(observed, status=observed.status.model_copy(update={"faults": more})))
    assert [(one.name, one.tolerate) for one in found.faults] == [(old.name, ()), ("gone", ())]


@pytest.mark.parametrize(
    ("kind", "reason", "word", "message"),
    [
        (ConditionType.WORKERS_READY, reasons.WORKER_LOST, Verdict.INCONCLUSIVE, "worker 1 was lost"),
        (ConditionType.FAULTS_INJECTED, reasons.NOT_INJECTED, Verdict.INCONCLUSIVE, "fault slow was not in force"),
        (ConditionType.FAULTS_INJECTED, reasons.NOT_RECOVERED, Verdict.ERROR, "fault slow stays"),
        (ConditionType.LOAD_COMPLETED, reasons.ABORT_REQUESTED, Verdict.ABORTED, "spec.abort was set"),
        (ConditionType.LOAD_COMPLETED, reasons.AUTO_STOPPED, Verdict.FAILED, "too many errors"),
        (ConditionType.FAULTS_INJECTED, reasons.OPTIONAL_NOT_INJECTED, Verdict.PASSED, ""),
    ],
)
def test_a_condition_forces_what_its_reason_says(
    kind: ConditionType, reason: reasons.Reason, word: Verdict, message: str
) -> None:
    found = verdict.judge(said(plain(), kind, reason, message))
    assert found.verdict is word
    assert message in found.message


def test_what_is_about_one_thing_hides_no_violation_and_what_is_about_all_does() -> None:
    observed = evaluated(thresholds=[{"name": "fast", **SLOW}])
    part = said(observed, ConditionType.FAULTS_INJECTED, reasons.NOT_INJECTED, "not in force")
    whole = said(observed, ConditionType.WORKERS_READY, reasons.WORKER_LOST, "worker 1 was lost")
    assert verdict.judge(part).verdict is Verdict.FAILED
    assert verdict.judge(whole).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("replicas", "word"), [(1, "Failed"), (None, "Inconclusive")])
def test_every_expectation_that_is_not_met_is_told(replicas: int | None, word: str) -> None:
    """An autoscaler that does nothing, and none at all."""
    more = {**GROWS, "name": "grows-more", "scaleUp": {**GROWS["scaleUp"], "toAtLeast": 4}}
    world = World(a_valid_spec(a_stage(durationSeconds=40), scaling={"expectations": [GROWS, more]}))
    if replicas:
        world.scale(replicas)
    world.run(Phase.EVALUATING)
    found = verdict.judge(world.look())
    assert found.scaling is not None
    messages = [one.message for one in found.scaling.expectations]
    assert len(set(messages)) == 2
    claim = claimed(found, ConditionType.SCALING_VERIFIED)
    assert (claim.status, claim.message) == (ConditionStatus.FALSE, "; ".join(messages))
    assert (found.verdict, found.message) == (Verdict(word), claim.message)
    assert found.scaling.workload == "Deployment/web"


def test_figures_that_are_missing_leave_the_whole_run_open() -> None:
    observed = evaluated(thresholds=[{"name": "fast", **SLOW}])
    one, two = observed.workers
    behind = verdict.judge(replace(observed, workers=(one, replace(two, collected=3))))
    assert (behind.verdict, behind.message) == (Verdict.INCONCLUSIVE, "figures of worker 1 are missing")
    gone = verdict.judge(replace(observed, workers=(one,)))
    assert (gone.verdict, gone.message) == (Verdict.INCONCLUSIVE, "figures of 1 of 2 workers are missing")


def test_a_load_that_was_cut_off_says_why() -> None:
    """Completed is never left open."""
    observed = plain()
    assert [claim.type for claim in verdict.judge(observed).claims] == [
        ConditionType.THRESHOLDS_MET,
        ConditionType.SCALING_VERIFIED,
    ]
    open_ = conditions.updated(
        observed.status.conditions, [conditions.unknown(ConditionType.LOAD_COMPLETED)], observed.now, 1
    )
    run = observed.status.run.model_copy(update={"abort_reason": "it was stopped"})
    cut = replace(observed, status=observed.status.model_copy(update={"conditions": open_, "run": run}))
    completed = claimed(verdict.judge(cut), ConditionType.LOAD_COMPLETED)
    assert (completed.status, completed.reason) == (ConditionStatus.FALSE, reasons.LOAD_ENDED)
    assert completed.message == "it was stopped"
    assert claimed(verdict.judge(cut), ConditionType.LOAD_RUNNING).reason is reasons.LOAD_ENDED


@pytest.mark.parametrize(
    ("cores", "shards", "used", "level"),
    [
        ("500m", 1, 390_000, "Valid"),
        ("500m", 1, 410_000, "GeneratorLimited"),
        ("0.5", 1, 390_000, "Valid"),
        ("0.5", 1, 410_000, "GeneratorLimited"),
        ("2", 1, 790_000, "Valid"),
        ("2", 1, 810_000, "GeneratorLimited"),
        ("1500m", 2, 590_000, "Valid"),
        ("1500m", 2, 610_000, "GeneratorLimited"),
        (None, 1, 790_000, "Valid"),
        (None, 2, 790_000, "Valid"),
        (None, 2, 810_000, "GeneratorLimited"),
    ],
)
def test_what_a_worker_may_use_is_its_limit(cores: str | None, shards: int, used: int, level: str) -> None:
    """Shared by its shards, and of a core at most, for a shard is one thread; without a limit that alone."""
    limit = {"workerTemplate": {"resources": {"limits": {"cpu": cores}}}} if cores else {}
    fleet = a_fleet(a_worker(0, shards=shards), **limit)
    told = [a_delta(at, shard=shard, cpu_microseconds=used) for at in range(10) for shard in range(shards)]
    assert verdict.quality(fleet, a_tally(fleet.plan, *told)).validity.level == level


@pytest.mark.parametrize(("ceilings", "level"), [((7, 9), "GeneratorLimited"), ((9, 9), "Valid"), ((7, 0), "Valid")])
def test_the_workers_ceilings_count_where_all_told(ceilings: tuple[int, int], level: str) -> None:
    """Ten requests a second are planned: 60 % of twice the weaker must be more."""
    fleet = a_fleet(*(a_worker(index, ceiling=ceiling) for index, ceiling in enumerate(ceilings)))
    assert verdict.quality(fleet, a_tally(fleet.plan, a_delta(0))).validity.level == level
