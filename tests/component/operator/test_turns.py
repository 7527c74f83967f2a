"""One run per target, and a target is the workload: whatever it is called, whoever asks, in whichever order."""

import asyncio
from typing import Any

from builders import a_load_test
from component.operator.theatre import Theatre, theatre
from fakes.kube import Object
from loadtest_operator.adapters.target.identity import identity
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import DEPLOYMENT, LOAD_TEST, POD, REPLICA_SET, SERVICE
from loadtest_operator.handlers.run import turns
from loadtest_operator.handlers.run.reconcile import reconcile


def owned(by: str, name: str) -> list[Object]:
    return [{"kind": by, "name": name, "controller": True, "uid": f"uid-of-{name}"}]


def a_workload(play: Theatre) -> None:
    """Deployment web with a pod, called by three Services with three selectors."""
    labels = {"app": "web", "tier": "front", "track": "stable"}
    here: Object = {"namespace": "demo"}
    play.cluster.put(DEPLOYMENT, {"metadata": {"name": "web", **here}, "spec": {"replicas": 1}})
    metadata = {"name": "web-abc", **here, "ownerReferences": owned("Deployment", "web")}
    play.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": {}})
    pod = {"name": "web-1", "labels": labels, **here, "ownerReferences": owned("ReplicaSet", "web-abc")}
    play.cluster.put(POD, {"metadata": pod, "spec": {}, "status": {}})
    for name, selector in {"front": {"tier": "front"}, "stable": {"track": "stable"}}.items():
        ports = [{"name": "http", "port": 80}]
        play.cluster.put(SERVICE, {"metadata": {"name": name, **here}, "spec": {"selector": selector, "ports": ports}})


def of(service: str, **more: Any) -> LoadTestSpec:
    target = {"serviceRef": {"name": service, "port": "http", **more}}
    return LoadTestSpec.model_validate(a_load_test(target=target)["spec"])


async def test_services_of_one_workload_are_one_target() -> None:
    async with theatre() as play:
        a_workload(play)
        assert {await identity(play.kube, of(name), "demo") for name in ("web", "front", "stable")} == {
            "demo/Deployment/web"
        }
        assert await identity(play.kube, of("unheard"), "demo") == "demo/Service/unheard"


async def test_servers_of_urls_are_targets_too() -> None:
    async with theatre() as play:
        urls = ("http://A.example:80/one", "http://a.example:80/two")
        specs = [LoadTestSpec.model_validate(a_load_test(target={"url": url})["spec"]) for url in urls]
        assert {await identity(play.kube, spec, "demo") for spec in specs} == {"http://a.example:80"}


async def test_two_services_of_one_workload_are_not_loaded_at_once() -> None:
    """Also after a restart of the operator, whoever looks first."""
    async with theatre() as play:
        a_workload(play)
        names = ["test", "second", "third"]
        for name, service in (("second", "front"), ("third", "stable")):
            target = {"serviceRef": {"name": service, "port": "http"}}
            play.cluster.put(LOAD_TEST, a_load_test(name=name, target=target))
            play.context.bells[f"uid-of-{name}"] = asyncio.Event()

        async def look(order: list[str]) -> list[str]:
            for _ in range(3):
                bodies = [play.cluster.get(LOAD_TEST, "demo", name) for name in order]
                await asyncio.gather(*(reconcile(play.context, body) for body in bodies if body))
            found = [play.cluster.get(LOAD_TEST, "demo", name) or {} for name in names]
            return [body["status"]["phase"] for body in found]

        assert sorted(await look(names)) == ["Pending", "Pending", "Preparing"]
        play.operator_starts()
        assert sorted(await look(names[::-1])) == ["Pending", "Pending", "Preparing"]


async def test_of_those_that_wait_for_a_quota_the_first_goes_on() -> None:
    """Each asks only from the moment at which a quota said no; whoever has what he needs lets the next one go on."""
    async with theatre() as play:
        first, second = (
            {
                "namespace": "demo",
                "name": name,
                "uid": f"uid-of-{name}",
                "creationTimestamp": f"2026-01-01T12:00:0{place}Z",
            }
            for place, name in enumerate(("first", "second"))
        )
        play.context.bells["uid-of-second"] = asyncio.Event()
        assert turns.ahead(play.context, second, full=False) == ""
        assert turns.ahead(play.context, first, full=True) == ""
        assert turns.ahead(play.context, second, full=True) == "demo/first"
        assert turns.ahead(play.context, second, full=False) == "demo/first"

        turns.release_quota(play.context, first)
        assert play.context.bells["uid-of-second"].is_set()
        assert turns.ahead(play.context, second, full=False) == ""
