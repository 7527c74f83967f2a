"""Whose fault it is that a request has no connection, and that nobody pays for another's."""

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plans import CHAT, PAGE, a_plan
from runs import excused, run
from servers import OK, Script, answering, serving, wait

from fakes.bad import black_hole, request, unused_port
from loadgen.model.plan import Connections, Metric
from loadgen.model.wire import Failure
from loadgen.runtime.clock import MILLISECOND, SECOND, monotonic_ns
from loadgen.runtime.http.connection import Connection
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.faults import class_of, most_telling
from loadgen.runtime.http.openings import AT_ONCE, Opened, Openings
from loadgen.runtime.http.pool import Pool
from loadgen.runtime.http.target import Address, Target
from loadgen.runtime.kinds.table import HttpKind


def a_kind(seconds: int = 60) -> HttpKind:
    return HttpKind(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", frozenset({200}), False, True, seconds * SECOND)


def an_exchange(kind: HttpKind | None = None) -> Exchange:
    now = monotonic_ns()
    return Exchange(kind or a_kind(), 0, 0, now, now)


class Ends:
    """Writes down what becomes of exchanges."""

    def __init__(self) -> None:
        self.failures: dict[Exchange, str | None] = {}
        self.turns: list[Exchange] = []
        self._ended = asyncio.Event()

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        self.failures[exchange] = failure
        self._ended.set()

    async def of(self, exchange: Exchange) -> None:
        """Until it has ended."""
        async with asyncio.timeout(20):
            while exchange not in self.failures:
                self._ended.clear()
                await self._ended.wait()

    def acted(self, exchange: Exchange, now: int) -> None:
        self.turns.append(exchange)


class Attempts:
    """Openings that end when the test says so."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Opened]] = []

    async def __call__(self) -> Opened:
        self.futures.append(asyncio.get_running_loop().create_future())
        return await self.futures[-1]

    async def end(self, number: int, connection: Connection | None, failure: Failure | None = None) -> None:
        self.futures[number].set_result((connection, failure))
        await turns()


class Line:
    """A connection that only notes what it is given."""

    alive = True

    def __init__(self) -> None:
        self.sent: list[Exchange] = []

    def send(self, exchange: Exchange) -> None:
        self.sent.append(exchange)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_openings_fate_is_its_own_requests_alone() -> None:
    """The second one's refusal is no other's, and the third one's connection is its own."""
    ends, attempts, line = Ends(), Attempts(), Line()
    openings = Openings(attempts, ends, lambda _: None)
    first, second, third = (an_exchange() for _ in range(3))
    for one in (first, second, third):
        openings.join(one)
    await turns()

    await attempts.end(1, None, Failure.CONNECT_REFUSED)
    await attempts.end(2, line)  # type: ignore[arg-type]

    assert ends.failures == {second: Failure.CONNECT_REFUSED}
    assert line.sent == [third]
    assert list(openings.waiting) == [first]
    openings.close()


async def test_an_opening_whose_request_was_served_serves_the_next_in_the_queue() -> None:
    """A connection that became free goes to whoever waits longest; nothing is opened twice for one request."""
    ends, attempts = Ends(), Attempts()
    kept: list[Connection] = []
    openings = Openings(attempts, ends, kept.append)
    several = [an_exchange() for _ in range(AT_ONCE + 1)]
    for one in several:
        openings.join(one)
    await turns()
    assert len(attempts.futures) == AT_ONCE
    assert ends.turns == several[:-1]

    assert openings.next() is several[0]
    line = Line()
    await attempts.end(0, line)  # type: ignore[arg-type]

    assert ends.turns == several
    assert line.sent == [several[-1]]
    assert len(attempts.futures) == AT_ONCE
    openings.close()


async def test_who_took_an_opening_over_does_not_fail_with_its_time_out() -> None:
    """It had only a part of the time: it gets an opening of its own."""
    ends, attempts = Ends(), Attempts()
    openings = Openings(attempts, ends, lambda _: None)
    first, second = an_exchange(), an_exchange()
    openings.join(first)
    openings.next()
    openings.join(second)
    await turns()

    await attempts.end(0, None, Failure.CONNECT_TIMEOUT)

    assert ends.failures == {}
    assert list(openings.waiting) == [second]
    assert len(attempts.futures) == 2
    openings.close()


@pytest.mark.parametrize(("moving", "blamed"), [(True, Failure.LOCAL), (False, Failure.CONNECT_TIMEOUT)])
async def test_whose_turn_never_comes(moving: bool, blamed: Failure) -> None:
    """The generator's, while others are served; the target's, where it takes no connection at all."""
    ends, attempts = Ends(), Attempts()
    openings = Openings(attempts, ends, lambda _: None)
    several = [an_exchange() for _ in range(AT_ONCE + 2)]
    for one in several:
        openings.join(one)
    await turns()
    if moving:
        await attempts.end(0, Line())  # type: ignore[arg-type]

    assert openings.leave(several[-1]) is blamed
    assert (several[-1] in ends.turns) is moving  # its wait is then the generator's lag
    assert openings.leave(several[1]) is Failure.CONNECT_TIMEOUT
    openings.close()


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.EADDRNOTAVAIL, "Local"),
        (errno.EMFILE, "Local"),
        (errno.ENFILE, "Local"),
        (errno.ENOBUFS, "Local"),
        (errno.ENOMEM, "Local"),
        (errno.EPERM, "Local"),
        (errno.ECONNREFUSED, "ConnectRefused"),
        (errno.ENETUNREACH, "ConnectRefused"),
        (errno.EHOSTUNREACH, "ConnectRefused"),
        (errno.ETIMEDOUT, "ConnectTimeout"),
    ],
)
def test_whose_fault_an_opening_is(number: int, failure: str, tls: bool) -> None:
    assert class_of(OSError(number, os.strerror(number)), tls=tls) == failure


def test_of_several_addresses_the_most_telling_error_counts() -> None:
    """No route for one family, or no port left, says nothing of the target that refused or did not answer."""
    unreachable, refused = OSError(errno.ENETUNREACH, ""), ConnectionRefusedError(errno.ECONNREFUSED, "")
    ports, late = OSError(errno.EADDRNOTAVAIL, ""), TimeoutError()

    assert most_telling([unreachable, refused, ports]) is refused
    assert most_telling([unreachable, late]) is late
    assert most_telling([ports, unreachable]) is unreachable
    assert most_telling([ports]) is ports


class Names:
    """A resolver with fixed answers."""

    def __init__(self, *addresses: Address) -> None:
        self._addresses = list(addresses)

    async def resolve(self) -> list[Address]:
        return self._addresses


@pytest.mark.parametrize("other", ["2001:db8::1", "::1", "127.0.0.1"])
async def test_every_address_of_a_name_is_tried(other: str) -> None:
    """IPv6 without a route, without an address of our own, or an address that refuses: the next one is good."""
    async with serving(answering(OK)) as url:
        port = int(url.rpartition(":")[2])
        ends, exchange = Ends(), an_exchange()
        pool = Pool(Target.parse("http://both.example"), Connections(), ends, (exchange.kind,))
        pool._resolver = Names((other, unused_port()), ("127.0.0.1", port))  # type: ignore[assignment]
        pool.dispatch(exchange)
        await ends.of(exchange)
        pool.close()
        await turns()

    assert ends.failures == {exchange: None}


async def test_a_short_time_out_beside_a_long_one_fails_alone() -> None:
    """Nobody accepts: the page's second is up, and the chat, which has a minute, has not failed with it."""
    requests = [PAGE | {"timeoutSeconds": 1, "ratePerSecond": 2}, CHAT | {"timeoutSeconds": 60}]
    with black_hole() as url:
        tally, _ = await run(a_plan(requests, {"arrivalRate": 2}, gracefulStopSeconds=2), url)

    page, chat = (tally.select(requests={index}).counts for index in (0, 1))
    assert page.failed + page.dropped == 2
    assert page.errors.keys() <= {"ConnectTimeout"} | excused(tally, 1)
    assert (chat.errors, chat.incomplete + chat.dropped) == ({}, 2)
    assert chat.dropped == chat.late, "only where this machine was a second late"


async def test_every_arrivals_lag_is_known() -> None:
    """Whether it found a connection or had one opened; the time of the opening is not the generator's."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)

    async with serving(once) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 100}, connections={"maxRequests": 2}), url)

    counts = tally.select().counts
    assert counts.succeeded == counts.planned == 100
    assert tally.schedule_lag(range(10)).count == 100


async def test_a_time_out_in_a_closed_stage_counts_at_its_value() -> None:
    """From the sending, as everything in a closed stage."""

    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await asyncio.sleep(60)

    async with serving(silence) as url:
        tally, _ = await run(a_plan(PAGE | {"timeoutSeconds": 1}, {"concurrency": 3}), url)

    chosen = tally.select()
    assert chosen.counts.errors == {"TotalTimeout": 3}
    histogram = chosen.histogram(Metric.RESPONSE_TIME)
    assert (histogram.count, histogram.total) == (3, 3_000_000)


async def test_closing_many_idle_connections_is_not_quadratic() -> None:
    """Counted, not timed: no search for each one that goes."""
    ends, exchange = Ends(), an_exchange()
    pool = Pool(Target.parse("http://127.0.0.1:1"), Connections(), ends, (exchange.kind,))

    class Counting(Connection):
        __slots__ = ()
        compared = 0
        __hash__ = Connection.__hash__

        def __eq__(self, other: object) -> bool:
            Counting.compared += 1
            return self is other

    several = [Counting(pool) for _ in range(1000)]
    for one in several:
        one.alive = True
        pool.opened(one)
        pool._idle.append(one)
    for one in reversed(several[:500]):
        one.connection_lost(None)
    pool.retire()

    assert pool._idle == several[500:]
    assert Counting.compared <= 1000


def stale_after(seconds: float) -> Script:
    """The second request of a connection meets its end, whose news takes a while."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)
        await wait(seconds)

    return script


async def test_news_of_a_closing_takes_a_round_trip() -> None:
    """A connection that took long to open is far away: its closing may be seen later and has crossed the request all the same."""
    ends, kind = Ends(), a_kind()
    async with serving(stale_after(0.3)) as url:
        pool = Pool(Target.parse(url), Connections(), ends, (kind,))
        for _ in range(2):
            exchange = an_exchange(kind)
            pool.dispatch(exchange)
            await ends.of(exchange)
            pool._quickest = 400 * MILLISECOND
        pool.close()
        await turns()

    assert list(ends.failures.values()) == [None, None]


LIMITED = """
requests:
- {name: page, http: {path: /}}
load:
  gracefulStopSeconds: 3
  stages: [{name: main, durationSeconds: 3, concurrency: 60}]
"""


@contextlib.contextmanager
def holding(connections: int) -> Iterator[str]:
    """A server that takes connections and holds them: each request needs one of its own for a while."""
    from fakes.serving import serving as in_thread

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            await asyncio.sleep(0.3)
            writer.write(OK)

    with in_thread(behave) as server:
        yield server.url


def test_a_machine_without_files_left_is_its_own_limit(tmp_path: Path) -> None:
    """`ulimit -n` is reached: Inconclusive, and the sentence says which limits to raise; the target has done nothing wrong."""
    plan, report = tmp_path / "plan.yaml", tmp_path / "r.json"
    plan.write_text(LIMITED)
    with holding(60) as url:
        command = f'ulimit -n 40; exec "{sys.executable}" -m loadgen run {plan} --url {url} --workers 1 --out {report}'
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 3, done.stdout + done.stderr
    assert "failure Local" in report.read_text()
    assert "ulimit -n" in done.stdout
