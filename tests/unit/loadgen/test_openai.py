"""What messages of OpenAI's protocol count as, as servers really send them."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.protocols.openai import DONE, NOTHING, OUTPUT, ChunkKind, decode
from loadgen.core.protocols.sse import ParseError


def delta(**fields: object) -> bytes:
    return json.dumps({"id": "x", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}).encode()


@pytest.mark.parametrize(
    "data",
    [
        delta(content="hi"),
        delta(reasoning="hm"),
        delta(content=None, reasoning_content="hm"),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
        delta(function_call={"arguments": "{"}),
        delta(audio={"id": "a", "transcript": "hi"}),
        delta(audio={"data": "UklGRg=="}),
        delta(content=[{"type": "text", "text": "hi"}]),
        b'{"choices":[{"text":"hi","index":0}]}',
        b'{"choices":[{"delta":{}},{"delta":{"content":"second choice"}}]}',
        delta(refusal="I cannot"),
        delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "current_time", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "current_time"}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": []}}]),
        delta(tool_calls=[{"index": 0, "type": "custom", "custom": {"name": "sql", "input": "select"}}]),
        delta(function_call={"name": "current_time", "arguments": ""}),
        delta(content={"type": "text", "text": "an object"}),
        delta(content="hi", tool_calls={"not": "a list"}),
        delta(content="hi", reasoning=7),
        b'{"choices":[{"delta":{"content":"hi"},"finish_reason":""}]}',
        b'{"choices":[{"delta":{"content":"hi"},"error":{}}],"error":""}',
        b'{"choices":[{"delta":{"content":"hi"}}],"usage":{"completion_tokens":null}}',
        b'{"choices":[{"delta":{"content":"hi"}}],"usage":[]}',
        b'{"choices":[{"delta":{"content":"hi"}}],"usage":""}',
    ],
)
def test_output(data: bytes) -> None:
    assert decode(data) == OUTPUT


@pytest.mark.parametrize(
    "data",
    [
        delta(role="assistant"),
        delta(role="assistant", content=""),
        delta(content=None),
        delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "", "arguments": ""}}]),
        delta(audio={"id": "a", "expires_at": 1}),
        b'{"choices":[]}',
        b'{"choices":[{"text":""}]}',
        b"",
        b"  ",
        b"{}",
    ],
)
def test_no_output(data: bytes) -> None:
    assert decode(data) == NOTHING


def test_the_usage_chunk_tells_tokens_and_nothing_else() -> None:
    assert decode(b'{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":42}}') == ChunkKind(tokens=42)


def test_a_bare_finish_reason_ends_without_output() -> None:
    assert decode(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}') == ChunkKind(done=True)


def test_the_last_token_may_come_with_the_finish_reason() -> None:
    assert decode(b'{"choices":[{"delta":{"content":"."},"finish_reason":"length"}]}') == ChunkKind(True, done=True)


def test_done() -> None:
    assert decode(b"[DONE]") == decode(b" [DONE] ") == DONE


def test_a_whole_answer_has_output_tokens_and_end() -> None:
    body = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"completion_tokens":3}}'
    assert decode(body) == ChunkKind(has_output=True, tokens=3, done=True)


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"content": "", "reasoning_content": "hm"},
        {"content": "", "reasoning": "hm"},
        {"function_call": {"name": "f", "arguments": "{}"}},
        {"audio": {"data": "UklGRg=="}},
    ],
    ids=lambda message: list(message)[-1],
)
def test_a_whole_answer_without_content_may_have_output(message: dict[str, object]) -> None:
    assert decode(json.dumps({"choices": [{"message": message}]}).encode()) == OUTPUT


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ('{"completion_tokens":7,"completion_tokens_details":null}', 7),
        ('{"completion_tokens":"7"}', 7),
        ('{"completion_tokens":7.0,"prompt_tokens":"x"}', 7),
        ('{"completion_tokens":true}', None),
        ('{"completion_tokens":-1}', None),
        ('{"completion_tokens":999999999999999999999999}', None),
        ('{"completion_tokens":1e300}', None),
        ('{"completion_tokens":[7]}', None),
        ('{"total_tokens":7}', None),
        ("7", None),
    ],
)
def test_usage_of_any_shape_never_refuses_an_answer(usage: str, tokens: int | None) -> None:
    data = f'{{"choices":[{{"message":{{"content":"hi"}},"finish_reason":"stop"}}],"usage":{usage}}}'.encode()
    assert decode(data) == ChunkKind(has_output=True, tokens=tokens, done=True)


@pytest.mark.parametrize(
    "nothing", ["null", '""', "{}", "[]", "false", "0", '{"message":"","code":null}', '{"a":{"b":[]}}']
)
@pytest.mark.parametrize("place", ['{"choices":[%s],"error":%s}', '{"choices":[%s],"error":%s,"usage":null}'])
def test_an_empty_error_is_none(nothing: str, place: str) -> None:
    assert decode((place % ('{"delta":{"content":"hi"}}', nothing)).encode()) == OUTPUT


@pytest.mark.parametrize(
    "reason", ["", None, "stop", "length", "tool_calls", "content_filter", "eos_token", "new_one", 7]
)
def test_which_finish_reasons_end_a_stream_well(reason: object) -> None:
    """An empty one is none; of a number only that there is one is known."""
    data = json.dumps({"choices": [{"delta": {}, "finish_reason": reason}]}).encode()
    assert decode(data) == (ChunkKind(done=True) if reason else NOTHING)


@pytest.mark.parametrize("reason", ["error", "abort", "cancelled", "insufficient_system_resource"])
def test_a_finish_reason_may_say_that_the_server_broke_off(reason: str) -> None:
    kind = decode(json.dumps({"choices": [{"delta": {"content": "x"}, "finish_reason": reason}]}).encode())
    assert kind.error is not None
    assert reason in kind.error


def test_an_error_may_be_a_choices_own() -> None:
    data = b'{"choices":[{"delta":{},"finish_reason":"error","error":{"code":502,"message":"upstream died"}}]}'
    assert decode(data).error == "upstream died"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"error":{"message":"out of memory","code":500}}', "out of memory"),
        (b'{"error":"overloaded"}', "overloaded"),
        (b'{"error":{"code":500}}', "{'code': 500}"),
        (b'{"object":"error","message":"bad model","code":404}', "bad model"),
        (b'{"error":{"message":"' + b"x" * 1000 + b'"}}', "x" * 200),
    ],
)
def test_errors_inside_a_good_answer(data: bytes, text: str) -> None:
    assert decode(data) == ChunkKind(error=text)


@pytest.mark.parametrize(
    "data", [b"{", b"[1]", b"nonsense", b'{"choices":7}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000]
)
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        decode(data)


FIELDS = ["choices", "delta", "error", "usage", "object", "message", "content", "tool_calls", "x"]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS), inner),
)


@given(st.binary(max_size=60) | junk.map(lambda value: json.dumps(value).encode()))
def test_nothing_else_is_ever_raised(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        decode(data)
