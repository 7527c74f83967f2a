"""From a second's raw rows to the cells of its delta, in steps that are short against a schedule's lag.

All of it at once would stop the loop for milliseconds, and whatever was due meanwhile would be sent late. So it is a
generator: between two steps the loop turns. What comes out does not depend on when the steps are taken.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from loadgen.core.stats.histogram import sparse_of
from loadgen.model.plan import DISTRIBUTIONS, Metric, Plan
from loadgen.model.wire import Cell
from loadgen.runtime.clock import SECOND
from loadgen.runtime.recording.folding import Integers, Part, fold, group, join
from loadgen.runtime.recording.steps import Steps

_TIMES = [(name, "i8") for name in ("intended", "sent", "headers", "last")]
ROW = np.dtype([*_TIMES, ("slot", "i4"), ("stage", "u2"), ("request", "u2")])
"""A success. In closed stages, where `slot` is not negative, its origin is the sending, else the intended start."""
PAGE_ROWS = 4096
PAGE_STAMPS = 32768
STEP_VALUES = 4096
"""Values folded in one step: 0.1 to 0.2 ms."""
_FOREVER = 1 << 62
_INDEX = {metric: index for index, metric in enumerate(DISTRIBUTIONS)}

Key = int
"""second << 10 | stage << 4 | request"""
Values = tuple[tuple[Metric, ...], Integers, Integers]
"""Metrics that have the same values; groups and nanoseconds of each."""


def _counter() -> "defaultdict[Key, int]":
    return defaultdict(int)


def _integers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class Page:
    """So many successes that a step over all of them is short."""

    rows: bytearray = field(default_factory=lambda: bytearray(PAGE_ROWS * ROW.itemsize))
    used: int = 0
    """Bytes of the rows that are filled."""
    streams: "array[int]" = field(default_factory=_integers)
    """Of each row with outputs: its number, its first output, its output tokens (negative where they are the events counted), and how
    many of `stamps` are its own."""
    stamps: "array[int]" = field(default_factory=_integers)


@dataclass(slots=True)
class Takings:
    """What came in between two deltas."""

    pages: list[Page] = field(default_factory=list)
    planned: defaultdict[Key, int] = field(default_factory=_counter)
    """Without closed successes; rows tell of them, as of all successes that they were sent."""
    sent: defaultdict[Key, int] = field(default_factory=_counter)
    dropped: defaultdict[Key, int] = field(default_factory=_counter)
    late: defaultdict[Key, int] = field(default_factory=_counter)
    incomplete: defaultdict[Key, int] = field(default_factory=_counter)
    succeeded: defaultdict[Key, int] = field(default_factory=_counter)
    good: defaultdict[Key, int] = field(default_factory=_counter)
    unsure: defaultdict[Key, int] = field(default_factory=_counter)
    at_once: defaultdict[Key, int] = field(default_factory=_counter)
    told: defaultdict[Key, int] = field(default_factory=_counter)
    untold: defaultdict[Key, int] = field(default_factory=_counter)
    errors: defaultdict[Key, defaultdict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    censored: defaultdict[tuple[Key, Metric], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds after which requests timed out, in place of the metric's value."""


def cells(taken: Takings, start_ns: int, bounds: Integers, tokens: Mapping[Key, int]) -> Steps[list[Cell]]:
    """All that was taken, and the output tokens that arrived meanwhile. `bounds`: see `slo_bounds`."""
    parts: defaultdict[Key, defaultdict[Metric, list[Part]]] = defaultdict(lambda: defaultdict(list))
    for page in taken.pages:
        table = _Table(page, start_ns)
        yield
        table.count(taken, bounds)
        yield
        for metrics, key, part in table.fold():
            for metric in metrics:
                parts[key][metric].append(part)
            yield
    keys = set().union(taken.planned, taken.sent, taken.dropped, taken.incomplete, taken.errors, tokens)
    found = []
    for key in sorted(keys):
        cell = _counts(key, taken, tokens.get(key, 0))
        for metric, some in parts[key].items():
            cell.histograms[_INDEX[metric]] = join(some)
            yield
        found.append(cell)
    by_key = {_key(cell): cell for cell in found} if taken.censored else {}
    for (key, metric), values in taken.censored.items():
        by_key[key].censored[_INDEX[metric]] = sparse_of(values)
        yield
    return found


def _key(cell: Cell) -> Key:
    return cell.second << 10 | cell.stage << 4 | cell.request


def _counts(key: Key, taken: Takings, tokens: int) -> Cell:
    return Cell(
        second=key >> 10,
        stage=key >> 4 & 63,
        request=key & 15,
        planned=taken.planned.get(key, 0),
        sent=taken.sent.get(key, 0),
        succeeded=taken.succeeded.get(key, 0),
        dropped=taken.dropped.get(key, 0),
        late=taken.late.get(key, 0),
        incomplete=taken.incomplete.get(key, 0),
        good=taken.good.get(key, 0),
        unsure=taken.unsure.get(key, 0),
        at_once=taken.at_once.get(key, 0),
        told=taken.told.get(key, 0),
        untold=taken.untold.get(key, 0),
        output_tokens=tokens,
        errors=dict(taken.errors.get(key, {})),
    )


def slo_bounds(plan: Plan) -> Integers:
    """Rows TTFT, TPOT, response time; columns requests; ns."""
    bounds = np.full((3, 16), _FOREVER, dtype=np.int64)
    for index, request in enumerate(plan.requests):
        if request.slo is not None:
            slo = request.slo
            given = (slo.ttft_milliseconds, slo.tpot_milliseconds, slo.response_time_milliseconds)
            bounds[:, index] = [_FOREVER if bound is None else bound * 1_000_000 for bound in given]
    return bounds


class _Table:
    """A page's rows in columns, each with the group (a number from 0) of its cell."""

    def __init__(self, page: Page, start_ns: int) -> None:
        rows = np.frombuffer(page.rows, dtype=ROW, count=page.used // ROW.itemsize)
        intended, self.sent, self.headers, self.last = (
            np.ascontiguousarray(rows[name]) for name in ("intended", "sent", "headers", "last")
        )
        self.closed = rows["slot"] >= 0
        self.origin = np.where(self.closed, self.sent, intended)
        self.request = rows["request"].astype(np.int64)
        cells = rows["stage"].astype(np.int64) << 4 | self.request
        self.keys, self.groups = group((self.origin - start_ns) // SECOND << 10 | cells)
        columns = np.array(page.streams, dtype=np.int64).reshape(-1, 4).T
        self.streams, self.first, tokens, self.outputs = columns
        self.told, self.tokens = tokens > 0, np.abs(tokens)
        self.stamps = np.array(page.stamps, dtype=np.int64)
        self.at_once = ((self.tokens > 1) | (self.outputs > 1)) & (self._spread() == 0)

    def count(self, taken: Takings, bounds: Integers) -> None:
        """A row is a success; it was sent; in a closed stage nothing else says that it was planned."""
        kept, unsure = self._keeps_slo(bounds), self._unsure(bounds)
        self._add(self.groups, taken.succeeded, taken.sent)
        self._add(self.groups[kept & ~unsure], taken.good)
        self._add(self.groups[self.closed], taken.planned)
        if self.streams.size:
            streamed = self.groups[self.streams]
            self._add(self.groups[kept & unsure], taken.unsure)
            self._add(streamed[self.at_once], taken.at_once)
            self._add(streamed[self.told], taken.told)
            self._add(streamed[~self.told], taken.untold)

    def _add(self, groups: Integers, *counters: defaultdict[Key, int]) -> None:
        """How many rows of each cell are among these."""
        for key, number in zip(self.keys, np.bincount(groups, minlength=len(self.keys)).tolist(), strict=True):
            for counter in counters:
                counter[key] += number

    def _keeps_slo(self, bounds: Integers) -> "NDArray[np.bool_]":
        """Whether every bound of the request's SLO was kept; an answer in one piece has its first token at its end."""
        if (bounds == _FOREVER).all():
            return np.ones(len(self.groups), dtype=bool)
        ttft_bound, tpot_bound, response_bound = bounds[:, self.request]
        response = self.last - self.origin
        ttft, tpot = response.copy(), np.zeros_like(response)
        ttft[self.streams] = self.first - self.origin[self.streams]
        tpot[self.streams] = np.where(self.tokens > 1, self._spread() // np.maximum(self.tokens - 1, 1), 0)
        kept: NDArray[np.bool_] = (ttft <= ttft_bound) & (tpot <= tpot_bound) & (response <= response_bound)
        return kept

    def _unsure(self, bounds: Integers) -> "NDArray[np.bool_]":
        """Whose SLO bounds a pace that cannot be seen."""
        found = np.zeros(len(self.groups), dtype=bool)
        found[self.streams[self.at_once]] = True
        bounded: NDArray[np.bool_] = bounds[1, self.request] != _FOREVER
        return found & bounded

    def _spread(self) -> Integers:
        spread: Integers = self.last[self.streams] - self.first
        return spread

    def fold(self) -> Iterator[tuple[tuple[Metric, ...], Key, Part]]:
        """Histograms, or parts of them: of each metric so many values at a time."""
        for metrics, groups, nanoseconds in chain(self._whole(), self._streamed(), self._gaps()):
            for begin in range(0, len(groups), STEP_VALUES):
                step = slice(begin, begin + STEP_VALUES)
                for index, part in fold(groups[step], (nanoseconds[step] + 500) // 1000).items():
                    yield metrics, self.keys[index], part

    def _whole(self) -> Iterator[Values]:
        """The definitions of metrics.md. Often two metrics are the same number: then it is folded once."""
        in_one_read = np.array_equal(self.headers, self.last)
        same: tuple[Metric, ...] = (Metric.E2E_LATENCY,)
        if in_one_read:
            same += (Metric.TIME_TO_FIRST_BYTE,)
        if self.closed.all():
            same += (Metric.RESPONSE_TIME,)
        else:
            opened = ~self.closed
            yield (Metric.RESPONSE_TIME,), self.groups, self.last - self.origin
            yield (Metric.SCHEDULE_LAG,), self.groups[opened], (self.sent - self.origin)[opened]
        yield same, self.groups, self.last - self.sent
        if not in_one_read:
            yield (Metric.TIME_TO_FIRST_BYTE,), self.groups, self.headers - self.sent

    def _streamed(self) -> Iterator[Values]:
        if not self.streams.size:
            return
        groups = self.groups[self.streams]
        yield (Metric.TIME_TO_FIRST_TOKEN,), groups, self.first - self.origin[self.streams]
        yield (Metric.TIME_TO_FIRST_TOKEN_FROM_SEND,), groups, self.first - self.sent[self.streams]
        several = (self.tokens > 1) & ~self.at_once
        yield (Metric.TIME_PER_OUTPUT_TOKEN,), groups[several], self._spread()[several] // (self.tokens[several] - 1)

    def _gaps(self) -> Iterator[Values]:
        """Gaps between neighbouring outputs of one request, and each request's largest; one that came in one read has neither."""
        several = (self.outputs > 1) & ~self.at_once
        if not several.any():
            return
        inside = np.repeat(several, self.outputs)
        ends = np.cumsum(self.outputs)
        inside[ends - self.outputs] = False  # a request's first output has no gap before it
        gaps = np.diff(self.stamps, prepend=0)[inside]
        lengths = self.outputs[several] - 1
        members = self.groups[self.streams][several]
        yield (Metric.MAX_STALL,), members, np.maximum.reduceat(gaps, np.cumsum(lengths) - lengths)
        yield (Metric.INTER_CHUNK_LATENCY,), np.repeat(members, lengths), gaps
