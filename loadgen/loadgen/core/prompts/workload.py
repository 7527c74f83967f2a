"""What a request carries: bodies made fast, and never the same prompt twice.

A synthetic prompt of n words (about n tokens) begins with four random words out of 256, 2³² beginnings: a server's
prefix cache, which matches from the start, finds nothing to reuse and cannot flatter the target. The rest is a
random window of a text of 65 536 random words, cut out by two look-ups, so a prompt of thousands of tokens costs as
little as a short one. A text of the plan's is sent as it is, or after four such words (`cacheBust`). A segment draws its
prompts from a stream of its own.

Prompts of a file are shuffled by the plan's seed, once for all segments; segment i of n takes the lines i, i+n, i+2n …
of that order and begins again after the last: segments that send equally often use every line before one comes again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loadgen.core.prompts import material as read
from loadgen.core.prompts.conversation import Conversations
from loadgen.core.prompts.words import WORDS
from loadgen.core.protocols.table import POSTED
from loadgen.model.prompts import PROMPT_HOLE
from loadgen.model.references import NO_MATERIAL
from loadgen.model.requests import (
    Asked,
    Gradio,
    Http,
    OpenAIChat,
    for_every_protocol,
)

if TYPE_CHECKING:
    from loadgen.core.schedule.segment import Segment
    from loadgen.model.plan import Plan
    from loadgen.model.prompts import Prompt, SyntheticTokens
    from loadgen.model.references import Material

BODIES, LINES = 3, 5
"""First part of the spawn key of the random streams of bodies, and of the order of files."""
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


Source = Callable[[], bytes]
"""Makes the next body."""


@dataclass(frozen=True, slots=True)
class _Making:
    """What the bodies of one request are made with."""

    generator: np.random.Generator
    material: Material
    order: Callable[[int], Iterator[int]]
    """For so many lines of a file: which of them this segment sends, one after the other, without end."""


class BodyFactory:
    """Bodies of the plan's requests, by the request's index."""

    def __init__(self, plan: Plan, segment: Segment, material: Material = NO_MATERIAL) -> None:
        key = (BODIES, segment.index, segment.count)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(plan.load.seed, spawn_key=key)))
        self._requests, self._generator = plan.requests, generator
        self._sources = [
            SOURCES[type(request.asked)](request.asked, _Making(generator, material, _order(plan, index, segment)))
            for index, request in enumerate(plan.requests)
        ]

    def body(self, request_index: int) -> bytes:
        return self._sources[request_index]()

    def conversations(self, request_index: int) -> Conversations:
        """For a chat of several turns, instead of bodies."""
        chat = self._requests[request_index].open_ai_chat
        if chat is None:
            raise ValueError(f"request {request_index} is no chat")
        whole = {**_document(chat), "messages": [HOLE]}
        head, tail = _written(whole).split(b'"%b"' % _inside(HOLE))
        return Conversations(chat.turns, _prompts(chat.prompt, self._generator), head, tail)


def _order(plan: Plan, request_index: int, segment: Segment) -> Callable[[int], Iterator[int]]:
    def order(lines: int) -> Iterator[int]:
        seed = np.random.SeedSequence(plan.load.seed, spawn_key=(LINES, request_index))
        shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(lines).tolist()
        return (shuffled[place % lines] for place in itertools.count(segment.index, segment.count))

    return order


def _page(asked: Http, making: _Making) -> Source:
    """The plan's own bytes."""
    if asked.body_from is not None:
        return _constant(making.material[asked.body_from.config_map_key_ref.path])
    return _constant((asked.body or "").encode())


def _posted(asked: Any, making: _Making) -> Source:
    return _with_texts(_document(asked), HOLE, asked.prompt, making)


def _chat(asked: OpenAIChat, making: _Making) -> Source:
    """The prompt is the user's message; a line of a file is all the messages."""
    if asked.prompt.jsonl is None:
        return _posted(asked, making)
    lines = read.prompts(asked.prompt.jsonl, making.material, chat=True)
    return _dealt(lines, _written({**_document(asked), "messages": HOLE}).split(b'"%b"' % _inside(HOLE)), making)


def _function(asked: Gradio, making: _Making) -> Source:
    function = {} if asked.fn_index is None else {"fn_index": asked.fn_index}
    return _with_texts({"data": json.loads(asked.data), **function}, PROMPT_HOLE, asked.prompt, making)


SOURCES: Mapping[type[Asked], Callable[[Any, _Making], Source]] = for_every_protocol(
    {**dict.fromkeys(POSTED, _posted), OpenAIChat: _chat, Gradio: _function, Http: _page}
)
"""What makes the bodies of each protocol."""


def _document(asked: Asked) -> dict[str, Any]:
    return POSTED[type(asked)].document(asked, HOLE)


def _with_texts(document: dict[str, Any], hole: str, prompt: Prompt | None, making: _Making) -> Source:
    """The document as JSON with a prompt in its holes, whichever way prompts are made."""
    if prompt is None or prompt.jsonl is None:
        return _filled(document, hole, prompt, making.generator)
    lines = [line[1:-1] for line in read.prompts(prompt.jsonl, making.material, chat=False)]
    return _dealt(lines, _written(document).split(_inside(hole)), making)


def _dealt(lines: list[bytes], parts: list[bytes], making: _Making) -> Source:
    """One line of a file after the other between the parts."""
    places = making.order(len(lines))
    return lambda: lines[next(places)].join(parts)


def _constant(body: bytes) -> Source:
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
