"""What of a finished run goes when its time is over. The LoadTest, its status and its reports stay."""

from datetime import datetime, timedelta

from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.history import belongings
from loadtest_operator.core.names import Names

GRACE = timedelta(seconds=5)
"""After the end, for released workers to exit."""


def due(name: str, status: LoadTestStatus, ttl_seconds: int, run: int, now: datetime) -> tuple[Delete, ...]:
    """What may go of run `run` of this LoadTest."""
    if run != status.run.number:
        return belongings(Names(name, run)) if run < status.run.number else ()
    ended = status.run.completion_time
    if status.phase is not Phase.FINISHED or ended is None:
        return ()
    patience = max(timedelta(seconds=ttl_seconds), GRACE)
    return belongings(Names(name, run)) if now >= ended + patience else ()
