"""What of a finished run goes when its time is over. The LoadTest, its status and its reports stay."""

from datetime import datetime, timedelta

from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.history import belongings
from loadtest_operator.core.kinds import CONFIG_MAP, JOB, POD, SERVICE
from loadtest_operator.core.names import Names

GRACE = timedelta(seconds=5)
"""After the end, for released workers to exit."""
STRAY = timedelta(seconds=15)
"""After the end, whatever still runs was forgotten: the operator was killed between the verdict and its farewell."""


def due(name: str, status: LoadTestStatus, ttl_seconds: int, run: int, now: datetime) -> tuple[Delete, ...]:
    """What may go of run `run` of this LoadTest."""
    if run != status.run.number:
        return belongings(Names(name, run)) if run < status.run.number else ()
    ended = status.run.completion_time
    if status.phase is not Phase.FINISHED or ended is None:
        return ()
    patience = max(timedelta(seconds=ttl_seconds), GRACE)
    return belongings(Names(name, run)) if now >= ended + patience else ()


def stray(name: str, status: LoadTestStatus, run: int, now: datetime) -> tuple[Delete, ...]:
    """What of run `run` must not be there any more, given that its workers still run."""
    ended, names = status.run.completion_time, Names(name, run)
    if run != status.run.number or status.phase is not Phase.FINISHED or ended is None or now < ended + STRAY:
        return ()
    return (
        Delete(CONFIG_MAP, names.timeline),
        Delete(POD, names.proxy),
        Delete(SERVICE, names.proxy),
        Delete(JOB, names.job),
    )
