"""The world as one frozen value: everything a decision may know, gathered at one moment.

Decisions are functions of this and of nothing else, so that an operator that starts anew decides as the one
before would have. What is only in memory (the tally, clock offsets) can be pulled again from the workers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Plan
from loadgen.model.wire import FINAL_PHASES, WorkerPhase, WorkerState
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.faults.view import View
from loadtest_operator.core.fleet.pods import WorkerPod
from loadtest_operator.core.scaling.target import TargetView
from loadtest_operator.core.scaling.timeline import Timeline


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as its control API shows it."""

    index: int
    state: WorkerState | None = None
    silent_seconds: float = 0.0
    """Since it last answered (or since we began to ask)."""
    error: str = ""
    other_release: bool = False
    """Its answers are not understood; `error` says which version it speaks."""
    offset: int = 0
    """Its clock minus ours, nanoseconds, from the poll with the shortest round trip."""
    samples: int = 0
    round_trip: int = 0
    """The longest of the polls so far, nanoseconds."""
    collected: int = 0
    """Number of the newest delta that we have."""

    @property
    def phase(self) -> WorkerPhase | None:
        return self.state.phase if self.state else None

    @property
    def ended(self) -> bool:
        return self.phase in FINAL_PHASES

    @property
    def drained(self) -> bool:
        """It has ended and we have everything it measured."""
        return self.state is not None and self.ended and self.collected >= self.state.last


@dataclass(frozen=True, slots=True)
class JobView:
    """The workers' Job."""

    created: datetime
    failed: bool = False
    message: str = ""
    trouble: str = ""
    """The Job controller's newest complaint that it could not make a pod."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The last probe: one real request of each kind."""

    ok: bool
    message: str = ""
    refused_in_a_row: int = 0
    """How often the target has answered 4xx, one time after the other."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the report."""

    name: str
    sha256: str = ""
    size: int = 0
    error: str = ""
    judgement: Judgement | None = None
    """What the stored report says; nothing is judged a second time."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One LoadTest and everything around it, now."""

    now: datetime
    namespace: str
    name: str
    uid: str
    generation: int
    status: LoadTestStatus
    settings: Settings = field(default_factory=Settings)
    write_seconds: float = 0.0
    """How long the last write of the status took."""
    spec: LoadTestSpec | None = None
    """Nothing where the spec is invalid; then `problems` says why."""
    problems: tuple[str, ...] = ()
    token: str = ""
    """spec.runToken as it is now; `spec` is the one that the run began with."""
    blocker: str = ""
    """Another active run on the same target."""
    ahead: str = ""
    """Another LoadTest that waits longer for the namespace's quota."""
    job: JobView | None = None
    pods: tuple[WorkerPod, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    target: TargetView | None = None
    probe: ProbeResult | None = None
    providers: Mapping[str, View] = field(default_factory=dict)
    """Who makes the faults, by name."""
    tally: Tally | None = None
    timeline: Timeline = field(default_factory=Timeline)
    stored: Stored | None = None
    cleared: bool = False
    """Whether what earlier runs left is known to be gone."""
    trouble: str = ""
    """The last action that failed, in words."""
    refused: str = ""
    """What of the run's objects the API server does not accept, in its words."""
    captured: str = ""
    """What would take the workers for other pods, in words."""
    lacking: str = ""
    """What the spec refers to and is not there."""
    unusable: str = ""
    """What the spec refers to and is of no use."""

    @property
    def valid_spec(self) -> LoadTestSpec:
        """For rules that only come after the spec was accepted."""
        if self.spec is None:
            raise ValueError("an invalid spec got past Pending")
        return self.spec

    @property
    def plan(self) -> Plan:
        return self.valid_spec.plan

    @property
    def phase(self) -> Phase:
        return self.status.phase or Phase.PENDING

    @property
    def names(self) -> Names:
        return Names(self.name, self.status.run.number)

    @property
    def load_start(self) -> datetime | None:
        return self.status.run.load_start_time

    @property
    def load_end(self) -> datetime | None:
        """When the last stage ends by the plan."""
        start = self.load_start
        return start + timedelta(seconds=self.valid_spec.load.duration_seconds) if start else None

    @property
    def second(self) -> float:
        """Seconds since second 0; negative before."""
        return (self.now - self.load_start).total_seconds() if self.load_start else -1.0

    @property
    def all_answered(self) -> bool:
        return len(self.workers) == self.valid_spec.load.workers and all(worker.state for worker in self.workers)

    def in_phase(self, *phases: WorkerPhase) -> tuple[WorkerView, ...]:
        return tuple(worker for worker in self.workers if worker.phase in phases)


def listed(items: Iterable[object], most: int = 5) -> str:
    """`1, 2, 3 and 4 more`."""
    texts = [str(item) for item in items]
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"


def uncollected(observed: Observed) -> str:
    """Which workers' figures are missing; empty when none are."""
    missing = [worker.index for worker in observed.workers if not worker.drained]
    return f"figures of worker {listed(missing)} are missing" if missing else ""
