"""Runs a plan in this process, on this loop, and adds its deltas up."""

import asyncio

from loadgen.core.prompts.material import OPEN
from loadgen.core.schedule.segment import Segment
from loadgen.core.stats.tally import Tally
from loadgen.model.access import Access
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.wire import Delta
from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.http.target import Target
from loadgen.runtime.pacing.run import Run
from loadgen.runtime.recording.lateness import OPENING_TURNS


async def run(
    plan: Plan,
    url: str,
    *,
    abort_after: float | None = None,
    access: Access = OPEN,
    material: Material = NO_MATERIAL,
    via: str = "",
) -> tuple[Tally, list[Delta]]:
    """One worker with one shard."""
    tally, deltas = Tally(plan), []
    one = Run(plan, Segment(0, 1), 0, 0, Target.parse(url, access, material, via), material)
    if abort_after is not None:
        asyncio.get_running_loop().call_later(abort_after, one.abort)
    await one.play(monotonic_ns() + 50_000_000, deltas.append, lambda: None)
    for delta in deltas:
        tally.add(delta)
    return tally, deltas


def excused(tally: Tally, seconds: float) -> set[str]:
    """`Local` where this machine was so busy that a time-out of so long may be the loop's own doing; else nothing."""
    return {"Local"} if OPENING_TURNS * tally.loop_lag(range(1000)).max >= seconds * 1e6 else set()
