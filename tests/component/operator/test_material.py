"""What a LoadTest refers to, over HTTP: waited for with a reason, refused with a sentence, used, and shown nowhere."""

import base64
import gzip
import json
import logging
from typing import Any

import pytest
from aiohttp import web

from builders import a_request
from component.operator.theatre import Theatre, theatre
from fakes.kube import Object
from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import conditions
from loadtest_operator.core.common.kinds import CONFIG_MAP, EVENT, JOB, SECRET

KEY = "sk-0123456789abcdef"
REF = {"secretKeyRef": {"name": "gateway", "key": "token"}}
RELEASED = {"loadtest.dev/authorization": "true"}
CHAT = {"model": "m", "prompt": {"jsonl": {"configMapKeyRef": {"name": "prompts", "key": "a.jsonl"}}}}


def with_key(**authorization: Any) -> dict[str, Any]:
    return {"serviceRef": {"name": "web", "port": "http"}, "authorization": authorization}


API_KEY = {"target": with_key(header={"name": "api-key", **REF})}


def a_secret(play: Theatre, value: str = KEY, labels: Object = RELEASED) -> None:
    data = {"token": base64.b64encode(value.encode()).decode(), "other": "eA=="}
    body = {"metadata": {"name": "gateway", "namespace": "demo", "labels": labels}, "data": data}
    play.cluster.put(SECRET, body)


def a_config_map(play: Theatre, **data: str) -> None:
    play.cluster.put(CONFIG_MAP, {"metadata": {"name": "prompts", "namespace": "demo"}, "data": data})


def target_ready(play: Theatre) -> tuple[str, str]:
    """Reason and message of the condition."""
    found = conditions.find(play.status.conditions, conditions.ConditionType.TARGET_READY)
    assert found is not None
    return found.reason, found.message


async def test_a_secret_is_waited_for_and_named_at_every_step() -> None:
    """Absent, without the key, not released; then the run goes on by itself."""
    async with theatre(**API_KEY) as play:
        await play.run(Phase.PREPARING)
        await play.run_for(6)  # reasons are written every five seconds at most
        absent = target_ready(play)
        play.cluster.put(SECRET, {"metadata": {"name": "gateway", "namespace": "demo"}, "data": {"other": "eA=="}})
        await play.run_for(6)
        keyless = target_ready(play)
        a_secret(play, labels={})
        await play.run_for(6)
        not_released = target_ready(play)
        assert play.cluster.get(JOB, "demo", "test-1-workers") is None
        a_secret(play)
        status = await play.run()

    where = "spec.target.authorization.header: "
    assert absent == (
        "ReferenceNotFound",
        where + "there is no Secret gateway in demo: kubectl create secret generic gateway --from-file=token=FILE",
    )
    assert keyless == ("ReferenceNotFound", where + "Secret gateway has no key token")  # of others nothing
    assert not_released[1].endswith("kubectl label secret gateway loadtest.dev/authorization=true")
    assert status.verdict is Verdict.PASSED, status.message


async def test_a_secret_that_never_comes_ends_the_run() -> None:
    target = {**API_KEY["target"], "readiness": {"timeoutSeconds": 20}}
    async with theatre(target=target) as play:
        status = await play.run()

    assert status.verdict is Verdict.INCONCLUSIVE
    assert "there is no Secret gateway in demo" in status.message
    assert "after 20 s (spec.target.readiness.timeoutSeconds)" in status.message


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}\r\nHost: evil", ""])
async def test_a_value_that_no_header_may_have_ends_the_run_before_any_load(value: str) -> None:
    async with theatre(**API_KEY) as play:
        a_secret(play, value)
        status = await play.run()

    assert status.verdict is Verdict.ERROR
    assert status.message.startswith("spec.target.authorization.header: Secret gateway, key token: the value ")
    assert KEY not in json.dumps(play.body)


async def test_a_bad_line_is_named_before_any_load() -> None:
    async with theatre(requests=[{"name": "chat", "openAIChat": CHAT}]) as play:
        a_config_map(play, **{"a.jsonl": '{"prompt": "x"}\n{"prmpt": "y"}\n'})
        status = await play.run()

    assert status.verdict is Verdict.ERROR
    assert "prompt.jsonl: ConfigMap prompts, key a.jsonl, line 2: " in status.message
    assert target_ready(play)[0] == "ReferenceUnusable"
    assert play.starts == 0


async def test_the_probe_sends_what_the_spec_refers_to() -> None:
    """A body from binaryData, and the key; each object is read once."""
    body_from = {"configMapKeyRef": {"name": "prompts", "key": "b"}}
    probes: list[tuple[str | None, bytes]] = []
    async with theatre(
        **API_KEY, requests=[a_request(http={"method": "POST", "path": "/in", "bodyFrom": body_from})]
    ) as play:
        a_secret(play)
        metadata = {"name": "prompts", "namespace": "demo"}
        play.cluster.put(
            CONFIG_MAP, {"metadata": metadata, "binaryData": {"b": base64.b64encode(b"\x00\xff").decode()}}
        )
        pods = play.cluster.proxied
        assert pods is not None

        async def heard(pod: str, path: str, request: web.Request) -> web.Response:
            if pod.startswith("web-"):
                probes.append((request.headers.get("api-key"), await request.read()))
            return await pods(pod, path, request)

        play.cluster.proxied = heard
        await play.run()

    assert probes == [(KEY, b"\x00\xff")]
    assert [path for _, path in play.cluster.log].count("/api/v1/namespaces/demo/secrets/gateway") == 1


async def test_behind_the_pod_proxy_a_refusal_is_an_answer() -> None:
    """The API server passes no Authorization on; whether the key opens the target is seen under load."""
    async with theatre(target=with_key(bearer=REF)) as play:
        a_secret(play)
        pods = play.cluster.proxied
        assert pods is not None

        async def refusing(pod: str, path: str, request: web.Request) -> web.Response:
            return web.Response(status=401) if pod.startswith("web-") else await pods(pod, path, request)

        play.cluster.proxied = refusing
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message


async def test_the_value_is_nowhere_but_in_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the status, an Event, an object of the run, the report, the operator's log or metrics."""
    caplog.set_level(logging.DEBUG)
    async with theatre(**API_KEY) as play:
        a_secret(play)
        await play.run()
        metrics = play.context.metrics
        report = play.cluster.get(CONFIG_MAP, "demo", "test-1-report")
        objects = {key: value for key, value in play.cluster.objects.items() if key[1] != SECRET.plural}
        events = play.cluster.objects[EVENT.path(None).rpartition("/")[0], EVENT.plural]

    assert report is not None
    assert events
    stored = gzip.decompress(base64.b64decode(report["binaryData"]["report.json.gz"])).decode()
    shown = [stored, json.dumps(str(objects)), *play.cluster.bodies, caplog.text, repr(metrics)]
    shown += [path for _, path in play.cluster.log] + [repr(play.context.memories)]
    hidden = (KEY, base64.b64encode(KEY.encode()).decode())
    assert not [text[:200] for text in shown if any(secret in text for secret in hidden)]
