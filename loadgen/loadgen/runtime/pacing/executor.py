"""Starts requests, follows them to their outcome, and accounts for every one exactly once.

An arrival becomes planned, and then either dropped (the in-flight cap is reached, or it is more than a second late)
or an exchange; an exchange ends as a success, a failure with a class, or incomplete (cut off by the end of the run).
Nothing is ever delayed silently: a late start is sent late and its lag is part of its response time.

Time-outs: requests of one kind have one time-out, so they expire in the order of their start; a dict keeps that order
and gives constant-time removal, and each probe looks at the front only. Time is up for what was overdue at the probe before:
between two probes the loop has read whatever had come by then, however late it was. And where the loop's own lateness may have
used up a request's time, its time-out tells nothing of the target: it has failed as Local (`recording.lateness`).
"""

import asyncio
import random
from collections.abc import Callable
from itertools import accumulate

from loadgen.core.schedule.concurrency import slots
from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Plan
from loadgen.model.wire import TIMEOUTS, Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.client import Client
from loadgen.runtime.http.exchange import Exchange, Kind
from loadgen.runtime.pacing.patience import Patience
from loadgen.runtime.pacing.slots import Slot
from loadgen.runtime.recording.lateness import ANSWER_TURNS, OPENING_TURNS
from loadgen.runtime.recording.meter import Meter
from loadgen.runtime.recording.recorder import Recorder

CATCH_UP_NS = 1 * SECOND
BACK_OFF_SECONDS = (0.010, 0.050)
"""A slot whose request never got out pauses this long: against a dead target a closed loop would spin."""


class Executor:
    """One shard's requests in flight."""

    def __init__(self, plan: Plan, segment: Segment, kinds: tuple[Kind, ...], recorder: Recorder, meter: Meter) -> None:
        self.pool: Client
        self._kinds, self._recorder, self._meter = kinds, recorder, meter
        self._cap = segment.share(plan.load.max_in_flight)
        self._flying: tuple[dict[Exchange, None], ...] = tuple({} for _ in kinds)
        self._slots = Slot.table(slots(plan, segment))
        self._random = random.Random(plan.load.seed * 65537 + segment.index)
        self._weights = list(accumulate(request.effective_weight for request in plan.requests))
        self._mixed = len(plan.requests) > 1
        self._patience = Patience(plan)
        self._stopped = self._turning = False
        self._start = self._looked = 0
        self._call_soon = asyncio.get_running_loop().call_soon
        self.on_idle: Callable[[], None] | None = None

    def begin(self, start_ns: int) -> None:
        """Second 0."""
        self._start = start_ns

    @property
    def slots(self) -> list[Slot]:
        """The closed stages' slots; the pacer wakes them."""
        return self._slots

    def arrive(self, stage: int, request: int, intended: int) -> None:
        """(pacer) An open-loop arrival is due."""
        if self._stopped:
            return
        now = monotonic_ns()
        kind = self._kinds[request]
        exchange = Exchange(kind, stage, request, intended, now)
        key = (intended - self._start) // SECOND << 10 | stage << 4 | request
        self._recorder.planned[key] += 1
        lag = now - intended
        if self._meter.in_flight >= self._cap or lag > CATCH_UP_NS:
            self._recorder.dropped[key] += 1
            if lag > CATCH_UP_NS:
                self._recorder.late[key] += 1
            return
        self._launch(exchange, now)
        if exchange.sent:
            self._meter.lags.append(exchange.sent - intended)

    def acted(self, exchange: Exchange, now: int) -> None:
        """(pool) One that could not be sent at once: now its connection is being opened, or its time for that was up."""
        if exchange.slot < 0:
            self._meter.lags.append(now - exchange.intended)

    def wake(self, _stage: int, index: int, _at: int) -> None:
        """(pacer) A slot's span begins."""
        slot = self._slots[index]
        if not slot.busy:
            self._turn(slot)

    def _turn(self, slot: Slot) -> None:
        """A slot's next request, if it has time left. The in-flight cap is for open arrivals; a level is its own cap."""
        now = monotonic_ns()
        offset = now - self._start
        stage = slot.stage if slot.start_ns <= offset < slot.end_ns else slot.stage_at(offset)
        if self._stopped or slot.busy or stage < 0:
            return
        slot.busy = True
        request = self._choose() if self._mixed else 0
        self._turning = True
        self._launch(Exchange(self._kinds[request], stage, request, now, now, slot.index), now)
        self._turning = False

    def _choose(self) -> int:
        weights = self._weights
        drawn = self._random.random() * weights[-1]
        return next(index for index, weight in enumerate(weights) if drawn < weight)

    def _launch(self, exchange: Exchange, now: int) -> None:
        meter = self._meter
        self._flying[exchange.request][exchange] = None
        meter.in_flight += 1
        meter.balance -= now
        if meter.in_flight > meter.peak:  # noqa: PLR1730  a call less
            meter.peak = meter.in_flight
        self.pool.dispatch(exchange)

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        """(pool) An exchange has its outcome."""
        del self._flying[exchange.request][exchange]
        meter = self._meter
        meter.in_flight -= 1
        meter.balance += stamp
        if failure is None:
            if not exchange.last:
                exchange.last = stamp
            meter.completions += 1
            self._recorder.succeeded(exchange)
        else:
            self._recorder.failed(exchange, self._blamed(exchange, failure, stamp), stamp)
        if exchange.slot >= 0:
            self._release(exchange)
        if not meter.in_flight and self.on_idle is not None:
            self.on_idle()

    def _blamed(self, exchange: Exchange, failure: str, stamp: int) -> str:
        """A time-out that the loop's own lateness explains is the generator's."""
        if failure not in TIMEOUTS:
            return failure
        begin = exchange.heard if failure == Failure.STALL_TIMEOUT else exchange.origin
        turns = ANSWER_TURNS if exchange.sent else OPENING_TURNS
        return Failure.LOCAL if self._meter.lateness.explains(begin, stamp, turns) else failure

    def _release(self, exchange: Exchange) -> None:
        """The slot sends again: at once, unless that would recurse (a request that failed before it was out)."""
        slot = self._slots[exchange.slot]
        slot.busy = False
        if not exchange.sent:
            asyncio.get_running_loop().call_later(self._random.uniform(*BACK_OFF_SECONDS), self._turn, slot)
        elif self._turning:
            self._call_soon(self._turn, slot)
        else:
            self._turn(slot)

    def expire(self, now: int) -> None:
        """Fail what has had its time, and whose answer was not there when the sockets were last looked at."""
        now, self._looked = self._looked, now
        for flying in self._flying:
            while flying:
                exchange = next(iter(flying))
                if exchange.deadline > now:
                    break
                self._give_up(exchange, Failure.TOTAL_TIMEOUT, exchange.deadline)
        for overdue in self._patience.overdue(self._flying, now):
            self._give_up(*overdue)

    def _give_up(self, exchange: Exchange, failure: str, stamp: int) -> None:
        """What was never sent has failed for want of a connection, whichever time is up."""
        self.completed(exchange, self.pool.cancel(exchange) or failure, stamp)

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True

    def cut_off(self) -> None:
        """The end of the run: what is still in flight is incomplete, neither success nor failure."""
        now = monotonic_ns()
        for flying in self._flying:
            for exchange in list(flying):
                self.pool.cancel(exchange)
                self._meter.in_flight -= 1
                self._meter.balance += now
                self._recorder.cut_off(exchange)
            flying.clear()
