"""What happened to the requests, from raw nanoseconds to the cells of a delta.

At completion a success costs one `pack_into` of a row and, for streams, a copy of its stamps; everything else (which
second it belongs to, the metrics, the SLO, the histograms) is done by numpy for all rows of a second together, in
`harvest`. Failures are counted by class; of them only time-outs have a place beside the distributions: ResponseTime, and
TimeToFirstToken where no token had come by then, censored at the time-out's value.

A row belongs to the second of its *origin*: the intended start in an open stage, the sending in a closed one, which
is also what ResponseTime and TimeToFirstToken count from (metrics.md).
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType

from loadgen.model.plan import Metric, Plan
from loadgen.model.wire import TIMEOUTS, Cell
from loadgen.runtime.http.exchange import Exchange, Stream
from loadgen.runtime.recording.harvest import PAGE_ROWS, PAGE_STAMPS, ROW, Key, Page, Takings, cells, slo_bounds
from loadgen.runtime.recording.steps import Steps

_ROW = struct.Struct("=4qiHH")
_SIZE = ROW.itemsize
_FULL = PAGE_ROWS * _SIZE
_pack_row = _ROW.pack_into
NO_TOKENS: Mapping[Key, int] = MappingProxyType({})


class Recorder:
    """Collects one shard's outcomes; `harvest` takes them."""

    def __init__(self, plan: Plan) -> None:
        self._start = 0
        self._bounds = slo_bounds(plan)
        self._streams = [request.streams for request in plan.requests]
        self._renew()

    def _renew(self) -> None:
        taken = self._taken = Takings()
        self.planned, self.dropped, self.late = taken.planned, taken.dropped, taken.late
        self._page = Page()
        self._rows, self._used = self._page.rows, 0

    def _turn_page(self) -> None:
        self._page.used = self._used
        self._taken.pages.append(self._page)
        self._page = Page()
        self._rows, self._used = self._page.rows, 0

    def begin(self, start_ns: int) -> None:
        """Second 0."""
        self._start = start_ns

    def key(self, exchange: Exchange) -> Key:
        """The cell that an exchange belongs to."""
        return exchange.cell(self._start)

    def succeeded(self, exchange: Exchange) -> None:
        """A complete, right answer. `exchange.last` is set."""
        if exchange.stream is not None:
            self._keep(exchange.stream)
        used = self._used
        _pack_row(
            self._rows,
            used,
            exchange.intended,
            exchange.sent,
            exchange.headers,
            exchange.last,
            exchange.slot,
            exchange.stage,
            exchange.request,
        )
        self._used = used = used + _SIZE
        if used == _FULL:
            self._turn_page()

    def _keep(self, stream: Stream) -> None:
        if len(self._page.stamps) > PAGE_STAMPS:
            self._turn_page()
        stamps, page = stream.stamps, self._page
        if stamps:
            page.streams.extend((self._used // _SIZE, stamps[0], stream.tokens or -len(stamps), len(stamps)))
            page.stamps.extend(stamps)

    def failed(self, exchange: Exchange, failure: str, stamp: int) -> None:
        """A failure, counted; a time-out tells how long it took at least."""
        key = self._ended(exchange)
        self._taken.errors[key][failure] += 1
        if failure in TIMEOUTS:
            waited = min(stamp - exchange.origin, exchange.kind.timeout_ns) // 1000
            self._taken.censored[key, Metric.RESPONSE_TIME].append(waited)
            if self._streams[exchange.request] and not (exchange.stream and exchange.stream.stamps):
                self._taken.censored[key, Metric.TIME_TO_FIRST_TOKEN].append(waited)

    def cut_off(self, exchange: Exchange) -> None:
        """Ended by the run's end, without a verdict."""
        self._taken.incomplete[self._ended(exchange)] += 1

    def _ended(self, exchange: Exchange) -> Key:
        """Count what successes get from their rows."""
        key = self.key(exchange)
        if exchange.sent:
            self._taken.sent[key] += 1
        if exchange.slot >= 0:
            self.planned[key] += 1
        return key

    def harvest(self, tokens: Mapping[Key, int] = NO_TOKENS) -> Steps[list[Cell]]:
        """Everything since the last call, with the output tokens that have arrived since; what comes from now on is the next one's."""
        if self._used:
            self._turn_page()
        taken = self._taken
        self._renew()
        return cells(taken, self._start, self._bounds, tokens)
