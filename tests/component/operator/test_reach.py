"""What a LoadTest's author may reach through the operator: his namespace's own Services, and not a word of anything else."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_plan, a_request, a_stage
from component.operator.theatre import Theatre, clean, theatre
from fakes.kube import Cluster, connected
from loadgen.model.report import Verdict
from loadtest_operator.adapters.errors import InvalidError
from loadtest_operator.adapters.target.probe import Prober, Way
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import ENDPOINT_SLICE, JOB, NETWORK_POLICY, POD, SERVICE
from loadtest_operator.core.common.settings import Settings, WorkerAccess
from loadtest_operator.core.observed import ProbeResult
from loadtest_operator.core.scaling.target import Endpoint, TargetView

ANYWHERE = {"target": {"serviceRef": {"name": "web", "port": 80}, "readiness": {"minReadyReplicas": 0}}}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "a mere name": {"type": "ExternalName", "externalName": "kubernetes.default.svc"},
    "a mere name with a port": {
        "type": "ExternalName",
        "externalName": "a.other.svc",
        "ports": [{"name": "http", "port": 80}],
    },
    "addresses by hand": {"ports": [{"name": "http", "port": 80}]},
}


def make(play: Theatre, spec: dict[str, Any]) -> None:
    play.cluster.put(SERVICE, {"metadata": {"name": "web", "namespace": "demo"}, "spec": spec})


@pytest.mark.parametrize("spec", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_service_that_leads_elsewhere_gets_neither_probe_nor_load(spec: dict[str, Any]) -> None:
    asked: list[str] = []
    async with theatre(**ANYWHERE) as play:
        make(play, spec)

        async def noted(pod: str, path: str, _request: web.Request) -> web.Response:
            asked.append(f"{pod}{path}")
            return web.Response(text="secret of somebody else")

        play.cluster.proxied = noted
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "not allowed" in (status.message or "")
        assert "somebody else" not in str(play.body)
        assert asked == []
        assert clean(play.cluster, JOB)


async def test_a_service_that_is_made_anew_under_load_ends_the_run() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(8)
        make(play, ELSEWHERE["a mere name"])
        begun = play.now
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "ExternalName" in (status.message or "")
        assert (play.now - begun).total_seconds() < 90  # the last look asks for a minute of rest


async def test_where_urls_are_allowed_such_a_service_is_too() -> None:
    async with theatre() as play:
        service = play.cluster.get(SERVICE, "demo", "web")
        assert service is not None
        del service["spec"]["selector"]
        play.context.settings = Settings(worker_access=WorkerAccess.API_SERVER_PROXY, allow_urls=True)
        assert (await play.run()).verdict is Verdict.PASSED


async def test_nothing_of_another_namespaces_answer_is_shown() -> None:
    """Not even where the administrator allows to load it."""
    target = {"serviceRef": {"name": "web", "port": "http", "namespace": "other"}}
    async with theatre(target=target) as play:
        for kind in (SERVICE, ENDPOINT_SLICE, POD):
            name = {"endpointslices": "web-x", "pods": "web-1"}.get(kind.plural, "web")
            body = play.cluster.get(kind, "demo", name)
            assert body is not None
            play.cluster.put(kind, {**body, "metadata": {**body["metadata"], "namespace": "other"}})

        async def denied(_pod: str, _path: str, _request: web.Request) -> web.Response:
            return web.Response(status=404, text="the other's secret")

        play.cluster.proxied = denied
        play.context.settings = Settings(
            worker_access=WorkerAccess.API_SERVER_PROXY, allowed_target_namespaces=("other",)
        )
        status = await play.run()

    assert "answered 404" in (status.message or "")
    assert "secret" not in str(status)


async def test_labels_that_a_service_selects_make_no_workers() -> None:
    """They would take its clients' requests."""
    async with theatre(workerTemplate={"labels": {"app": "web", "team": "x"}}) as play:
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "app=web would make the workers endpoints of Service web" in (status.message or "")
        assert clean(play.cluster, JOB)


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "front"}}}]}]},
        {"podSelector": {"matchExpressions": [{"key": "role", "operator": "Exists"}]}, "egress": [{}]},
        {"podSelector": {"matchExpressions": [{"key": "role", "operator": "NotIn", "values": ["front"]}]}},
    ],
    ids=["let in by one", "let out by one", "not held back by one"],
)
async def test_labels_that_open_a_network_policy_make_no_workers(spec: dict[str, Any]) -> None:
    async with theatre(workerTemplate={"labels": {"role": "front"}}) as play:
        play.cluster.put(NETWORK_POLICY, {"metadata": {"name": "guard", "namespace": "demo"}, "spec": spec})
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "role=front would change what NetworkPolicy guard lets the workers do" in str(status.message)


async def test_labels_that_no_service_selects_are_fine() -> None:
    async with theatre(workerTemplate={"labels": {"team": "x"}}) as play:
        assert (await play.run()).verdict is Verdict.PASSED


async def test_the_api_servers_own_no_is_not_the_targets() -> None:
    """With the API server's proxy and without the right to use it nothing is known about the target."""
    words = 'pods "web-1:80" is forbidden: User "op" cannot get resource "pods/proxy" in API group ""'

    async def refused(_pod: str, _path: str, _request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "status": "Failure", "message": words, "code": 403}, status=403)

    async with theatre(
        target={"serviceRef": {"name": "web", "port": "http"}, "readiness": {"timeoutSeconds": 30}}
    ) as play:
        play.cluster.proxied = refused
        status = await play.run()

    assert "pods/proxy" in (status.message or "")
    assert "answered 403" not in (status.message or "")


@pytest.mark.parametrize("path", ["/../secrets", "/%2e%2e/secrets", "/a/%252e%252e/b", "/..%2f..%2fsecrets", "/./a"])
async def test_no_path_leaves_the_pod_with_the_operators_rights(path: str) -> None:
    async def anything(_response: aiohttp.ClientResponse) -> bytes:
        return b""

    cluster = Cluster()
    async with connected(cluster) as kube:
        with pytest.raises(InvalidError, match="steps"):
            await kube.proxied(
                "GET", f"/api/v1/namespaces/demo/pods/web:80/proxy{path}", headers={}, body=None, timeout_seconds=1,
                read=anything,
            )  # fmt: skip
    assert cluster.log == []


async def probed(request: dict[str, Any]) -> tuple[ProbeResult, str, dict[str, str]]:
    """The result, the request line's path as it came, and the headers."""
    seen: list[tuple[str, dict[str, str]]] = []

    async def note(asked: web.Request) -> web.Response:
        seen.append((asked.raw_path, {name.lower(): value for name, value in asked.headers.items()}))
        return web.Response(text="here")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", note)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        view = TargetView(url="http://web.demo.svc:80", endpoints=(Endpoint("127.0.0.1", server.port or 0, ""),))
        prober = Prober(session, None, WorkerAccess.POD_IP)  # type: ignore[arg-type]
        result = await prober.probe(a_plan(requests=[a_request(http=request)]), view, None, Way())
    return result, *seen[0]


@pytest.mark.parametrize("path", ["/a%20b?x=%2F&y=a+b", "/a%2Fb", "/~a/%7Eb", "/a|b?q=[1]", "//double"])
async def test_the_probe_sends_the_path_as_the_load_does(path: str) -> None:
    result, raw, _ = await probed({"path": path})
    assert result.ok
    assert raw == path


async def test_the_probe_has_the_loads_headers() -> None:
    _, _, headers = await probed({"path": "/", "headers": {"accept": "text/html", "X-A": "b"}})
    assert headers.pop("user-agent").startswith("loadgen/")
    assert headers == {"host": "web.demo.svc:80", "accept-encoding": "identity", "accept": "text/html", "x-a": "b"}


async def test_slow_answers_of_several_kinds_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they take longer than a look may; each is asked once."""
    asked: list[str] = []

    async def slow(_pod: str, path: str, _request: web.Request) -> web.Response:
        asked.append(path)
        await asyncio.sleep(0.8)
        return web.Response(text="hello")

    from loadtest_operator.handlers.run import act, reconcile

    monkeypatch.setattr(reconcile, "LONGEST_LOOK_SECONDS", 2.0)
    monkeypatch.setattr(act, "QUICK_PROBE_SECONDS", 0.05)
    requests = [a_request(f"kind-{number}", http={"path": f"/{number}"}) for number in range(3)]
    async with theatre(requests=requests) as play:
        players = play.cluster.proxied
        play.cluster.proxied = slow
        for _ in range(60):
            await play.look()
            if play.status.run.target:
                break
            await asyncio.sleep(0.1)
        assert asked == ["/0", "/1", "/2"]
        play.cluster.proxied = players
        monkeypatch.undo()
        assert (await play.run()).verdict is Verdict.PASSED


async def test_a_probe_that_hangs_ends_with_the_targets_time_and_leaves_nothing() -> None:
    async def hanging(_pod: str, _path: str, _request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    from loadtest_operator.handlers.run import act

    async with theatre(
        target={"serviceRef": {"name": "web", "port": "http"}, "readiness": {"timeoutSeconds": 20}}
    ) as play:
        play.cluster.proxied = hanging
        act_seconds, act.QUICK_PROBE_SECONDS = act.QUICK_PROBE_SECONDS, 0.01
        try:
            status = await play.run()
        finally:
            act.QUICK_PROBE_SECONDS = act_seconds
        await asyncio.sleep(0)
        left = [
            task for task in asyncio.all_tasks() if task.get_name().startswith("probe of") and not task.cancelling()
        ]

    assert status.verdict is Verdict.INCONCLUSIVE
    assert left == []
