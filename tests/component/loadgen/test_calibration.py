"""The null server answers every kind of request rightly, and streams cost what streams cost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from plans import a_plan
from runs import run

from loadgen.core.protocols.null import answers
from loadgen.model.plan import Plan
from loadgen.model.requests import PROTOCOLS, Request
from loadgen.runtime.worker.calibration import NullResponder, NullServer, base_of, ceiling, expected_events

ASKED: dict[str, dict[str, Any]] = {
    "a chat": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}}},
    "a chat in one piece": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}, "stream": False}},
    "a conversation": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}, "turns": 3}},
    "a completion": {"openAICompletions": {"model": "m", "prompt": {"text": "hi"}}},
    "a completion in one piece": {"openAICompletions": {"model": "m", "prompt": {"text": "hi"}, "stream": False}},
    "an embedding": {"openAIEmbeddings": {"model": "m", "prompt": {"text": "hi"}}},
    "a call": {"gradio": {"apiName": "predict", "data": "[]"}},
    "a join": {"gradio": {"fnIndex": 0, "data": "[]", "protocol": "QueueJoin"}},
    "a prediction": {"gradio": {"apiName": "predict", "data": "[]", "protocol": "Predict"}},
    "a page": {"http": {}},
    "a page without content": {"http": {"expectStatus": [204]}},
    "a page with words": {"http": {"expectBody": {"contains": "ready"}}},
    "a head": {"http": {"method": "HEAD"}},
    "a post": {"http": {"method": "POST", "body": "x" * 60_000}},
}


@contextlib.asynccontextmanager
async def null_server(plan: Plan) -> AsyncIterator[int]:
    server = NullServer(plan.requests)
    listener = await asyncio.get_running_loop().create_server(lambda: NullResponder(server), "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


def test_every_protocol_is_here() -> None:
    assert {
        name for asked in ASKED.values() for name in Request.model_validate({"name": "a", **asked}).model_fields_set
    } >= {*PROTOCOLS}


@pytest.mark.parametrize("name", ASKED)
async def test_the_null_server_answers_as_the_protocol_says(name: str) -> None:
    """As many events as are asked for; each is a piece of its own, which is written by itself."""
    plan = a_plan({"name": "one", **ASKED[name]}, {"arrivalRate": 3})
    async with null_server(plan) as port:
        tally, deltas = await run(plan, f"http://127.0.0.1:{port}{base_of(0, 5)}")

    assert tally.select().counts.succeeded == 3, tally.select().counts.errors
    if plan.requests[0].streams:
        assert sum(delta.pulse.output_events for delta in deltas) == 15
        assert len(answers(plan.requests[0].asked, 5)[-1]) == 6


@pytest.mark.parametrize(
    ("more", "events"), [({}, 64), ({"maxTokens": 8}, 8), ({"maxCompletionTokens": 9}, 9), ({"maxTokens": 4096}, 256)]
)
def test_how_many_events_are_expected(more: dict[str, int], events: int) -> None:
    """As many as tokens are asked for, within reason."""
    chat = {"model": "m", "prompt": {"text": "hi"}, **more}
    assert expected_events(a_plan({"name": "one", "openAIChat": chat}, {"arrivalRate": 1}).requests[0]) == events


async def test_a_longer_stream_lowers_the_ceiling() -> None:
    """By what its events cost, though none of the calibration's own streams is so long; by far more than a shared read would."""

    async def measured(tokens: int) -> int:
        chat = {"model": "m", "prompt": {"text": "hi"}, "maxTokens": tokens}
        plan = a_plan({"name": "one", "openAIChat": chat}, {"arrivalRate": 1})
        async with null_server(plan) as port:
            return await ceiling(plan, port)

    assert await measured(4) > 2 * await measured(256) > 0


async def test_every_kind_of_a_mix_is_calibrated() -> None:
    """Each with its own answers: a wrong one would fail and cost nothing like it."""
    plan = a_plan(
        [{"name": f"kind-{index}", **asked} for index, asked in enumerate(ASKED.values())], {"arrivalRate": 1}
    )
    async with null_server(plan) as port:
        assert await ceiling(plan, port) > 0
