"""Objects of a namespace that look like what they are not: the operator believes none of them, and says what it does not take."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from component.operator.theatre import clean, theatre
from fakes.kube import Cluster, connected
from loadgen.model.report import Verdict
from loadtest_operator.adapters.errors import NotFoundError
from loadtest_operator.core.common import names
from loadtest_operator.core.common.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JOB,
    POD,
    SECRET,
    STATEFUL_SET,
    Kind,
)

BY_HAND = {
    "metadata": {"name": "hand", "namespace": "demo", "labels": {"kubernetes.io/service-name": "web"}},
    "ports": [{"name": "http", "port": 80}],
    "endpoints": [{"addresses": ["169.254.169.254"], "conditions": {"ready": True}}],
}


async def test_addresses_that_no_selector_found_get_neither_probe_nor_load() -> None:
    """A Service with a selector, and beside its own addresses one that somebody wrote by hand."""
    asked: list[str] = []
    async with theatre() as play:
        play.cluster.put(ENDPOINT_SLICE, BY_HAND)

        async def noted(pod: str, _path: str, _request: web.Request) -> web.Response:
            asked.append(pod)
            return web.Response()

        play.cluster.proxied = noted
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "has addresses that its selector did not find: somebody else wrote EndpointSlice hand" in str(
            status.message
        )
        assert asked == []
        assert clean(play.cluster, JOB)


@pytest.mark.parametrize("kind", [DEPLOYMENT, STATEFUL_SET, DISRUPTION_BUDGET], ids=lambda kind: kind.kind)
async def test_labels_that_others_count_by_make_no_workers(kind: Kind) -> None:
    """An autoscaler averages over all pods with the workload's labels, whoever made them."""
    async with theatre(workerTemplate={"labels": {"tier": "x"}}) as play:
        selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x"]}]}
        play.cluster.put(kind, {"metadata": {"name": "chat", "namespace": "demo"}, "spec": {"selector": selector}})
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "tier=x would have the workers counted by" in str(status.message)
        assert f"{kind.kind} chat" in str(status.message)
        assert clean(play.cluster, JOB)


async def test_a_pod_with_a_workers_labels_is_not_taken_for_one() -> None:
    """Its number is no number, its address would get the token, and its answers would be believed."""
    asked: list[str] = []
    async with theatre() as play:
        players = play.cluster.proxied

        async def noted(pod: str, path: str, request: web.Request) -> web.Response:
            asked.append(pod)
            answer: web.Response = await players(pod, path, request)
            return answer

        play.cluster.proxied = noted
        for number, index in enumerate(("0", "no number")):
            metadata: dict[str, Any] = {"name": f"pretender-{number}", "namespace": "demo"}
            metadata |= {
                "labels": names.Names("test", 1).labels("worker"),
                "annotations": {names.INDEX_ANNOTATION: index},
            }
            status = {"phase": "Running", "podIP": "10.9.9.9"}
            play.cluster.put(POD, {"metadata": metadata, "spec": {}, "status": status})

        assert (await play.run()).verdict is Verdict.PASSED
        assert not [pod for pod in asked if pod.startswith("pretender")]


async def nothing(_response: aiohttp.ClientResponse) -> bytes:
    return b""


async def test_headers_that_the_api_server_reads_itself_are_not_a_plans_to_send() -> None:
    """Through its proxy they would be said with the operator's rights."""
    heard: list[str] = []

    async def note(_pod: str, _path: str, request: web.Request) -> web.Response:
        heard.extend(name.lower() for name in request.headers)
        return web.Response()

    cluster = Cluster()
    cluster.proxied = note
    headers = {
        "Impersonate-User": "system:admin",
        "impersonate-group": "system:masters",
        "X-Remote-User": "a",
        "X-A": "b",
    }
    async with connected(cluster) as kube:
        path = "/api/v1/namespaces/demo/pods/web:80/proxy/"
        await kube.proxied("GET", path, headers=headers, body=None, timeout_seconds=5, read=nothing)
    assert "x-a" in heard
    assert not [name for name in heard if name.startswith(("impersonate", "x-remote"))]


@pytest.mark.parametrize("name", ["../../../api/v1/secrets", "a?watch=1", "a#b", "%2e%2e", "a\r\nHost: b", ".."])
async def test_a_name_that_leads_elsewhere_is_nobodys(name: str) -> None:
    """Such as that of a pod's owner, which who makes pods can write."""
    cluster = Cluster()
    kind = Kind(f"x/{name}", "Any", "anys")
    async with connected(cluster) as kube:
        assert await kube.get(DEPLOYMENT, "demo", name) is None
        assert await kube.get(DEPLOYMENT, "demo", "web/scale") is None
        assert await kube.get(kind, "demo", "x") is None
        assert await kube.resources(kind.api_version) == []
        with pytest.raises(NotFoundError, match="nothing of such a name"):
            await kube.list(kind, "demo")
    assert cluster.log == []


@pytest.mark.parametrize(
    ("kind", "name"), [(CONFIG_MAP, "test-1-plan"), (SECRET, "test-1-token")], ids=["plan", "token"]
)
async def test_nothing_is_run_beside_somebody_elses_part_of_a_run(kind: Kind, name: str) -> None:
    """Of a LoadTest of the same name that was deleted a moment ago, or of somebody who knew how it would be called."""
    async with theatre() as play:
        play.cluster.put(kind, {"metadata": {"name": name, "namespace": "demo"}, "data": {"plan.json": "{}"}})
        await play.run_for(20)

        assert f"{kind.kind} {name} exists and belongs to somebody else: delete or rename it" in str(
            play.status.message
        )
        assert clean(play.cluster, JOB)

        await play.kube.delete(kind, "demo", name)
        assert (await play.run()).verdict is Verdict.PASSED
