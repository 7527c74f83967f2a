"""How many processes a worker starts: enough for its load, never more than fit its container."""

from typing import Any

import pytest

from loadgen.core.schedule.shards import BESIDE_BYTES, SHARD_BYTES, shards
from unit.loadgen.plans import a_plan, closed, opened

TRICKLE = {"name": "trickle", "ratePerSecond": 12, "http": {}}
GET = {"name": "get", "http": {}}
MANY = opened(100_000)
CASES: dict[str, tuple[dict[str, Any], int, float, int | None, int]] = {
    "a small load wants one, however large the node": (opened(10), 1, 96, None, 1),
    "a large load takes the cores": (MANY, 1, 3.9, None, 3),
    "half a core is one": (MANY, 1, 0.5, None, 1),
    "the workers share the load": (opened(100), 5, 96, None, 2),
    "slots count as arrivals do": (closed(35), 1, 96, None, 4),
    "a node with many cores has room for what the memory limit holds": (MANY, 1, 96, 512 << 20, 6),
    "a tight limit still has one": (MANY, 1, 96, 64 << 20, 1),
    "room for exactly two": (MANY, 1, 96, BESIDE_BYTES + 2 * SHARD_BYTES, 2),
}


@pytest.mark.parametrize(("stage", "workers", "cores", "memory", "expected"), CASES.values(), ids=CASES)
def test_shards(stage: dict[str, Any], workers: int, cores: float, memory: int | None, expected: int) -> None:
    assert shards(a_plan(stage), workers, cores, memory) == expected


def test_trickles_come_on_top() -> None:
    assert shards(a_plan(opened(10), requests=[GET, TRICKLE]), 1, 96, None) == 3


@pytest.mark.parametrize(("workers", "expected"), [(1, 6), (2, 3), (4, 1), (6, 1)])
def test_every_shard_has_a_share_of_the_cap(workers: int, expected: int) -> None:
    """Of six requests in flight eight shards would leave two without any: all that these are dealt would be dropped."""
    assert shards(a_plan(MANY, maxInFlight=6), workers, 8, None) == expected
