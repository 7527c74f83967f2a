"""Random and broken bytes, a few of each kind; `make fuzz` has the long run."""

import random

import pytest

from fuzz.cases import Target, run
from fuzz.generator_targets import MESSAGES, TARGETS
from loadgen.core.protocols.sse import ParseError


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_it_is_taken_or_refused_in_words(target: Target) -> None:
    assert sum(run(target, 100, seed=7).values()) == 100


BROKEN = {
    "no UTF-8": b'{"choices":[{"delta":{"content":"\xff"}}],"event_id":"\xff","msg":"\xff","data":"\xff"}',
    "half a surrogate": b'"\xed\xa0\x80"',
    "no JSON": b"<html>",
    "half of it": b'{"choices":[',
}


@pytest.mark.parametrize("protocol", MESSAGES)
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_decoded_is_a_parse_error(protocol: str, data: bytes) -> None:
    """Of whatever kind the decoder's own error is."""
    with pytest.raises(ParseError):
        MESSAGES[protocol][1](data, random.Random(7))


@pytest.mark.parametrize("protocol", MESSAGES)
def test_no_depth_breaks_out(protocol: str) -> None:
    """Nested deeper than decoding, or than whatever is done with it afterwards, can go."""
    for depth in range(850, 1010):
        deep = b"[" * depth + b"]" * depth
        for data in (
            deep,
            b'{"error":%b}' % deep,
            b'{"choices":[{"delta":{"content":%b}}],"msg":"x","output":%b}' % (deep, deep),
        ):
            try:
                MESSAGES[protocol][1](data, random.Random(7))
            except ParseError:
                continue
