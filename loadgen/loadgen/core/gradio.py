"""What one message of a Gradio app means for the measurement. The app's address has three generations of protocol:

- call (Gradio 4 and later): POST …/call/NAME answers {"event_id"}; GET …/call/NAME/EVENT_ID streams events named
  generating, complete, error and heartbeat, whose data is the list of outputs.
- queue, which the browser uses: POST …/queue/join answers {"event_id"}; GET …/queue/data?session_hash=… streams
  messages {"msg": process_starts | process_generating | process_completed | estimation | log | heartbeat | …}.
- predict (Gradio 3 and before): POST /run/NAME answers {"data": […]} at once.

An output is a list that holds something other than null. A completed call that has outputs is an output as well: for a
function that does not generate it is the only one. Where a generator's last value is sent again, it counts again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from loadgen.core.openai import ERROR_LENGTH, NOTHING, OUTPUT, ChunkKind
from loadgen.core.sse import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.core.sse import Event

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
_decode_joined = msgspec.json.Decoder(_Joined).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_output = msgspec.json.Decoder(_Output).decode
_decode_any = msgspec.json.Decoder().decode


def event_id(body: bytes) -> str:
    """What the first of the two requests of call and queue answers; it goes into the second one's path."""
    event = _strictly(_decode_joined, body).event_id
    if not _ID.fullmatch(event):
        raise ParseError(f"not an event's id: {event[:60]!r}")
    return event


def decode_call(event: Event) -> ChunkKind:
    """An event of GET …/call/NAME/EVENT_ID."""
    if event.event == b"heartbeat" or event.event is None:
        return NOTHING
    data = _strictly(_decode_any, event.data)
    if event.event == b"error":
        return _failed(data)
    output = _is_output(data)
    if event.event == b"complete":
        return ChunkKind(output, done=True)
    return OUTPUT if output and event.event == b"generating" else NOTHING


def decode_queue(data: bytes) -> ChunkKind:
    """A message of GET …/queue/data."""
    message = _strictly(_decode_message, data)
    if message.msg in ("unexpected_error", "queue_full") or not message.success:
        return _failed(message.message or (message.output and message.output.error) or message.title or message.msg)
    output = message.output is not None and _is_output(message.output.data)
    if message.msg == "process_completed":
        return ChunkKind(output, done=True)
    return OUTPUT if output and message.msg in ("process_generating", "process_streaming") else NOTHING


def decode_predict(body: bytes) -> ChunkKind:
    """The answer of POST /run/NAME."""
    answer = _strictly(_decode_output, body)
    return _failed(answer.error) if answer.error is not None else ChunkKind(_is_output(answer.data), done=True)


def _is_output(data: Any) -> bool:
    """Something other than null, in a list or bare."""
    return any(one is not None for one in data) if isinstance(data, list) else data is not None


def _failed(error: Any) -> ChunkKind:
    """Gradio hides an exception's text by default and sends null."""
    text = error.get("error") or error.get("message") if isinstance(error, dict) else error
    return ChunkKind(error=str(text or "error without a message")[:ERROR_LENGTH])


def _strictly(decode: Callable[[bytes], T], data: bytes) -> T:
    try:
        return decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ParseError(f"not a message of Gradio's protocol: {error}") from error
