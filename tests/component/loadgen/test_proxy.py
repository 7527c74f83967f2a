"""The delay proxy: transparent without a delay, late by the latency with one, and never for longer than ordered."""

import asyncio
import contextlib
import errno
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from plans import CHAT, PAGE, a_plan
from runs import run
from servers import OK, answering, serving

from fakes.bad import serve
from loadgen.core.stats.histogram import Histogram
from loadgen.model.plan import Metric
from loadgen.runtime.clock import monotonic_ns
from loadgen.runtime.proxy.control import Control
from loadgen.runtime.proxy.main import parse_upstream
from loadgen.runtime.proxy.path import Proxy, own_failure
from loadgen.runtime.proxy.pulse import Pulses, listen_overflows
from loadgen.runtime.proxy.rest import added_at_rest
from loadgen.runtime.proxy.upstream import Upstream

TOKEN = {"Authorization": "Bearer secret"}


@asynccontextmanager
async def proxied(url: str, pulses: Pulses | None = None) -> AsyncIterator[tuple[str, str]]:
    """The proxy's URL for load and the one of its control API."""
    proxy = Proxy(parse_upstream(url))
    pulses = pulses or Pulses(lambda: proxy.refused)
    listener = await proxy.listen(0, "127.0.0.1")
    async with TestServer(Control(proxy, pulses).application(b"secret")) as control:
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", str(control.make_url("/"))
        finally:
            listener.close()
            proxy.close()
            await asyncio.sleep(0.05)


async def ask(control: str, method: str, path: str, body: object = None, status: int = 200) -> Any:
    async with (
        ClientSession(control, headers=TOKEN) as session,
        session.request(method, path, json=body) as answer,
    ):
        assert answer.status == status, await answer.text()
        return await answer.json()


async def delay(control: str, milliseconds: int, seconds: float, jitter: int = 0, name: str = "slow") -> Any:
    """The record of the fault."""
    latency = {"latencyMilliseconds": milliseconds, "jitterMilliseconds": jitter}
    order = {"run": 1, "durationSeconds": seconds, "delay": latency}
    state = await ask(control, "PUT", f"/v1/faults/{name}", order)
    return next(fault for fault in state["faults"] if fault["name"] == name)


async def faults(control: str) -> dict[str, Any]:
    """All records by name."""
    return {fault["name"]: fault for fault in (await ask(control, "GET", "/v1/state"))["faults"]}


async def test_transparent_without_a_delay() -> None:
    """A hop costs little and loses nothing."""
    async with serving(answering(OK)) as url, proxied(url) as (through, _):
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 50}), through)

    assert tally.select().counts.succeeded == 50
    assert tally.select().histogram(Metric.E2E_LATENCY).percentile(50) < 50_000


async def test_keeps_what_comes_before_the_target_is_connected() -> None:
    """A client that sends in the same packet as its handshake's end, on uvloop too, where a pause at that time is lost."""
    async with serving(answering(OK)) as url, proxied(url) as (through, _):
        port = int(through.rsplit(":", 1)[1])
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            writer.write_eof()
            assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")
            writer.close()


@pytest.mark.parametrize("jitter", [0, 50])
async def test_delays_the_answers(jitter: int) -> None:
    """200 ms (± jitter) on every answer, and once more where the connection had to be opened first."""
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        given = await delay(control, 200, 30, jitter)
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 20}), through)

    assert given["recoveredAt"] is None
    assert tally.select().counts.succeeded == 20
    histogram = tally.select().histogram(Metric.E2E_LATENCY)
    assert (200 - jitter) * 1000 <= histogram.percentile(1), "never earlier than ordered"
    assert histogram.percentile(50) <= 2 * (200 + jitter) * 1000 + 120_000


async def test_ends_by_itself() -> None:
    """The dead-man's switch: half of a 2 s run is late, then it is over."""
    plan = a_plan(PAGE, {"arrivalRate": 20}, {"arrivalRate": 20}, {"arrivalRate": 20})
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        await delay(control, 300, 1.2)
        tally, _ = await run(plan, through)
        after = (await faults(control))["slow"]

    first, _, last = (tally.select(stages={index}).histogram(Metric.RESPONSE_TIME) for index in range(3))
    assert first.percentile(50) >= 300_000
    assert last.percentile(50) < 100_000
    assert after["effects"] >= 20
    assert 1.19e9 <= after["recoveredAt"] - after["injectedAt"] < 2e9


async def test_order_is_kept_under_jitter() -> None:
    """A stream through a jittering proxy stays a stream: nothing overtakes."""
    with serve("endless-slow-stream") as server:
        async with proxied(server.url) as (through, control):
            await delay(control, 60, 30, 60)
            tally, _ = await run(a_plan(CHAT | {"timeoutSeconds": 1}, {"arrivalRate": 3}), through)

    assert tally.select().counts.errors == {"TotalTimeout": 3}


async def test_resets_and_closings_are_passed_on() -> None:
    """A broken target looks as broken behind the proxy."""
    with serve("reset-in-body") as resetting, serve("close-in-body") as closing:
        async with proxied(resetting.url) as (one, _), proxied(closing.url) as (two, _):
            reset, _ = await run(a_plan(CHAT, {"arrivalRate": 3}), one)
            closed, _ = await run(a_plan(CHAT, {"arrivalRate": 3}), two)

    assert reset.select().counts.errors == {"ConnectionLost": 3}
    assert closed.select().counts.errors == {"StreamTruncated": 3}


async def test_withdrawn() -> None:
    """DELETE ends a fault at once, again and again; a token is needed for everything."""
    async with serving(answering(OK)) as url, proxied(url) as (_, control):
        await delay(control, 100, 30)
        async with ClientSession(control) as session, session.delete("/v1/faults/slow") as refused:
            assert refused.status == 401
        first = await ask(control, "DELETE", "/v1/faults/slow")
        again = await ask(control, "DELETE", "/v1/faults/slow")

    assert first["faults"][0]["recoveredAt"] is not None
    assert again["faults"] == first["faults"]


async def test_one_faults_end_is_not_anothers() -> None:
    """Two that overlap: each has its own record, the first's end leaves the second in force, their delays add up."""
    plan = a_plan(PAGE, {"arrivalRate": 20})
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        await delay(control, 100, 30, name="a")
        await delay(control, 150, 30, name="b")
        both, _ = await run(plan, through)
        await ask(control, "DELETE", "/v1/faults/a")
        one, _ = await run(plan, through)
        records = await faults(control)

    assert both.select().histogram(Metric.E2E_LATENCY).percentile(1) >= 250_000
    assert 150_000 <= one.select().histogram(Metric.E2E_LATENCY).percentile(1) < 250_000
    assert records["a"]["recoveredAt"] is not None
    assert records["b"]["recoveredAt"] is None


async def test_an_order_that_comes_twice_is_one_fault() -> None:
    """Also after the fault has gone: whoever did not hear the answer asks again."""
    async with serving(answering(OK)) as url, proxied(url) as (_, control):
        first = await delay(control, 100, 30)
        again = await delay(control, 100, 30)
        gone = (await ask(control, "DELETE", "/v1/faults/slow"))["faults"]
        after = await delay(control, 100, 30)

    assert (again["injectedAt"], again["until"]) == (first["injectedAt"], first["until"])
    assert after == gone[0]


async def test_a_new_connection_waits_as_under_netem() -> None:
    """The target's SYN-ACK would be late by the latency, and then its answer: twice the latency for the first request."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        await delay(control, 150, 30)
        begin = monotonic_ns()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(through.rsplit(":", 1)[1]))
        writer.write(request)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        took = (monotonic_ns() - begin) / 1e6
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200")
    assert took >= 300


async def test_a_client_that_leaves_before_its_connection_is_opened_leaves_nothing() -> None:
    """Held back by a minute, then gone: the target's end goes, too."""
    gone = asyncio.Event()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with proxied(url) as (through, control):
        await delay(control, 60_000, 60)
        _, writer = await asyncio.open_connection("127.0.0.1", int(through.rsplit(":", 1)[1]))
        while not (await ask(control, "GET", "/v1/state"))["faults"][0]["effects"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # A mere close would look like a half-close, which may still want its answer.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 10)
    server.close()


BAD_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing in it": ({}, "run"),
    "a delay that is negative": (
        {"run": 1, "durationSeconds": 1, "delay": {"latencyMilliseconds": -1}}, "delay.latencyMilliseconds is -1",
    ),
    "more jitter than delay": (
        {"run": 1, "durationSeconds": 1, "delay": {"latencyMilliseconds": 1, "jitterMilliseconds": 2}},
        "delay.jitterMilliseconds is 2",
    ),
    "no end": ({"run": 1, "durationSeconds": 0, "delay": {"latencyMilliseconds": 5}}, "durationSeconds is 0"),
    "of a kind that is not known": ({"run": 1, "durationSeconds": 1, "gremlins": {}}, "gremlins"),
    "of no kind": ({"run": 1, "durationSeconds": 1}, "the order has no kind: give exactly one of delay, loss"),
    "of two kinds": (
        {"run": 1, "durationSeconds": 1, "partition": {}, "bandwidth": {"bytesPerSecond": 5000}},
        "the order has bandwidth, partition: give exactly one of",
    ),
    "a loss of more than all": (
        {"run": 1, "durationSeconds": 1, "loss": {"percent": "100.5"}}, "loss.percent is 100.5: use 0 to 100",
    ),
    "no line at all": (
        {"run": 1, "durationSeconds": 1, "bandwidth": {"bytesPerSecond": 0}}, "bandwidth.bytesPerSecond is 0: use 1000 to",
    ),
    "no connection": (
        {"run": 1, "durationSeconds": 1, "partition": {"connectionsPercent": 0}}, "partition.connectionsPercent is 0",
    ),
    "a way to break that is not known": ({"run": 1, "durationSeconds": 1, "partition": {"breaking": "Softly"}}, "Softly"),
}  # fmt: skip


@pytest.mark.parametrize(("order", "said"), BAD_ORDERS.values(), ids=BAD_ORDERS)
async def test_bad_orders(order: dict[str, Any], said: str) -> None:
    """Refused with a sentence that names the field and the value."""
    async with serving(answering(OK)) as url, proxied(url) as (_, control):
        answer = await ask(control, "PUT", "/v1/faults/slow", order, status=400)

    assert said in answer["error"]


async def test_it_measures_itself() -> None:
    """Second by second, to be asked for from any number on; what it cannot take for lack of its own means is told."""
    refused = 0
    pulses = Pulses(lambda: refused)
    async with serving(answering(OK)) as url, proxied(url, pulses) as (_, control):
        pulses.begin()
        refused = 3
        while len(pulses.done) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        pulses.close()
        every = await ask(control, "GET", "/v1/state")
        later = await ask(control, "GET", "/v1/state?after=1")
        await ask(control, "GET", "/v1/state?after=x", status=400)

    assert every["last"] == len(every["pulses"]) == len(pulses.done)
    assert later["pulses"] == every["pulses"][1:]
    assert every["pulses"][0]["refused"] == 3
    assert sum(every["pulses"][0]["loopLag"][1]) > 0
    assert all(pulse["microseconds"] >= 1_000_000 for pulse in every["pulses"])
    assert 0 < every["cores"] <= 1


async def test_a_loop_that_stood_still_shows_in_its_lag() -> None:
    """Each probe that should have rung meanwhile counts with its own lag: a stop of 0.4 s is many bad values."""
    pulses = Pulses(lambda: 0)
    pulses.begin()
    await asyncio.sleep(0.05)
    time.sleep(0.4)  # noqa: ASYNC251 - that is the point
    while not pulses.done:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    pulses.close()

    lag = Histogram()
    lag.add(pulses.done[0].loop_lag)
    assert lag.max >= 350_000
    assert lag.percentile(90) > 50_000


async def test_what_it_adds_at_rest_is_measured() -> None:
    """Little, whatever else the machine does: the median of differences of turns beside each other."""
    found = await added_at_rest(50)

    assert found is not None
    assert found.turns == 50
    assert 0 <= found.p50_microseconds <= found.p99_microseconds


def test_a_full_backlog_is_read_from_the_kernel(tmp_path: Path) -> None:
    """The column by its name; nothing where the file is not there."""
    table = tmp_path / "netstat"
    table.write_text("TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 7 9\nIpExt: InOctets\nIpExt: 5\n")

    assert (listen_overflows(table), listen_overflows(tmp_path / "none")) == (7, 0)


FAILURES = {
    "no file is left": (OSError(errno.EMFILE, "x"), True),
    "no port is left": (OSError(errno.EADDRNOTAVAIL, "x"), True),
    "the name has no address": (socket.gaierror(-2, "x"), True),
    "the target refuses": (ConnectionRefusedError(errno.ECONNREFUSED, "x"), False),
    "nothing went wrong": (None, False),
}


@pytest.mark.parametrize(("error", "own"), FAILURES.values(), ids=FAILURES)
def test_whose_failure_it_is(error: BaseException | None, own: bool) -> None:
    """What the proxy lacks is never the target's fault."""
    assert own_failure(error) is own


async def test_the_targets_name_is_looked_up_once_for_many_connections() -> None:
    """And of several addresses the first that takes a connection is used."""
    asked: list[str] = []

    async def lookup(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2", "127.0.0.1"]

    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    upstream = Upstream("web.demo.svc", server.sockets[0].getsockname()[1], lookup)
    made = await asyncio.gather(*(upstream.connect(asyncio.Protocol) for _ in range(5)))
    server.close()
    await asyncio.sleep(0.05)

    assert len(made) == 5
    assert len(asked) <= 2


async def test_a_name_without_an_address_is_not_the_targets_failure() -> None:
    """It is told as the proxy's own, and the worker sees its connection go."""

    async def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    proxy = Proxy(Upstream("nowhere", 80, lookup))
    listener = await proxy.listen(0, "127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1])
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    listener.close()
    proxy.close()

    assert proxy.refused == 1
