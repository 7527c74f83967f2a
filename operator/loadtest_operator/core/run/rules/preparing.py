"""Preparing: the target first, then the workers, then the start.

What the spec refers to comes before everything: without a key no probe could succeed, and no pod could start. Then the
target comes, so that workers do not wait (and count down their deadline) for minutes while a model
loads. Each wait shows its reason at once and ends the run when its time is over: `readiness.timeoutSeconds` for
the target, the operator's `WORKER_START_SECONDS` for the workers.
"""

from datetime import datetime, timedelta

from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.actions import Action, Create, CreateToken, Delete, Emit, ProbeTarget, StartWorkers
from loadtest_operator.core.common import conditions, reasons, times
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, NETWORK_POLICY
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.evidence import events
from loadtest_operator.core.faults import providers
from loadtest_operator.core.fleet import manifests, quota
from loadtest_operator.core.fleet.pods import Problem
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.rules import feasible
from loadtest_operator.core.run.rules.always import leads_elsewhere, stop
from loadtest_operator.core.run.step import AT_ONCE, QUICK, SLOW, SOON, Rule, Step

REFUSALS = 2
"""A 4xx this many times in a row is an answer, not a hiccup."""
LONGEST_QUEUE = timedelta(minutes=30)
"""So long a run waits for a quota that others use, if activeDeadlineSeconds leaves it the time."""
LATE_POD = timedelta(seconds=30)
IMAGE_PATIENCE = timedelta(seconds=60)
CLOCK_SAMPLES = 3
"""Polls of each worker, once it is ready, before its clock is trusted."""
LEAST_LEAD, LONGEST_LEAD = timedelta(milliseconds=700), timedelta(seconds=30)
"""From the decision to second 0: every worker must have got the start by then."""
ROUND_TRIPS, WRITES = 4, 3
"""So many times the slowest of the workers' round trips, and the last write of the status, fit in beside that."""
YOUNG = timedelta(seconds=5)
"""Workers usually are ready by then; until then they are looked at often."""

TARGET, WORKERS = ConditionType.TARGET_READY, ConditionType.WORKERS_READY


def references_missing(observed: Observed) -> Step | None:
    if _target_is_ready(observed) or not observed.lacking:
        return None
    return _target_waits(observed, reasons.REFERENCE_NOT_FOUND, observed.lacking)


def references_unusable(observed: Observed) -> Step | None:
    if _target_is_ready(observed) or not observed.unusable:
        return None
    return stop(observed, TARGET, reasons.REFERENCE_UNUSABLE, observed.unusable)


def target_missing(observed: Observed) -> Step | None:
    view = observed.target
    if _target_is_ready(observed) or (view is not None and view.found):
        return None
    return _target_waits(observed, reasons.TARGET_NOT_FOUND, observed.trouble or "the target's Service does not exist")


def target_too_small(observed: Observed) -> Step | None:
    needed = observed.valid_spec.target.readiness.min_ready_replicas
    view = observed.target
    if _target_is_ready(observed) or view is None or observed.valid_spec.target.url or view.ready >= needed:
        return None
    waiting = next((f" ({pod.name}: {pod.waiting_for})" for pod in view.pods if pod.waiting_for), "")
    message = f"the target has {view.ready} of {needed} ready endpoints{waiting}"
    return _target_waits(observed, reasons.NOT_ENOUGH_REPLICAS, message)


def probe_refused(observed: Observed) -> Step | None:
    probe = observed.probe
    if _target_is_ready(observed) or probe is None or probe.refused_in_a_row < REFUSALS:
        return None
    message = f"{probe.message}; no load was offered, so nothing is known about the target's capacity"
    return stop(observed, TARGET, reasons.PROBE_FAILED, message)


def probe_not_done(observed: Observed) -> Step | None:
    if _target_is_ready(observed) or (observed.probe and observed.probe.ok):
        return None
    message = observed.probe.message if observed.probe else "sending one real request of each kind"
    step = _target_waits(observed, reasons.PROBE_FAILED if observed.probe else reasons.PENDING, message)
    return step if step.event else Step(step.says, claims=step.claims, actions=(ProbeTarget(),), wake_after=QUICK)


def target_found_ready(observed: Observed) -> Step | None:
    if _target_is_ready(observed):
        return None
    url = observed.target.url if observed.target else ""
    return Step(
        says=f"target {url} is ready",
        claims=(conditions.yes(TARGET, reasons.PROBE_SUCCEEDED),),
        run={"target": url},
        actions=(Emit("Normal", "TargetReady", f"{url} answered one real request of each kind"),),
        wake_after=AT_ONCE,
    )


def workers_would_serve(observed: Observed) -> Step | None:
    if not observed.captured:
        return None
    return stop(observed, WORKERS, reasons.LABELS_SELECTED, observed.captured)


def workers_refused(observed: Observed) -> Step | None:
    """What the API server says of an object does not change by waiting."""
    if not observed.refused:
        return None
    return stop(observed, WORKERS, reasons.WORKERS_REFUSED, f"the API server does not accept them: {observed.refused}")


def workers_yield(observed: Observed) -> Step | None:
    """Of several that hold a part of a quota and wait for the rest only the first keeps its part."""
    if not observed.ahead:
        return None
    back = (Delete(JOB, observed.names.job),) if observed.job is not None else ()
    return _queue(observed, f"LoadTest {observed.ahead} waits longer for the quota of the namespace", 1, back)


def workers_missing(observed: Observed) -> Step | None:
    if observed.job is not None:
        return None
    message = f"creating {observed.valid_spec.load.workers} workers"
    if quota.is_full(observed.trouble):
        return _queue(observed, observed.trouble, 1, _creations(observed))
    if observed.trouble:
        return _workers_wait(observed, Problem(reasons.WORKERS_LATE, observed.trouble), _creations(observed))
    claim = conditions.unknown(WORKERS, reasons.WORKERS_STARTING, message)
    return Step(message, claims=(claim,), actions=_creations(observed), wake_after=SOON)


def workers_queue(observed: Observed) -> Step | None:
    """A quota that others fill is a queue; one that is too small for this run is none."""
    trouble = observed.job.trouble if observed.job else ""
    if any(pod.problem for pod in observed.pods) or not quota.is_full(trouble):
        return None
    return _queue(observed, trouble, observed.valid_spec.load.workers)


def workers_in_trouble(observed: Observed) -> Step | None:
    """The first pod's complaint, or the Job controller's that it could not even make one."""
    problem = next((pod.problem for pod in observed.pods if pod.problem), None)
    if problem is None and observed.job is not None and observed.job.trouble:
        problem = Problem(reasons.QUOTA_EXCEEDED, observed.job.trouble)
    if problem is None and observed.job is not None and observed.job.failed:
        problem = Problem(reasons.WORKER_CRASHED, f"the workers' Job failed: {observed.job.message}", final=True)
    return _workers_wait(observed, problem) if problem else None


def worker_failed(observed: Observed) -> Step | None:
    failed = [worker for worker in observed.workers if worker.ended]
    if not failed:
        return None
    message = f"worker {failed[0].index} ended before the load: {failed[0].state.message if failed[0].state else ''}"
    return stop(observed, WORKERS, reasons.WORKER_CRASHED, message)


def workers_not_ready(observed: Observed) -> Step | None:
    wanted = observed.valid_spec.load.workers
    ready = observed.in_phase(WorkerPhase.READY)
    if len(ready) == wanted and all(worker.samples >= CLOCK_SAMPLES for worker in ready):
        return None
    silent = [worker.error for worker in observed.workers if worker.error]
    why = f" ({silent[0]})" if silent else ""
    message = f"{len(ready)} of {wanted} workers are ready{why}"
    young = observed.job is not None and observed.now < observed.job.created + YOUNG
    return _workers_wait(observed, Problem(reasons.WORKERS_STARTING, message), wake_after=SOON if young else QUICK)


def faults_not_ready(observed: Observed) -> Step | None:
    """What could not be made when the Job was is made now."""
    message = providers.not_ready(observed)
    if not message:
        return None
    problem = Problem(reasons.FAULT_PROVIDER_NOT_READY, message)
    if providers.lost(observed):
        return _workers_wait(observed, problem, providers.objects(observed), wake_after=SLOW)
    return _workers_wait(observed, problem, wake_after=0.5)


def held(observed: Observed) -> Step | None:
    if not observed.valid_spec.suspend:
        return None
    claim = conditions.yes(WORKERS, reasons.WORKERS_READY)
    return Step("ready; spec.suspend holds the start", claims=(claim,))


def start(observed: Observed) -> Step | None:
    """Second 0 is fixed. It is written down before any worker is told."""
    begin = second_zero(observed)
    return Step(
        says=f"load starts at {times.text(begin)}",
        event=Move.STARTED,
        claims=(
            conditions.yes(WORKERS, reasons.WORKERS_READY),
            conditions.yes(ConditionType.LOAD_RUNNING, reasons.STARTING),
        ),
        run={"load_start_time": begin},
        actions=(
            start_command(observed, begin),
            Emit("Normal", "LoadStarts", f"load starts at {times.text(begin)}"),
            *events.undecided_before(observed.valid_spec),
        ),
        wake_after=SOON,
    )


RULES: tuple[Rule, ...] = (
    leads_elsewhere,
    references_missing,
    references_unusable,
    target_missing,
    target_too_small,
    probe_refused,
    probe_not_done,
    target_found_ready,
    workers_would_serve,
    workers_refused,
    *feasible.RULES,
    workers_yield,
    workers_missing,
    workers_queue,
    workers_in_trouble,
    worker_failed,
    faults_not_ready,
    workers_not_ready,
    held,
    start,
)


def second_zero(observed: Observed) -> datetime:
    """As soon as every worker can have been told, by how long the API server and the workers have taken to answer."""
    trips = max((worker.round_trip for worker in observed.in_phase(WorkerPhase.READY)), default=0) / times.NANOSECONDS
    lead = LEAST_LEAD + timedelta(seconds=ROUND_TRIPS * trips + WRITES * observed.write_seconds)
    return times.next_tenth(observed.now + min(lead, LONGEST_LEAD))


def start_command(observed: Observed, begin: datetime) -> StartWorkers:
    """Second 0 on each waiting worker's own clock. One that already has a start time is not told again."""
    told = {worker.index: times.nanoseconds(begin) + worker.offset for worker in observed.in_phase(WorkerPhase.READY)}
    return StartWorkers(begin, told)


def _target_is_ready(observed: Observed) -> bool:
    return conditions.is_true(observed.status.conditions, TARGET)


def _target_waits(observed: Observed, reason: Reason, message: str) -> Step:
    begun = observed.status.run.start_time or observed.now
    seconds = observed.valid_spec.target.readiness.timeout_seconds
    if observed.now > begun + timedelta(seconds=seconds):
        why = reasons.NOT_ENOUGH_REPLICAS if reason is reasons.PENDING else reason
        return stop(observed, TARGET, why, f"{message}, after {seconds} s (spec.target.readiness.timeoutSeconds)")
    # Unknown, not False: while it is waited for it is no evidence.
    return Step(message, claims=(conditions.unknown(TARGET, reason, message),), wake_after=QUICK)


def _workers_wait(
    observed: Observed, problem: Problem, actions: tuple[Action, ...] = (), wake_after: float = QUICK
) -> Step:
    begun = _workers_since(observed)
    seconds = observed.settings.worker_start_seconds
    late = observed.now > begun + timedelta(seconds=seconds)
    hopeless = problem.final or (
        problem.reason is reasons.IMAGE_PULL_ERROR
        and observed.now > begun + min(IMAGE_PATIENCE, timedelta(seconds=seconds))
    )
    if hopeless:
        return stop(observed, WORKERS, problem.reason, problem.message)
    if late:
        why = reasons.WORKERS_LATE if problem.reason is reasons.WORKERS_STARTING else problem.reason
        return stop(observed, WORKERS, why, f"{problem.message}, {seconds} s after {_what_began(observed)}")
    claim = conditions.unknown(WORKERS, problem.reason, problem.message)
    return Step(problem.message, claims=(claim,), actions=actions, wake_after=wake_after)


def _workers_since(observed: Observed) -> datetime:
    """When the wait for the workers began: their newest pod may have come late, after a wait for a quota."""
    ready = conditions.since(observed.status.conditions, TARGET)
    return max((moment for moment in (ready, _newest(observed)) if moment), default=observed.now)


def _what_began(observed: Observed) -> str:
    return "the last worker's pod was made" if _newest(observed) else "the target was ready"


def _newest(observed: Observed) -> datetime | None:
    """When the newest pod was made, if that was so late that it had to wait."""
    newest = max((pod.created for pod in observed.pods if pod.created), default=None)
    ready = conditions.since(observed.status.conditions, TARGET)
    return newest if newest and ready and newest > ready + LATE_POD else None


def _queue(observed: Observed, words: str, times: int, actions: tuple[Action, ...] = ()) -> Step:
    begun = conditions.since(observed.status.conditions, TARGET) or observed.now
    if never := quota.impossible(words, times):
        message = f"{never} ({words}): ask for less in load.workers or workerTemplate.resources, or for a larger quota"
        return _workers_wait(observed, Problem(reasons.QUOTA_EXCEEDED, message), actions)
    if observed.now > _queue_end(observed, begun):
        waited = (observed.now - begun).total_seconds()
        return stop(observed, WORKERS, reasons.QUOTA_EXCEEDED, f"{words}, {waited:.0f} s after the target was ready")
    message = f"waits for a quota that is in use: {words}"
    return Step(message, claims=(conditions.unknown(WORKERS, reasons.QUOTA_EXCEEDED, message),), actions=actions)


def _queue_end(observed: Observed, begun: datetime) -> datetime:
    """When the load would no longer fit before activeDeadlineSeconds; never before the workers' usual time."""
    spec, started = observed.valid_spec, observed.status.run.start_time or begun
    needed = spec.load.duration_seconds + (spec.scaling.settle_seconds if spec.scaling else 0)
    latest = min(begun + LONGEST_QUEUE, started + timedelta(seconds=spec.active_deadline_seconds - needed))
    return max(begun + timedelta(seconds=observed.settings.worker_start_seconds), latest)


def _creations(observed: Observed) -> tuple[Action, ...]:
    """The Job comes last: where it is, everything else is."""
    return (
        CreateToken(manifests.secret(observed)),
        Create(CONFIG_MAP, manifests.plan(observed)),
        Create(NETWORK_POLICY, manifests.network_policy(observed, providers.ingress(observed))),
        *(Create(NETWORK_POLICY, body) for body in manifests.egress_policy(observed, providers.between(observed))),
        *providers.objects(observed),
        Create(JOB, manifests.job(observed, providers.way(observed))),
    )
