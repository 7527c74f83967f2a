"""Conversations against a server that remembers every request's messages."""

import asyncio
import json
from typing import Any

import pytest
from plans import a_plan
from runs import run
from servers import serving

from fakes.bad import DELTA, DONE, STREAM_HEAD, body, chunk
from loadgen.core.protocols.sse import ParseError
from loadgen.core.schedule.segment import Segment
from loadgen.core.stats.tally import Tally
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.recording.meter import Meter

TURNS = 3


class Listener:
    """Answers "one two" and a number to each request, in pieces or whole; every `failing`-th gets a 500."""

    def __init__(self, failing: int = 1 << 30) -> None:
        self.heard: list[list[dict[str, str]]] = []
        self._failing = failing

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            asked = json.loads(await reader.readexactly(length))
            self.heard.append(asked["messages"])
            if len(self.heard) % self._failing == 0:
                writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
                continue
            answer = ["one ", "two ", str(len(self.heard))]
            writer.write(streamed(answer) if asked["stream"] else whole(answer))


def streamed(pieces: list[str]) -> bytes:
    deltas = [json.dumps({"choices": [{"delta": {"content": piece}}]}).encode() for piece in pieces]
    return STREAM_HEAD + b"".join(chunk(b"data: %b\n\n" % delta) for delta in deltas) + chunk(DONE) + chunk(b"")


def whole(pieces: list[str]) -> bytes:
    return body(json.dumps({"choices": [{"message": {"content": "".join(pieces)}}]}).encode())


async def talked(server: Listener, stream: bool, **stage: Any) -> Tally:
    prompt = {"synthetic": {"inputTokens": {"mean": 6}}}
    chat = {"name": "chat", "openAIChat": {"model": "m", "prompt": prompt, "turns": TURNS, "stream": stream}}
    async with serving(server.script) as url:
        tally, _ = await run(a_plan(chat, stage), url)
    return tally


@pytest.mark.parametrize("stream", [True, False])
async def test_every_turn_carries_the_servers_own_answers(stream: bool) -> None:
    """One slot: one conversation at a time, so the order is known."""
    server = Listener()

    tally = await talked(server, stream, concurrency=1)

    assert tally.select().counts.succeeded == len(server.heard) > 9, tally.select().counts.errors
    assert all(len(messages) == (1, 3, 5)[number % 3] for number, messages in enumerate(server.heard))
    for number, messages in enumerate(server.heard, start=1):
        assert [message["role"] for message in messages] == (["user", "assistant"] * TURNS)[: len(messages)]
        if len(messages) > 1:
            before = server.heard[number - 2]
            assert messages[:-1] == [*before, {"role": "assistant", "content": f"one two {number - 1}"}]
    assert len({messages[-1]["content"] for messages in server.heard}) == len(server.heard)


async def test_slots_have_conversations_too() -> None:
    server = Listener()

    tally = await talked(server, True, concurrency=2)

    counts = tally.select().counts
    assert counts.succeeded > 20
    assert counts.failed == 0
    assert {len(messages) for messages in server.heard} == {1, 3, 5}


async def test_a_turn_that_fails_ends_its_conversation() -> None:
    """Every second request fails: no conversation gets to its third turn, and none goes on after its second."""
    server = Listener(failing=2)

    tally = await talked(server, True, concurrency=1)

    assert tally.select().counts.errors == {"Http500": len(server.heard) // 2}
    assert all(len(messages) == (1, 3)[number % 2] for number, messages in enumerate(server.heard))


def test_a_message_that_cannot_be_read_leaves_nothing_behind() -> None:
    """Words before nonsense in one read belong to the conversation that failed, not to the next that is answered."""
    plan = a_plan(
        {"name": "talk", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "turns": 2}}, {"arrivalRate": 1}
    )
    target = Target.parse("http://127.0.0.1:1")
    (kind,) = kinds(plan, Segment(0, 1), target, Meter(watch_throttling=False))
    assert kind.consume is not None
    failing, following = Exchange(kind, 0, 0, 1, 1), Exchange(kind, 0, 0, 2, 2)
    for exchange in (failing, following):
        kind.wire(exchange)
        exchange.status = 200

    with pytest.raises(ParseError):
        kind.consume(failing, DELTA.replace(b"word", b"secret") + b"data: {nonsense\n\n", 3)
    kind.consume(following, DELTA + DONE, 4)

    assert kind.verdict(following) is None
    assert following.talk is not None
    assert b"secret" not in following.talk.messages
    assert b'"content":"word "' in following.talk.messages.replace(b": ", b":")
