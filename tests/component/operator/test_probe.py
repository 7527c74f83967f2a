"""The operator's probe against a loopback server: what counts as an answer."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_plan
from fakes.certificates import Authority
from loadgen.model.access import Access
from loadtest_operator.adapters.target.probe import Prober, Way
from loadtest_operator.core.common.settings import WorkerAccess
from loadtest_operator.core.observed import ProbeResult
from loadtest_operator.core.scaling.target import Endpoint, TargetView


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


SAID = {
    0: '{"msg":"process_starts"}\n\ndata: {"msg":"process_completed","output":{"data":["hi"]},"success":true}',
    1: '{"msg":"process_completed","output":{"error":"no memory"},"success":false}',
    2: '{"msg":"process_starts"}',
}
SESSIONS = web.AppKey("SESSIONS", dict[str, str])


async def entered(request: web.Request) -> web.Response:
    asked = await request.json()
    request.app[SESSIONS][asked["session_hash"]] = SAID[asked["fn_index"]]
    return web.json_response({"event_id": "e1"})


async def followed(request: web.Request) -> web.Response:
    said = request.app[SESSIONS].pop(request.query["session_hash"])
    return web.Response(text=f"data: {said}\n\n", content_type="text/event-stream")


async def predicted(request: web.Request) -> web.Response:
    return web.json_response({"data": (await request.json())["data"]})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_post("/v1/completions", completion)
    application.router.add_post("/gradio_api/call/{name}", joined)
    application.router.add_get("/gradio_api/call/{name}/{event}", listened)
    application[SESSIONS] = {}
    application.router.add_post("/gradio_api/queue/join", entered)
    application.router.add_get("/gradio_api/queue/data", followed)
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


KEY = "sk-0123456789abcdef"
BEARER = {"bearer": {"secretKeyRef": {"name": "gateway", "key": "token"}}}
MATERIAL = {"secrets/gateway/token": KEY.encode()}


async def echo(request: web.Request) -> web.Response:
    """Lets in who has the key, and is indiscreet."""
    known = request.headers.get("Authorization") == f"Bearer {KEY}"
    said = f"{request.host} {request.headers.get('Authorization')}"
    return web.Response(text=said, status=200 if known and request.path != "/teapot" else 418)


@asynccontextmanager
async def echoing(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_get("/{any:.*}", echo)
    server = TestServer(application, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        assert server.port is not None
        yield server.port
    finally:
        await server.close()


async def seen(view: TargetView, http: dict[str, Any], *, key: bool = True, **tls: Any) -> ProbeResult:
    """The probe of a LoadTest with a key and these settings of TLS."""
    fields = {**({"authorization": BEARER} if key else {}), **({"tls": tls["tls"]} if tls else {})}
    material = {**MATERIAL, "configmaps/trust/ca.crt": tls.get("pem", b"")}
    way = Way.of(view, Access.model_validate(fields), material)
    plan = a_plan(requests=[{"name": "one", "http": http}])
    async with aiohttp.ClientSession() as session:
        prober = Prober(session, None, WorkerAccess.POD_IP)  # type: ignore[arg-type]
        return await prober.probe(plan, view, None, way, material)


async def test_the_probe_has_the_key_and_calls_the_target_by_its_name() -> None:
    async with echoing() as port:
        view = TargetView("http://chat.demo.svc:8000", endpoints=(Endpoint("127.0.0.1", port, "chat-1"),))
        expected = {"contains": f"chat.demo.svc:8000 Bearer {KEY}"}

        assert (await seen(view, {"expectBody": expected})).ok
        assert "answered 418" in (await seen(view, {}, key=False)).message


@pytest.mark.parametrize("http", [{"path": "/teapot"}, {"expectBody": {"contains": "something else"}}])
async def test_what_a_target_sends_back_is_not_shown_where_it_might_repeat_the_key(http: dict[str, Any]) -> None:
    async with echoing() as port:
        result = await seen(TargetView(f"http://127.0.0.1:{port}"), http)

    assert not result.ok
    assert KEY[:8] not in result.message
    assert "its text is not shown: it might repeat the key" in result.message


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.of(tmp_path_factory.mktemp("pki") / "ours")


CA = {"ca": {"configMapKeyRef": {"name": "trust", "key": "ca.crt"}}}


async def test_an_endpoint_must_have_the_services_certificate(authority: Authority) -> None:
    """The connection goes to an address, the name in TLS is the Service's."""
    async with echoing(authority.server("DNS:chat.demo.svc")) as port:
        endpoints = (Endpoint("127.0.0.1", port, "chat-1"),)
        view = TargetView("https://chat.demo.svc:8443", endpoints=endpoints)
        other = TargetView("https://other.demo.svc:8443", endpoints=endpoints)
        named = {**CA, "serverName": "chat.demo.svc"}

        assert (await seen(view, {}, tls=CA, pem=authority.pem)).ok
        assert (await seen(other, {}, tls=named, pem=authority.pem)).ok
        unknown = await seen(view, {})
        mistaken = await seen(other, {}, tls=CA, pem=authority.pem)

    for result in (unknown, mistaken):
        assert not result.ok
        assert "no answer over TLS (see spec.target.tls)" in result.message
    assert "unable to get local issuer certificate" in unknown.message
    assert "other.demo.svc" in mistaken.message


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("right", ""),
        ("failing", "failed in the app with 'error without a message': \"event: error\\ndata: null\""),
        ("silent", 'ended before the function was complete: "event: heartbeat\\ndata: null"'),
        ("wrong", "answered what is not a message of Gradio's protocol: Object missing required field `event_id`"),
    ],
)
async def test_a_gradio_function_is_called_to_its_end(url: str, function: str, message: str) -> None:
    result = await probed(url, gradio={"apiName": function, "data": "[]"})

    assert result.ok is not bool(message)
    assert message in result.message


@pytest.mark.parametrize(
    ("number", "message"),
    [(0, ""), (1, "failed in the app with 'no memory'"), (2, "ended before the function was complete")],
)
async def test_a_gradio_function_is_called_as_browsers_do_it(url: str, number: int, message: str) -> None:
    result = await probed(url, gradio={"fnIndex": number, "data": "[]", "protocol": "QueueJoin"})

    assert result.ok is not bool(message)
    assert message in result.message


@pytest.mark.parametrize(("data", "ok"), [('["hi"]', True), ("[null]", False)])
async def test_an_older_gradio_app_answers_at_once(url: str, data: str, ok: bool) -> None:
    asked = {"apiName": "predict", "data": data, "protocol": "Predict", "basePath": "/"}

    assert (await probed(url, gradio=asked)).ok is ok
