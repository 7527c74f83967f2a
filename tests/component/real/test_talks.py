"""Conversations with a real model, overheard on the way: a later turn's prompt holds the earlier turns, answers and all."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from fakes.bad import body
from fakes.serving import serving

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # the first use installs

Overheard = list[tuple[list[dict[str, str]], dict[str, Any]]]
TURNS = 3


@pytest.fixture
def relay(llama: str) -> Iterator[tuple[str, Overheard]]:
    """A URL that passes everything on to the model, and what went through: messages and answers."""
    overheard: Overheard = []

    def passed_on(asked: bytes) -> bytes:
        request = Request(llama + "/v1/chat/completions", asked, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as response:
            return bytes(response.read())

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            asked = await reader.readexactly(length)
            answer = await asyncio.to_thread(passed_on, asked)
            overheard.append((json.loads(asked)["messages"], json.loads(answer)))
            writer.write(body(answer))

    with serving(behave) as server:
        yield server.url, overheard


def test_a_turn_holds_what_was_said_before(relay: tuple[str, Overheard], play) -> None:
    url, overheard = relay
    prompt = {"synthetic": {"inputTokens": {"mean": 16}}}
    chat = {"model": "smollm2", "prompt": prompt, "maxTokens": 12, "stream": False, "turns": TURNS}

    report = play(url, {"openAIChat": chat}, seconds=4)

    assert report.total.counts.failed == 0, report.total.errors
    followed = [(before, after) for before, after in itertools.pairwise(overheard) if len(after[0]) > 1]
    assert len(followed) >= TURNS - 1
    for (said, answer), (messages, again) in followed:
        reply = answer["choices"][0]["message"]["content"]
        assert messages[:-1] == [*said, {"role": "assistant", "content": reply}]
        spent, longer = answer["usage"], again["usage"]
        assert longer["prompt_tokens"] > spent["prompt_tokens"] + spent["completion_tokens"]
        assert longer["prompt_tokens_details"]["cached_tokens"] >= spent["prompt_tokens"] / 2
