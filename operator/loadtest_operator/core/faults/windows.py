"""The seconds of the load in which faults were in force, by name: made of when each really came and went.

A fault that is in force now has a window, too: up to now. Thresholds, `abortOnFail` and `autoStop` leave these seconds out.
"""

import math
from datetime import datetime

from loadtest_operator.api.outcome import FaultStatus
from loadtest_operator.core.faults import machine
from loadtest_operator.core.observed import Observed

MARGIN = 1
"""Seconds at either side, for requests that were under way."""


def window(status: FaultStatus, load_start: datetime, now: datetime | None = None, margin: int = 0) -> range:
    """Whole seconds of the load in which the fault was in force."""
    if status.injected_time is None:
        return range(0)
    ended = status.recovered_time or now or status.injected_time
    begun, ended = status.injected_time, max(ended, status.injected_time)
    first, last = ((at - load_start).total_seconds() for at in (begun, ended))
    return range(math.floor(first) - margin, math.ceil(last) + margin)


def in_force(observed: Observed, margin: int = MARGIN) -> dict[str, range]:
    """Each fault that has come into force so far, with its seconds."""
    start = observed.load_start
    if start is None:
        return {}
    # With what this very look found: the status was written before the last order was carried out.
    statuses = machine.advanced(observed).statuses
    found = {status.name: window(status, start, observed.now, margin) for status in statuses}
    return {name: seconds for name, seconds in found.items() if seconds}


def windows(observed: Observed) -> tuple[range, ...]:
    """What thresholds leave out."""
    return tuple(in_force(observed).values())
