"""The operator's probe against a loopback server: what counts as an answer."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_plan
from loadtest_operator.adapters.probe import Prober
from loadtest_operator.core.observed import ProbeResult
from loadtest_operator.core.settings import WorkerAccess
from loadtest_operator.core.target import TargetView


async def page(_request: web.Request) -> web.Response:
    return web.Response(text="all is ready")


async def completion(request: web.Request) -> web.Response:
    asked = await request.json()
    return web.json_response({"choices": [{"text": asked["prompt"]}]} if asked["model"] == "known" else {})


JOINED = {"right": "e1", "failing": "e2", "silent": "e3"}
STREAMS = {
    "e1": 'event: heartbeat\ndata: null\n\nevent: complete\ndata: ["hi"]\n\n',
    "e2": "event: error\ndata: null\n\n",
    "e3": "event: heartbeat\ndata: null\n\n",
}


async def joined(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    return web.json_response({"event_id": JOINED[name]} if name in JOINED else {"detail": "?"})


async def listened(request: web.Request) -> web.Response:
    return web.Response(text=STREAMS[request.match_info["event"]], content_type="text/event-stream")


async def predicted(request: web.Request) -> web.Response:
    return web.json_response({"data": (await request.json())["data"]})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_post("/v1/completions", completion)
    application.router.add_post("/gradio_api/call/{name}", joined)
    application.router.add_get("/gradio_api/call/{name}/{event}", listened)
    application.router.add_post("/run/predict", predicted)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


async def probed(url: str, **request: Any) -> ProbeResult:
    plan = a_plan(requests=[{"name": "one", **request}])
    async with aiohttp.ClientSession() as session:
        prober = Prober(session, None, WorkerAccess.POD_IP)  # type: ignore[arg-type]
        return await prober.probe(plan, TargetView(url), None)


@pytest.mark.parametrize(
    ("text", "message"), [("ready", ""), ("done", "answered 200 without 'done': \"all is ready\"")]
)
async def test_a_page_must_hold_the_text(url: str, text: str, message: str) -> None:
    result = await probed(url, http={"expectBody": {"contains": text}})

    assert result.ok is not bool(message)
    assert result.message.endswith(message)


async def test_an_expression_is_left_to_the_workers(url: str) -> None:
    """One that takes for ever must not stop the operator."""
    assert (await probed(url, http={"expectBody": {"matches": "(a|a)*(a|a)*b"}})).ok


@pytest.mark.parametrize(("model", "ok"), [("known", True), ("unknown", False)])
async def test_a_completion_has_a_choice(url: str, model: str, ok: bool) -> None:
    asked = {"model": model, "prompt": {"text": "Once"}, "stream": False}

    assert (await probed(url, openAICompletions=asked)).ok is ok


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("right", ""),
        ("failing", "failed in the app with 'error without a message': \"event: error\\ndata: null\""),
        ("silent", 'ended without the event complete: "event: heartbeat\\ndata: null"'),
        ("wrong", "answered what is not a message of Gradio's protocol: Object missing required field `event_id`"),
    ],
)
async def test_a_gradio_function_is_called_to_its_end(url: str, function: str, message: str) -> None:
    result = await probed(url, gradio={"apiName": function, "data": "[]"})

    assert result.ok is not bool(message)
    assert message in result.message


@pytest.mark.parametrize(("data", "ok"), [('["hi"]', True), ("[null]", False)])
async def test_an_older_gradio_app_answers_at_once(url: str, data: str, ok: bool) -> None:
    asked = {"apiName": "predict", "data": data, "protocol": "Predict", "basePath": "/"}

    assert (await probed(url, gradio=asked)).ok is ok
