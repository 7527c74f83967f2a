"""What an answer says of itself: one sentence, wherever servers put it, printable and bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.protocols.words import LENGTH, words

REFUSED = (
    b'{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}'
)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b'{"error":{"message":"no such model","type":"x"}}', "no such model", id="OpenAI's object"),
        pytest.param(b'{"error":"overloaded"}', "overloaded", id="a text"),
        pytest.param(REFUSED, "body.stream_options: Extra inputs are not permitted", id="FastAPI's list"),
        pytest.param(b'{"detail":"Not Found"}', "Not Found", id="FastAPI's text"),
        pytest.param(b'{"object":"error","message":"too long"}', "too long", id="an older vLLM's"),
        pytest.param(b'{"title":"Bad","detail":"x must be y"}', "x must be y", id="RFC 9457"),
        pytest.param(b'{"errors":[{"message":"a"},{"message":"b"}]}', "a; b", id="several"),
        pytest.param(b'{"error":{"error":{"message":"nested"}}}', "nested", id="wrapped twice"),
        pytest.param(b'{"code":7}', '{"code": 7}', id="JSON without a sentence"),
        pytest.param(b"upstream connect error\r\n", "upstream connect error", id="plain text"),
        pytest.param(b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway", id="a page"),
        pytest.param(b"<html><body><p>gone <b>away</b></p></body></html>", "gone away", id="a page without a title"),
        pytest.param(
            b'data: {"error":{"message":"out of memory"}}\n\ndata: [DONE]\n\n', "out of memory", id="an event"
        ),
        pytest.param(b'event: error\ndata: {"message":"no slot"}', "no slot", id="an event's name"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(
            b"\x1b[31mred\x00\n\n\tflag\xff", "·[31mred· flag·".replace("flag·", "flag\ufffd"), id="control characters"
        ),
    ],
)
def test_the_sentence(body: bytes, sentence: str) -> None:
    assert words(body) == sentence


@given(st.binary(max_size=200) | st.just(b"x" * 100_000) | st.just(b'{"error":' * 50_000))
def test_any_body_gives_a_printable_line(body: bytes) -> None:
    found = words(body)

    assert len(found) <= LENGTH
    assert found.isprintable()
