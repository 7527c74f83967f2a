"""Tokens count in the second in which they came, though how many an event had is told when the answer is over."""

from plans import CHAT, a_plan

from fakes.bad import DELTA, DONE
from loadgen.core.schedule.segment import Segment
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.recording.meter import Meter


def usage(tokens: int) -> bytes:
    return b'data: {"choices":[],"usage":{"completion_tokens":%d}}\n\n' % tokens


def test_an_event_has_as_many_tokens_as_those_before() -> None:
    """Four each: the second answer's are counted as they come, or a rate would lack what is told after its time."""
    meter = Meter(watch_throttling=False)
    (kind,) = kinds(a_plan(CHAT, {"arrivalRate": 1}), Segment(0, 1), Target.parse("http://127.0.0.1:1"), meter)
    assert kind.consume is not None
    counted = []
    for tokens in (8, 8, 5):
        exchange = Exchange(kind, 0, 0, 1, 1)
        kind.wire(exchange)
        exchange.status = 200
        for stamp, part in enumerate((DELTA, DELTA, usage(tokens) + DONE), 1):
            kind.consume(exchange, part, stamp)
            counted.append(sum(meter.tokens.values()))
        assert kind.verdict(exchange) is None
        counted.append(sum(meter.tokens.values()))

    assert counted == [1, 2, 2, 8, 12, 16, 16, 16, 20, 24, 24, 21]
