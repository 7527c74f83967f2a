"""What one message of OpenAI's protocol means for the measurement: typed decoding, nothing kept.

Chat completions and completions, streamed or whole, share one lenient shape: only the fields that matter are
decoded, all may be absent. A message is *output* when it carries text, a refusal, reasoning, a call (its function's name
or arguments) or sound that is not empty (metrics.md); a role-only delta, empty content, the usage chunk and a bare finish
reason are not.

What may end an answer well: a finish reason, which an empty one is not, or [DONE], after which nothing counts. What ends it
badly, whatever the status was: an error that says something (gateways write empty ones into every chunk), or a finish
reason of those by which servers say that they broke off.

Fields of other shapes than the usual are rare and read a second time, leniently: a number that is a text, usage that is a
list, an unknown kind of content. They never make an answer wrong; only what is no message at all does.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from loadgen.core.protocols.posted import UNREADABLE, Posted, strictly
from loadgen.core.protocols.sse import ParseError
from loadgen.model.requests import OpenAIChat

if TYPE_CHECKING:
    from loadgen.model.requests import OpenAI

T = TypeVar("T", bound=Struct)

ERROR_LENGTH = 200
"""Characters of a server's error message that are kept."""

MOST_TOKENS = 1_000_000_000
"""No answer has more: such a figure is no count."""


class ChunkKind(Struct, frozen=True, gc=False):
    """What a message was."""

    has_output: bool = False
    tokens: int | None = None
    """Output tokens so far, where the server tells."""
    error: str | None = None
    done: bool = False
    """It carried a finish reason or was [DONE]: the stream may end now."""
    over: bool = False
    """It was [DONE]: the answer is over, whatever its body still brings."""


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: Any = None
    input: Any = None
    """Of a custom tool, which has no arguments."""


class _ToolCall(Struct, gc=False):
    function: _Function | None = None
    custom: _Function | None = None


class _Audio(Struct, gc=False):
    data: str | None = None
    transcript: str | None = None


class _Message(Struct, gc=False):
    content: str | list[Any] | None = None
    refusal: str | None = None
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
    error: Any = None


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
DONE = ChunkKind(done=True, over=True)
BROKEN_OFF = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "timeout", "insufficient_system_resource"}
)
"""Finish reasons of answers that the server did not finish. Others, known or not, are ends as the model or the plan wanted."""
_MESSAGE = "a message of OpenAI's protocol"
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_bare_error = msgspec.json.Decoder(_BareError).decode
_decode_any = msgspec.json.Decoder().decode


def decode(data: bytes) -> ChunkKind:
    """One event's data, or the body of an answer that was not streamed. Raises ParseError."""
    try:
        chunk = _decode_chunk(data)
        if chunk.error is None and chunk.choices is not None:
            return _kind(chunk)
    except UNREADABLE:
        pass
    return strictly(_unusual, data, _MESSAGE)


def _unusual(data: bytes) -> ChunkKind:
    """What is no plain chunk: an end, an error, no JSON at all, or JSON of another shape."""
    if (bare := data.strip()) in (b"[DONE]", b""):
        return DONE if bare else NOTHING
    chunk = _chunk(data)
    if wrong := error_of(chunk.error):
        return ChunkKind(error=wrong)
    return _kind(chunk) if chunk.choices is not None else _without_choices(data, chunk)


def _chunk(data: bytes) -> _Chunk:
    try:
        return _decode_chunk(data)
    except msgspec.ValidationError:
        return _leniently(data)


def text(data: bytes) -> str:
    """What a message that `decode` took says: content, a refusal or a completion's text; reasoning and calls are not said.
    Raises ParseError."""
    choices = strictly(_chunk, data, _MESSAGE).choices or ()
    return "".join(_said(choice) for choice in choices[:1])


def _said(choice: _Choice) -> str:
    message = choice.delta or choice.message
    content = (message.content or message.refusal) if message is not None else choice.text
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content or ""


def _leniently(data: bytes) -> _Chunk:
    """JSON of an unusual shape: what is usable of it. Raises ParseError where it is no object with a list of choices."""
    found = _decode_any(data)
    choices = found.get("choices") if isinstance(found, dict) else ()
    listed = isinstance(choices, list) and all(isinstance(one, dict) for one in choices)
    if not isinstance(found, dict) or not (listed or choices is None):
        raise ParseError(f"not {_MESSAGE}: {data[:60]!r}")
    kept = None if choices is None else [_usable(choice, _Choice) for choice in choices]
    return _Chunk(kept, _Usage(_count(found.get("usage"))), found.get("error"))


def _usable(found: dict[str, Any], shape: type[T]) -> T:
    """Those fields that are as they should be; a message's text of another shape is something all the same."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        value = found.get(field.name)
        if isinstance(value, dict) and field.name in ("delta", "message"):
            fields[field.name] = _usable(value, _Message)
            continue
        with contextlib.suppress(msgspec.ValidationError):
            fields[field.name] = msgspec.convert(value, field.type)
        if field.name in _SPOKEN and value and field.name not in fields:
            fields[field.name] = str(value)
    return shape(**fields)


_SPOKEN = frozenset({"content", "refusal", "reasoning", "reasoning_content", "text", "finish_reason"})


def _count(usage: Any) -> int | None:
    """Output tokens of a usage that may be anything."""
    found = usage.get("completion_tokens") if isinstance(usage, dict) else None
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return None if isinstance(found, bool) else int(found)  # type: ignore[arg-type]
    return None


def _without_choices(data: bytes, chunk: _Chunk) -> ChunkKind:
    with contextlib.suppress(msgspec.ValidationError):
        bare = _decode_bare_error(data)
        if bare.object == "error":
            return ChunkKind(error=error_text(bare.message))
    return _kind(chunk)


def _kind(chunk: _Chunk) -> ChunkKind:
    output = done = False
    for choice in chunk.choices or ():
        output = output or _has_output(choice)
        if choice.finish_reason:
            if choice.finish_reason in BROKEN_OFF:
                return _broken_off(choice)
            done = True
        elif choice.error is not None and _says_something(choice.error):
            return _broken_off(choice)
    tokens = chunk.usage.completion_tokens if chunk.usage is not None else None
    if tokens is None and not done:
        return OUTPUT if output else NOTHING
    return ChunkKind(output, tokens if tokens is not None and 0 <= tokens <= MOST_TOKENS else None, None, done)


def _broken_off(choice: _Choice) -> ChunkKind:
    if choice.error is not None and _says_something(choice.error):
        return ChunkKind(error=error_text(choice.error))
    return ChunkKind(error=f"the server broke the answer off: finish_reason {choice.finish_reason!r}")


def _has_output(choice: _Choice) -> bool:
    message = choice.delta or choice.message
    if message is None:
        return bool(choice.text)
    if message.content or message.reasoning or message.reasoning_content or message.refusal:
        return True
    return _has_call(message) or _has_sound(message.audio)


def _has_call(message: _Message) -> bool:
    """A function without parameters is called by its name alone."""
    calls = [call.function or call.custom for call in message.tool_calls or ()] + [message.function_call]
    return any(call is not None and (call.arguments or call.name or call.input) for call in calls)


def _has_sound(audio: _Audio | None) -> bool:
    return audio is not None and bool(audio.data or audio.transcript)


def _says_something(error: Any) -> bool:
    """Nothing, however it is written, is no error; nor is an object whose every field is empty."""
    return any(_says_something(one) for one in error.values()) if isinstance(error, dict) else bool(error)


def error_of(error: Any) -> str:
    """What a message's error says; empty where it says nothing and so is none."""
    return error_text(error) if error is not None and _says_something(error) else ""


def error_text(error: Any) -> str:
    """A server's error for people, bounded."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("type") or error
    return str(error)[:ERROR_LENGTH]


def document(asked: OpenAI, hole: str) -> dict[str, Any]:
    """A completion: a chat's message, or a text to continue."""
    chat = isinstance(asked, OpenAIChat)
    prompt = {"messages": [{"role": "user", "content": hole}]} if chat else {"prompt": hole}
    return {"model": asked.model, **prompt, **_sampling(asked)}


def _sampling(asked: OpenAI) -> dict[str, Any]:
    """Options that the plan sets; usage is asked for in streams, for servers tell it only then."""
    options: dict[str, Any] = {"stream": asked.stream}
    if asked.stream and asked.include_usage:
        options["stream_options"] = {"include_usage": True}
    if asked.output_limit is not None:
        options["max_tokens" if asked.max_tokens is not None else "max_completion_tokens"] = asked.output_limit
    if asked.temperature is not None:
        options["temperature"] = float(asked.temperature)
    return options


CHAT = Posted(
    document,
    decode,
    sign=b'"choices"',
    whole=b'{"choices":[{"message":{"role":"assistant","content":"word"}}],"usage":{"completion_tokens":1}}',
    event=b'data: {"id":"0","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n',
    end=b"data: [DONE]\n\n",
)
COMPLETIONS = replace(
    CHAT,
    whole=b'{"choices":[{"text":"word"}],"usage":{"completion_tokens":1}}',
    event=b'data: {"id":"0","object":"text_completion","choices":[{"index":0,"text":" word"}]}\n\n',
)
