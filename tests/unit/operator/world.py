"""A cluster made of a few variables: decisions act on it, time passes in it, and it shows itself as `Observed`.

Good for walks through a whole run: what the operator decides is performed, workers start, offer and end as real ones do.
Everything an operator keeps in memory is rebuilt by `World.look`, so a crash is simply looking again.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from loadgen.core.stats.histogram import sparse_of
from loadgen.core.stats.tally import Tally
from loadgen.model.wire import WIRE_VERSION, Cell, Delta, WorkerPhase, WorkerState
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.actions import (
    AbortWorkers,
    Action,
    ClearAway,
    Create,
    Delete,
    Emit,
    InjectFault,
    ProbeTarget,
    RecoverFault,
    ReleaseWorkers,
    StartWorkers,
    StoreReport,
)
from loadtest_operator.core.common import times
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.faults.view import View
from loadtest_operator.core.fleet.pods import WorkerPod
from loadtest_operator.core.observed import JobView, Observed, ProbeResult, Stored, WorkerView
from loadtest_operator.core.run.decide import Decision, decide
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from unit.operator.proxy import Proxy

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TARGET = TargetView(
    url="http://web.demo.svc:80",
    workload="Deployment/web",
    desired=1,
    endpoints=(Endpoint("10.0.0.1", 80, "web-1"),),
    pods=(TargetPod("web-1", created=NOON, scheduled=NOON, ready=NOON),),
)


@dataclass
class Worker:
    """What a worker process knows."""

    offset: int = 0
    start_at: int | None = None
    phase: WorkerPhase = WorkerPhase.READY
    message: str = ""
    answers: bool = True
    other_release: str = ""
    """What is said about it where its answers are not understood."""
    seconds: int = 0
    """Of load, offered and told."""


@dataclass
class World:
    """One LoadTest and everything around it."""

    spec: LoadTestSpec
    now: datetime = NOON
    status: LoadTestStatus = field(default_factory=LoadTestStatus)
    settings: Settings = field(default_factory=Settings)
    token: str = "1"
    problems: tuple[str, ...] = ()
    blocker: str = ""
    lacking: str = ""
    unusable: str = ""
    target: TargetView = TARGET
    probe_answer: ProbeResult = field(default_factory=lambda: ProbeResult(ok=True))
    probe: ProbeResult | None = None
    job: JobView | None = None
    pods: dict[int, WorkerPod] = field(default_factory=dict)
    workers: dict[int, Worker] = field(default_factory=dict)
    silent_since: dict[int, datetime] = field(default_factory=dict)
    proxy: Proxy | None = None
    proxy_orders: int = 0
    proxy_told: View = field(default_factory=View)
    """What was last known of one that is gone."""
    proxy_answers: View | None = None
    """What is seen of it instead of the truth."""
    seen: timeline.Timeline = field(default_factory=timeline.Timeline)
    stored: Stored | None = None
    cleared: bool = False
    done: list[Action] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    starts: int = 0
    errors_percent: int = 0
    errors_in: range | None = None
    """Seconds of the load in which requests fail, every second one where no share is set; in all of them where nothing is said."""
    unanswered_percent: int = 0
    microseconds: int = 5000
    """Response time of every success."""

    def look(self, **changes: Any) -> Observed:
        """What the operator sees."""
        if self.status.phase in (Phase.PREPARING, Phase.RUNNING, Phase.SETTLING):
            self.seen = timeline.extended(self.seen, self.target, self.now)
        world = Observed(
            now=self.now,
            namespace="demo",
            name="test",
            uid="uid-of-test",
            generation=1,
            status=self.status,
            settings=self.settings,
            spec=None if self.problems else self.spec,
            problems=self.problems,
            token=self.token,
            blocker=self.blocker,
            job=self.job,
            pods=tuple(self.pods[index] for index in sorted(self.pods)),
            workers=tuple(self._view(index) for index in sorted(self.workers)),
            target=self.target,
            probe=self.probe,
            providers={"DelayProxy": self._proxy_view()} if self.job else {},
            tally=self._tally(),
            timeline=self.seen,
            stored=self.stored,
            cleared=self.cleared,
            lacking=self.lacking,
            unusable=self.unusable,
        )
        return replace(world, **changes)

    def step(self) -> Decision:
        """One look of the operator, and time until the next."""
        decision = decide(self.look())
        self.write(decision.status)
        for action in decision.actions:
            self.perform(action)
        self.pass_time(max(decision.wake_after, 0.05))
        return decision

    def write(self, status: LoadTestStatus) -> None:
        """Through JSON, as the API server would keep it."""
        self.status = LoadTestStatus.model_validate_json(status.model_dump_json(exclude_none=True))
        if status.phase and (not self.phases or self.phases[-1] is not status.phase):
            self.phases.append(status.phase)

    def run(self, until: Phase = Phase.FINISHED, most: int = 2000) -> LoadTestStatus:
        """Steps until the phase is reached."""
        for _ in range(most):
            self.step()
            if self.status.phase is until:
                return self.status
        raise AssertionError(f"still {self.status.phase} after {most} looks: {self.status.message}")

    def run_to_second(self, second: float) -> None:
        """Steps until the load is so far."""
        self.run(Phase.RUNNING)
        for _ in range(200):
            if self.look().second >= second:
                return
            self.step()
        raise AssertionError(f"second {second} never came: {self.status.message}")

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for worker in self.workers.values():
            self._live(worker)
        if self.proxy:
            self.proxy.pass_time(self.now)

    def perform(self, action: Action) -> None:  # noqa: C901, PLR0912 - a table of effects
        """As `handlers.run.act` would."""
        self.done.append(action)
        match action:
            case Create(body=body) if body["kind"] == "Job":
                self._create_job()
            case Create(body=body) if body["kind"] == "Pod":
                self.proxy = self.proxy or Proxy(born=self.now)
            case Delete(kind=kind) if kind.kind == "Job":
                self.job = None
                self.pods.clear()
            case Delete(kind=kind) if kind.kind == "Pod":
                self.proxy_told, self.proxy = self._proxy_view(), None
            case ProbeTarget():
                again = (self.probe.refused_in_a_row if self.probe else 0) + self.probe_answer.refused_in_a_row
                self.probe = replace(self.probe_answer, refused_in_a_row=again)
            case StartWorkers(start_at=start_at):
                self._start(start_at)
            case AbortWorkers(reason=reason):
                for worker in self.workers.values():
                    if worker.answers and worker.phase is not WorkerPhase.FINISHED:
                        worker.phase, worker.message = WorkerPhase.ABORTED, reason
            case InjectFault(fault=fault, order=order) if self.proxy:
                self.proxy_orders += 1
                self.proxy.inject(fault, order["durationSeconds"], self.now)
            case RecoverFault(fault=fault) if self.proxy:
                self.proxy.recover(fault, self.now)
            case StoreReport():
                self.stored = Stored(f"test-{self.status.run.number}-report", "abc", 100)
            case ReleaseWorkers():
                self.pods = {index: replace(pod, phase="Succeeded") for index, pod in self.pods.items()}
            case ClearAway():
                self.cleared = True
            case Emit(reason=reason):
                self.events.append(reason)
            case _:
                pass

    def lose(self, index: int) -> None:
        """The worker's pod is gone, and with it the worker."""
        del self.pods[index]
        self.workers[index].answers = False
        self.silent_since[index] = self.now

    def rerun(self, token: str, **changes: Any) -> None:
        """A new runToken is asked for; the last run's Job goes."""
        self.token, self.spec = token, self.spec.model_copy(update={"run_token": token, **changes})
        self.job, self.pods, self.workers = None, {}, {}
        self.probe, self.stored, self.cleared = None, None, False

    def lose_proxy(self) -> None:
        """Its pod is deleted."""
        self.proxy_told, self.proxy = self._proxy_view(), None

    def _proxy_view(self) -> View:
        if self.proxy_answers is not None:
            return self.proxy_answers
        if self.proxy is None:
            return replace(self.proxy_told, ready=False, lost="its pod is gone")
        return self.proxy.view(self.now)

    def scale(self, replicas: int) -> None:
        """The autoscaler decided, pods came and serve."""
        names = [f"web-{number}" for number in range(1, replicas + 1)]
        known = {pod.name: pod for pod in self.target.pods}
        self.target = replace(
            self.target,
            desired=replicas,
            pods=tuple(
                known.get(name) or TargetPod(name, created=self.now, scheduled=self.now, ready=self.now)
                for name in names
            ),
            endpoints=tuple(Endpoint(f"10.0.0.{place}", 80, name) for place, name in enumerate(names)),
            autoscaler=replace(self.target.autoscaler or Autoscaler("web"), desired=replicas),
        )

    def _create_job(self) -> None:
        self.job = self.job or JobView(created=self.now)
        for index in range(self.spec.load.workers):
            self.pods.setdefault(index, WorkerPod(index, f"worker-{index}", ip="10.1.0.1", phase="Running"))
            self.workers.setdefault(index, Worker(offset=index * 1_000_000))

    def _start(self, start_at: Any) -> None:
        for index, moment in start_at.items():
            worker = self.workers[index]
            if worker.phase is WorkerPhase.READY and worker.answers:
                worker.start_at, worker.phase = moment, WorkerPhase.ARMED
                self.starts += 1

    def _live(self, worker: Worker) -> None:
        if worker.start_at is None or not worker.answers or worker.phase in (WorkerPhase.ABORTED, WorkerPhase.FAILED):
            return
        since = (times.nanoseconds(self.now) + worker.offset - worker.start_at) / 1e9
        worker.seconds = max(0, min(int(since), self.spec.load.duration_seconds))
        if since >= self.spec.load.duration_seconds + 0.5:
            worker.phase = WorkerPhase.FINISHED
        elif since >= 0:
            worker.phase = WorkerPhase.RUNNING

    def _view(self, index: int) -> WorkerView:
        worker = self.workers[index]
        silent = (self.now - self.silent_since[index]).total_seconds() if index in self.silent_since else 0.0
        if worker.other_release:
            return WorkerView(index, silent_seconds=silent, error=worker.other_release, other_release=True)
        state = WorkerState(
            version=WIRE_VERSION,
            worker=index,
            workers=self.spec.load.workers,
            shards=1,
            phase=worker.phase,
            now=0,
            last=worker.seconds,
            start_at=worker.start_at,
            message=worker.message,
        )
        return WorkerView(
            index=index,
            state=state,
            silent_seconds=silent,
            offset=worker.offset,
            samples=3,
            collected=worker.seconds,
        )

    def _tally(self) -> Tally | None:
        if not any(worker.seconds for worker in self.workers.values()):
            return None
        tally = Tally(self.spec.plan)
        for index, worker in self.workers.items():
            for second in range(worker.seconds):
                tally.add(self._delta(index, second))
        return tally

    def _delta(self, index: int, second: int) -> Delta:
        sent = 20
        erring = self.errors_in is None or second in self.errors_in
        share = self.errors_percent or (50 if self.errors_in is not None else 0)
        failed = sent * share // 100 if erring else 0
        unanswered = sent * self.unanswered_percent // 100
        succeeded = sent - failed - unanswered
        values = sparse_of(np.full(succeeded, self.microseconds))
        cell = Cell(
            second=second,
            stage=self._stage(second),
            request=0,
            planned=sent,
            sent=sent,
            succeeded=succeeded,
            good=succeeded,
            incomplete=unanswered,
            errors={"Http500": failed} if failed else {},
            histograms={0: values, 1: values},
        )
        return Delta(worker=index, shard=0, second=second, cells=[cell])

    def _stage(self, second: int) -> int:
        end = 0
        for place, stage in enumerate(self.spec.load.stages):
            end += stage.duration_seconds
            if second < end:
                return place
        return len(self.spec.load.stages) - 1
