"""What messages of the three generations of Gradio's protocol count as."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.gradio import decode_call, decode_predict, decode_queue, event_id
from loadgen.core.openai import NOTHING, OUTPUT, ChunkKind
from loadgen.core.sse import Event, ParseError, SseParser

FINISHED = ChunkKind(has_output=True, done=True)


def test_the_first_answer_names_the_event() -> None:
    assert event_id(b'{"event_id":"abc"}') == "abc"


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b'event: generating\ndata: ["hel"]\n\n', OUTPUT),
        (b"event: generating\ndata: [null]\n\n", NOTHING),
        (b'event: complete\ndata: ["hello"]\n\n', FINISHED),
        (b"event: complete\ndata: []\n\n", ChunkKind(done=True)),
        (b"event: complete\ndata: [0]\n\n", FINISHED),
        (b"event: heartbeat\ndata: null\n\n", NOTHING),
        (b"event: error\ndata: null\n\n", ChunkKind(error="error without a message")),
        (b'event: error\ndata: "out of quota"\n\n', ChunkKind(error="out of quota")),
        (b'event: error\ndata: {"error": "bad", "title": "Error"}\n\n', ChunkKind(error="bad")),
        (b"event: new\ndata: [1]\n\n", NOTHING),
        (b"data: [1]\n\n", NOTHING),
    ],
)
def test_events_of_a_call(stream: bytes, kind: ChunkKind) -> None:
    (event,) = SseParser().feed(stream)
    assert decode_call(event) == kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"msg":"estimation","rank":0,"queue_size":1}', NOTHING),
        (b'{"msg":"process_starts","eta":0.1}', NOTHING),
        (b'{"msg":"process_generating","output":{"data":["h"],"is_generating":true},"success":true}', OUTPUT),
        (b'{"msg":"process_streaming","output":{"data":["h"]},"success":true}', OUTPUT),
        (b'{"msg":"process_completed","output":{"data":["hi"],"duration":0.2},"success":true}', FINISHED),
        (b'{"msg":"process_completed","output":{"error":"boom"},"success":false}', ChunkKind(error="boom")),
        (
            b'{"msg":"process_completed","output":{"error":null},"success":false,"title":"Error"}',
            ChunkKind(error="Error"),
        ),
        (b'{"msg":"unexpected_error","message":"gone","success":false}', ChunkKind(error="gone")),
        (b'{"msg":"queue_full"}', ChunkKind(error="queue_full")),
        (b'{"msg":"heartbeat"}', NOTHING),
        (b'{"msg":"log","log":"x","level":"info"}', NOTHING),
        (b'{"msg":"close_stream"}', NOTHING),
    ],
)
def test_messages_of_the_queue(data: bytes, kind: ChunkKind) -> None:
    assert decode_queue(data) == kind


def test_the_old_protocol_answers_at_once() -> None:
    assert decode_predict(b'{"data":["hi"],"is_generating":false,"duration":0.1}') == FINISHED
    assert decode_predict(b'{"error":"boom"}') == ChunkKind(error="boom")
    assert decode_predict(b'{"data":[]}') == ChunkKind(done=True)


@pytest.mark.parametrize(
    "decode", [decode_queue, decode_predict, event_id, lambda data: decode_call(Event(data, b"complete"))]
)
@given(data=st.binary(max_size=40) | st.sampled_from([b"[" * 99_999, b'{"msg":1}', b"{}", b'{"data":1}', b"\xff"]))
def test_garbage_raises_nothing_else(decode: object, data: bytes) -> None:
    with contextlib.suppress(ParseError):
        decode(data)  # type: ignore[operator]
