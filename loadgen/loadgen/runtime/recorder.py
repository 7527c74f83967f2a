"""What happened to the requests, from raw nanoseconds to the cells of a delta.

At completion a success costs one `pack_into` of a row of integers and, for streams, a copy of its stamps; everything
else (which second it belongs to, the metrics, the SLO, the histograms) is done by numpy for thousands of rows at
once, in `absorb`. Failures are counted by class; of them only time-outs have a place in a distribution: ResponseTime,
censored at the time-out's value.

A row belongs to the second of its *origin*: the intended start in an open stage, the sending in a closed one, which
is also what ResponseTime and TimeToFirstToken count from (metrics.md).
"""

import struct
from array import array
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from loadgen.model.plan import DISTRIBUTIONS, Metric, Plan
from loadgen.model.wire import Cell, Failure, Sparse
from loadgen.runtime.clock import SECOND
from loadgen.runtime.exchange import Exchange, Stream
from loadgen.runtime.folding import Integers, fold, join

ROWS = 2048
PARTS = 8
_COLUMNS = 9
_ROW = struct.Struct(f"={_COLUMNS}q")
_pack_row = _ROW.pack_into
_FOREVER = 1 << 62
_INDEX = {metric: index for index, metric in enumerate(DISTRIBUTIONS)}
TIMEOUTS = frozenset(
    {Failure.CONNECT_TIMEOUT, Failure.FIRST_BYTE_TIMEOUT, Failure.STALL_TIMEOUT, Failure.TOTAL_TIMEOUT}
)

Key = int
"""second << 10 | stage << 4 | request"""
NO_TOKENS: Mapping[Key, int] = MappingProxyType({})


def _micro(nanoseconds: Integers) -> Integers:
    return (nanoseconds + 500) // 1000


class Recorder:
    """Collects one shard's outcomes; `cells` empties it."""

    def __init__(self, plan: Plan) -> None:
        self._start = 0
        self.planned: defaultdict[Key, int] = defaultdict(int)
        self._sent: defaultdict[Key, int] = defaultdict(int)
        self.dropped: defaultdict[Key, int] = defaultdict(int)
        self._incomplete: defaultdict[Key, int] = defaultdict(int)
        self._succeeded: defaultdict[Key, int] = defaultdict(int)
        self._good: defaultdict[Key, int] = defaultdict(int)
        self._errors: defaultdict[Key, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._censored: defaultdict[Key, list[int]] = defaultdict(list)
        self._parts: defaultdict[Key, defaultdict[int, list[Sparse]]] = defaultdict(lambda: defaultdict(list))
        self._rows = bytearray(ROWS * _ROW.size)
        self._used = 0
        self._stamps = array("q")
        self._bounds = _slo_bounds(plan)

    def begin(self, start_ns: int) -> None:
        """Second 0."""
        self._start = start_ns

    def key(self, exchange: Exchange) -> Key:
        """The cell that an exchange belongs to."""
        return exchange.cell(self._start)

    def succeeded(self, exchange: Exchange) -> None:
        """A complete, right answer. `exchange.last` is set."""
        first = tokens = count = 0
        if (stream := exchange.stream) is not None:
            first, tokens, count = self._keep(stream)
        sent = exchange.sent
        closed = exchange.slot >= 0
        origin = sent if closed else exchange.intended
        _pack_row(
            self._rows,
            self._used,
            (origin - self._start) // SECOND << 10 | exchange.stage << 4 | exchange.request,
            origin,
            sent,
            exchange.headers,
            first,
            exchange.last,
            tokens,
            closed,
            count,
        )
        self._used += _ROW.size
        if self._used == len(self._rows):
            self.absorb()

    def _keep(self, stream: Stream) -> tuple[int, int, int]:
        stamps = stream.stamps
        if not stamps:
            return 0, stream.tokens, 0
        self._stamps.extend(stamps)
        return stamps[0], stream.tokens or len(stamps), len(stamps)

    def failed(self, exchange: Exchange, failure: str, stamp: int) -> None:
        """A failure, counted; a time-out's value enters ResponseTime."""
        key = self._ended(exchange)
        self._errors[key][failure] += 1
        if failure in TIMEOUTS:
            self._censored[key].append(min(stamp - exchange.origin, exchange.kind.timeout_ns) // 1000)

    def cut_off(self, exchange: Exchange) -> None:
        """Ended by the run's end, without a verdict."""
        self._incomplete[self._ended(exchange)] += 1

    def _ended(self, exchange: Exchange) -> Key:
        """Count what successes get from their rows."""
        key = self.key(exchange)
        if exchange.sent:
            self._sent[key] += 1
        if exchange.slot >= 0:
            self.planned[key] += 1
        return key

    def absorb(self) -> None:
        """Turn the rows so far into histograms."""
        if not self._used:
            return
        columns = np.frombuffer(self._rows, dtype=np.int64, count=self._used // 8).reshape(-1, _COLUMNS).T.copy()
        stamps = np.array(self._stamps, dtype=np.int64)
        self._used = 0
        self._stamps = array("q")
        keys, groups = np.unique(columns[0], return_inverse=True)
        names = keys.tolist()
        self._count(names, groups, columns)
        for metric, (members, values) in _metrics(columns, groups, stamps).items():
            for group, sparse in fold(members, values).items():
                self._add(self._parts[names[group]][_INDEX[metric]], sparse)

    @staticmethod
    def _add(parts: list[Sparse], sparse: Sparse) -> None:
        """Join now and then: all at the end of the second would stop the loop for tens of milliseconds."""
        parts.append(sparse)
        if len(parts) == PARTS:
            parts[:] = [join(parts)]

    def _count(self, names: list[Key], groups: Integers, columns: Integers) -> None:
        """A row is a success; it was sent; in a closed stage nothing else says that it was planned."""
        succeeded = np.bincount(groups, minlength=len(names)).tolist()
        good, closed = (
            np.bincount(groups, weights=flags, minlength=len(names)).astype(np.int64).tolist()
            for flags in (self._keep_slo(columns), columns[7])
        )
        for key, count, count_good, count_closed in zip(names, succeeded, good, closed, strict=True):
            self._succeeded[key] += count
            self._sent[key] += count
            self._good[key] += count_good
            self.planned[key] += count_closed

    def _keep_slo(self, columns: Integers) -> Integers:
        """1 where every bound of the request's SLO was kept; an answer in one piece has its first token at its end."""
        key, origin, _, _, first, last, tokens, _, _ = columns
        ttft_bound, tpot_bound, response_bound = self._bounds[:, key & 15]
        ttft = np.where(first > 0, first, last) - origin
        spread = np.where((first > 0) & (tokens > 1), last - first, 0)
        tpot = spread // np.maximum(tokens - 1, 1)
        kept = (ttft <= ttft_bound) & (tpot <= tpot_bound) & (last - origin <= response_bound)
        good: Integers = kept.astype(np.int64)
        return good

    def cells(self, tokens: Mapping[Key, int] = NO_TOKENS) -> list[Cell]:
        """Everything since the last call, with the output tokens that have arrived since."""
        self.absorb()
        keys = set().union(
            *(self.planned, self._sent, self.dropped, self._incomplete, self._succeeded),
            *(self._errors, self._censored, tokens),
        )
        cells = [self._cell(key, tokens.get(key, 0)) for key in sorted(keys)]
        for counter in (self.planned, self._sent, self.dropped, self._incomplete, self._succeeded, self._good):
            counter.clear()
        self._errors.clear()
        self._censored.clear()
        self._parts.clear()
        return cells

    def _cell(self, key: Key, tokens: int) -> Cell:
        parts = self._parts[key]
        censored = self._censored.get(key)
        if censored:
            values = np.array(censored, dtype=np.int64)
            parts[_INDEX[Metric.RESPONSE_TIME]].append(fold(np.zeros_like(values), values)[0])
        return Cell(
            second=key >> 10,
            stage=key >> 4 & 63,
            request=key & 15,
            planned=self.planned.get(key, 0),
            sent=self._sent.get(key, 0),
            succeeded=self._succeeded.get(key, 0),
            dropped=self.dropped.get(key, 0),
            incomplete=self._incomplete.get(key, 0),
            good=self._good.get(key, 0),
            output_tokens=tokens,
            errors=dict(self._errors.get(key, {})),
            histograms={metric: join(sparses) for metric, sparses in parts.items()},
        )


def _slo_bounds(plan: Plan) -> Integers:
    """Rows TTFT, TPOT, response time; columns requests; ns."""
    bounds = np.full((3, 16), _FOREVER, dtype=np.int64)
    for index, request in enumerate(plan.requests):
        if request.slo is not None:
            slo = request.slo
            given = (slo.ttft_milliseconds, slo.tpot_milliseconds, slo.response_time_milliseconds)
            bounds[:, index] = [_FOREVER if bound is None else bound * 1_000_000 for bound in given]
    return bounds


def _metrics(columns: Integers, groups: Integers, stamps: Integers) -> dict[Metric, tuple[Integers, Integers]]:
    """For each metric the groups and the values (µs) of the rows that have it: the definitions of metrics.md."""
    _, origin, sent, headers, first, last, tokens, closed, counts = columns
    streamed = first > 0
    several = streamed & (tokens > 1)
    tpot = (last[several] - first[several]) // (tokens[several] - 1)
    opened = closed == 0
    values: dict[Metric, tuple[Integers, Integers]] = {
        Metric.RESPONSE_TIME: (groups, _micro(last - origin)),
        Metric.E2E_LATENCY: (groups, _micro(last - sent)),
        Metric.TIME_TO_FIRST_BYTE: (groups, _micro(headers - sent)),
        Metric.TIME_TO_FIRST_TOKEN: (groups[streamed], _micro(first - origin)[streamed]),
        Metric.TIME_TO_FIRST_TOKEN_FROM_SEND: (groups[streamed], _micro(first - sent)[streamed]),
        Metric.TIME_PER_OUTPUT_TOKEN: (groups[several], _micro(tpot)),
        Metric.SCHEDULE_LAG: (groups[opened], _micro(sent - origin)[opened]),
    }
    return values | _gaps(groups, counts, stamps)


def _gaps(groups: Integers, counts: Integers, stamps: Integers) -> dict[Metric, tuple[Integers, Integers]]:
    """Gaps between neighbouring outputs of one request, and each request's largest."""
    several = counts > 1
    if not several.any():
        return {}
    inside = np.ones(stamps.size, dtype=bool)
    ends = np.cumsum(counts)
    inside[(ends - counts)[counts > 0]] = False  # a request's first output has no gap before it
    gaps = np.diff(stamps, prepend=0)[inside]
    lengths = counts[several] - 1
    largest = np.maximum.reduceat(gaps, np.cumsum(lengths) - lengths)
    members = groups[several]
    return {
        Metric.INTER_CHUNK_LATENCY: (np.repeat(members, lengths), _micro(gaps)),
        Metric.MAX_STALL: (members, _micro(largest)),
    }
