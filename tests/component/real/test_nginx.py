"""nginx counts the requests it has served; ours must be as many. It is also the forward proxy on the way to a target."""

import asyncio
from urllib.request import urlopen

import pytest

from fakes.bad import DELTA, DONE, STREAM_HEAD, chunk, request
from fakes.serving import serving
from loadgen.model.plan import Metric

pytestmark = pytest.mark.real


def served(url: str) -> int:
    """All requests so far, this one too (the third number of the third line of stub_status)."""
    with urlopen(url + "/status", timeout=10) as response:
        return int(response.read().split()[9])


def test_every_request_is_counted_once(nginx: str, play) -> None:
    before = served(nginx)
    report = play(nginx, {"http": {"path": "/"}}, seconds=2, concurrency=8)
    counts = report.total.counts
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert 0 <= served(nginx) - before - 1 - counts.sent <= 2
    assert report.total.latencies[Metric.E2E_LATENCY].count == counts.succeeded


def test_a_target_that_only_fails_is_refused_with_the_reason(nginx: str, play) -> None:
    report = play(nginx, {"http": {"path": "/missing"}}, seconds=1)
    assert report.verdict == "Inconclusive"
    assert "Http404" in report.message
    assert report.total.counts.planned == 0


def test_a_status_that_is_expected_is_a_success(nginx: str, play) -> None:
    report = play(nginx, {"http": {"path": "/missing", "expectStatus": [404]}}, seconds=1)
    assert report.total.counts.failed == 0
    assert report.total.counts.succeeded > 10


def test_the_compatible_client_goes_through_a_forward_proxy(nginx: str, play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams too; what the target sees has come through nginx."""
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await request(reader))
        writer.write(STREAM_HEAD + chunk(DELTA))
        await asyncio.sleep(0.1)  # pieces that come in one read say nothing of a pace
        writer.write(chunk(DELTA) + chunk(DONE) + chunk(b""))

    chat = {"openAIChat": {"model": "m", "prompt": {"text": "hi"}, "path": "/forwarded/chat"}}
    with serving(behave) as target:
        monkeypatch.setenv("HTTP_PROXY", nginx)
        report = play(target.url, chat, seconds=2, rate=10, client="Compatible")

    counts = report.total.counts
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert counts.succeeded == counts.planned > 5
    assert report.total.latencies[Metric.INTER_CHUNK_LATENCY].count == counts.succeeded
    assert len(heads) == counts.succeeded + 1  # and the probe's
    assert all(b"\r\nVia: nginx\r\n" in head for head in heads)
