"""Records as runs leave them, from arrivals and response times in seconds."""

from typing import Any

import numpy as np

from loadgen.core.stats import record
from loadgen.model.plan import Metric, Plan
from loadgen.model.record import Group
from unit.loadgen.capacity.queues import Array
from unit.loadgen.deltas import a_cell, a_delta, a_tally


def a_tally_of(plan: Plan, arrivals: Array, times: Array, limit: float = np.inf) -> Any:
    """Each request under its second; in flight by what overlaps it; good is within the limit."""
    deltas = []
    for at in range(plan.load.duration_seconds):
        inside = times[(arrivals >= at) & (arrivals < at + 1)]
        overlap = np.clip(np.minimum(arrivals + times, at + 1) - np.maximum(arrivals, at), 0, None).sum()
        cell = a_cell(at, ms=inside * 1000, good=int((inside <= limit).sum()))
        deltas.append(a_delta(at, cell, in_flight_microseconds=round(overlap * 1e6)))
    return a_tally(plan, *deltas)


def a_group(plan: Plan, arrivals: Array, times: Array) -> Group:
    (group,) = record.record(plan, a_tally_of(plan, arrivals, times))
    assert Metric.RESPONSE_TIME in group.slots.values
    return group
