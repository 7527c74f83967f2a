"""The generator's own connections and the compatible client, side by side: the same counts, the same classes."""

import asyncio
from typing import Any

import pytest
from plans import CHAT, PAGE, WHOLE, a_plan
from runs import run
from servers import OK, Script, answering, by_method, serving, slowly

from fakes.bad import DELTA, DONE, ERROR_EVENT, STREAM_HEAD, body, chunk, request, silence, unused_port
from loadgen.core.stats.tally import Selection
from loadgen.model.plan import Metric
from loadgen.runtime.worker.calibration import NullResponder, NullServer, ceiling

CLIENTS = ("Native", "Compatible")
CALL: dict[str, Any] = {"name": "call", "gradio": {"apiName": "predict", "data": '["hi"]'}}
TALK: dict[str, Any] = {"name": "talk", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "turns": 2}}
FULL = STREAM_HEAD + chunk(DELTA) + chunk(DELTA) + chunk(DONE) + chunk(b"")
JOIN: dict[str, Any] = {"name": "join", "gradio": {"fnIndex": 0, "data": '["hi"]', "protocol": "QueueJoin"}}
GRADIO = STREAM_HEAD + chunk(b'event: complete\ndata: ["hi"]\n\n') + chunk(b"")
COMPLETED = STREAM_HEAD + chunk(b'data: {"msg":"process_completed","output":{"data":["hi"]}}\n\n') + chunk(b"")


def status(line: str) -> Script:
    return answering(f"HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nno".encode())


def closing(data: bytes) -> Script:
    """An answer and the end, without a word."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(data)

    return script


ORDINARY: dict[str, tuple[dict[str, Any], Script, dict[str, int]]] = {
    "ok": (PAGE, answering(OK), {}),
    "ok, without a body": (PAGE | {"http": {"method": "HEAD"}}, answering(OK[:-2]), {}),
    "404": (PAGE, status("404 Not Found"), {"Http404": 4}),
    "500": (CHAT, status("500 Broken"), {"Http500": 4}),
    "a redirect": (PAGE, answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), {"Http302": 4}),
    "garbage": (PAGE, closing(b"garbage\r\n\r\n"), {"Parse": 4}),
    "a body that is cut": (PAGE, closing(OK[:-1]), {"ConnectionLost": 4}),
    "closed without an answer": (PAGE, closing(b""), {"ConnectionLost": 4}),
    "closed after every answer": (PAGE, closing(OK), {}),
    "silence": (PAGE, silence, {"TotalTimeout": 4}),
    "silence, sooner": (PAGE | {"firstByteTimeoutSeconds": 1}, silence, {"FirstByteTimeout": 4}),
    "a stream": (CHAT, answering(FULL), {}),
    "streams on connections that close": (CHAT, closing(FULL), {}),
    "a stream with an error": (CHAT, answering(STREAM_HEAD + chunk(ERROR_EVENT) + chunk(b"")), {"StreamError": 4}),
    "a stream of nonsense": (CHAT, answering(STREAM_HEAD + chunk(b"data: {\n\n") + chunk(b"")), {"Parse": 4}),
    "a stream that is cut": (CHAT, closing(STREAM_HEAD + chunk(DELTA)), {"StreamTruncated": 4}),
    "a stream without output": (CHAT, answering(STREAM_HEAD + chunk(DONE) + chunk(b"")), {"EmptyOutput": 4}),
    "a whole answer": (WHOLE, answering(body(b'{"choices":[{"message":{"content":"hi"}}]}')), {}),
    "a conversation": (TALK, answering(FULL), {}),
    "a call": (CALL, by_method(POST=body(b'{"event_id":"e1"}'), GET=GRADIO), {}),
    "a join": (JOIN, by_method(POST=body(b'{"event_id":"e1"}'), GET=COMPLETED), {}),
}  # fmt: skip


async def ran(client: str, kind: dict[str, Any], url: str, rate: int = 4) -> Selection:
    plan = a_plan(kind | {"timeoutSeconds": 2}, {"arrivalRate": rate}, client=client)
    tally, _ = await run(plan, url)
    return tally.select()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ORDINARY)
async def test_both_clients_see_the_same(name: str, client: str) -> None:
    kind, script, errors = ORDINARY[name]
    async with serving(script) as url:
        counts = (await ran(client, kind, url)).counts

    assert counts.errors == errors
    assert (counts.planned, counts.sent, counts.succeeded) == (4, 4, 0 if errors else 4)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_kept_connection_that_turns_out_to_be_closed_is_no_failure(client: str) -> None:
    """As llama.cpp's server does it after a stream: the next request may be on its way already."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(FULL)
        await reader.readexactly(1)

    async with serving(script) as url:
        tally, _ = await run(a_plan(CHAT, {"concurrency": 2}, client=client), url)

    counts = tally.select().counts
    assert counts.errors == {}
    assert counts.succeeded > 20


@pytest.mark.parametrize("client", CLIENTS)
async def test_nobody_listens(client: str) -> None:
    counts = (await ran(client, PAGE, f"http://127.0.0.1:{unused_port()}")).counts

    assert counts.errors == {"ConnectRefused": 4}
    assert counts.sent == 0


@pytest.mark.parametrize("client", CLIENTS)
async def test_no_such_host(client: str) -> None:
    assert (await ran(client, PAGE, "http://no-such-host.invalid:80")).counts.errors == {"Dns": 4}


@pytest.mark.parametrize("client", CLIENTS)
async def test_times_are_the_servers(client: str) -> None:
    """None is shorter than the server took; and the best of four has little to add, whatever else the machine does."""
    for seconds in (0.1, 0.5):
        async with serving(slowly(seconds)) as url:
            chosen = await ran(client, PAGE, url)

        for metric in (Metric.TIME_TO_FIRST_BYTE, Metric.E2E_LATENCY, Metric.RESPONSE_TIME):
            assert 1e6 * seconds * 0.999 <= chosen.histogram(metric).at_rank(1) <= 1e6 * (seconds + 0.25)


async def test_a_forward_proxy_is_asked_for_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only by the compatible client; NO_PROXY counts too."""
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append((await request(reader)).split(b" ")[1])
            writer.write(OK)

    async with serving(proxy) as url, serving(answering(OK)) as target:
        monkeypatch.setenv("http_proxy", url)
        succeeded = [(await ran("Compatible", PAGE, "http://chat.example/base")).counts.succeeded]
        succeeded += [(await ran("Native", PAGE, target)).counts.succeeded]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        succeeded += [(await ran("Compatible", PAGE, target)).counts.succeeded]

    assert succeeded == [4, 4, 4]
    assert asked == [b"http://chat.example/base/"] * 4


async def test_the_ceiling_is_the_clients_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration runs over the same client, and never through a proxy."""
    plans = [a_plan(PAGE, {"arrivalRate": 4}, client=client) for client in CLIENTS]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: NullResponder(NullServer(plans[0].requests)), "127.0.0.1", 0)
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))

    async with server, serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        port = server.sockets[0].getsockname()[1]
        native, compatible = [await ceiling(plan, port) for plan in plans]

    assert 0 < compatible < native
    assert not asked
