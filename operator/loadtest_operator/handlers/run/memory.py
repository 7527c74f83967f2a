"""What the operator keeps in memory about a run. Losing it costs work, never truth: all of it can be pulled again.

One `RunMemory` per run number; a new run starts with a new one.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from loadgen.core.stats.tally import Tally
from loadgen.model.wire import WorkerState
from loadtest_operator.adapters.target.material import Found
from loadtest_operator.adapters.target.meter import Meter
from loadtest_operator.api.loadtest import LoadTestSpec, Target
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.faults.view import View
from loadtest_operator.core.fleet.pods import WorkerPod
from loadtest_operator.core.observed import JobView, ProbeResult, Stored
from loadtest_operator.core.scaling.target import TargetView
from loadtest_operator.core.scaling.timeline import Timeline
from loadtest_operator.handlers.run.asking import Asking


@dataclass(slots=True)
class WorkerMemory:
    """One worker's clock, last state and how far it is collected."""

    asked_since: datetime
    state: WorkerState | None = None
    answered: datetime | None = None
    error: str = ""
    other_release: bool = False
    round_trip: int = 0
    longest_round_trip: int = 0
    offset: int = 0
    samples: int = 0
    collected: int = 0

    def note(self, offset: int, round_trip: int) -> None:
        """The shortest round trip knows the clock best."""
        if not self.samples or round_trip < self.round_trip:
            self.offset, self.round_trip = offset, round_trip
        self.longest_round_trip = max(self.longest_round_trip, round_trip)
        self.samples += 1


@dataclass(slots=True)
class RunMemory:
    """One run."""

    number: int = 0
    spec: LoadTestSpec | None = None
    """The spec that the run began with."""
    token: str = ""
    """Bearer token of the workers."""
    known: Paced = field(default_factory=Paced)
    """What was read of the API server, and when."""
    asking: Asking = field(default_factory=Asking)
    """Pods that were asked and have not answered yet."""
    job: JobView | None = None
    pods: tuple[WorkerPod, ...] = ()
    tally: Tally | None = None
    workers: dict[int, WorkerMemory] = field(default_factory=dict)
    target: TargetView | None = None
    meter: Meter = field(default_factory=Meter, repr=False)
    """Reads what the autoscaler steers by."""
    timeline: Timeline = field(default_factory=Timeline)
    timeline_loaded: bool = False
    timeline_saved_at: datetime | None = None
    found: Found | None = field(default=None, repr=False)
    """What the spec refers to; kept until the probe has succeeded."""
    probe: ProbeResult | None = None
    probing: asyncio.Task[ProbeResult] | None = None
    """The probe that is under way: it may take longer than a look."""
    providers: dict[str, View] = field(default_factory=dict)
    """What was seen of who makes the faults."""
    stored: Stored | None = None
    cleared: bool = False
    trouble: str = ""
    """What failed at the last look, in words."""
    refused: str = ""
    """What of the run's objects the API server does not accept, in its words."""

    captured: str = ""
    """Which Service would take the workers for its own pods, in words."""

    def note_probe(self) -> None:
        """What came of the probe, as soon as it is known."""
        if self.probing is not None and self.probing.done():
            done, self.probing = self.probing, None
            self.probe = None if done.cancelled() else done.result()

    def forget_workers(self) -> None:
        """Their Job was given back; others will come under the same names."""
        self.job, self.pods = None, ()
        self.asking.drop()
        self.workers.clear()
        self.known.forget("job")

    def end(self) -> None:
        """Nothing of it goes on."""
        self.asking.drop()
        if self.probing is not None:
            self.probing.cancel()
        self.meter.end()


@dataclass(slots=True)
class Failures:
    """Looks in a row that failed on what does not pass by itself."""

    count: int = 0


@dataclass(slots=True)
class Memory:
    """One LoadTest."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    status: LoadTestStatus | None = None
    written: dict[str, object] = field(default_factory=dict)
    """The status as JSON, as the API server has it."""
    written_at: datetime | None = None
    write_seconds: float = 0.0
    """How long the last write took."""
    owes: bool = False
    """Whether something that may wait was not written yet."""
    version: str = ""
    """The LoadTest's resourceVersion that the next write rests on."""
    generation: int = 0
    """Of the spec that was looked at last."""
    identity: tuple[Target, str] | None = None
    """Which workload a target is, as it was when this was asked."""
    deleting: bool = False
    failures: Failures = field(default_factory=Failures)
    run: RunMemory = field(default_factory=RunMemory)

    def for_run(self, number: int) -> RunMemory:
        """The memory of this run; that of an earlier one is dropped."""
        if self.run.number != number:
            self.run.end()
            self.run = RunMemory(number)
        return self.run
