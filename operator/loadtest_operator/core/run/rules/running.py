"""Running: load is offered once. Whatever goes wrong ends the run; nothing is ever started a second time.

The one thing that may be repeated is telling a worker that waits (READY) the start it was always to get. If
second 0 has passed and *no* worker has begun, no load was offered, and the start may move; if some have begun and
others have not, the load is incomplete for good.
"""

from datetime import timedelta

from loadgen.core.judge import early
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Threshold
from loadgen.model.wire import WorkerPhase
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import FaultStatus
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common import conditions, reasons, times
from loadtest_operator.core.common.progress import stage_at
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.evidence import verdict
from loadtest_operator.core.faults import path, providers, windows
from loadtest_operator.core.fleet.pods import WorkerPod
from loadtest_operator.core.observed import Observed, WorkerView, listed
from loadtest_operator.core.run.lifecycle import Move
from loadtest_operator.core.run.rules.always import leads_elsewhere, stop
from loadtest_operator.core.run.rules.preparing import second_zero, start_command
from loadtest_operator.core.run.step import AT_ONCE, QUICK, SOON, Rule, Step

SILENCE_SECONDS = 15.0
"""A worker that does not answer for so long is lost."""
MOST_CLOCKS_DIFFER = 60
"""Seconds that the clocks of two operators may differ; more is taken for another start."""
LATEST_START = timedelta(milliseconds=300)
"""A worker told later than this before second 0 might miss it."""
OVERDUE = timedelta(seconds=30)
"""After the last stage and the graceful stop."""
RUNNING, COMPLETED = ConditionType.LOAD_RUNNING, ConditionType.LOAD_COMPLETED


def worker_lost(observed: Observed) -> Step | None:
    wanted = observed.valid_spec.load.workers
    lost = {index: why for index in range(wanted) if (why := _why_lost(observed, index))}
    if not lost:
        return None
    index, why = next(iter(lost.items()))
    share = 100 * len(lost) / wanted
    left = max(0.0, 100 - 100 * max(observed.second, 0.0) / observed.valid_spec.load.duration_seconds)
    silent = max((worker.silent_seconds for worker in observed.workers if worker.index in lost), default=0.0)
    when = f"{max(observed.second - silent, 0):.0f} s into the load"
    message = (
        f"lost worker {listed(lost)} of {wanted} {when} (worker {index}: {why}): "
        f"{share:.0f} % of the load was missing from then on, the remaining {left:.0f} % of the run was not offered"
    )
    return stop(observed, ConditionType.WORKERS_READY, reasons.WORKER_LOST, message)


def not_told(observed: Observed) -> Step | None:
    """Somebody waits and there is time: the operator before us was killed between writing and telling."""
    start = observed.load_start
    waiting = observed.in_phase(WorkerPhase.READY)
    if start is None or not waiting or observed.now > start - LATEST_START:
        return None
    return Step("telling workers the start", actions=(start_command(observed, start),), wake_after=SOON)


def start_moved(observed: Observed) -> Step | None:
    """Second 0 has passed and nobody was told: nothing was offered, so there is nothing to repeat."""
    waiting = observed.in_phase(WorkerPhase.READY)
    if len(waiting) < observed.valid_spec.load.workers or any(worker.collected for worker in observed.workers):
        return None
    begin = second_zero(observed)
    message = f"nobody was told the start in time and no load was offered; load starts at {times.text(begin)}"
    return Step(
        says=message,
        event=Move.START_MOVED,
        run={"load_start_time": begin},
        actions=(start_command(observed, begin), Emit("Warning", "StartMoved", message)),
        wake_after=SOON,
    )


def clock_differs(observed: Observed) -> Step | None:
    """The operator that told the start had another clock: the workers agree on a second 0 that is not ours. It is reckoned anew,
    with everything that counts from it, for the load itself did not move."""
    start, shift = observed.load_start, _clock_shift(observed)
    if start is None or shift is None:
        return None
    message = (
        f"the operator's clock differs by {shift.total_seconds():+.1f} s from the one that the start was told by; second 0 is "
        f"{times.text(start + shift)} on it: check the nodes' clocks"
    )
    return Step(
        says=message,
        event=Move.START_MOVED,
        run={"load_start_time": start + shift},
        status={"faults": tuple(_shifted(status, shift) for status in observed.status.faults)},
        actions=(Emit("Warning", "ClockDiffers", message),),
        wake_after=0.3,
    )


def start_missed(observed: Observed) -> Step | None:
    waiting = observed.in_phase(WorkerPhase.READY) if observed.second >= 0 else ()
    astray = _astray(observed)
    if not waiting and not astray:
        return None
    who = listed(worker.index for worker in (*waiting, *astray))
    message = f"worker {who} did not get the start in time (or got another); the load was incomplete"
    return stop(observed, ConditionType.WORKERS_READY, reasons.START_MISSED, message)


def all_drained(observed: Observed) -> Step | None:
    wanted = observed.valid_spec.load.workers
    finished = [worker for worker in observed.workers if worker.drained and worker.phase is WorkerPhase.FINISHED]
    if len(finished) < wanted:
        return None
    return Step(
        says="all stages were offered",
        event=Move.LOAD_ENDED,
        claims=(
            conditions.no(RUNNING, reasons.LOAD_ENDED),
            conditions.yes(COMPLETED, reasons.LOAD_COMPLETED),
        ),
        run={"load_end_time": observed.now},
        actions=(Emit("Normal", "LoadCompleted", "all stages were offered"),),
        wake_after=AT_ONCE,
    )


def overdue(observed: Observed) -> Step | None:
    end = observed.load_end
    grace = timedelta(seconds=observed.valid_spec.load.graceful_stop_seconds) + OVERDUE
    if end is None or observed.now <= end + grace:
        return None
    drained = {worker.index for worker in observed.workers if worker.drained}
    late = listed(sorted(set(range(observed.valid_spec.load.workers)) - drained))
    message = f"worker {late} had not ended {grace.total_seconds():.0f} s after the last stage"
    return stop(observed, COMPLETED, reasons.WORKERS_OVERDUE, message)


def path_lost(observed: Observed) -> Step | None:
    """Nothing reaches the target any more: stands before every rule that looks at how requests ended."""
    why = providers.lost(observed)
    return stop(observed, ConditionType.WORKERS_READY, reasons.FAULT_PROVIDER_LOST, why) if why else None


def auto_stopped(observed: Observed) -> Step | None:
    """Not on what a fault did, nor before its seconds are out of the rule's window."""
    tally, second = observed.tally, int(observed.second)
    if tally is None or observed.second < 0:
        return None
    why = early.auto_stop(observed.plan, tally, second, exclude=windows.windows(observed))
    return _stop_on_evidence(observed, reasons.AUTO_STOPPED, why) if why else None


def beyond_doubt(observed: Observed) -> Step | None:
    tally = observed.tally
    if tally is None or observed.second < 0:
        return None
    exclude = windows.windows(observed)
    for threshold in observed.plan.thresholds:
        if threshold.abort_on_fail and (why := _violated(threshold, observed, tally, exclude)):
            message = f"{why}; abortOnFail stopped the run after {observed.second:.0f} s"
            return _stop_on_evidence(observed, reasons.THRESHOLD_BEYOND_DOUBT, message)
    return None


def _stop_on_evidence(observed: Observed, reason: Reason, why: str) -> Step:
    """Unless what stands in the load's way may be what failed."""
    doubt = path.doubt(observed)
    if not doubt:
        return stop(observed, COMPLETED, reason, why)
    return stop(
        observed, COMPLETED, reasons.FAULT_PROVIDER_UNWELL, f"{doubt}; so this is not held against the target: {why}"
    )


def offering(observed: Observed) -> Step | None:
    if observed.second < 0:
        start = observed.load_start
        return Step(f"load starts at {times.text(start)}" if start else "", wake_after=0.5)
    stage = stage_at(observed.plan, observed.second)
    if stage is None:
        late = observed.second > observed.valid_spec.load.duration_seconds + 1
        return Step("waiting for the last answers", wake_after=0.5 if late else SOON)
    message = f"stage {stage.name}, {observed.second:.0f} of {observed.valid_spec.load.duration_seconds} s"
    claim = conditions.yes(RUNNING, reasons.STAGE_STARTED, f"stage {stage.name} is being offered")
    left = observed.valid_spec.load.duration_seconds - observed.second
    return Step(message, claims=(claim,), wake_after=min(QUICK, left + SOON / 2))


RULES: tuple[Rule, ...] = (
    leads_elsewhere,
    all_drained,
    worker_lost,
    not_told,
    start_moved,
    clock_differs,
    start_missed,
    overdue,
    path_lost,
    auto_stopped,
    beyond_doubt,
    offering,
)


def _told(observed: Observed) -> dict[int, int]:
    """Second 0 of each worker that was told one, by index, in nanoseconds on our clock."""
    return {
        worker.index: worker.state.start_at - worker.offset
        for worker in observed.workers
        if worker.state is not None and worker.state.start_at is not None and worker.samples
    }


def _agreed(observed: Observed) -> int | None:
    """The second 0 that is nearest to the one written down, if it can be the same one on another clock."""
    start, told = observed.load_start, _told(observed)
    if start is None or not told:
        return None
    ours = times.nanoseconds(start)
    near = min(told.values(), key=lambda moment: abs(moment - ours))
    return near if abs(near - ours) <= MOST_CLOCKS_DIFFER * times.NANOSECONDS else ours


def _astray(observed: Observed) -> list[WorkerView]:
    """Armed with a time that is not the others': two operators were at work."""
    agreed, told = _agreed(observed), _told(observed)
    if agreed is None:
        return []
    wrong = {index for index, moment in told.items() if abs(moment - agreed) > times.NANOSECONDS}
    return [worker for worker in observed.workers if worker.index in wrong]


def _clock_shift(observed: Observed) -> timedelta | None:
    """By how much the agreed second 0 differs from the one written down; nothing where it does not, or nobody agrees."""
    start, agreed = observed.load_start, _agreed(observed)
    if start is None or agreed is None or _astray(observed):
        return None
    shift = timedelta(microseconds=(agreed - times.nanoseconds(start)) // 1000)
    return shift if abs(shift) > timedelta(seconds=1) else None


def _shifted(status: FaultStatus, shift: timedelta) -> FaultStatus:
    moments = ("planned_time", "injected_time", "recovered_time")
    known = {name: getattr(status, name) for name in moments}
    return status.model_copy(update={name: moment + shift for name, moment in known.items() if moment})


def _why_lost(observed: Observed, index: int) -> str:
    """Why the worker is lost; empty when it is not."""
    worker = next((worker for worker in observed.workers if worker.index == index), WorkerView(index))
    pod = next((pod for pod in observed.pods if pod.index == index), None)
    if worker.drained and worker.phase is WorkerPhase.FINISHED:
        return ""
    if worker.state is not None and worker.ended and worker.phase is not WorkerPhase.FINISHED:
        deleted = f"its pod {pod.name} was deleted: " if pod and pod.deleting else ""
        return f"{deleted}{worker.state.message or worker.phase}"
    return _pod_lost(worker, pod)


def _pod_lost(worker: WorkerView, pod: WorkerPod | None) -> str:
    if pod is None:
        return "its pod is gone"
    if not pod.alive and (worker.state is None or worker.silent_seconds > 2):
        return pod.problem.message if pod.problem else f"its pod {pod.name} is going away"
    if worker.silent_seconds > SILENCE_SECONDS:
        return f"no answer for {worker.silent_seconds:.0f} s: {worker.error}"
    return ""


def _violated(threshold: Threshold, observed: Observed, tally: Tally, exclude: tuple[range, ...]) -> str | None:
    """Beyond doubt, beside faults, and not of the generator's making."""
    return early.beyond_doubt(
        threshold,
        observed.plan,
        tally,
        exclude=exclude,
        limited=lambda: verdict.quality(observed, tally).limited,
    )
