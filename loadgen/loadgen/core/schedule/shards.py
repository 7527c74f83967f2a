"""How many shards a worker's share of the load wants, how many its container has room for, and among how many the in-flight
cap can be divided: one without a share of it could start nothing."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from loadgen.core.schedule.levels import level_of

if TYPE_CHECKING:
    from loadgen.model.plan import Plan

LEVEL = 10
"""Arrivals per second, or slots, that one shard carries whatever they are: with answers of 2 000 tokens they are 20 000 events
per second. Of short answers it carries thousands, but a shard too many costs memory only."""
SHARD_BYTES = 64 << 20
BESIDE_BYTES = 128 << 20
"""For the supervisor, with what it keeps of an hour."""


def shards(plan: Plan, workers: int, cores: float, memory: int | None) -> int:
    """Processes for each of so many workers. `memory`: the container's limit in bytes, None where there is none."""
    rates = max((level_of(stage) for stage in plan.load.stages if stage.arrival_rate is not None), default=0)
    slots = max((level_of(stage) for stage in plan.load.stages if stage.arrival_rate is None), default=0)
    trickles = sum(Fraction(request.rate_per_second or 0) for request in plan.requests)
    wanted = math.ceil(max(rates + trickles, slots) / workers / LEVEL)
    room = int(cores) if memory is None else min(int(cores), (memory - BESIDE_BYTES) // SHARD_BYTES)
    return max(1, min(wanted, room, plan.load.max_in_flight // workers))
