"""Calls of Gradio functions: two exchanges that are measured as one request."""

import asyncio
from typing import Any

import pytest
from plans import a_plan
from runs import run
from servers import Script, answering, serving, wait

from fakes.bad import STREAM_HEAD, body, chunk, request
from loadgen.core.tally import Tally
from loadgen.model.plan import Metric

JOINED = body(b'{"event_id":"e1"}')
PAUSE = 0.2
HEARTBEAT = b"event: heartbeat\ndata: null\n\n"
FIRST = b'event: generating\ndata: ["one"]\n\n'
SECOND = b'event: generating\ndata: ["one two"]\n\n'
COMPLETE = b'event: complete\ndata: ["one two"]\n\n'
ERROR = b"event: error\ndata: null\n\n"


def a_call(**more: Any) -> dict[str, Any]:
    return {"name": "call", "gradio": {"apiName": "predict", "data": '["hi"]', **more}}


def streaming(*events: bytes, joined: bytes = JOINED, pause: float = 0.0) -> Script:
    """POST, after a pause the event's id; GET, the events with a pause before each, and the stream's end."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await request(reader)
            await wait(pause)
            if head.startswith(b"POST /gradio_api/call/predict HTTP"):
                writer.write(joined)
                continue
            assert head.startswith(b"GET /gradio_api/call/predict/e1 HTTP")
            writer.write(STREAM_HEAD)
            for event in events:
                await wait(pause)
                writer.write(chunk(event))
            writer.write(chunk(b""))

    return script


async def called(script: Script, rate: int = 3, **more: Any) -> Tally:
    async with serving(script) as url:
        tally, _ = await run(a_plan(a_call(**more) | {"timeoutSeconds": 4}, {"arrivalRate": rate}), url)
    return tally


async def test_a_call_is_one_request_from_the_post_to_complete() -> None:
    """Five pauses to `complete`, three to the first output, one to the first answer's head; `complete` is no second output."""
    events = (FIRST, SECOND, COMPLETE)

    tally = await called(streaming(*events, pause=PAUSE), rate=5)

    chosen = tally.select()

    assert (chosen.counts.planned, chosen.counts.sent, chosen.counts.succeeded) == (5, 5, 5), chosen.counts.errors
    pause = PAUSE * 1e6
    for metric, pauses in (
        (Metric.TIME_TO_FIRST_BYTE, 1),
        (Metric.TIME_TO_FIRST_TOKEN_FROM_SEND, 3),
        (Metric.TIME_PER_OUTPUT_TOKEN, 2),  # of two outputs: from the first to `complete`
        (Metric.E2E_LATENCY, 5),
        (Metric.INTER_CHUNK_LATENCY, 1),
    ):
        # A late look at one output makes its distance to the next shorter.
        assert 5 * (pauses - 0.1) * pause <= chosen.histogram(metric).total <= 5 * (pauses + 0.9) * pause, metric
    assert chosen.histogram(Metric.INTER_CHUNK_LATENCY).count == 5
    assert tally.ended(range(9)).output_tokens == 10


async def test_a_function_that_does_not_generate_has_its_output_with_complete() -> None:
    chosen = (await called(streaming(HEARTBEAT, COMPLETE))).select()

    assert chosen.counts.succeeded == 3, chosen.counts.errors
    assert chosen.histogram(Metric.TIME_TO_FIRST_TOKEN).count == 3


async def test_both_halves_share_a_connection() -> None:
    async with serving(streaming(COMPLETE)) as url:
        _, deltas = await run(a_plan(a_call(), {"concurrency": 1}), url)

    assert sum(delta.pulse.connections_opened for delta in deltas) == 1


async def test_a_server_that_closes_after_every_answer_is_asked_over_a_second_one() -> None:
    closing = JOINED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        post = (await request(reader)).startswith(b"POST")
        writer.write(closing if post else STREAM_HEAD + chunk(COMPLETE) + chunk(b""))

    async with serving(script) as url:
        tally, deltas = await run(a_plan(a_call(), {"arrivalRate": 5}), url)

    counts = tally.select().counts
    assert (counts.sent, counts.succeeded) == (5, 5), counts.errors
    assert sum(delta.pulse.connections_opened for delta in deltas) == 10


BAD_ANSWERS = {
    "an error event": (streaming(FIRST, ERROR), "StreamError"),
    "no complete": (streaming(FIRST), "StreamTruncated"),
    "no event at all": (streaming(), "StreamTruncated"),
    "nothing but null": (streaming(b"event: complete\ndata: [null]\n\n"), "EmptyOutput"),
    "an event that is no JSON": (streaming(b"event: complete\ndata: not json\n\n"), "Parse"),
    "no event_id": (streaming(COMPLETE, joined=body(b'{"hash":"e1"}')), "Parse"),
    "an event_id with a header in it": (streaming(COMPLETE, joined=body(b'{"event_id":"a b\\r\\nX: y"}')), "Parse"),
    "nothing for an event_id": (streaming(COMPLETE, joined=body(b"")), "Parse"),
    "a full queue": (answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "Http503"),
    "an event that is gone": (answering(JOINED, b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"), "Http404"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_bad_answers_have_their_classes(name: str) -> None:
    script, failure = BAD_ANSWERS[name]

    counts = (await called(script)).select().counts

    assert counts.errors == {failure: 3}
    assert counts.planned == counts.sent == 3


async def test_a_stream_that_is_cut_is_truncated() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(JOINED)
        await request(reader)
        writer.write(STREAM_HEAD + chunk(FIRST))

    assert (await called(script)).select().counts.errors == {"StreamTruncated": 3}


async def test_a_first_answer_that_is_cut_is_a_lost_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(JOINED[:-5])

    assert (await called(script)).select().counts.errors == {"ConnectionLost": 3}


async def test_a_call_that_never_completes_has_its_time_out() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(JOINED)
        await request(reader)
        writer.write(STREAM_HEAD + chunk(FIRST))
        await asyncio.sleep(60)

    assert (await called(script)).select().counts.errors == {"TotalTimeout": 3}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ('{"data":["hi"],"duration":0.1}', {}),
        ('{"error":"out of memory"}', {"StreamError": 3}),
        ('{"data":[null]}', {"EmptyOutput": 3}),
        ("<html>", {"Parse": 3}),
    ],
)
async def test_predict_is_answered_in_one_piece(answer: str, outcome: dict[str, int]) -> None:
    counts = (await called(answering(body(answer.encode())), protocol="Predict", basePath="/")).select().counts

    assert counts.errors == outcome
    assert counts.succeeded == (0 if outcome else 3)
