"""Earlier runs: bounded in the status, and what they leave behind goes with them."""

from loadgen.model.report import Verdict
from loadtest_operator.api.status import LoadTestStatus, PastRun
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, NETWORK_POLICY, SECRET
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.faults import providers


def extended(status: LoadTestStatus, keep: int) -> tuple[tuple[PastRun, ...], tuple[PastRun, ...]]:
    """The history with the run of this status in front: what is kept and what is dropped."""
    if not status.run.number:
        return status.history, ()
    runs = (past_run(status), *status.history)
    return runs[:keep], runs[keep:]


def past_run(status: LoadTestStatus) -> PastRun:
    """One run in a few figures."""
    summary = status.summary
    response = summary.response_time_milliseconds if summary else None
    first_token = summary.ttft_milliseconds if summary else None
    return PastRun(
        number=status.run.number,
        token=status.run.token,
        verdict=status.verdict or Verdict.ERROR,
        message=status.message or "",
        start_time=status.run.start_time,
        completion_time=status.run.completion_time,
        requests_per_second=summary.requests_per_second if summary else None,
        error_percent=summary.error_percent if summary else None,
        response_time_p99_milliseconds=response.p99 if response else None,
        ttft_p99_milliseconds=first_token.p99 if first_token else None,
        peak_replicas=status.scaling.replicas.peak if status.scaling else None,
        artifact=status.artifacts[0].name if status.artifacts else None,
    )


def leftovers(names: Names, kept: tuple[PastRun, ...]) -> tuple[Delete, ...]:
    """What goes when this run begins: the last run's objects, and the report of the one before those that are kept."""
    if names.run < 2:
        return ()
    oldest = min((run.number for run in kept), default=names.run)
    report = (Delete(CONFIG_MAP, Names(names.loadtest, oldest - 1).report),) if oldest > 1 else ()
    return (*belongings(Names(names.loadtest, names.run - 1)), *report)


def belongings(names: Names) -> tuple[Delete, ...]:
    """Everything of a run but its report."""
    return (
        Delete(JOB, names.job),
        *providers.belongings(names),
        Delete(SECRET, names.secret),
        Delete(CONFIG_MAP, names.plan),
        Delete(CONFIG_MAP, names.timeline),
        Delete(NETWORK_POLICY, names.network_policy),
        Delete(NETWORK_POLICY, names.egress_policy),
    )
