"""What a request carries: bodies made fast, and never the same prompt twice.

A synthetic prompt of n words (about n tokens) begins with four random words out of 256, 2³² beginnings: a server's
prefix cache, which matches from the start, finds nothing to reuse and cannot flatter the target. The rest is a
random window of a text of 65 536 random words, cut out by two look-ups, so a prompt of thousands of tokens costs as
little as a short one. A text of the plan's is sent as it is, or after four such words (`cacheBust`). A segment draws its
prompts from a stream of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from loadgen.core.conversation import Conversations
from loadgen.core.words import WORDS
from loadgen.model.requests import PROMPT_HOLE, OpenAIChat

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.core.segment import Segment
    from loadgen.model.plan import Plan
    from loadgen.model.requests import Http, OpenAI, Prompt, Request, SyntheticTokens

BODIES = 3
"""First part of the spawn key of the bodies' random streams."""
SALT = 4
TEXT_WORDS = 65536
HOLE = "\0"
"""Where the prompt goes in a body; JSON writes it as \\u0000, which no plan's text contains by accident."""


def synthetic(generator: np.random.Generator, lengths: SyntheticTokens) -> Callable[[], bytes]:
    """A source of prompts with normally distributed lengths, cut at one word and at the length of the text."""
    text, starts = _text(generator)

    def prompt() -> bytes:
        drawn = generator.normal(lengths.mean, lengths.stddev) if lengths.stddev else lengths.mean
        words = min(max(round(drawn), 1), TEXT_WORDS)
        salt = _salt(generator)[:words]
        rest = words - len(salt)
        begin = int(generator.integers(TEXT_WORDS - rest + 1))
        return b" ".join(salt) + text[starts[begin] : starts[begin + rest]]

    return prompt


def _salt(generator: np.random.Generator) -> list[bytes]:
    """Four words that no other prompt is likely to begin with."""
    return [_WORDS[byte] for byte in int(generator.integers(1 << 8 * SALT)).to_bytes(SALT, "little")]


_WORDS = tuple(word.encode() for word in WORDS)


def _text(generator: np.random.Generator) -> tuple[bytes, list[int]]:
    """Random words, each with a blank before it, and where each begins (and the last one ends)."""
    words = [b" " + _WORDS[byte] for byte in generator.bytes(TEXT_WORDS)]
    starts = np.concatenate([[0], np.cumsum([len(word) for word in words])])
    return b"".join(words), starts.tolist()


class BodyFactory:
    """Bodies of the plan's requests, by the request's index."""

    def __init__(self, plan: Plan, segment: Segment) -> None:
        key = (BODIES, segment.index, segment.count)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(plan.load.seed, spawn_key=key)))
        self._requests, self._generator = plan.requests, generator
        self._sources = [_source(request, generator) for request in plan.requests]

    def body(self, request_index: int) -> bytes:
        return self._sources[request_index]()

    def conversations(self, request_index: int) -> Conversations:
        """For a chat of several turns, instead of bodies."""
        chat = self._requests[request_index].open_ai_chat
        if chat is None:
            raise ValueError(f"request {request_index} is no chat")
        whole = {**template(chat), "messages": [HOLE]}
        head, tail = _written(whole).split(b'"%b"' % _inside(HOLE))
        return Conversations(chat.turns, _prompts(chat.prompt, self._generator), head, tail)


def _source(request: Request, generator: np.random.Generator) -> Callable[[], bytes]:
    if request.open_ai is not None:
        return _filled(template(request.open_ai), HOLE, request.open_ai.prompt, generator)
    if request.gradio is not None:
        inputs = {"data": json.loads(request.gradio.data)}
        return _filled(inputs, PROMPT_HOLE, request.gradio.prompt, generator)
    return _constant(_http_body(request.http))


def _http_body(http: Http | None) -> bytes:
    return (http.body or "").encode() if http else b""


def _constant(body: bytes) -> Callable[[], bytes]:
    return lambda: body


def _filled(
    template: dict[str, Any], hole: str, prompt: Prompt | None, generator: np.random.Generator
) -> Callable[[], bytes]:
    """The template as JSON with the prompt in its holes; words need no escaping, a text is escaped once."""
    if prompt is None:
        return _constant(_written(template))
    parts = _written(template).split(_inside(hole))
    source = _prompts(prompt, generator)
    if prompt.synthetic is None and not prompt.cache_bust:
        return _constant(source().join(parts))
    return lambda: source().join(parts)


def _prompts(prompt: Prompt, generator: np.random.Generator) -> Callable[[], bytes]:
    """Prompts as they stand between the quotes of a JSON text."""
    if prompt.synthetic is not None:
        return synthetic(generator, prompt.synthetic.input_tokens)
    text = _inside(prompt.text or "")
    if not prompt.cache_bust:
        return _constant(text)
    after = _inside("\n") + text
    return lambda: b" ".join(_salt(generator)) + after


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _inside(text: str) -> bytes:
    """As it stands between the quotes of a JSON text."""
    return json.dumps(text)[1:-1].encode()


def template(asked: OpenAI) -> dict[str, Any]:
    """A completion whose prompt is still a hole: a chat's message, or a text to continue."""
    chat = isinstance(asked, OpenAIChat)
    prompt = {"messages": [{"role": "user", "content": HOLE}]} if chat else {"prompt": HOLE}
    return {"model": asked.model, **prompt, **sampling(asked)}


def sampling(asked: OpenAI) -> dict[str, Any]:
    """Options that the plan sets; usage is asked for in streams, for servers tell it only then."""
    options: dict[str, Any] = {"stream": asked.stream}
    if asked.stream:
        options["stream_options"] = {"include_usage": True}
    if asked.max_tokens is not None:
        options["max_tokens"] = asked.max_tokens
    if asked.temperature is not None:
        options["temperature"] = float(asked.temperature)
    return options
