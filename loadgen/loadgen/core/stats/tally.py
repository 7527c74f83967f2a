"""Everything that the workers said, added up: merge first, judge later.

A tally keeps, for every (second, stage, request), counters and packed histograms, and the same once more for the
whole run per (stage, request), so that asking for a stage costs the same in an hour's run as in a minute's. Adding
is commutative and exact: 2 workers merged are one worker with the same records. `Totals` are the second half alone.

Two times are kept apart. A cell's second is that of the request's *intended* start: error percentages and latencies go
by it. A delta's second is when things *happened*: how much the counters grew in it tells the successes and
failures that ended then and the tokens that arrived then, which rates go by.

What is asked for is a selection: any seconds, stages (by index) and requests (by index); None means all of them.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.packed import Packed, entries_of, tails, unpack
from loadgen.model.plan import DISTRIBUTIONS, Metric
from loadgen.model.report import TokenSource
from loadgen.model.wire import REJECTIONS, TIMEOUTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from loadgen.model.plan import Plan
    from loadgen.model.wire import Cell, Delta, Pulse

METRIC_INDEX = {metric: index for index, metric in enumerate(DISTRIBUTIONS)}
Key = tuple[int, int]
"""Stage and request."""
Entries = dict[int, "array[int]"]
"""A cell's histograms as they are packed, by metric."""


@dataclass(slots=True)
class Counters:
    """Requests by outcome."""

    planned: int = 0
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    dropped: int = 0
    late: int = 0
    incomplete: int = 0
    good: int = 0
    unsure: int = 0
    at_once: int = 0
    told: int = 0
    untold: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def grow(self, cell: Cell) -> None:
        self.planned += cell.planned
        self.sent += cell.sent
        self.succeeded += cell.succeeded
        self.dropped += cell.dropped
        self.late += cell.late
        self.incomplete += cell.incomplete
        self.good += cell.good
        self.unsure += cell.unsure
        self.at_once += cell.at_once
        self.told += cell.told
        self.untold += cell.untold
        for failure, count in cell.errors.items():
            self.errors[failure] = self.errors.get(failure, 0) + count
            self.failed += count

    def merge(self, other: Counters) -> None:
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for failure, count in other.errors.items():
            self.errors[failure] = self.errors.get(failure, 0) + count

    @property
    def error_percent(self) -> float | None:
        """(failed + dropped) / planned × 100; None when nothing was planned."""
        return 100.0 * (self.failed + self.dropped) / self.planned if self.planned else None

    @property
    def slo_attainment_percent(self) -> float | None:
        """good / planned × 100: errors, time-outs, drops and incomplete requests are all not good."""
        return 100.0 * self.good / self.planned if self.planned else None

    @property
    def decided(self) -> int:
        """Requests whose outcome is known."""
        return self.succeeded + self.failed + self.dropped

    @property
    def open(self) -> int:
        """Requests without an outcome: cut off by the end, lost with their worker, or, during the run, in flight."""
        return max(0, self.planned - self.decided)

    @property
    def rejected(self) -> int:
        """Requests that the target turned away: it had too many, or no room."""
        return sum(self.errors.get(failure, 0) for failure in REJECTIONS)

    @property
    def timed_out(self) -> int:
        """Failures that took longer than was waited."""
        return sum(count for failure, count in self.errors.items() if failure in TIMEOUTS)

    @property
    def token_source(self) -> TokenSource | None:
        """Whence the output tokens of streams are known."""
        if not self.told and not self.untold:
            return None
        return (TokenSource.MIXED if self.untold else TokenSource.USAGE) if self.told else TokenSource.EVENTS


NUMBERS = tuple(one.name for one in fields(Counters) if one.name != "errors")


class Row:
    """What is known about one (second, stage, request), or about one (stage, request) of the run."""

    __slots__ = ("censored", "counters", "packed")

    def __init__(self) -> None:
        self.counters = Counters()
        self.packed: dict[int, Packed] = {}
        """Of successes."""
        self.censored: dict[int, Packed] = {}
        """Of what timed out: at least so long."""

    def grow(self, cell: Cell, entries: Entries) -> None:
        self.counters.grow(cell)
        for index, sparse in cell.histograms.items():
            if index not in self.packed:
                self.packed[index] = Packed()
            self.packed[index].add(sparse, entries[index])
        for index, sparse in cell.censored.items():
            self.censored.setdefault(index, Packed()).add(sparse)


class Ended:
    """Outcomes and output tokens by the second in which they happened, for one kind of request."""

    __slots__ = ("bad", "output_tokens", "succeeded")

    def __init__(self) -> None:
        self.succeeded = 0
        self.bad = 0
        self.output_tokens = 0


class Beat:
    """All shards' pulses of one second."""

    __slots__ = (
        "bytes_received",
        "connections_opened",
        "in_flight_microseconds",
        "loop_lag",
        "output_events",
        "output_tokens",
        "peak_in_flight",
        "reads",
        "schedule_lag",
    )

    def __init__(self) -> None:
        self.output_events = 0
        self.output_tokens = 0
        self.bytes_received = 0
        self.reads = 0
        self.in_flight_microseconds = 0
        self.peak_in_flight = 0
        self.connections_opened = 0
        self.schedule_lag = Packed()
        self.loop_lag = Packed()

    def grow(self, pulse: Pulse) -> None:
        self.output_events += pulse.output_events
        self.output_tokens += pulse.output_tokens
        self.bytes_received += pulse.bytes_received
        self.reads += pulse.reads
        self.in_flight_microseconds += pulse.in_flight_microseconds
        self.peak_in_flight += pulse.peak_in_flight
        self.connections_opened += pulse.connections_opened
        self.schedule_lag.add(pulse.schedule_lag)
        self.loop_lag.add(pulse.loop_lag)


class Selection:
    """Chosen rows, merged: counters at once, histograms when first asked for."""

    __slots__ = ("_histograms", "_rows", "counts")

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self._histograms: dict[Metric, Histogram] = {}
        self.counts = Counters()
        for row in rows:
            self.counts.merge(row.counters)

    def histogram(self, metric: Metric) -> Histogram:
        """As it is shown: what timed out stands at its time-out's value."""
        if metric not in self._histograms:
            index = METRIC_INDEX[metric]
            kinds = (kind for row in self._rows for kind in (row.packed, row.censored))
            merged = Histogram()
            unpack(merged, (kind[index] for kind in kinds if index in kind))
            self._histograms[metric] = merged
        return self._histograms[metric]

    def tails(self, metric: Metric, limits: Collection[int]) -> tuple[int, int, list[int]]:
        """Number of values, their sum in microseconds, and how many lie in bins above each limit."""
        index = METRIC_INDEX[metric]
        return tails((row.packed[index] for row in self._rows if index in row.packed), limits)

    @property
    def histograms(self) -> dict[Metric, Histogram]:
        """Every distribution that has a value."""
        present = {index for row in self._rows for index in (*row.packed, *row.censored)}
        return {DISTRIBUTIONS[index]: self.histogram(DISTRIBUTIONS[index]) for index in sorted(present)}


class Totals:
    """One worker's run so far without its seconds: as large after an hour as after a minute."""

    def __init__(self) -> None:
        self.output_tokens = 0
        self.bytes_received = 0
        self.connections_opened = 0
        self.in_flight_microseconds: dict[int, int] = {}
        """Of each shard's newest second."""
        self._rows: dict[Key, Row] = defaultdict(Row)

    def add(self, delta: Delta) -> None:
        for cell in delta.cells:
            self._rows[cell.stage, cell.request].grow(cell, _entries(cell))
        self.output_tokens += delta.pulse.output_tokens
        self.bytes_received += delta.pulse.bytes_received
        self.connections_opened += delta.pulse.connections_opened
        self.in_flight_microseconds[delta.shard] = delta.pulse.in_flight_microseconds

    def stage(self, index: int) -> Selection:
        """All requests of a stage."""
        return Selection([row for (stage, _), row in self._rows.items() if stage == index])

    def apart(self) -> Iterator[tuple[Key, Selection]]:
        """Each stage and request on its own."""
        return ((key, Selection([row])) for key, row in self._rows.items())


class Tally:
    """The sum of all deltas of all shards."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.last_second = -1
        """The newest second that any shard has told of; −1 before the start."""
        self.heard: dict[tuple[int, int], int] = {}
        """The newest second that each (worker, shard) has told of."""
        self.beats: dict[int, Beat] = defaultdict(Beat)
        self.cpu: dict[tuple[int, int], array[int]] = defaultdict(_no_seconds)
        """CPU microseconds of each (worker, shard), by second from 0."""
        self.throttled: dict[int, array[int]] = defaultdict(_no_seconds)
        """Microseconds of cgroup throttling of each worker, by second from 0."""
        self.sent: Counter[int] = Counter()
        """Requests sent, by worker."""
        self.shards: dict[int, set[int]] = defaultdict(set)
        """Shards heard of, by worker."""
        self.resident_bytes = 0
        """The largest memory of any shard."""
        self._ended: dict[int, dict[int, Ended]] = {}
        self._cells: dict[int, dict[Key, Row]] = {}
        self._whole: dict[Key, Row] = defaultdict(Row)

    def add(self, delta: Delta) -> None:
        self.last_second = max(self.last_second, delta.second)
        who = delta.worker, delta.shard
        self.heard[who] = max(self.heard.get(who, -1), delta.second)
        self.shards[delta.worker].add(delta.shard)
        for cell in delta.cells:
            entries = _entries(cell)
            self._row(cell).grow(cell, entries)
            self._whole[cell.stage, cell.request].grow(cell, entries)
            self.sent[delta.worker] += cell.sent
            self._end(delta.second, cell)
        self.beats[delta.second].grow(delta.pulse)
        self._note_resources(delta)

    def _row(self, cell: Cell) -> Row:
        rows = self._cells.setdefault(cell.second, {})
        key = (cell.stage, cell.request)
        if key not in rows:
            rows[key] = Row()
        return rows[key]

    def _end(self, second: int, cell: Cell) -> None:
        failed = sum(cell.errors.values())
        if cell.succeeded or failed or cell.dropped or cell.output_tokens:
            kinds = self._ended.setdefault(second, {})
            ended = kinds.setdefault(cell.request, Ended())
            ended.succeeded += cell.succeeded
            ended.bad += failed + cell.dropped
            ended.output_tokens += cell.output_tokens

    def _note_resources(self, delta: Delta) -> None:
        pulse = delta.pulse
        _add_at(self.cpu[delta.worker, delta.shard], delta.second, pulse.cpu_microseconds)
        _add_at(self.throttled[delta.worker], delta.second, pulse.throttled_microseconds)
        self.resident_bytes = max(self.resident_bytes, pulse.resident_bytes)

    def select(
        self,
        seconds: Collection[int] | None = None,
        stages: Collection[int] | None = None,
        requests: Collection[int] | None = None,
    ) -> Selection:
        """Everything about the requests that were intended in these seconds, stages and kinds."""
        levels = [self._whole] if seconds is None else [self._cells[at] for at in self._known(self._cells, seconds)]
        return Selection(
            [
                row
                for level in levels
                for (stage, request), row in level.items()
                if (stages is None or stage in stages) and (requests is None or request in requests)
            ]
        )

    def rows(self, stages: Collection[int] | None, requests: Collection[int] | None) -> Iterator[tuple[int, int, Row]]:
        """Second, request and what is known of them."""
        for second in sorted(self._cells):
            for (stage, request), row in self._cells[second].items():
                if (stages is None or stage in stages) and (requests is None or request in requests):
                    yield second, request, row

    @property
    def settled(self) -> int:
        """The newest second that every shard heard of has told of; −1 before."""
        return min(self.heard.values(), default=-1)

    def seconds(self) -> list[int]:
        """Every second in which a request was meant to start."""
        return sorted(self._cells)

    def ended(self, seconds: Collection[int], requests: Collection[int] | None = None) -> Ended:
        """Successes, failures (drops among them) and output tokens that happened in these seconds."""
        total = Ended()
        for second in self._known(self._ended, seconds):
            for request, ended in self._ended[second].items():
                if requests is None or request in requests:
                    total.succeeded += ended.succeeded
                    total.bad += ended.bad
                    total.output_tokens += ended.output_tokens
        return total

    def pulses(self, seconds: Collection[int]) -> Iterator[Beat]:
        """The generator's own figures of these seconds."""
        return (self.beats[at] for at in self._known(self.beats, seconds))

    def schedule_lag(self, seconds: Collection[int]) -> Histogram:
        return _merged(beat.schedule_lag for beat in self.pulses(seconds))

    def loop_lag(self, seconds: Collection[int]) -> Histogram:
        return _merged(beat.loop_lag for beat in self.pulses(seconds))

    @staticmethod
    def _known(by_second: Collection[int], seconds: Collection[int]) -> list[int]:
        fewer, more = sorted((by_second, seconds), key=len)
        return sorted(second for second in fewer if second in more)


def _entries(cell: Cell) -> Entries:
    return {index: entries_of(sparse) for index, sparse in cell.histograms.items()}


def _no_seconds() -> array[int]:
    return array("q")


def _add_at(by_second: array[int], second: int, amount: int) -> None:
    if second < 0 or not amount:
        return
    by_second.extend([0] * (second + 1 - len(by_second)))
    by_second[second] += amount


def _merged(parts: Iterable[Packed]) -> Histogram:
    histogram = Histogram()
    unpack(histogram, parts)
    return histogram
