"""The delay proxy: transparent without a delay, late by the latency with one, and never for longer than ordered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from plans import CHAT, PAGE, a_plan
from runs import run
from servers import OK, answering, serving

from fakes.bad import serve
from loadgen.model.plan import Metric
from loadgen.runtime.proxy.proxy import Proxy, parse_upstream

TOKEN = {"Authorization": "Bearer secret"}


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[str, str]]:
    """The proxy's URL for load and the one of its control API."""
    proxy = Proxy(parse_upstream(url))
    listener = await proxy.listen(0, "127.0.0.1")
    async with TestServer(proxy.application(b"secret")) as control:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", str(control.make_url("/"))
    listener.close()
    proxy.close()
    for client in list(proxy.clients):
        client.transport and client.transport.abort()
    await asyncio.sleep(0.05)


async def delay(control: str, milliseconds: int, seconds: float, jitter: int = 0) -> dict[str, int | None]:
    order = {"latencyMilliseconds": milliseconds, "durationSeconds": seconds, "jitterMilliseconds": jitter}
    async with ClientSession(control, headers=TOKEN) as session, session.put("/v1/delay", json=order) as answer:
        assert answer.status == 200
        found: dict[str, int | None] = await answer.json()
        return found


async def state(control: str) -> dict[str, int | None]:
    async with ClientSession(control, headers=TOKEN) as session, session.get("/v1/state") as answer:
        found: dict[str, int | None] = await answer.json()
        return found


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
    """200 ms (± jitter) on every answer, also on connections that were open before."""
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        given = await delay(control, 200, 30, jitter)
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 20}), through)

    assert given["delayMilliseconds"] == 200
    assert tally.select().counts.succeeded == 20
    histogram = tally.select().histogram(Metric.E2E_LATENCY)
    assert (200 - jitter) * 1000 <= histogram.percentile(1), "never earlier than ordered"
    assert histogram.percentile(50) <= 320_000


async def test_ends_by_itself() -> None:
    """The dead-man's switch: half of a 2 s run is late, then it is over."""
    plan = a_plan(PAGE, {"arrivalRate": 20}, {"arrivalRate": 20}, {"arrivalRate": 20})
    async with serving(answering(OK)) as url, proxied(url) as (through, control):
        await delay(control, 300, 1.2)
        tally, _ = await run(plan, through)
        after = await state(control)

    first, _, last = (tally.select(stages={index}).histogram(Metric.RESPONSE_TIME) for index in range(3))
    assert first.percentile(50) >= 300_000
    assert last.percentile(50) < 100_000
    assert after["delayMilliseconds"] == 0
    assert after["activeUntil"] is None
    assert after["recoveredAt"] is not None
    assert after["injectedAt"] is not None
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
    """DELETE ends a delay at once; a token is needed for everything."""
    async with serving(answering(OK)) as url, proxied(url) as (_, control):
        await delay(control, 100, 30)
        async with ClientSession(control) as session, session.delete("/v1/delay") as refused:
            assert refused.status == 401
        async with ClientSession(control, headers=TOKEN) as session, session.delete("/v1/delay") as answer:
            assert (await answer.json())["delayMilliseconds"] == 0


@pytest.mark.parametrize(
    "order", [{}, {"latencyMilliseconds": -1, "durationSeconds": 1}, {"latencyMilliseconds": 5, "durationSeconds": 0}]
)
async def test_bad_orders(order: dict[str, int]) -> None:
    """Refused with a sentence."""
    async with (
        serving(answering(OK)) as url,
        proxied(url) as (_, control),
        ClientSession(control, headers=TOKEN) as session,
        session.put("/v1/delay", json=order) as answer,
    ):
        assert answer.status == 400
        assert "error" in await answer.json()
