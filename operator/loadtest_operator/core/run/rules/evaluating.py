"""Evaluating: the verdict, its evidence, the stored report; then the run is finished and lets everything go.

The report is stored before the verdict is announced, so that whoever waits for Finished finds it. That it could
not be stored does not change the verdict: the summary in the status has the evidence.
"""

from datetime import timedelta
from typing import Literal

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import ArtifactStatus
from loadtest_operator.core.actions import Action, Delete, Emit, ReleaseWorkers, StoreReport
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB
from loadtest_operator.core.evidence import figures, verdict
from loadtest_operator.core.faults import machine as faults
from loadtest_operator.core.observed import Observed, WorkerView, listed
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.rules import always
from loadtest_operator.core.run.step import AT_ONCE, Rule, Step

COMPLETED = ConditionType.LOAD_COMPLETED
ABORT_PATIENCE = timedelta(seconds=10)
"""So long figures of an aborted run are waited for."""


def aborted(observed: Observed) -> Step | None:
    """Also now: whoever sets spec.abort before there is a verdict gets Aborted, and soon."""
    return None if always.was_aborted(observed) or observed.status.run.start_time is None else always.aborted(observed)


def collecting(observed: Observed) -> Step | None:
    """What an operator before us had collected went with it. Workers are not released yet: all of it is pulled again, but not
    for longer than the run may last: what is missing then makes it Inconclusive."""
    if observed.load_start is None or observed.stored is not None or _for_long_enough(observed):
        return None
    missing = [worker.index for worker in observed.workers if _has_more(observed, worker)]
    if not missing:
        return None
    return Step(f"collecting from worker {listed(missing)}", wake_after=0.3)


def not_stored(observed: Observed) -> Step | None:
    if observed.tally is None or observed.stored is not None:
        return None
    return Step("storing the report", actions=(StoreReport(),), wake_after=AT_ONCE)


def finish(observed: Observed) -> Step | None:
    judgement = verdict.judge(observed)
    kind: Literal["Normal", "Warning"] = "Normal" if judgement.verdict is Verdict.PASSED else "Warning"
    message = f"{judgement.verdict}: {judgement.message}"
    return Step(
        says=judgement.message,
        event=Move.JUDGED,
        claims=(*judgement.claims, *_ending_claims(observed, judgement)),
        run={"completion_time": observed.now.replace(microsecond=0), "current_stage": None},
        status={**figures.judged(observed, judgement), "artifacts": _artifacts(observed)},
        actions=(*_farewell(observed), Emit(kind, f"Run{judgement.verdict}", message[:1000])),
        wake_after=60.0,
    )


def taking_back(observed: Observed) -> Step | None:
    """Whatever ended the run, no fault is left behind; `core.faults.machine` gives up on one after its own deadline."""
    if not faults.open_faults(observed.status.faults):
        return None
    return Step("taking faults back", wake_after=0.5)


RULES: tuple[Rule, ...] = (aborted, collecting, taking_back, not_stored, finish)


def _for_long_enough(observed: Observed) -> bool:
    if always.past_deadline(observed) is not None:
        return True
    if not always.was_aborted(observed):
        return False
    stopped = conditions.since(observed.status.conditions, COMPLETED)
    return stopped is not None and observed.now > stopped + ABORT_PATIENCE


def _has_more(observed: Observed, worker: WorkerView) -> bool:
    """It has ended (as far as we know) and answers, or we have not asked for long."""
    answers = worker.silent_seconds < always.patience_seconds(observed)
    return not worker.drained and answers and (worker.state is None or worker.ended)


def _artifacts(observed: Observed) -> tuple[ArtifactStatus, ...]:
    stored = observed.stored
    if stored is None or stored.error or not stored.name:
        return ()
    return (ArtifactStatus(kind="ConfigMap", name=stored.name, sha256=stored.sha256, bytes=stored.size),)


def _ending_claims(observed: Observed, judgement: Judgement) -> tuple[Claim, ...]:
    return (_stored_claim(observed), *conditions.ended(judgement.verdict, judgement.message))


def _stored_claim(observed: Observed) -> Claim:
    stored = observed.stored
    if observed.tally is None or stored is None:
        return conditions.no(ConditionType.RESULTS_STORED, reasons.NOTHING_TO_STORE)
    if stored.error:
        return conditions.no(ConditionType.RESULTS_STORED, reasons.STORE_FAILED, stored.error)
    return conditions.yes(ConditionType.RESULTS_STORED, reasons.STORED, f"ConfigMap {stored.name}")


def _farewell(observed: Observed) -> tuple[Action, ...]:
    """Workers exit; what made the faults goes now. The Job stays for its ttl unless it has pods, or would still get some, that never
    end by themselves. Workers are released last: while one runs, the janitor knows that something was forgotten."""
    names = observed.names
    timeline = (Delete(CONFIG_MAP, names.timeline),) if observed.timeline.since else ()
    job = (Delete(JOB, names.job),) if observed.job and _outlasts(observed) else ()
    return (*faults.farewell(observed), *timeline, ReleaseWorkers(), *job)


def _outlasts(observed: Observed) -> bool:
    """Whether some pod of the Job cannot be told to exit: it does not answer, or, as with a quota, is yet to come."""
    deaf = any(not worker.ended for worker in observed.workers)
    stuck = deaf or len(observed.workers) < len(observed.pods) or any(pod.problem for pod in observed.pods)
    return stuck or (observed.load_start is None and not observed.all_answered)
