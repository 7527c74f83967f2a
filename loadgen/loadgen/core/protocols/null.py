"""What a null server answers: the least that each protocol takes for right, for as many output events as are asked for.

An answer is pieces. Each is written by itself, so that it costs the reader what an event of a real stream costs: a read of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadgen.core.protocols.table import POSTED
from loadgen.model.requests import Asked, Gradio, GradioProtocol, Http, for_every_protocol

Pieces = tuple[bytes, ...]
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_GENERATING = b'event: generating\ndata: ["word"]\n\n'
_MESSAGE = b'data: {"msg":"process_%b","event_id":"0","output":{"data":[%b],"duration":0.1,"render_config":null},"success":true}\n\n'
_NO_BODY = (204, 304)


def answers(asked: Asked, events: int) -> tuple[Pieces, ...]:
    """What is answered to a request's exchanges, in their order; streams have so many output events."""
    return _ANSWERS[type(asked)](asked, events)


def _whole(body: bytes, status: int = 200) -> Pieces:
    length = b"" if status in _NO_BODY else b"Content-Length: %d\r\n" % len(body)
    return (b"HTTP/1.1 %d Null\r\n%b\r\n%b" % (status, length, b"" if status in _NO_BODY else body),)


def _stream(event: bytes, events: int, end: bytes) -> Pieces:
    first, *rest = [b"%x\r\n%b\r\n" % (len(event), event)] * max(events, 1)
    return (_STREAM_HEAD + first, *rest, b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))


def _posted(asked: Any, events: int) -> tuple[Pieces, ...]:
    spoken = POSTED[type(asked)]
    return (_stream(spoken.event, events, spoken.end) if asked.streams else _whole(spoken.whole),)


def _http(asked: Http, _events: int) -> tuple[Pieces, ...]:
    """What the plan expects, where it says so in plain words."""
    wanted = asked.expect_body.contains if asked.expect_body and asked.method != "HEAD" else None
    return (_whole((wanted or "").encode(), asked.expect_status[0]),)


def _gradio(asked: Gradio, events: int) -> tuple[Pieces, ...]:
    return _FUNCTIONS[asked.protocol](events)


_JOINED = _whole(b'{"event_id":"0"}')
_FUNCTIONS: Mapping[GradioProtocol, Callable[[int], tuple[Pieces, ...]]] = {
    GradioProtocol.QUEUE: lambda events: (
        _JOINED,
        _stream(_GENERATING, events, _GENERATING.replace(b"generating", b"complete")),
    ),
    GradioProtocol.QUEUE_JOIN: lambda events: (
        _JOINED,
        _stream(_MESSAGE % (b"generating", b'[["append",[]," word"]]'), events, _MESSAGE % (b"completed", b'"word"')),
    ),
    GradioProtocol.PREDICT: lambda _events: (_whole(b'{"data":["word"]}'),),
}
_ANSWERS: Mapping[type[Asked], Callable[[Any, int], tuple[Pieces, ...]]] = for_every_protocol(
    {**dict.fromkeys(POSTED, _posted), Gradio: _gradio, Http: _http}
)
