"""Servers that are odd and yet right, or wrong in a way that only their words tell: one answer each, byte for byte.

`outcome` is the class of a streamed chat completion's failure, empty for a success. All rows keep their connection open.
"""

import gzip
import json
import zlib
from dataclasses import dataclass

from fakes.bad import DELTA, DONE, STREAM_HEAD, chunk

FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
END = chunk(b"")


@dataclass(frozen=True)
class Odd:
    """One answer and what it is."""

    answer: bytes
    outcome: str = ""


def stream(*events: bytes, head: bytes = STREAM_HEAD, end: bytes = END) -> bytes:
    """Events, each in a chunk of its own."""
    return head + b"".join(map(chunk, events)) + end


def reason(said: object, **more: object) -> bytes:
    """An event with output and a finish reason."""
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": said}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def delta(**fields: object) -> bytes:
    """An event with these fields of a message."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": fields}]}).encode() + b"\n\n"


def whole(document: object, status: str = "200 OK") -> bytes:
    """JSON in one piece."""
    body = json.dumps(document).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def packed(data: bytes, encoding: str) -> bytes:
    """A whole stream, compressed, in two chunks."""
    head = STREAM_HEAD.replace(b"\r\n\r\n", f"\r\ncontent-ENCODING: {encoding}\r\n\r\n".encode())
    return stream(data[:20], data[20:], head=head)


EVENTS = DELTA + DELTA + FINISH + DONE
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(EVENTS) + RAW.flush()
NO_END = b""
"""The body stays open."""

ENDS: dict[str, Odd] = {
    "an empty finish reason, then [DONE]": Odd(stream(reason(""), reason(""), DONE)),
    "an empty finish reason and the end of the body": Odd(stream(reason(""), reason("")), "StreamTruncated"),
    "null as finish reason and the end of the body": Odd(stream(reason(None)), "StreamTruncated"),
    "a finish reason, no [DONE]": Odd(stream(DELTA, FINISH)),
    "the finish reason error": Odd(stream(DELTA, reason("error"), DONE), "StreamError"),
    "the finish reason abort": Odd(stream(DELTA, reason("abort"), DONE), "StreamError"),
    "a length as finish reason": Odd(stream(DELTA, reason("length"), DONE)),
    "[DONE], the body stays open": Odd(stream(DELTA, DONE, end=NO_END)),
    "[DONE], then words and nonsense": Odd(stream(DELTA, DONE, b"data: {nonsense\n\n", b"and so on", end=NO_END)),
    "[DONE] and an error in one piece": Odd(stream(DELTA + DONE + b'data: {"error":"late"}\n\n')),
    "[DONE] without a blank line": Odd(stream(DELTA, b"data: [DONE]")),
    "[DONE] with one line feed": Odd(stream(DELTA, b"data: [DONE]\n")),
    "a finish reason without a blank line": Odd(stream(DELTA, FINISH.rstrip())),
    "half of an event at the end": Odd(stream(DELTA, FINISH[:30]), "StreamTruncated"),
    "half of an event after the finish reason": Odd(stream(DELTA, FINISH, b"data: {us")),
    "an error that is the last event, without a blank line": Odd(
        stream(DELTA, b'data: {"error":"out"}'), "StreamError"
    ),
    "an event that is named error": Odd(
        stream(DELTA, b'event: error\ndata: {"message":"out"}\n\n', DONE), "StreamError"
    ),
    "an error in one piece of JSON": Odd(whole({"error": {"message": "out of memory"}}), "StreamError"),
    "another server's error in one piece": Odd(whole({"object": "error", "message": "no"}), "StreamError"),
    "a whole completion in place of a stream": Odd(whole({"choices": [{"message": {"content": "hi"}}]}), "Parse"),
    "a page in place of a stream": Odd(stream(b"<html><title>Sign in</title></html>"), "Parse"),
    "only comments": Odd(stream(b": ping\n\n", b": ping\n\n"), "StreamTruncated"),
    "lines of JSON in place of events": Odd(stream(b'{"response":"a"}\n', b'{"done":true}\n'), "Parse"),
}
"""What may end a stream well, and what not."""
HEALTHY: dict[str, Odd] = {
    "201": Odd(stream(DELTA, DONE, head=STREAM_HEAD.replace(b"200 OK", b"201 Created"))),
    "202": Odd(stream(DELTA, DONE, head=STREAM_HEAD.replace(b"200 OK", b"202 Accepted"))),
    "a refusal": Odd(stream(delta(refusal="I cannot"), FINISH, DONE)),
    "a call without arguments": Odd(
        stream(delta(tool_calls=[{"id": "1", "function": {"name": "now", "arguments": ""}}]), FINISH, DONE)
    ),
    "errors that are empty": Odd(
        stream(*(reason(None, error=nothing) for nothing in (None, "", {}, [], False, {"code": None})), DONE)
    ),
    "usage that is a list": Odd(stream(reason("stop", usage=[]), DONE)),
    "usage that is a text": Odd(stream(reason("stop", usage={"completion_tokens": "3"}), DONE)),
    "usage without a figure": Odd(stream(reason("stop", usage={"completion_tokens": None, "x": {}}), DONE)),
    "fields nobody knows": Odd(stream(reason("stop", service_tier=7, obfuscation=["x"]), DONE)),
    "comments, ids and retries": Odd(stream(b": ping\n\n", b"id: 7\nretry: 10\n" + DELTA, b"event: message\n" + DONE)),
}
"""Which answers of healthy servers must not be refused."""
COMPRESSED: dict[str, Odd] = {
    "gzip": Odd(packed(gzip.compress(EVENTS), "gzip")),
    "x-gzip": Odd(packed(gzip.compress(EVENTS), "X-GZIP")),
    "gzip of several members": Odd(packed(gzip.compress(DELTA) + gzip.compress(FINISH + DONE), "gzip")),
    "deflate": Odd(packed(zlib.compress(EVENTS), "deflate")),
    "deflate without its wrapper": Odd(packed(DEFLATED, "deflate")),
    "identity": Odd(packed(EVENTS, "identity")),
    "br": Odd(packed(b"\x8b\x02\x80compressed bytes of some kind", "br"), "Encoding"),
    "zstd": Odd(packed(b"\x28\xb5\x2f\xfdcompressed bytes of some kind", "zstd"), "Encoding"),
    "two encodings": Odd(packed(gzip.compress(EVENTS), "deflate, gzip"), "Encoding"),
    "gzip that is none": Odd(packed(EVENTS, "gzip"), "Parse"),
    "a bomb": Odd(packed(gzip.compress(b"data: " + bytes(40_000_000)), "gzip"), "Parse"),
    "a refusal in br": Odd(
        packed(b"whatever it may have been before", "br").replace(b"200 OK", b"429 Slow Down"), "Http429"
    ),
}
"""Bodies that come compressed though identity was asked for."""
ODD: dict[str, Odd] = ENDS | HEALTHY | COMPRESSED
