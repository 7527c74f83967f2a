"""What one message of OpenAI's protocol means for the measurement: typed decoding, nothing kept.

Chat completions and completions, streamed or whole, share one lenient shape: only the fields that matter are
decoded, all may be absent. A message is *output* when it carries text, reasoning or tool-call arguments that are
not empty (metrics.md), or sound; a role-only delta, empty content, the usage chunk and a bare finish reason are not. An error
object in a stream that began with status 200 is an error.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from loadgen.core.protocols.sse import ParseError

ERROR_LENGTH = 200
"""Characters of a server's error message that are kept."""


class ChunkKind(Struct, frozen=True, gc=False):
    """What a message was."""

    has_output: bool = False
    tokens: int | None = None
    """Output tokens so far, where the server tells."""
    error: str | None = None
    done: bool = False
    """It carried a finish reason or was [DONE]: the stream may end now."""


class _Function(Struct, gc=False):
    arguments: str | dict[str, Any] | None = None


class _ToolCall(Struct, gc=False):
    function: _Function | None = None


class _Audio(Struct, gc=False):
    data: str | None = None
    transcript: str | None = None


class _Message(Struct, gc=False):
    content: str | list[Any] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    audio: _Audio | None = None


class _Choice(Struct, gc=False):
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(Struct, gc=False):
    completion_tokens: int | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _BareError(Struct, gc=False):
    """An error as older vLLM servers send it: {"object": "error", "message": …}."""

    object: Any = None
    message: Any = None


NOTHING = ChunkKind()
OUTPUT = ChunkKind(has_output=True)
DONE = ChunkKind(done=True)
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_bare_error = msgspec.json.Decoder(_BareError).decode


def decode(data: bytes) -> ChunkKind:
    """One event's data, or the body of an answer that was not streamed."""
    try:
        chunk = _decode_chunk(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return _not_json(data, error)
    if chunk.error is not None:
        return ChunkKind(error=_error_text(chunk.error))
    return _kind(chunk) if chunk.choices is not None else _without_choices(data, chunk)


def text(data: bytes) -> str:
    """What a message that `decode` took says: content, or a completion's text; reasoning and calls are not said."""
    choices = _decode_chunk(data).choices or ()
    return "".join(_said(choice) for choice in choices[:1])


def _said(choice: _Choice) -> str:
    message = choice.delta or choice.message
    content = message.content if message is not None else choice.text
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content or ""


def _not_json(data: bytes, error: Exception) -> ChunkKind:
    text = data.strip()
    if text == b"[DONE]":
        return DONE
    if not text:
        return NOTHING
    raise ParseError(f"not a message of OpenAI's protocol: {error}") from error


def _without_choices(data: bytes, chunk: _Chunk) -> ChunkKind:
    bare = _decode_bare_error(data)
    return ChunkKind(error=_error_text(bare.message)) if bare.object == "error" else _kind(chunk)


def _kind(chunk: _Chunk) -> ChunkKind:
    output = done = False
    for choice in chunk.choices or ():
        output = output or _has_output(choice)
        done = done or choice.finish_reason is not None
    if chunk.usage is None and not done:
        return OUTPUT if output else NOTHING
    return ChunkKind(output, chunk.usage.completion_tokens if chunk.usage else None, None, done)


def _has_output(choice: _Choice) -> bool:
    message = choice.delta or choice.message
    if message is None:
        return bool(choice.text)
    if message.content or message.reasoning or message.reasoning_content:
        return True
    return _has_arguments(message) or _has_sound(message.audio)


def _has_arguments(message: _Message) -> bool:
    calls = [call.function for call in message.tool_calls or ()] + [message.function_call]
    return any(call is not None and call.arguments for call in calls)


def _has_sound(audio: _Audio | None) -> bool:
    return audio is not None and bool(audio.data or audio.transcript)


def _error_text(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("message") or error.get("type") or error
    return str(error)[:ERROR_LENGTH]
