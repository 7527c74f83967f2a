"""The event parser: however the bytes are cut, and whatever they are."""

import collections
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.protocols.sse import Document, Event, ParseError, SseParser, parser_for


def parse(*chunks: bytes) -> list[Event]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + list(parser.close())


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(one, len(stream)) for one in at), len(stream)]
    return [stream[one:two] for one, two in pairwise(edges)]


soup = st.lists(
    st.sampled_from(
        [b"data: ", b"data:", b"data", b"a", b"b:", b"\n", b"\r", b"\r\n", b"\n\n", b":", b"event: x", b"\xef\xbb\xbf"]
    )
).map(b"".join)
cuts = st.lists(st.integers(0, 80), max_size=6)


@given(soup | st.binary(max_size=80), cuts)
def test_cutting_the_stream_changes_nothing(stream: bytes, at: list[int]) -> None:
    assert parse(*cut(stream, at)) == parse(stream)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20), max_size=5), cuts)
def test_what_was_sent_comes_out(texts: list[str], at: list[int]) -> None:
    stream = b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)
    assert [event.data.decode() for event in parse(*cut(stream, at))] == texts


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(b"a"), Event(b"b")]),
        (b"data: a\rdata: b\r\r", [Event(b"a\nb")]),
        (b": ping\n\n: ping\n\ndata: a\n\n", [Event(b"a")]),
        (b"event: complete\ndata: [1]\n\n", [Event(b"[1]", b"complete")]),
        (b"id: 7\nretry: 10\ndata:x\n\n", [Event(b"x")]),
        (b"data:  two\n\n", [Event(b" two")]),
        (b"data\n\n", [Event(b"")]),
        (b"event: only\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
        (b"\n\n\ndata: a\n\n\n\n", [Event(b"a")]),
        (b"data: cut off", [Event(b"cut off")]),
    ],
)
def test_streams_in_the_wild(stream: bytes, events: list[Event]) -> None:
    assert parse(stream) == events


def test_an_endless_event_is_refused() -> None:
    parser = SseParser(limit=1000)
    with pytest.raises(ParseError, match="longer than 1000 bytes"):
        collections.deque(map(parser.feed, [b"data: and so on"] * 1000))


def test_a_byte_at_a_time_is_not_quadratic() -> None:
    parser = SseParser()
    for _ in range(200_000):
        parser.feed(b"x")
    assert parser.feed(b"\n\ndata: a\n\n") == [Event(b"a")]


@pytest.mark.parametrize(
    ("beginning", "document"),
    [
        (b"{", True),
        (b' \n[{"a":1}]', True),
        (b"\xef\xbb\xbf{", True),
        (b"<!doctype html>", True),
        (b"data: {", False),
        (b": ping", False),
        (b"", False),
    ],
)
def test_an_answer_that_begins_like_json_has_no_events(beginning: bytes, document: bool) -> None:
    """It is read in one piece: an error, or a server that does not stream."""
    parser = parser_for(beginning)

    assert isinstance(parser, Document) is document
    if document:
        assert parser.feed(beginning) == parser.feed(b"\n\n") == ()
        assert parser.close() == (Event(beginning + b"\n\n"),)


def test_an_endless_document_is_refused() -> None:
    parser = Document(limit=1000)
    with pytest.raises(ParseError, match="longer than 1000 bytes"):
        collections.deque(map(parser.feed, [b"{and so on"] * 1000))
