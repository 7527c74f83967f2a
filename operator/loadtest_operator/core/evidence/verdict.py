"""The one judgement of a run: its verdict (Error › Aborted › Inconclusive as a whole › Failed › Inconclusive › Passed) with its evidence.

The generator's own judgement (`loadgen.core.judge`) knows what was measured; this adds what the platform knows. Evidence is read from the
conditions: a False condition whose reason forces a verdict. Some of it makes the whole run doubtful (a lost worker, figures that are
missing); some leaves one thing open (a fault that did not come, an expectation) and hides nothing that is violated elsewhere.

It is made once: the report that was stored has it, and the status says the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from loadgen.core.judge import thresholds, validity
from loadgen.core.judge import verdict as generator
from loadgen.core.judge.judgement import Measured, measured
from loadgen.core.judge.validity import Quality
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Criterion
from loadgen.model.report import Result, ThresholdResult, Verdict
from loadtest_operator.api.meta import ConditionStatus, ConditionType
from loadtest_operator.api.outcome import CriterionStatus, ExpectationStatus, FaultResult, FaultStatus, ScalingStatus
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.evidence import recovery
from loadtest_operator.core.faults import path, windows
from loadtest_operator.core.observed import Observed, uncollected
from loadtest_operator.core.scaling import figures as scaling

FELT = frozenset({FaultResult.RECOVERED, FaultResult.PARTIAL, FaultResult.NOT_RECOVERED})


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that forces a verdict."""

    forces: Verdict
    message: str
    whole: bool = True
    """Whether it is about all of the run, not about one thing that was asked for."""


def judge(observed: Observed) -> Judgement:
    """The verdict, now that nothing more will happen; the stored report's, where there is one."""
    if observed.stored is not None and observed.stored.judgement is not None:
        return observed.stored.judgement
    if observed.spec is None or observed.tally is None or not observed.tally.select().counts.planned:
        return _without_load(observed)
    return _with_load(observed, observed.tally)


def _without_load(observed: Observed) -> Judgement:
    evidence = _from_conditions(observed)
    nothing = Evidence(Verdict.INCONCLUSIVE, "no load was offered")
    strongest = _strongest([*evidence, nothing])
    claims = tuple(
        conditions.no(kind, reasons.NOT_JUDGED)
        for kind in (ConditionType.THRESHOLDS_MET, ConditionType.SCALING_VERIFIED)
    )
    return Judgement(strongest.forces, strongest.message, (*claims, *_load_claims(observed)))


def _with_load(observed: Observed, tally: Tally) -> Judgement:
    plan = observed.plan
    seen = measured(plan, tally, quality(observed, tally), exclude=windows.windows(observed))
    broken = _tolerated(observed, tally, seen.limited)
    scaled = _scaling(observed)
    claims = (*_threshold_claims(seen.thresholds, broken), *_scaling_claims(observed, scaled), *_load_claims(observed))
    evidence = [*_from_conditions(observed), *_from_claims(claims), *_uncollected(observed)]
    word, message = _combine(seen, evidence)
    return Judgement(word, message, claims, seen.total, seen.validity, seen.thresholds, scaled, broken)


def quality(observed: Observed, tally: Tally) -> Quality:
    """How well the generator, and what its load went through, have measured so far."""
    found = validity.quality(observed.plan, tally, allowed_cores=_allowed_cores(observed), ceilings=_ceilings(observed))
    return path.judged(found, observed)


def _combine(seen: Measured, evidence: list[Evidence]) -> tuple[Verdict, str]:
    """What was measured, and what the platform knows."""
    whole, parts = [one for one in evidence if one.whole], [one for one in evidence if not one.whole]
    return generator.judge(
        replace(
            seen.findings(),
            aborted=next(iter(_said(evidence, Verdict.ABORTED)), None),
            given_up=next(iter(_said(whole, Verdict.FAILED)), None),
            errors=_said(evidence, Verdict.ERROR),
            inconclusive=_said(whole, Verdict.INCONCLUSIVE),
            violated=_said(parts, Verdict.FAILED),
            unknown=_said(parts, Verdict.INCONCLUSIVE),
        )
    )


def _said(evidence: Iterable[Evidence], word: Verdict) -> list[str]:
    return [item.message for item in evidence if item.forces is word]


def _strongest(evidence: Iterable[Evidence]) -> Evidence:
    order = tuple(Verdict)
    return min(evidence, key=lambda item: order.index(item.forces))


def _from_conditions(observed: Observed) -> list[Evidence]:
    found = []
    for condition in observed.status.conditions:
        reason = reasons.BY_NAME.get(condition.reason)
        if condition.status is ConditionStatus.FALSE and reason is not None and reason.forces is not None:
            whole = condition.type != ConditionType.FAULTS_INJECTED
            found.append(Evidence(reason.forces, condition.message, whole))
    return found


def _from_claims(claims: Iterable[Claim]) -> list[Evidence]:
    # Thresholds speak for themselves in the generator's verdict.
    return [
        Evidence(claim.reason.forces, claim.message, whole=False)
        for claim in claims
        if claim.status is not ConditionStatus.TRUE
        and claim.reason.forces is not None
        and claim.reason is not reasons.THRESHOLD_VIOLATED
    ]


def _uncollected(observed: Observed) -> list[Evidence]:
    missing = uncollected(observed)
    wanted = observed.valid_spec.load.workers
    if len(observed.workers) < wanted:
        missing = f"figures of {wanted - len(observed.workers)} of {wanted} workers are missing"
    return [Evidence(Verdict.INCONCLUSIVE, missing)] if missing else []


def _load_claims(observed: Observed) -> tuple[Claim, ...]:
    """LoadCompleted is never left open."""
    if conditions.status_of(observed.status.conditions, ConditionType.LOAD_COMPLETED) is not ConditionStatus.UNKNOWN:
        return ()
    reason = reasons.NOT_OFFERED if observed.load_start is None else reasons.LOAD_ENDED
    return (
        conditions.no(ConditionType.LOAD_COMPLETED, reason, observed.status.run.abort_reason or ""),
        conditions.no(ConditionType.LOAD_RUNNING, reason),
    )


def _tolerated(observed: Observed, tally: Tally, limited: Mapping[int, str]) -> tuple[FaultStatus, ...]:
    """Each fault's own bounds, judged over the window in which it really was in force."""
    start, spec = observed.load_start, observed.valid_spec
    by_name = {fault.name: fault for fault in spec.occurrences}
    judged = []
    for status in observed.status.faults:
        seconds = windows.window(status, start) if start else range(0)
        # What was not the fault that was asked for says nothing about what it would have done.
        asked = status.name in by_name and status.result is not FaultResult.NOT_INJECTED
        bounds = by_name[status.name].tolerate if asked and seconds else ()
        results = tuple(
            _criterion(bound, thresholds.evaluate_window(bound, observed.plan, tally, seconds, limited=limited))
            for bound in bounds
        )
        judged.append(status.model_copy(update={"tolerate": results}))
    return tuple(_recovered(observed, tally, limited, status) for status in judged)


def _recovered(observed: Observed, tally: Tally, limited: Mapping[int, str], status: FaultStatus) -> FaultStatus:
    """With how users were after it: where it was felt, and its end is known."""
    start, fault = (
        observed.load_start,
        next((one for one in observed.valid_spec.occurrences if one.name == status.name), None),
    )
    if start is None or fault is None or status.recovered_time is None or status.result not in FELT:
        return status
    others = [windows.window(one, start, observed.now) for one in observed.status.faults if one.name != status.name]
    sight = recovery.Sight(
        observed.plan, tally, limited, windows.window(status, start), [other for other in others if other]
    )
    return status.model_copy(update={"recovery": recovery.judged(fault, sight)})


def _criterion(bound: Criterion, result: ThresholdResult) -> CriterionStatus:
    return CriterionStatus(
        metric=bound.metric,
        statistic=bound.statistic,
        operator=bound.operator,
        result=result.result,
        observed=result.observed,
        wanted=result.wanted,
        decision=result.decision,
        doubt=result.doubt,
        message=result.message,
    )


def _threshold_claims(results: tuple[ThresholdResult, ...], broken: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    kind = ConditionType.THRESHOLDS_MET
    if failed := [result.message for result in thresholds.violated(results)]:
        return (*_fault_claims(broken), conditions.no(kind, reasons.THRESHOLD_VIOLATED, "; ".join(failed)))
    if open_ := [result.message for result in thresholds.undecided(results)]:
        return (conditions.unknown(kind, reasons.THRESHOLD_UNKNOWN, "; ".join(open_)), *_fault_claims(broken))
    return _fault_claims(broken) or (conditions.yes(kind, reasons.THRESHOLDS_MET),)


def _fault_claims(broken: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    """Bounds over a fault's window are thresholds too."""
    kind = ConditionType.THRESHOLDS_MET
    results = [(status.name, result) for status in broken for result in (*status.tolerate, status.recovery) if result]
    if failed := [f"fault {name}: {result.message}" for name, result in results if result.result is Result.FAILED]:
        return (conditions.no(kind, reasons.TOLERANCE_EXCEEDED, "; ".join(failed)),)
    if open_ := [f"fault {name}: {result.message}" for name, result in results if result.result is Result.UNKNOWN]:
        return (conditions.unknown(kind, reasons.TOLERANCE_UNKNOWN, "; ".join(open_)),)
    return ()


def _scaling(observed: Observed) -> ScalingStatus:
    view = observed.target
    return scaling.status_of(
        observed.valid_spec,
        observed.timeline,
        observed.load_start,
        observed.now,
        workload=view.workload if view else "",
        ended=True,
    )


def _scaling_claims(observed: Observed, seen: ScalingStatus) -> tuple[Claim, ...]:
    kind = ConditionType.SCALING_VERIFIED
    if not seen.expectations:
        return (conditions.yes(kind, reasons.NO_EXPECTATIONS),)
    if failed := _messages(seen.expectations, Result.FAILED):
        return (conditions.no(kind, reasons.EXPECTATION_FAILED, failed),)
    if not (open_ := _messages(seen.expectations, Result.UNKNOWN)):
        return (conditions.yes(kind, reasons.EXPECTATIONS_MET),)
    return (conditions.no(kind, scaling.why_open(observed.timeline, observed.load_start), open_),)


def _messages(results: Iterable[ExpectationStatus], wanted: Result) -> str:
    return "; ".join(result.message or "" for result in results if result.result is wanted)


def _allowed_cores(observed: Observed) -> float:
    """A worker's CPU limit; without one, what a shard could use at most: a core for each."""
    limit = observed.valid_spec.worker_template.resources.limits.get("cpu")
    if limit is None:
        shards = max((worker.state.shards for worker in observed.workers if worker.state), default=1)
        return float(shards)
    return float(limit[:-1]) / 1000 if limit.endswith("m") else float(limit)


def _ceilings(observed: Observed) -> dict[int, int]:
    """Requests per second that each worker reached against nothing, where it told."""
    return {
        worker.index: worker.state.ceiling_requests_per_second
        for worker in observed.workers
        if worker.state and worker.state.ceiling_requests_per_second
    }
