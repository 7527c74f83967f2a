"""What of a finished run goes when its time is over. The LoadTest, its status and its reports stay."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from loadtest_operator.api.status import Run
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.faults import providers
from loadtest_operator.core.run.history import belongings

GRACE = timedelta(seconds=5)
"""After the end, for released workers to exit."""
STRAY = timedelta(seconds=15)
"""After the end, whatever still runs was forgotten: the operator was killed between the verdict and its farewell."""


def next_due(run: Run, ttl_seconds: int, *, settled: bool) -> datetime | None:
    """When a finished run is to be looked at: soon, unless its end is settled; then when its ttl is over, and no more."""
    if run.completion_time is None or run.cleanup_time is not None:
        return None
    end = _end(run.completion_time, ttl_seconds)
    return end if settled else min(run.completion_time + STRAY, end)


def over(run: Run, ttl_seconds: int, now: datetime) -> bool:
    """Whether the ttl is over."""
    return run.completion_time is not None and now >= _end(run.completion_time, ttl_seconds)


def gone(name: str, run: int, found: Mapping[int, bool], *, over: bool) -> tuple[Delete, ...]:
    """What must not be there (any more), given the runs of which something was found and whether that is alive: everything
    of earlier runs, and of this one all of it or what its end would have removed."""
    earlier = [thing for number in sorted(found) if number < run for thing in belongings(Names(name, number))]
    this = Names(name, run)
    return (*earlier, *(belongings(this) if over else _stray(this, alive=found.get(run, False))))


def _end(completed: datetime, ttl_seconds: int) -> datetime:
    return completed + max(timedelta(seconds=ttl_seconds), GRACE)


def _stray(names: Names, *, alive: bool) -> tuple[Delete, ...]:
    timeline = Delete(CONFIG_MAP, names.timeline)
    if not alive:
        return (timeline,)
    return (timeline, *providers.belongings(names), Delete(JOB, names.job))
