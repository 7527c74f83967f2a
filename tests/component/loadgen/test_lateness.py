"""A time-out that fires while our own loop stands still says nothing of the target."""

import asyncio
import time

import pytest
from plans import CHAT, PAGE, a_plan
from runs import run
from servers import OK

from fakes.bad import DELTA, DONE, STREAM_HEAD, black_hole, chunk, request
from fakes.serving import serving
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric
from loadgen.runtime.http.connection import REST_AFTER, BodyConnection, Owner

LIMIT = 3
"""Seconds: a machine that keeps this process waiting for as long is not meant here."""
STANDS_STILL = 4.0


async def answered_meanwhile(plan: dict[str, object], *parts: bytes, begun: bytes = b"") -> Tally:
    """The loop stands still from when the server has the request and has `begun`; the parts follow, 0.2 s between each."""
    loop = asyncio.get_running_loop()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(begun)
        await asyncio.sleep(0.2)
        loop.call_soon_threadsafe(time.sleep, STANDS_STILL)
        for part in parts:
            await asyncio.sleep(0.2)
            writer.write(part)
            await writer.drain()

    with serving(handler) as server:
        tally, _ = await run(a_plan(plan, {"concurrency": 1}), server.url)
    return tally


@pytest.mark.parametrize(
    "limit", [{}, {"timeoutSeconds": 60, "firstByteTimeoutSeconds": LIMIT}], ids=["whole", "first byte"]
)
async def test_an_answer_that_came_in_time_is_read_before_its_time_out_is_told(limit: dict[str, int]) -> None:
    """It lay there for longer than the time-out: the loop was late, not the target. So late is what the latency's uncertainty says."""
    tally = await answered_meanwhile(PAGE | {"timeoutSeconds": LIMIT} | limit, OK)

    chosen = tally.select()
    assert (chosen.counts.succeeded, chosen.counts.errors) == (1, {})
    assert chosen.histogram(Metric.E2E_LATENCY).max - tally.loop_lag(range(10)).max <= LIMIT * 1e6


async def test_a_stream_that_went_on_meanwhile_has_not_stalled() -> None:
    parts = (chunk(DELTA), chunk(DELTA), chunk(DONE) + chunk(b""))
    tally = await answered_meanwhile(
        CHAT | {"timeoutSeconds": 60, "stallTimeoutSeconds": LIMIT}, *parts, begun=STREAM_HEAD + chunk(DELTA)
    )

    assert (tally.select().counts.succeeded, tally.select().counts.errors) == (1, {})


async def test_an_opening_that_the_loop_had_no_turns_for_is_its_own() -> None:
    """Nobody accepts, but the loop stands still for half a second again and again: who knows?"""

    async def standing_still() -> None:
        while True:
            time.sleep(0.5)  # noqa: ASYNC251  that is the point
            await asyncio.sleep(0.05)

    still = asyncio.create_task(standing_still())
    with black_hole() as url:
        tally, _ = await run(a_plan(PAGE | {"timeoutSeconds": 1}, {"arrivalRate": 3}), url)
    still.cancel()

    counts = tally.select().counts
    assert counts.errors.keys() <= {"Local"}
    assert counts.failed + counts.late == counts.planned == 3


class Transport(asyncio.Transport):
    """Notes whether it is read."""

    def __init__(self) -> None:
        super().__init__({"ssl_object": object()})
        self.read = self.open = True

    def pause_reading(self) -> None:
        self.read = False

    def resume_reading(self) -> None:
        self.read = True

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self.open = False


class Nobody(Owner):
    """Whom nothing is reported to."""

    def opened(self, connection: object) -> None:
        pass

    def lost(self, connection: object) -> None:
        pass


@pytest.mark.parametrize(("size", "rests"), [(REST_AFTER - 1, False), (REST_AFTER, True)])
async def test_a_connection_that_brings_much_is_read_once_a_turn(size: int, rests: bool) -> None:
    """Three streams without an end kept the loop from everything else for a quarter of a second at a time: a connection that was long made
    was told as a time-out."""
    transport, connection = Transport(), BodyConnection(Nobody())
    connection.connection_made(transport)
    connection._passing = True
    connection._owner.received = 0

    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n".ljust(size, b"x"))
    assert transport.read is not rests

    await asyncio.sleep(0)
    assert transport.read
