"""Finds requests whose answer does not begin in time, or has stopped coming.

Without a timer or a note per request: now and then it looks through those of the requests in flight that are old
enough, and at when their connections last read something. A plan without such time-outs pays nothing.
"""

from collections.abc import Iterable, Iterator

from loadgen.model.plan import Plan
from loadgen.model.requests import Request
from loadgen.model.wire import Failure
from loadgen.runtime.clock import MILLISECOND, SECOND
from loadgen.runtime.http.exchange import Exchange

LOOK_NS = 50 * MILLISECOND
"""How often it looks, and so how late a time-out may be noticed; it counts at its value all the same."""
_NEVER = 1 << 62

Overdue = tuple[Exchange, Failure, int]
"""A request, the class of its failure, and when its time was up; ns."""


class Patience:
    """The time-outs of a plan's requests for the first byte of an answer and between two reads of it."""

    def __init__(self, plan: Plan) -> None:
        limits = ((index, *_limits(request)) for index, request in enumerate(plan.requests))
        self._limits = [one for one in limits if min(one[1:]) < _NEVER]
        self._next = 0 if self._limits else _NEVER

    def overdue(self, flying: tuple[Iterable[Exchange], ...], now: int) -> list[Overdue]:
        """Those whose time is up; `flying` are the requests in flight by kind, oldest first."""
        if now < self._next:
            return []
        self._next = now + LOOK_NS
        return [one for index, first, stall in self._limits for one in _overdue(flying[index], first, stall, now)]


def _limits(request: Request) -> tuple[int, int]:
    first, stall = request.first_byte_timeout_seconds, request.stall_timeout_seconds
    return first * SECOND if first else _NEVER, stall * SECOND if stall else _NEVER


def _overdue(flying: Iterable[Exchange], first: int, stall: int, now: int) -> Iterator[Overdue]:
    youngest = now - min(first, stall)
    for exchange in flying:
        if exchange.intended > youngest:
            return
        if not exchange.headers:
            if exchange.origin + first <= now:
                yield exchange, Failure.FIRST_BYTE_TIMEOUT, exchange.origin + first
        elif exchange.connection is not None and exchange.connection.heard + stall <= now:
            yield exchange, Failure.STALL_TIMEOUT, exchange.connection.heard + stall
