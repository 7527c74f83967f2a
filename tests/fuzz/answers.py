"""Bytes that a server might send: good messages, changed as JSON in places or as bytes anywhere, cut as a network cuts."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

from fuzz.objects import CHANGES, places

DEEP = (10, 200, 480, *range(900, 1010, 6))
"""How deep lists are nested: around what Python's stack still takes too."""


def _nested(depth: int, core: bytes = b"") -> bytes:
    return b"[" * depth + core + b"]" * depth


def _flipped(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _inserted(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(ODD_BYTES) + data[at:]


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _doubled(data: bytes, draw: random.Random) -> bytes:
    begin, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[begin:end] + data[end:]


def _deep(data: bytes, draw: random.Random) -> bytes:
    """A value replaced by lists in lists."""
    at = data.find(b":", draw.randrange(len(data) + 1))
    end = min((found for mark in (b",", b"}") if (found := data.find(mark, at)) > at), default=len(data))
    return data[: at + 1] + _nested(draw.choice(DEEP), draw.choice((b"", b"1", b'{"message":"x"}'))) + data[end:]


ODD_BYTES = (
    b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\0", b"\r", b"\n", b"\r\n\r\n", b"\n\n", b'"', b"\\ud800", b"{", b"[",
    b"}", b"]", b":", b"data: ", b"event: error\n", b"1e999", b"9" * 400, b"9" * 5000, b"-", b"NaN", b"null", b" ", b"\x1f\x8b",
)  # fmt: skip
BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped,
    _inserted,
    _inserted,
    _cut,
    _doubled,
    _deep,
    _deep,
)


def changed(data: bytes, draw: random.Random) -> bytes:
    """As JSON, as bytes, or both."""
    if draw.random() < 0.5:
        data = _as_object(data, draw)
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        data = draw.choice(BYTES)(data, draw)
    return data


def _as_object(data: bytes, draw: random.Random) -> bytes:
    try:
        found: Any = [json.loads(data)]
    except (ValueError, RecursionError):
        return data
    for _ in range(draw.choice((1, 1, 2, 3))):
        every = list(places(found))
        if every:
            draw.choice(CHANGES)(draw.choice(every), draw, every)
    return json.dumps(found[0] if found else None, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def cuts(data: bytes, draw: random.Random) -> list[bytes]:
    """As reads bring it."""
    edges = sorted(draw.randrange(len(data) + 1) for _ in range(draw.choice((0, 1, 3, 9))))
    return [data[begin:end] for begin, end in zip([0, *edges], [*edges, len(data)], strict=True)]


def an_answer(body: bytes, draw: random.Random) -> bytes:
    """Over HTTP, with the head that goes with it or another one."""
    status = draw.choice((200, 200, 200, 201, 204, 404, 503, 103))
    head = [f"HTTP/1.1 {status} OK".encode()]
    if draw.random() < 0.2:
        head.append(b"Content-Encoding: " + draw.choice((b"gzip", b"deflate", b"br", b"identity", b"")))
        body = gzip.compress(body) if draw.random() < 0.7 else body
    if draw.random() < 0.5:
        head.append(b"Content-Length: %d" % draw.choice((len(body), len(body), len(body) + 1, 0)))
    elif draw.random() < 0.7:
        head.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cuts(body, draw) if piece) + b"0\r\n\r\n"
    answer = b"\r\n".join([*head, b"", b""]) + body
    return draw.choice(BYTES)(answer, draw) if draw.random() < 0.3 else answer
