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
        delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}]),
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
