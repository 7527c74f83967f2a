"""What one message of a Gradio app means for the measurement. The app's address has three protocols:

- call (Gradio 4 and later): POST …/call/NAME answers {"event_id"}; GET …/call/NAME/EVENT_ID streams events named
  generating, complete, error and heartbeat, whose data is the list of outputs.
- join, which browsers use (Gradio 4.9 and later): POST …/queue/join, of a session that the client names, answers
  {"event_id"}; GET …/queue/data?session_hash=… streams that session's messages {"msg": estimation | process_starts |
  process_generating | process_completed | progress | log | heartbeat | close_stream | unexpected_error | …}.
- predict (Gradio 3 and before): POST /run/NAME answers {"data": […]} at once.

An output is a list that holds something other than null. A completed call that has outputs is an output as well: for a
function that does not generate it is the only one. Where a generator's last value is sent again, it counts again.

A join's first process_generating holds the outputs themselves, every later one what has changed since: for each output
a list of edits [what, where, value], empty where it is as before (since Gradio 4.17; before, whole outputs). No
change is no output. A first value that is an empty list looks the same and is none either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from loadgen.core.protocols.openai import ERROR_LENGTH, NOTHING, OUTPUT, ChunkKind
from loadgen.core.protocols.posted import strictly
from loadgen.core.protocols.sse import ParseError
from loadgen.model.requests import GradioProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadgen.core.protocols.sse import Event

T = TypeVar("T")


class _Joined(Struct, gc=False):
    event_id: str


class _Output(Struct, gc=False):
    data: list[Any] | None = None
    error: Any = None


class _Message(Struct, gc=False):
    msg: str
    output: _Output | None = None
    success: bool = True
    message: str | None = None
    title: str | None = None


_ID = re.compile(r"[A-Za-z0-9_.~-]{1,256}")
_NO_OUTPUT: tuple[Any, ...] = (None, [], [["replace", [], None]])
"""Null, no change, a change to null."""
_MESSAGE = "a message of Gradio's protocol"
_decode_joined = msgspec.json.Decoder(_Joined).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_output = msgspec.json.Decoder(_Output).decode
_decode_any = msgspec.json.Decoder().decode


def event_id(body: bytes) -> str:
    """What the first of the two requests of call and join answers; with call it goes into the second one's path."""
    event = strictly(_decode_joined, body, _MESSAGE).event_id
    if not _ID.fullmatch(event):
        raise ParseError(f"not an event's id: {event[:60]!r}")
    return event


def in_session(inputs: bytes, session: str) -> bytes:
    """The body of a join: an object of JSON, and the session whose stream will have the outputs."""
    return b'%b,"session_hash":"%b"}' % (inputs.removesuffix(b"}"), session.encode())


def decode_call(event: Event) -> ChunkKind:
    """An event of GET …/call/NAME/EVENT_ID. Raises ParseError."""
    if event.event == b"heartbeat" or event.event is None:
        return NOTHING
    return strictly(lambda data: _called(event, _decode_any(data)), event.data, _MESSAGE)


def _called(event: Event, data: Any) -> ChunkKind:
    if event.event == b"error":
        return _failed(data)
    output = _is_output(data)
    if event.event == b"complete":
        return ChunkKind(output, done=True, over=True)
    return OUTPUT if output and event.event == b"generating" else NOTHING


def decode_join(event: Event) -> ChunkKind:
    """A message of GET …/queue/data. Raises ParseError."""
    return strictly(_joined, event.data, _MESSAGE)


def _joined(body: bytes) -> ChunkKind:
    message = _decode_message(body)
    if message.msg == "unexpected_error" or not message.success:
        return _failed(message.message or (message.output and message.output.error) or message.title or message.msg)
    data = message.output.data if message.output is not None else None
    if message.msg == "process_completed":
        return ChunkKind(_is_output(data), done=True, over=True)
    generating = message.msg in ("process_generating", "process_streaming")
    return OUTPUT if generating and any(one not in _NO_OUTPUT for one in data or ()) else NOTHING


STREAMED: Mapping[GradioProtocol, Callable[[Event], ChunkKind]] = {
    GradioProtocol.QUEUE: decode_call,
    GradioProtocol.QUEUE_JOIN: decode_join,
}
"""What decodes the events of those protocols that have any."""


def decode_predict(body: bytes) -> ChunkKind:
    """The answer of POST /run/NAME. Raises ParseError."""
    return strictly(_predicted, body, _MESSAGE)


def _predicted(body: bytes) -> ChunkKind:
    answer = _decode_output(body)
    return _failed(answer.error) if answer.error else ChunkKind(_is_output(answer.data), done=True, over=True)


def _is_output(data: Any) -> bool:
    """Something other than null, in a list or bare."""
    return any(one is not None for one in data) if isinstance(data, list) else data is not None


def _failed(error: Any) -> ChunkKind:
    """Gradio hides an exception's text by default and sends null."""
    text = error.get("error") or error.get("message") if isinstance(error, dict) else error
    return ChunkKind(error=str(text or "error without a message")[:ERROR_LENGTH])
