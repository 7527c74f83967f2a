"""One connection's life: reuse, rotation, closings, framing, TLS, addresses."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from plans import CHAT, PAGE, WHOLE, a_plan
from runs import run
from servers import OK, Script, answering, serving

from fakes.bad import request
from fakes.serving import serving as serving_in_thread

POST = {"name": "post", "http": {"method": "POST", "body": "x"}}


def opened(deltas: object) -> int:
    return sum(delta.pulse.connections_opened for delta in deltas)  # type: ignore[attr-defined]


def closing_when_idle(seconds: float) -> Script:
    """Closes a kept connection in the very moment in which the second request arrives, without an answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)
        await asyncio.sleep(seconds)

    return script


async def test_connections_are_kept() -> None:
    """One after the other over one connection."""
    async with serving(answering(OK)) as url:
        tally, deltas = await run(a_plan(PAGE, {"concurrency": 1}), url)

    assert tally.select().counts.succeeded > 2
    assert opened(deltas) == 1


@pytest.mark.parametrize(
    ("expected", "body", "right"),
    [
        ({"contains": "ready"}, b'{"state": "ready"}', True),
        ({"contains": "ready"}, b"", False),
        ({"matches": '"replicas": *[1-9]'}, b'{"replicas": 3}', True),
        ({"matches": '"replicas": *[1-9]'}, b'{"replicas": 0}', False),
        ({"contains": "end"}, b"x" * (64 * 1024 - 3) + b"end", True),
        ({"contains": "end"}, b"x" * (64 * 1024 - 2) + b"end" + b"x" * 200_000, False),
    ],
)
async def test_a_body_is_held_against_what_is_expected(expected: dict[str, str], body: bytes, right: bool) -> None:
    """In its first 64 KiB; more is not kept."""
    page = {"name": "page", "http": {"expectBody": expected}}
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        tally, _ = await run(a_plan(page, {"arrivalRate": 5}), url)

    counts = tally.select().counts
    assert counts.sent > 0
    assert (counts.succeeded, counts.errors) == ((counts.sent, {}) if right else (0, {"UnexpectedBody": counts.sent}))


async def test_connections_are_rotated_by_use() -> None:
    """Ten requests each."""
    async with serving(answering(OK)) as url:
        tally, deltas = await run(a_plan(PAGE, {"arrivalRate": 40}, connections={"maxRequests": 10}), url)

    assert tally.select().counts.succeeded == 40
    assert opened(deltas) >= 4


async def test_connections_are_rotated_by_age() -> None:
    """A second at most; nothing fails."""
    plan = a_plan(PAGE, {"arrivalRate": 20, "durationSeconds": 3}, connections={"maxAgeSeconds": 1})
    async with serving(answering(OK)) as url:
        tally, deltas = await run(plan, url)

    assert tally.select().counts.succeeded == 60
    assert opened(deltas) >= 3


async def test_a_stale_connection_is_no_error() -> None:
    """What browsers do for idempotent requests."""
    async with serving(closing_when_idle(0)) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 10}), url)

    assert tally.select().counts.succeeded == 10


@pytest.mark.parametrize("kind", ["slow", "post"])
async def test_a_lost_request_is_an_error(kind: str) -> None:
    """A connection that closes later than a race can explain, and a POST that may have been processed."""
    plan = a_plan(PAGE if kind == "slow" else POST, {"arrivalRate": 4})
    async with serving(closing_when_idle(2.5 if kind == "slow" else 0)) as url:
        tally, _ = await run(plan, url)

    assert tally.select().counts.errors == {"ConnectionLost": 2}


STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n\r\n"
    b'39\r\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n\r\n'
    b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)


async def test_a_close_after_a_stream_is_no_error() -> None:
    """llama.cpp's server promises to keep the connection and closes it; a closed loop is quicker than that news."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(STREAM)
        await asyncio.sleep(0.005)

    async with serving(script) as url:
        tally, _ = await run(a_plan(CHAT, {"concurrency": 2}), url)

    counts = tally.select().counts
    assert counts.errors == {}
    assert counts.succeeded > 10


ANSWERS = {
    "no content": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
    "head": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
    "interim": ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK),
    "trailers": ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
    "bare line feeds in the head's values": ("GET", b"HTTP/1.1 200 OK\r\nX: \r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_framing(name: str) -> None:
    """Answers whose end is not told by a length, over one connection."""
    method, answer = ANSWERS[name]
    plan = a_plan({"name": "one", "http": {"method": method, "expectStatus": [200, 204, 304]}}, {"concurrency": 1})
    async with serving(answering(answer)) as url:
        tally, deltas = await run(plan, url)

    counts = tally.select().counts
    assert counts.succeeded == counts.planned > 1
    assert opened(deltas) == 1


async def test_an_answer_may_end_by_closing() -> None:
    """HTTP/1.0's way."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nsome")
        await asyncio.sleep(0.01)
        writer.write(b"thing")

    async with serving(script) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 5}), url)

    assert tally.select().counts.succeeded == 5


async def test_ipv6() -> None:
    """Brackets in the URL."""
    try:
        async with serving(answering(OK), "::1") as url:
            tally, _ = await run(a_plan(PAGE, {"arrivalRate": 5}), url)
    except OSError:
        pytest.skip("no IPv6 here")

    assert tally.select().counts.succeeded == 5


async def test_a_large_json_answer_is_refused() -> None:
    """More than 4 MiB is no chat message."""
    body = b'{"choices":[{"message":{"content":"%b"}}]}' % (b"a" * 5_000_000)
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        tally, _ = await run(a_plan(WHOLE, {"arrivalRate": 2}), url)

    assert tally.select().counts.errors == {"Parse": 2}


@pytest.fixture
async def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1; key and certificate in one file."""
    file = tmp_path / "both.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    await asyncio.to_thread(
        subprocess.run,
        [*command.split(), "-keyout", str(file), "-out", str(tmp_path / "c.pem")],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (tmp_path / "c.pem").read_text())
    return file


async def test_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the authority's file it works; without, every request is a Tls failure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(OK)(reader, writer)

    with serving_in_thread(handler, scheme="https", tls=context) as server:
        unknown, _ = await run(a_plan(PAGE, {"arrivalRate": 3}), server.url)
        monkeypatch.setenv("LOADTEST_CA_FILE", str(certificate))
        known, _ = await run(a_plan(PAGE, {"arrivalRate": 5}), server.url)
        await asyncio.sleep(0.1)  # the server's closings take turns of its loop

    assert unknown.select().counts.errors == {"Tls": 3}
    assert known.select().counts.succeeded == 5
