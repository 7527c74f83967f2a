"""What a run recorded of its load, its replicas and its autoscaler, one value a second; and what makes that too little."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from loadgen.model.report import Report
from loadtest_operator.core.scaling.autoscaler import quantity
from loadtest_operator.core.scaling.metrics.readings import Reading
from loadtest_operator.core.scaling.shadow.orders import Orders
from loadtest_operator.core.scaling.timeline import Sample, Timeline

MOST_BEFORE: Final = 600
"""Seconds before the load from which on it is played."""
MOST_UNSEEN: Final = 15.0
"""Seconds of a gap: in a longer one a sync may have been."""
NO_AUTOSCALER: Final = (
    "the stored run tells nothing of an autoscaler that could be played again: run it anew on a target that has one"
)


class UnknowableError(Exception):
    """It cannot be told from this run; a sentence that says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Course:
    """One run. All sequences begin at second `begin`."""

    begin: int
    orders: Orders
    offered: tuple[float, ...]
    """Requests that were to start."""
    answered: tuple[float, ...]
    """Requests that were answered well: work that was done."""
    ended: tuple[float, ...]
    """These and those that failed."""
    in_flight: tuple[float, ...]
    replicas: tuple[int, ...]
    """What the workload's spec asked for."""
    pods: tuple[int, ...]
    ready: tuple[int, ...]
    metrics: tuple[tuple[float | None, ...], ...]
    """By metric of the autoscaler: its value, percent or units, each second."""
    cold_starts: tuple[float, ...]
    """Seconds from a pod's creation until it was ready."""
    decided: tuple[float, ...]
    """When the autoscaler moved the replicas: at one of its syncs."""
    patience: float
    """Seconds after which a request is given up."""

    @property
    def end(self) -> int:
        """Exclusive."""
        return self.begin + len(self.replicas)


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of a run."""

    report: Report
    timeline: Timeline
    faults: bool
    """Whether it made any."""

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.report.start_time)

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.timeline.from_moment(self.start)


def course_of(record: Record) -> Course:
    """Raises UnknowableError."""
    timeline, orders = record.timeline, record.timeline.orders
    if orders is None or timeline.since is None or timeline.until is None:
        raise UnknowableError(NO_AUTOSCALER)
    for lacks in LACKS:
        if why := lacks(record):
            raise UnknowableError(why)
    begin = max(-MOST_BEFORE, math.floor(_second(record, timeline.since)) + 1)
    held = _held(record, begin, math.floor(_second(record, timeline.until)) + 1)
    series = {row.second: row for row in record.report.series}
    rows = [series.get(begin + place) for place in range(len(held))]
    return Course(
        begin=begin,
        orders=orders,
        offered=tuple(float(row.planned) if row else 0.0 for row in rows),
        answered=tuple(float(row.succeeded) if row else 0.0 for row in rows),
        ended=tuple(float(row.succeeded + row.failed) if row else 0.0 for row in rows),
        in_flight=tuple(row.in_flight if row else 0.0 for row in rows),
        replicas=tuple(sample.replicas or 0 for sample in held),
        pods=tuple(sample.pods for sample in held),
        ready=tuple(sample.serving for sample in held),
        metrics=tuple(tuple(_value(sample, place) for sample in held) for place in range(len(orders.metrics))),
        cold_starts=tuple(_cold_starts(timeline)),
        decided=tuple(_decided(record)),
        patience=float(max(request.timeout_seconds for request in record.report.plan.requests)),
    )


def _no_series(record: Record) -> str:
    if record.report.series:
        return ""
    return "the stored report has no series by second (it was too large to keep it): make the run shorter"


def _answers_drive_it(record: Record) -> str:
    closed = next((stage.name for stage in record.report.plan.load.stages if stage.concurrency is not None), "")
    if not closed:
        return ""
    return (
        f"stage {closed} keeps a number of requests in flight, so what it offers depends on the answers, which other "
        "replicas would change: give it arrivalRate"
    )


def _disturbed(record: Record) -> str:
    return "faults changed what a replica can take: play a run without faults" if record.faults else ""


def _unseen(record: Record) -> str:
    gap = max(
        (gap for gap in record.timeline.gaps if gap.end > record.start), key=lambda gap: gap.seconds, default=None
    )
    if gap is None or gap.seconds <= MOST_UNSEEN:
        return ""
    second = (gap.start - record.start).total_seconds()
    return f"nobody looked for {gap.seconds:.0f} s from second {second:.0f} on ({gap.because}): run it again"


def _edited(record: Record) -> str:
    orders = {sample.scaler.orders for sample in record.samples if sample.scaler}
    return "the autoscaler was edited during the run: there is no one run to reproduce" if len(orders) > 1 else ""


def _unread(record: Record) -> str:
    metrics = record.timeline.orders.metrics if record.timeline.orders else ()
    for place, steering in enumerate(metrics):
        found = [sample.metrics[place] for sample in record.samples if len(sample.metrics) > place]
        if not any(reading.lack is None for reading in found):
            why = found[-1].why if found else "none was read"
            return f"metric {steering.name} had no value that could be read: {why}"
    return "" if metrics else "the autoscaler has no metrics"


LACKS: Final[tuple[Callable[[Record], str], ...]] = (
    _no_series,
    _answers_drive_it,
    _disturbed,
    _unseen,
    _edited,
    _unread,
)
"""In order; the first sentence counts."""


def _second(record: Record, moment: datetime) -> float:
    return (moment - record.start).total_seconds()


def _held(record: Record, begin: int, end: int) -> list[Sample]:
    """What held in each second."""
    samples = record.timeline.samples
    place, held = 0, []
    for second in range(begin, end):
        while place + 1 < len(samples) and _second(record, samples[place + 1].time) <= second:
            place += 1
        held.append(samples[place])
    return held


def _value(sample: Sample, place: int) -> float | None:
    reading = sample.metrics[place] if len(sample.metrics) > place else None
    return None if reading is None or reading.lack is not None else number_of(reading)


def number_of(reading: Reading) -> float | None:
    """Percent, or units."""
    found = quantity(reading.value.removesuffix("%"))
    return None if found is None else float(found)


def _cold_starts(timeline: Timeline) -> list[float]:
    """Of pods made in the run, else of those that were there."""
    known = [pod for pod in timeline.pods if pod.created is not None and pod.ready is not None]
    new = [pod for pod in known if timeline.since and pod.created and pod.created >= timeline.since]
    return sorted((pod.ready - pod.created).total_seconds() for pod in new or known if pod.ready and pod.created)


def _decided(record: Record) -> list[float]:
    times = {sample.scaler.last_scale_time for sample in record.samples if sample.scaler}
    return sorted(_second(record, moment) for moment in times if moment is not None)
