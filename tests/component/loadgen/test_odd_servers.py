"""Answers that are odd: which of them are right, and what the others are called."""

import asyncio

import pytest
from plans import CHAT, a_plan
from runs import run
from servers import answering, serving, wait

from fakes.bad import DELTA, DONE, STREAM_HEAD, chunk, request
from fakes.odd import ODD
from loadgen.model.plan import Metric

CLIENTS = ("Native", "Compatible")


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_odd_answer_is_called_what_it_is(client: str) -> None:
    """All rows at once, three requests each; a success has had its output seen."""

    async def outcome(answer: bytes) -> tuple[dict[str, int], int]:
        async with serving(answering(answer)) as url:
            tally, _ = await run(a_plan(CHAT | {"timeoutSeconds": 4}, {"arrivalRate": 3}, client=client), url)
        return tally.select().counts.errors, tally.select().histogram(Metric.TIME_TO_FIRST_TOKEN).count

    found = await asyncio.gather(*(outcome(odd.answer) for odd in ODD.values()))

    right = {name: ({odd.outcome: 3}, 0) if odd.outcome else ({}, 3) for name, odd in ODD.items()}
    assert dict(zip(ODD, found, strict=True)) == right


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("rest", [0.4, 60.0])
async def test_an_answer_is_over_with_done(client: str, rest: float) -> None:
    """Its body ends late, or never: the response time is that of the last output, and a slot goes on at once."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(STREAM_HEAD + chunk(DELTA) + chunk(DONE))
            await wait(rest)
            writer.write(chunk(b""))

    async with serving(script) as url:
        tally, _ = await run(a_plan(CHAT, {"arrivalRate": 10}, {"concurrency": 1}, client=client), url)

    counts = tally.select().counts
    assert (counts.errors, counts.incomplete) == ({}, 0)
    assert tally.select(stages={1}).counts.succeeded > 5
    assert tally.select(stages={0}).histogram(Metric.RESPONSE_TIME).total / 10 < rest * 1e6


async def test_a_connection_serves_again_when_the_rest_has_passed() -> None:
    """Servers send the last chunk in a write of its own: the connection waits for it, and is not closed after each answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(STREAM_HEAD + chunk(DELTA) + chunk(DONE))
            await wait(0.005)
            writer.write(chunk(b": bye\n\n") + chunk(b""))

    async with serving(script) as url:
        tally, deltas = await run(a_plan(CHAT, {"arrivalRate": 10}), url)

    succeeded = tally.select().counts.succeeded
    assert 0 < sum(delta.pulse.connections_opened for delta in deltas) < succeeded
