"""The pacer and its alarms: never early, nothing twice, nothing lost."""

import asyncio
import random

import pytest

from loadgen.runtime.clock import MILLISECOND, monotonic_ns
from loadgen.runtime.pacing.alarm import LoopAlarm
from loadgen.runtime.pacing.pacer import Batch, Pacer


async def pace(offsets: list[int], batch: int) -> tuple[list[int], list[int]]:
    """Fire them; intended offsets and lags."""
    fired: list[int] = []
    lags: list[int] = []
    start = monotonic_ns() + 20 * MILLISECOND

    def fire(_stage: int, _item: int, at: int) -> None:
        fired.append(at - start)
        lags.append(monotonic_ns() - at)

    parts = [offsets[at : at + batch] for at in range(0, len(offsets), batch)]
    batches = iter([Batch(one, [0] * batch, [0] * batch) for one in parts])
    pacer = Pacer(asyncio.get_running_loop(), batches, fire)
    pacer.prepare()
    pacer.start(start)
    await asyncio.wait_for(pacer.ended(), 10)
    return fired, lags


@pytest.mark.parametrize("batch", [1, 7, 1000])
async def test_everything_is_fired_once_in_order_and_never_early(batch: int) -> None:
    """Over the batches' borders, bursts of one moment included."""
    draw = random.Random(batch)
    offsets = sorted(draw.randrange(300 * MILLISECOND) // 1000 * 1000 for _ in range(500)) + [300 * MILLISECOND] * 199

    fired, lags = await pace(offsets, batch)

    assert fired == offsets
    assert min(lags) >= 0


async def test_the_fallback_alarm_never_rings_early() -> None:
    """Loops count in milliseconds and round."""
    rung: list[int] = []
    done = asyncio.Event()

    def ring() -> None:
        rung.append(monotonic_ns())
        done.set()

    at = monotonic_ns() + 5_300_000
    alarm = LoopAlarm(asyncio.get_running_loop(), ring)
    alarm.set(at - 1_000_000)
    alarm.set(at)
    await asyncio.wait_for(done.wait(), 5)

    assert len(rung) == 1
    assert rung[0] >= at
