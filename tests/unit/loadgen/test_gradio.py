"""What messages of Gradio's three protocols count as."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.protocols.gradio import decode_call, decode_join, decode_predict, event_id, in_session
from loadgen.core.protocols.openai import NOTHING, OUTPUT, ChunkKind
from loadgen.core.protocols.sse import Event, ParseError, SseParser

FINISHED = ChunkKind(has_output=True, done=True, over=True)


def test_the_first_answer_names_the_event() -> None:
    assert event_id(b'{"event_id":"abc"}') == "abc"


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b'event: generating\ndata: ["hel"]\n\n', OUTPUT),
        (b"event: generating\ndata: [null]\n\n", NOTHING),
        (b'event: complete\ndata: ["hello"]\n\n', FINISHED),
        (b"event: complete\ndata: []\n\n", ChunkKind(done=True, over=True)),
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


def test_a_join_names_its_session() -> None:
    assert json.loads(in_session(b'{"data":["}"],"fn_index":3}', "s1")) == {
        "data": ["}"],
        "fn_index": 3,
        "session_hash": "s1",
    }


E = '"event_id":"1037d45972614f45aeb49e3b3e148a3f"'
MEASURED = '"duration":0.1,"average_duration":0.1,"render_config":null,"changed_state_ids":[],"used_cache":null'
RECORDED = (
    (f'{{"msg":"estimation",{E},"rank":0,"queue_size":1,"rank_eta":null}}', NOTHING),
    (f'{{"msg":"process_starts",{E},"eta":null}}', NOTHING),
    (f'{{"msg":"progress",{E},"progress_data":[{{"index":0,"length":3,"unit":"steps","progress":null,"desc":null}}]}}', NOTHING),
    (f'{{"msg":"log",{E},"log":"hello","level":"info","duration":10.0,"visible":true,"title":"Info"}}', NOTHING),
    ('{"msg":"heartbeat","event_id":null}', NOTHING),
    ('{"msg":"close_stream","event_id":null}', NOTHING),
    (
        f'{{"msg":"process_completed",{E},"output":{{"error":"cannot answer hi","duration":10,"visible":true,"title":"Error"}},'
        '"success":false,"title":"Error","used_cache":null,"cache_duration":null,"avg_time":null}',
        ChunkKind(error="cannot answer hi"),
    ),
    (
        f'{{"msg":"process_completed",{E},"output":{{"error":null}},"success":false,"title":"Error","used_cache":null,'
        '"cache_duration":null,"avg_time":null}',
        ChunkKind(error="Error"),
    ),
    (
        '{"msg":"unexpected_error","event_id":null,"message":"404: Not Found","session_not_found":true,"success":false}',
        ChunkKind(error="404: Not Found"),
    ),
)  # fmt: skip
"""From Gradio 6.31."""


@pytest.mark.parametrize(("data", "kind"), RECORDED)
def test_messages_of_a_join(data: str, kind: ChunkKind) -> None:
    assert decode_join(Event(data.encode())) == kind


def message(name: str, data: str) -> Event:
    """As Gradio 6.31 sends outputs."""
    output = f'{{"data":{data},"is_generating":true,{MEASURED}}}'
    return Event(f'{{"msg":"process_{name}",{E},"output":{output},"success":true,"time_limit":null}}'.encode())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ('["hi "]', OUTPUT),  # the first ones are whole
        ("[0]", OUTPUT),
        ("[null]", NOTHING),
        ('["",[]]', OUTPUT),
        ('[[["append",[],"hi "]]]', OUTPUT),  # from the second on: what has changed
        ('[[["replace",[],"hi"]]]', OUTPUT),
        ("[[]]", NOTHING),
        ("[[],[]]", NOTHING),
        ('[[],[["append",[1,"content",0,"text"],"a"]]]', OUTPUT),
        ('[[["replace",[],null]]]', NOTHING),
        ('[[["replace",[],null]],[["delete",[0],null],["delete",[0],null]]]', OUTPUT),  # the list is shorter, not null
        ("[]", NOTHING),
        ("null", NOTHING),
    ],
)
def test_no_change_is_no_output(data: str, kind: ChunkKind) -> None:
    assert decode_join(message("generating", data)) == kind
    assert decode_join(message("streaming", data)) == kind


def test_a_completion_repeats_whole_outputs() -> None:
    assert decode_join(message("completed", '["hi hi "]')) == FINISHED
    assert decode_join(message("completed", "[[]]")) == FINISHED  # an empty list, not an empty change
    assert decode_join(message("completed", "[null]")) == ChunkKind(done=True, over=True)


def test_the_old_protocol_answers_at_once() -> None:
    assert decode_predict(b'{"data":["hi"],"is_generating":false,"duration":0.1}') == FINISHED
    assert decode_predict(b'{"error":"boom"}') == ChunkKind(error="boom")
    assert decode_predict(b'{"data":[]}') == ChunkKind(done=True, over=True)


def completing(data: bytes) -> ChunkKind:
    return decode_call(Event(data, b"complete"))


def joined(data: bytes) -> ChunkKind:
    return decode_join(Event(data))


GARBAGE = (
    b"[" * 99_999,
    b'{"msg":1}',
    b"{}",
    b'{"data":1}',
    b"\xff",
    b'{"msg":"process_generating","output":{"data":{}}}',
)


@pytest.mark.parametrize("decode", [joined, decode_predict, event_id, completing])
@given(data=st.binary(max_size=40) | st.sampled_from(GARBAGE))
def test_garbage_raises_nothing_else(decode: object, data: bytes) -> None:
    with contextlib.suppress(ParseError):
        decode(data)  # type: ignore[operator]
