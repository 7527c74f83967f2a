"""What each fault of the proxy does to connections, held against what the other end really sent and saw."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from plans import a_plan
from runs import run
from servers import OK, Script, serving

from component.loadgen.test_proxy import ask, faults, proxied
from fakes.bad import request
from loadgen.model.plan import Metric
from loadgen.model.proxy import KINDS, DelayOrder, FaultOrder, PartitionOrder
from loadgen.runtime.clock import MILLISECOND, SECOND, monotonic_ns
from loadgen.runtime.proxy.effects import EFFECTS, Delay, Step, Way, request_of
from loadgen.runtime.proxy.injections import Injection, effect_of

BLOB = random.Random(1).randbytes(60_000)
"""What the server answers to `b`; to anything else with its first eight bytes."""


@dataclass
class Server:
    """Its own count of what came, to hold the proxy against."""

    url: str = ""
    taken: int = 0
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.heard.append(data)
                writer.write(BLOB if data == b"b" else data[:8])
                await writer.drain()
        writer.close()


@dataclass
class Play:
    """A server, a proxy before it, and connections through it."""

    server: Server
    port: int
    control: str
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def order(self, name: str = "f", seconds: float = 30, **kind: Any) -> None:
        await ask(self.control, "PUT", f"/v1/faults/{name}", {"run": 1, "durationSeconds": seconds, **kind})

    async def recover(self, name: str = "f") -> None:
        await ask(self.control, "DELETE", f"/v1/faults/{name}")

    async def effects(self, name: str = "f") -> int:
        return int((await faults(self.control))[name]["effects"])

    async def connect(self) -> "Talk":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(writer)
        return Talk(reader, writer)


@dataclass
class Talk:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def echo(self, size: int = 1, data: bytes = b"x", patience: float = 5) -> str:
        """`ok`, `reset`, `closed` or `silence`."""
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.reader.readexactly(size), patience)
        except asyncio.IncompleteReadError:
            return "closed"
        except OSError as error:
            return "silence" if isinstance(error, TimeoutError) else "reset"
        return "ok"


@asynccontextmanager
async def playing() -> AsyncIterator[Play]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with proxied(server.url) as (through, control):
        play = Play(server, int(through.rsplit(":", 1)[1]), control)
        try:
            yield play
        finally:
            for writer in play.opened:
                writer.transport.abort()
    listener.close()
    await asyncio.sleep(0.02)


def test_every_kind_has_its_effect() -> None:
    """The table is complete, and an order knows the one that it orders."""
    assert set(EFFECTS) == set(KINDS)
    assert list(FaultOrder(1, 1, partition=PartitionOrder()).kinds) == ["partition"]


async def test_partition_by_resets() -> None:
    """An open connection at its next byte, a new one at once; the target sees neither; afterwards all is well."""
    async with playing() as play:
        before = await play.connect()
        assert await before.echo() == "ok"
        await play.order(partition={})
        assert await before.echo() == "reset"
        assert await (await play.connect()).echo() == "reset"
        taken, heard = play.server.taken, len(play.server.heard)
        assert await play.effects() == 2
        await play.recover()
        assert await (await play.connect()).echo() == "ok"

    assert (taken, heard) == (1, 1)


async def test_partition_as_a_black_hole() -> None:
    """Nothing comes through either way, and what was sent meanwhile arrives when the fault has gone, once and in order."""
    async with playing() as play:
        before, other = await play.connect(), await play.connect()
        assert [await talk.echo() for talk in (before, other)] == ["ok", "ok"]
        await play.order(partition={"breaking": "BlackHole"})
        new = await play.connect()
        assert [await talk.echo(data=b"q", patience=0.2) for talk in (before, new)] == ["silence"] * 2
        assert play.server.heard == [b"x", b"x"]
        before.writer.write(b"r")
        await asyncio.sleep(0.05)
        await play.recover()
        assert await asyncio.wait_for(before.reader.readexactly(2), 5) == b"qr"
        assert await asyncio.wait_for(new.reader.readexactly(1), 5) == b"q"
        assert await other.echo() == "ok"


@pytest.mark.parametrize("share", [10, 30, 100])
async def test_a_share_of_the_connections(share: int) -> None:
    """Of a hundred that are open, the share within two; one that was spared stays spared."""
    async with playing() as play:
        talks = [await play.connect() for _ in range(100)]
        assert {await talk.echo() for talk in talks} == {"ok"}
        await play.order(partition={"connectionsPercent": share})
        ends = [await talk.echo() for talk in talks]
        spared = [talk for talk, end in zip(talks, ends, strict=True) if end == "ok"]
        assert {await talk.echo() for talk in spared} <= {"ok"}

    assert set(ends) <= {"ok", "reset"}
    assert abs(ends.count("reset") - share) <= 2


async def test_loss_breaks_as_often_as_asked_for() -> None:
    """A quarter of the answers: an answer is one read here. The chance of fewer than 15 or more than 90 of 200 is below 1e-8."""
    async with playing() as play:
        await play.order(loss={"percent": "25"})
        ends = [await (await play.connect()).echo() for _ in range(200)]
        lost = await play.effects()

    assert set(ends) == {"ok", "reset"}
    assert ends.count("reset") == lost
    assert 15 <= lost <= 90
    assert play.server.taken == 200, "what was asked arrived; only answers are lost"


async def test_loss_as_a_black_hole() -> None:
    """The answer that was lost comes when the fault has gone, as TCP would send it again."""
    async with playing() as play:
        talk = await play.connect()
        await play.order(loss={"percent": 100, "breaking": "BlackHole"})
        assert await talk.echo(patience=0.2) == "silence"
        await play.recover()
        assert await asyncio.wait_for(talk.reader.readexactly(1), 5) == b"x"


async def test_bandwidth_is_shared_by_all() -> None:
    """Three answers of 60 kB over one line of 200 kB/s take 0.9 s, not 0.3; both get on, and every byte arrives as it was sent."""
    async with playing() as play:
        talks = [await play.connect() for _ in range(3)]
        await play.order(bandwidth={"bytesPerSecond": 200_000})
        begin = monotonic_ns()
        for talk in talks:
            talk.writer.write(b"b")
        got = await asyncio.wait_for(asyncio.gather(*(_timed(talk, begin) for talk in talks)), 20)

    assert [data for data, _ in got] == [BLOB] * 3
    assert max(took for _, took in got) >= 0.9 * SECOND
    assert min(took for _, took in got) >= 0.6 * SECOND, "they share it: none is served before the others"


async def _timed(talk: Talk, begin: int) -> tuple[bytes, int]:
    data = await talk.reader.readexactly(len(BLOB))
    return data, monotonic_ns() - begin


async def test_bandwidth_has_two_directions() -> None:
    """40 kB up at 100 kB/s take 0.4 s to be heard, on the line of their own."""
    async with playing() as play:
        talk = await play.connect()
        await play.order(bandwidth={"bytesPerSecond": 100_000})
        begin = monotonic_ns()
        talk.writer.write(bytes(40_000))
        while sum(map(len, play.server.heard)) < 40_000:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        took = monotonic_ns() - begin

    assert took >= 0.4 * SECOND


async def test_a_line_is_wide_again_when_the_fault_has_gone() -> None:
    """What waited for it does not wait any longer: 60 kB at 1 kB/s would take a minute."""
    async with playing() as play:
        talk = await play.connect()
        await play.order(bandwidth={"bytesPerSecond": 1000})
        talk.writer.write(b"b")
        await asyncio.sleep(0.3)
        await play.recover()
        assert await asyncio.wait_for(talk.reader.readexactly(len(BLOB)), 10) == BLOB


async def test_faults_of_two_kinds_compose() -> None:
    """Late by the delay, then narrowed: 20 kB at 100 kB/s after 200 ms and 200 ms more for the opening."""
    async with playing() as play:
        await play.order("slow", delay={"latencyMilliseconds": 200})
        await play.order("narrow", bandwidth={"bytesPerSecond": 300_000})
        talk = await play.connect()
        begin = monotonic_ns()
        talk.writer.write(b"b")
        await asyncio.wait_for(talk.reader.readexactly(len(BLOB)), 10)
        took = monotonic_ns() - begin

    assert took >= 0.6 * SECOND


@pytest.mark.parametrize("percent", [0, 80])
def test_jitter_keeps_its_spread_and_is_correlated_as_asked(percent: int) -> None:
    """The correlation of neighbours is the one asked for within 0.05, and the delay stays uniform between its ends."""
    effect = Delay(DelayOrder(100, 50, percent))
    drawn = [effect.rule(Step(Way.DOWN, 1))[0] / MILLISECOND for _ in range(20_000)]
    mean = sum(drawn) / len(drawn)
    spread = sum((each - mean) ** 2 for each in drawn) / len(drawn)
    together = sum((a - mean) * (b - mean) for a, b in itertools.pairwise(drawn)) / len(drawn)

    assert 50 <= min(drawn) < 52
    assert 148 < max(drawn) <= 150
    assert spread == pytest.approx(100**2 / 12, rel=0.1)
    assert together / spread == pytest.approx(percent / 100, abs=0.05)


def test_the_share_keeps_no_rhythm() -> None:
    """Half of the connections, and half of every second and every third of them: no kind of request is spared."""
    order = FaultOrder(1, 1, partition=PartitionOrder(connections_percent=50))
    injection = Injection("f", order, effect_of(order))
    hit = [injection.chooses() for _ in range(600)]

    assert sum(hit) == pytest.approx(300, abs=3)
    assert sum(hit[::2]) == pytest.approx(150, abs=5)
    assert sum(hit[::3]) == pytest.approx(100, abs=5)


def counting(seen: list[str]) -> Script:
    """Says OK, and by their methods which requests came."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append((await request(reader)).split(b" ", 1)[0].decode())
            writer.write(OK)

    return script


HTTP_FAULTS = {
    "every request of one name is answered by the proxy": ({"request": "buy", "statusCode": 503}, {"Http503"}, 30, 30),
    "every request of one name is reset": ({"request": "buy"}, {"ConnectionLost"}, 30, 30),
    "half of them": ({"request": "buy", "percent": "50", "statusCode": 429}, {"Http429"}, 3, 27),
}
PAGES = (
    {"name": "buy", "http": {"path": "/", "method": "POST", "body": "x" * 3000}},
    {"name": "look", "http": {"path": "/"}},
)


@pytest.mark.parametrize(("order", "errors", "least", "most"), HTTP_FAULTS.values(), ids=HTTP_FAULTS)
async def test_requests_of_one_name_are_aborted(order: dict[str, Any], errors: set[str], least: int, most: int) -> None:
    """On the same path of the same server the others go through; what was aborted never reached it."""
    seen: list[str] = []
    async with serving(counting(seen)) as url, proxied(url) as (through, control):
        body = {"run": 1, "durationSeconds": 30, "httpAbort": order}
        await ask(control, "PUT", "/v1/faults/f", body)
        tally, _ = await run(a_plan([*PAGES], {"arrivalRate": 60}), url, via=through.removeprefix("http://"))
        felt = (await faults(control))["f"]["effects"]

    buy, look = (tally.select(requests={index}).counts for index in range(2))
    assert (look.errors, look.succeeded) == ({}, seen.count("GET"))
    assert set(buy.errors) == errors
    assert sum(buy.errors.values()) == felt
    assert buy.succeeded == seen.count("POST")
    assert least * buy.sent <= 30 * felt <= most * buy.sent


async def test_requests_of_one_name_are_held_back() -> None:
    """200 ms for one kind, and the others are as fast as without."""
    async with serving(counting([])) as url, proxied(url) as (through, control):
        body = {"run": 1, "durationSeconds": 30, "httpDelay": {"request": "buy", "delayMilliseconds": 200}}
        await ask(control, "PUT", "/v1/faults/f", body)
        tally, _ = await run(a_plan([*PAGES], {"arrivalRate": 60}), url, via=through.removeprefix("http://"))

    buy, look = (tally.select(requests={index}).histogram(Metric.E2E_LATENCY) for index in range(2))
    assert buy.percentile(1) >= 200_000
    assert look.percentile(50) < 150_000


READS = {
    "a request": (b"GET /a?b HTTP/1.1\r\nX-Loadtest-Request: buy-2\r\nHost: x\r\n\r\n", "buy-2"),
    "without a mark": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "more of a body": (b"xx GET / HTTP/1.1\r\nX-Loadtest-Request: buy\r\n", None),
    "TLS": (b"\x16\x03\x01\x02", None),
}


@pytest.mark.parametrize(("data", "name"), READS.values(), ids=READS)
def test_the_name_of_a_request(data: bytes, name: str | None) -> None:
    """Only what begins a request has one."""
    assert request_of(data) == name
