"""The parts of the status that follow from the world alone, whatever the phase: workers, figures, progress, scaling.

Bounded whatever the run's size; figures that change all the time are written at most every five seconds (the
writer sees to that), so here they are simply computed.
"""

from collections.abc import Mapping
from typing import Any

from loadgen.model.wire import WorkerPhase, WorkerState
from loadtest_operator.api.status import LoadTestStatus, Phase, Workers
from loadtest_operator.core.common.progress import percent, stage_at
from loadtest_operator.core.evidence import figures
from loadtest_operator.core.observed import Observed, WorkerView
from loadtest_operator.core.scaling import figures as scaling

ARMED = (WorkerPhase.ARMED, WorkerPhase.RUNNING, WorkerPhase.DRAINING)
READY = (WorkerPhase.READY, *ARMED, WorkerPhase.FINISHED)


def sections(observed: Observed) -> dict[str, Any]:
    """Top-level fields to set."""
    found: dict[str, Any] = {}
    if observed.spec is None or observed.phase is Phase.EVALUATING:
        return found
    if observed.workers or observed.pods:
        found["workers"] = workers(observed)
    if observed.tally is not None and observed.phase in (Phase.RUNNING, Phase.SETTLING):
        found["summary"] = figures.live(observed.plan, observed.tally)
    if observed.timeline.since is not None:
        found["scaling"] = scaling.status_of(
            observed.spec,
            observed.timeline,
            observed.load_start,
            observed.now,
            workload=observed.target.workload if observed.target else "",
            ended=False,
        )
    return found


def run_fields(observed: Observed) -> dict[str, Any]:
    """Fields of `status.run` to set."""
    if observed.load_start is None or observed.phase not in (Phase.RUNNING, Phase.SETTLING):
        return {}
    stage = stage_at(observed.plan, observed.second)
    return {
        "current_stage": stage.name if stage and observed.phase is Phase.RUNNING else None,
        "progress_percent": percent(observed.plan, observed.second),
    }


def workers(observed: Observed) -> Workers:
    """Counts, and how well the workers' clocks and starts agreed."""
    states = [worker.state for worker in observed.workers if worker.state]
    lost = sum(1 for pod in observed.pods if not pod.alive and pod.phase != "Succeeded")
    lost += _gone(observed)
    bad = sum(1 for state in states if state.phase is WorkerPhase.FAILED)
    return Workers(
        desired=observed.valid_spec.load.workers,
        ready=sum(1 for state in states if state.phase in READY),
        armed=sum(1 for state in states if state.phase in ARMED),
        finished=sum(1 for state in states if state.phase is WorkerPhase.FINISHED),
        failed=max(lost, bad),
        start_skew_milliseconds=_start_skew(observed.workers),
        clock_skew_milliseconds=_clock_skew(observed.workers),
    )


def _gone(observed: Observed) -> int:
    """Workers that we knew and whose pod is no more."""
    there = {pod.index for pod in observed.pods}
    return sum(1 for worker in observed.workers if worker.index not in there and not worker.drained)


def _clock_skew(workers: tuple[WorkerView, ...]) -> int | None:
    offsets = [abs(worker.offset) for worker in workers if worker.samples]
    return round(max(offsets) / 1e6) if offsets else None


def _start_skew(workers: tuple[WorkerView, ...]) -> int | None:
    """Between the first and the last worker's real start, on one clock."""
    starts = [_real_start(worker.state) - worker.offset for worker in workers if worker.state and worker.state.start_at]
    return round((max(starts) - min(starts)) / 1e6) if starts else None


def _real_start(state: WorkerState) -> int:
    return (state.start_at or 0) + state.started_late_microseconds * 1000


def validated(old: LoadTestStatus, changes: Mapping[str, Any]) -> LoadTestStatus:
    """The new status. Validated as a whole, so that a bound that was missed is a bug here and not a refused write."""
    merged = {field: getattr(old, field) for field in LoadTestStatus.model_fields} | dict(changes)
    return LoadTestStatus.model_validate(merged)
