"""A target, its autoscaler and a load that are known exactly, and what a run on them would have stored.

Written without the replay: pods are threads of work in steps of 0.1 s, the metric is sampled by a metrics server of its own,
looks come once a second and read values that are seconds old. The controller is the shadow's, which is held against the real
one elsewhere.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta

from builders import a_stage, a_valid_spec
from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.report import Report, Second, Validity, ValidityLevel, Verdict
from loadtest_operator.core.common import times
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.metrics.readings import Lack, Reading
from loadtest_operator.core.scaling.replay.course import Record
from loadtest_operator.core.scaling.shadow import controller
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Flags, Orders, Steering
from loadtest_operator.core.scaling.shadow.sight import Pod, Sight, Usage
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from loadtest_operator.core.scaling.timeline import Timeline
from unit.operator.film import at

CPU = Steering("Resource", "cpu", "Utilization", 60)
RATE = Steering("External", "rate", "AverageValue", 4000)
PATIENCE = 60.0
STEPS = 10
"""In a second."""


@dataclass
class World:
    """What is true."""

    stages: tuple[tuple[int, float], ...] = ((60, 2), (240, 18), (180, 3))
    """Seconds and requests a second."""
    orders: Orders = field(default_factory=lambda: Orders(1, 6, (CPU,)))
    capacity: float = 6.0
    """Requests a second that one pod answers at most."""
    percent_each: float = 12.0
    """CPU of a pod for each request a second that it answers."""
    idle: float = 3.0
    cold_start: float = 20.0
    every: float = 15.0
    """Seconds between two measurements of the metrics server, which average over as long."""
    before: int = 30
    """Seconds that it is watched before the load."""
    errors: float = 0.0
    """Share of the answers that fail at once."""
    deaf: bool = False
    """The metric does not follow the load."""

    replicas: list[int] = field(default_factory=list, init=False)
    ready: list[int] = field(default_factory=list, init=False)
    short: int = field(default=0, init=False)
    """Seconds in which a request waited."""

    def record(self) -> Record:
        """Played, as it would be stored."""
        film, rows = self._played()
        stages = [
            a_stage(f"s{place}", durationSeconds=length, arrivalRate=str(rate))
            for place, (length, rate) in enumerate(self.stages)
        ]
        plan = a_valid_spec(*stages).plan
        empty = summary.report(
            plan, Tally(plan), target="http://web", start_time=times.text(at(0)), verdict=Verdict.PASSED, message="",
            validity=Validity(level=ValidityLevel.VALID), thresholds=(), workers=(),
        )  # fmt: skip
        report = Report.model_validate({**empty.model_dump(), "series": tuple(row.model_dump() for row in rows)})
        return Record(report, film, faults=False)

    def _played(self) -> tuple[Timeline, list[Second]]:
        pods, memory, film, rows = [Life("web-0", -1000.0, self.cold_start - 1000)], Memory(), Timeline(), []
        queue: deque[list[float]] = deque()
        """When how many arrived."""
        history: deque[float] = deque(maxlen=int(self.every * STEPS))
        seen, scaled, born = (0.0, 0.0), None, 1
        end = sum(length for length, _ in self.stages)
        for second in range(-self.before, end):
            ended = planned = lost = 0.0
            for step in range(STEPS):
                now = second + step / STEPS
                ready = [pod for pod in pods if pod.ready <= now]
                arrived = self._rate(now) / STEPS
                planned += arrived
                queue.append([now, arrived])
                while queue[0][0] < now - PATIENCE:
                    lost += queue.popleft()[1]
                done = min(_waiting(queue), len(ready) * self.capacity / STEPS)
                ended += done
                _take(queue, done)
                history.append(done * STEPS / max(1, len(ready)))
                if step == 0 and second % int(self.every) == 4:
                    each = sum(history) / len(history)
                    seen = (
                        50.0 if self.deaf else self.idle + self.percent_each * each,
                        sum(history) / len(history) * len(ready),
                    )
                if step == 0 and second % int(self.orders.flags.sync) == 7 % int(self.orders.flags.sync):
                    before = len(pods)
                    memory, decision = controller.sync(self.orders, memory, self._sight(pods, seen, now), now)
                    if decision.steps and decision.desired != before:
                        memory = controller.after(self.orders, memory, before, decision.desired, now)
                        scaled = second
                        while len(pods) < decision.desired:
                            pods.append(Life(f"web-{born}", now, now + self.cold_start))
                            born += 1
                        pods = pods[: decision.desired]
            film = timeline.extended(film, self._view(pods, seen, scaled, second), at(second + 0.4))
            self.replicas.append(len(pods))
            self.ready.append(sum(1 for pod in pods if pod.ready <= second))
            self.short += second >= 0 and _waiting(queue) >= 1
            if second >= 0:
                rows.append(
                    _row(second, planned, ended * (1 - self.errors), lost + ended * self.errors, _waiting(queue))
                )
        self.replicas, self.ready = self.replicas[self.before :], self.ready[self.before :]
        return film, rows

    def _rate(self, now: float) -> float:
        begun = 0
        for length, rate in self.stages:
            if begun <= now < begun + length:
                return rate
            begun += length
        return 0.0

    def _sight(self, pods: list["Life"], seen: tuple[float, float], now: float) -> Sight:
        found = tuple(
            Pod(
                pod.name,
                started=pod.created,
                ready=pod.ready <= now,
                since=min(pod.ready, now),
                requests={"main": {"cpu": 1000}},
            )
            for pod in pods
        )
        usage = {pod.name: Usage(now, 0, {"main": {"cpu": round(seen[0] * 10)}}) for pod in found if pod.ready}
        return Sight(len(pods), len(pods), found, usage, {"rate": round(seen[1] * 1000)})

    def _view(self, pods: list["Life"], seen: tuple[float, float], scaled: int | None, second: int) -> TargetView:
        ready = [pod for pod in pods if pod.ready <= second]
        values = {"cpu": f"{seen[0]:.0f}%", "rate": f"{seen[1] / len(pods) * 1000:.0f}m"}
        readings = tuple(
            Reading(steering.kind, steering.name, values[steering.name]) for steering in self.orders.metrics
        )
        scaler = Autoscaler("web", len(pods), self.orders.minimum, self.orders.maximum)
        return TargetView(
            url="http://web",
            desired=len(pods),
            endpoints=tuple(Endpoint(pod.name, 80, pod.name) for pod in ready),
            pods=tuple(pod.seen(second) for pod in pods),
            autoscaler=replace(scaler, last_scale_time=None if scaled is None else at(scaled)),
            metrics=readings,
            orders=replace(self.orders, flags=Flags()),
        )


@dataclass
class Life:
    """A pod's."""

    name: str
    created: float
    ready: float

    def seen(self, second: float) -> TargetPod:
        ready = at(self.ready) if self.ready <= second else None
        return TargetPod(self.name, created=at(self.created), scheduled=at(self.created), ready=ready)


def _waiting(queue: "deque[list[float]]") -> float:
    return sum(count for _, count in queue)


def _take(queue: "deque[list[float]]", done: float) -> None:
    while done > 1e-9 and len(queue) > 1:
        first = min(queue[0][1], done)
        queue[0][1] -= first
        done -= first
        if queue[0][1] <= 1e-9:
            queue.popleft()
    queue[0][1] -= done


def _row(second: int, planned: float, ended: float, lost: float, waiting: float) -> Second:
    return Second(
        second=second, stage="s", planned=round(planned), succeeded=round(ended), failed=round(lost), dropped=0,
        in_flight=round(0.2 * ended + waiting, 2), output_tokens=0,
    )  # fmt: skip


def forbidden(record: Record) -> Record:
    """The same, and the operator had no right to read the metric."""
    samples = tuple(
        replace(sample, metrics=tuple(replace(one, lack=Lack.FORBIDDEN, why="no rights") for one in sample.metrics))
        for sample in record.timeline.samples
    )
    return replace(record, timeline=replace(record.timeline, samples=samples))


def torn(record: Record, second: float, length: float) -> Record:
    """The same, and nobody looked for a while."""
    begin, end = at(second), at(second) + timedelta(seconds=length)
    kept = [sample for sample in record.timeline.samples if not begin < sample.time <= end]
    place = next(number for number, sample in enumerate(kept) if sample.time > end)
    kept[place] = replace(kept[place], before=begin, unseen="the operator was away")
    return replace(record, timeline=replace(record.timeline, samples=tuple(kept)))
