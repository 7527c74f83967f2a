"""A run without a cluster: one worker in this process, its shards beside it, judged as the operator judges.

The worker is the supervisor that a pod runs, so a laptop's numbers come from the same code. What an operator would do
from outside is done here: start, add the deltas up, stop early for auto-stop and `abortOnFail`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from loadgen.core.judge import early, validity
from loadgen.core.prompts.material import OPEN
from loadgen.core.stats.tally import Tally
from loadgen.model.access import Access
from loadgen.model.errors import WorkerError
from loadgen.model.plan import Plan, Threshold
from loadgen.model.references import Material
from loadgen.model.wire import Delta, WorkerPhase, WorkerState
from loadgen.runtime.clock import MILLISECOND, wall_ns
from loadgen.runtime.kinds.probe import probe
from loadgen.runtime.worker.supervisor import Assignment, Supervisor

LEAD_NS = 500 * MILLISECOND
READY_SECONDS = 60

Observer = Callable[[Tally, WorkerState], None]


@dataclass(slots=True)
class Outcome:
    """What came out, not judged yet."""

    tally: Tally
    state: WorkerState
    start_wall_ns: int
    aborted: str | None = None
    """Why somebody stopped the run early."""
    given_up: str | None = None
    """Why the run stopped itself early."""


@dataclass(slots=True)
class LocalRun:
    """One run of a plan against a URL."""

    plan: Plan
    url: str
    shards: int
    observe: Observer = field(default=lambda _tally, _state: None)
    """Called after every second."""
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to stop early (Ctrl-C)."""
    access: Access = OPEN
    material: Material = field(default_factory=dict, repr=False)
    _aborted: str | None = None
    _given_up: str | None = None

    async def run(self) -> Outcome:
        """Probe, start, follow, collect. Raises TargetError or WorkerError."""
        await probe(self.plan, self.url, self.access, self.material)
        tally = Tally(self.plan)
        supervisor = Supervisor(
            Assignment(self.plan, self.url, shards=self.shards, access=self.access, material=self.material),
            on_delta=lambda delta: self._follow(supervisor, tally, delta),
        )
        try:
            await supervisor.start()
            await asyncio.wait_for(supervisor.wait_for(WorkerPhase.READY), READY_SECONDS)
            return await self._play(supervisor, tally)
        finally:
            await supervisor.close()

    async def _play(self, supervisor: Supervisor, tally: Tally) -> Outcome:
        start = wall_ns() + LEAD_NS
        if supervisor.phase is WorkerPhase.READY:
            supervisor.arm(start)
        stopper = asyncio.create_task(self._stop_on_interrupt(supervisor))
        phase = await supervisor.wait_for()
        stopper.cancel()
        state = supervisor.state()
        if phase is WorkerPhase.FAILED:
            raise WorkerError(state.message)
        return Outcome(tally, state, start, self._aborted, self._given_up)

    async def _stop_on_interrupt(self, supervisor: Supervisor) -> None:
        await self.interrupted.wait()
        self._aborted = "interrupted"
        supervisor.abort(self._aborted)

    def _follow(self, supervisor: Supervisor, tally: Tally, delta: Delta) -> None:
        before = tally.last_second
        tally.add(delta)
        self.observe(tally, supervisor.state())
        if tally.last_second > before and not (self._aborted or self._given_up):
            self._given_up = self._reason_to_stop(tally)
            if self._given_up is not None:
                supervisor.abort(self._given_up)

    def _reason_to_stop(self, tally: Tally) -> str | None:
        for threshold in self.plan.thresholds:
            if threshold.abort_on_fail and (why := self._violated(threshold, tally)):
                return f"{why}; abortOnFail stopped the run"
        return early.auto_stop(self.plan, tally, tally.last_second)

    def _violated(self, threshold: Threshold, tally: Tally) -> str | None:
        """Beyond doubt, and not of the generator's making: a shard may use a core."""
        cores = float(self.shards)
        return early.beyond_doubt(
            threshold,
            self.plan,
            tally,
            limited=lambda: validity.quality(self.plan, tally, allowed_cores=cores).limited,
        )
