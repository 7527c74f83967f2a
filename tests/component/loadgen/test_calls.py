"""Calls of Gradio functions, in both ways to its queue: two exchanges that are measured as one request."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from plans import a_plan
from runs import run
from servers import Script, answering, serving, wait

from fakes.bad import STREAM_HEAD, body, chunk, letter, request
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric

JOINED = body(b'{"event_id":"e1"}')
PAUSE = 0.2


@dataclass(frozen=True)
class Words:
    """What is said in one of the two ways."""

    asked: dict[str, Any]
    post: bytes
    heartbeat: bytes
    first: bytes
    second: bytes
    complete: bytes
    null: bytes
    error: bytes
    garbage: bytes

    def get(self, inputs: bytes) -> bytes:
        """What must be asked for after these inputs."""
        if "apiName" in self.asked:
            return b"GET /gradio_api/call/predict/e1 HTTP"
        return b"GET /gradio_api/queue/data?session_hash=%b HTTP" % json.loads(inputs)["session_hash"].encode()


def said(name: str, output: str = '{"data":["one two"]}', success: str = "true") -> bytes:
    """A message of queue/data."""
    return f'data: {{"msg":"{name}","event_id":"e1","output":{output},"success":{success}}}\n\n'.encode()


CLOSE = b'data: {"msg":"close_stream","event_id":null}\n\n'
CALL = Words(
    asked={"apiName": "predict"},
    post=b"POST /gradio_api/call/predict HTTP",
    heartbeat=b"event: heartbeat\ndata: null\n\n",
    first=b'event: generating\ndata: ["one"]\n\n',
    second=b'event: generating\ndata: ["one two"]\n\n',
    complete=b'event: complete\ndata: ["one two"]\n\n',
    null=b"event: complete\ndata: [null]\n\n",
    error=b"event: error\ndata: null\n\n",
    garbage=b"event: complete\ndata: not json\n\n",
)
JOIN = Words(
    asked={"protocol": "QueueJoin", "fnIndex": 3},
    post=b"POST /gradio_api/queue/join HTTP",
    heartbeat=b'data: {"msg":"estimation","rank":0,"queue_size":1}\n\ndata: {"msg":"heartbeat","event_id":null}\n\n',
    first=said("process_generating", '{"data":["one"]}'),
    second=said("process_generating", '{"data":[[["append",[]," two"]]]}')
    + said("process_generating", '{"data":[[]]}'),
    complete=said("process_completed") + CLOSE,
    null=said("process_completed", '{"data":[null]}') + CLOSE,
    error=said("process_completed", '{"error":null}', "false") + CLOSE,
    garbage=b"data: not json\n\n",
)
BOTH = pytest.mark.parametrize("words", [pytest.param(CALL, id="call"), pytest.param(JOIN, id="join")])


def a_call(words: Words = CALL, **more: Any) -> dict[str, Any]:
    return {"name": "call", "gradio": {"data": '["hi"]', **words.asked, **more}}


def streaming(words: Words, *events: bytes, joined: bytes = JOINED, pause: float = 0.0) -> Script:
    """POST, after a pause the event's id; GET, the events with a pause before each, and the stream's end."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, inputs = await letter(reader)
            assert head.startswith(words.post)
            await wait(pause)
            writer.write(joined)
            assert (await request(reader)).startswith(words.get(inputs))
            await wait(pause)
            writer.write(STREAM_HEAD)
            for event in events:
                await wait(pause)
                writer.write(chunk(event))
            writer.write(chunk(b""))

    return script


async def called(script: Script, words: Words = CALL, rate: int = 3, **more: Any) -> Tally:
    async with serving(script) as url:
        tally, _ = await run(a_plan(a_call(words, **more) | {"timeoutSeconds": 4}, {"arrivalRate": rate}), url)
    return tally


@BOTH
async def test_a_call_is_one_request_from_the_post_to_complete(words: Words) -> None:
    """Five pauses to `complete`, three to the first output, one to the first answer's head; `complete` is no second output."""
    events = (words.first, words.second, words.complete)

    tally = await called(streaming(words, *events, pause=PAUSE), words, rate=5)

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


@BOTH
async def test_a_function_that_does_not_generate_has_its_output_with_complete(words: Words) -> None:
    chosen = (await called(streaming(words, words.heartbeat, words.complete), words)).select()

    assert chosen.counts.succeeded == 3, chosen.counts.errors
    assert chosen.histogram(Metric.TIME_TO_FIRST_TOKEN).count == 3


@BOTH
async def test_outputs_of_one_read_are_all_counted_for_their_request(words: Words) -> None:
    """And the completion among them is no output."""
    calls = [a_call(words), a_call(words) | {"name": "beside", "ratePerSecond": 2}]
    async with serving(streaming(words, words.heartbeat + words.first + words.second + words.complete)) as url:
        tally, _ = await run(a_plan(calls, {"arrivalRate": 4}), url)

    assert tally.select().counts.succeeded == 6, tally.select().counts.errors
    assert [tally.ended(range(9), {kind}).output_tokens for kind in (0, 1)] == [8, 4]


@BOTH
async def test_both_halves_share_a_connection(words: Words) -> None:
    async with serving(streaming(words, words.complete)) as url:
        _, deltas = await run(a_plan(a_call(words), {"concurrency": 1}), url)

    assert sum(delta.pulse.connections_opened for delta in deltas) == 1


@BOTH
async def test_a_server_that_closes_after_every_answer_is_asked_over_a_second_one(words: Words) -> None:
    closing = JOINED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    wanted: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, inputs = await letter(reader)
        if head.startswith(b"POST"):
            wanted.append(words.get(inputs))
            writer.write(closing)
        else:
            assert any(head.startswith(one) for one in wanted)
            writer.write(STREAM_HEAD + chunk(words.complete) + chunk(b""))

    async with serving(script) as url:
        tally, deltas = await run(a_plan(a_call(words), {"arrivalRate": 5}), url)

    counts = tally.select().counts
    assert (counts.sent, counts.succeeded) == (5, 5), counts.errors
    assert sum(delta.pulse.connections_opened for delta in deltas) == 10


async def test_every_join_is_a_session_of_its_own_in_every_run() -> None:
    """An app keeps sessions: a second run with the same seed must not meet those of the first."""
    joins: list[dict[str, Any]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            joins.append(json.loads((await letter(reader))[1]))
            writer.write(JOINED)
            await request(reader)
            writer.write(STREAM_HEAD + chunk(JOIN.complete) + chunk(b""))

    for _ in range(2):
        assert (await called(script, JOIN)).select().counts.succeeded == 3
    sessions = {join.pop("session_hash") for join in joins}

    assert len(sessions) == 6
    assert joins == [{"data": ["hi"], "fn_index": 3}] * 6


GONE = b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"


def bad_answers(words: Words) -> dict[str, tuple[Script, str]]:
    return {
        "an error": (streaming(words, words.first, words.error), "StreamError"),
        "no completion": (streaming(words, words.first), "StreamTruncated"),
        "no event at all": (streaming(words), "StreamTruncated"),
        "nothing but null": (streaming(words, words.null), "EmptyOutput"),
        "an event that is no JSON": (streaming(words, words.garbage), "Parse"),
        "an event that is gone": (answering(JOINED, GONE), "Http404"),
        "no event_id": (streaming(words, words.complete, joined=body(b'{"hash":"e1"}')), "Parse"),
        "a header in it": (streaming(words, words.complete, joined=body(b'{"event_id":"a b\\r\\nX: y"}')), "Parse"),
        "nothing for it": (streaming(words, words.complete, joined=body(b"")), "Parse"),
        "a full queue": (answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "Http503"),
    }


@BOTH
@pytest.mark.parametrize("name", bad_answers(CALL))
async def test_bad_answers_have_their_classes(name: str, words: Words) -> None:
    script, failure = bad_answers(words)[name]

    counts = (await called(script, words)).select().counts

    assert counts.errors == {failure: 3}
    assert counts.planned == counts.sent == 3


def breaking(*sent: bytes, stall: float = 0.0) -> Script:
    """One of these bytes for every request, and then the end, after a while."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for data in sent:
            await request(reader)
            writer.write(data)
        await asyncio.sleep(stall)

    return script


@BOTH
async def test_a_stream_that_is_cut_is_truncated(words: Words) -> None:
    script = breaking(JOINED, STREAM_HEAD + chunk(words.first))

    assert (await called(script, words)).select().counts.errors == {"StreamTruncated": 3}


@BOTH
async def test_a_first_answer_that_is_cut_is_a_lost_connection(words: Words) -> None:
    assert (await called(breaking(JOINED[:-5]), words)).select().counts.errors == {"ConnectionLost": 3}


@BOTH
async def test_a_call_that_never_completes_has_its_time_out(words: Words) -> None:
    script = breaking(JOINED, STREAM_HEAD + chunk(words.first), stall=60)

    assert (await called(script, words)).select().counts.errors == {"TotalTimeout": 3}


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
