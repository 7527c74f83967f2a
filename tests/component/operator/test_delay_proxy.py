"""The operator's hands on a real delay proxy, through the API server's pod proxy: what it orders is what it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fakes.kube import Cluster, connected, refusal
from loadgen.model.proxy import PULSES_A_STATE, PathPulse
from loadgen.runtime.clock import wall_ns
from loadgen.runtime.proxy.control import Control
from loadgen.runtime.proxy.path import Proxy
from loadgen.runtime.proxy.pulse import Pulses
from loadgen.runtime.proxy.upstream import Upstream
from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.adapters.workers import proxy as adapter
from loadtest_operator.adapters.workers.control import ControlClient
from loadtest_operator.adapters.workers.proxy import Way
from loadtest_operator.core.common.kinds import POD
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.common.settings import WorkerAccess
from loadtest_operator.core.faults.view import View

NAME = "test-1-proxy"


def an_order(seconds: float = 30, milliseconds: int = 100) -> dict[str, Any]:
    return {"run": 1, "durationSeconds": seconds, "delay": {"latencyMilliseconds": milliseconds}}


@dataclass
class Stage:
    """A proxy in a pod, and the operator's way to it."""

    cluster: Cluster
    way: Way
    control: Control
    deaf: bool = False

    def later(self, seconds: float = 1) -> Way:
        """The next look."""
        self.way = replace(self.way, now=self.way.now + timedelta(seconds=seconds))
        return self.way

    def pod(self, **status: Any) -> None:
        metadata = {"name": NAME, "namespace": "demo", **status.pop("metadata", {})}
        body = {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "podIP": "10.1.0.9", **status}}
        self.cluster.put(POD, body)

    def restart(self) -> None:
        self.control = Control(Proxy(Upstream("127.0.0.1", 9)), Pulses(lambda: 0))

    async def answer(self, pod: str, path: str, request: web.Request) -> web.Response:
        """The pod proxy: to whatever process the pod has now."""
        if self.deaf or pod != NAME:
            return refusal(503, "no answer")
        async with TestServer(self.control.application(b"secret")) as server, aiohttp.ClientSession() as session:
            url = server.make_url(path).with_query(request.query)
            headers = {"X-Loadtest-Token": request.headers["X-Loadtest-Token"]}
            async with session.request(request.method, url, data=await request.read(), headers=headers) as got:
                return web.Response(status=got.status, body=await got.read())


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    cluster = Cluster()
    async with connected(cluster) as kube, aiohttp.ClientSession() as session:
        control = ControlClient(session, kube, WorkerAccess.API_SERVER_PROXY)
        way = Way(kube, control, Paced(), "demo", Names("test", 1), "secret", datetime.now(UTC))
        found = Stage(cluster, way, Control(Proxy(Upstream("127.0.0.1", 9)), Pulses(lambda: 0)))
        cluster.proxied = found.answer
        found.pod()
        try:
            yield found
        finally:
            found.control.proxy.close()


async def test_each_faults_reading_is_its_own() -> None:
    """Two in force; the first is taken back, and only that is said to be gone. Times are on the operator's clock."""
    async with stage() as play:
        await adapter.inject(play.way, "a", an_order())
        await adapter.inject(play.way, "b", an_order())
        await adapter.recover(play.way, "a")
        view = await adapter.look(play.way, None)

    assert view.ready
    assert (view.readings["a"].gone is None, view.readings["b"].gone) == (False, None)
    since = view.readings["b"].since
    assert since is not None
    assert abs((datetime.now(UTC) - since).total_seconds()) < 30


async def test_faults_of_another_run_are_nobodys() -> None:
    """The same name in another run is another fault."""
    async with stage() as play:
        await adapter.inject(play.way, "a", {**an_order(), "run": 2})
        view = await adapter.look(play.way, None)

    assert view.readings == {}


async def test_what_it_measured_is_collected_once_and_whole() -> None:
    """More than one answer holds; nothing comes twice at the next look, and what is known stays when it falls silent."""
    async with stage() as play:
        second = PathPulse(at=wall_ns(), microseconds=1_000_000, cpu_microseconds=1)
        play.control.pulses.done += [second] * (PULSES_A_STATE + 5)
        first = await adapter.look(play.way, None)
        play.control.pulses.done.append(second)
        again = await adapter.look(play.later(), first)
        play.deaf = True
        silent = await adapter.look(play.later(), again)

    assert first.path is not None
    assert again.path is not None
    assert (len(first.path.pulses), len(again.path.pulses)) == (PULSES_A_STATE + 5, PULSES_A_STATE + 6)
    assert (silent.ready, silent.lost, silent.path, silent.answered) == (False, "", again.path, again.answered)
    assert "no answer" in silent.trouble


LOST: dict[str, tuple[dict[str, Any] | None, str]] = {
    "its pod is deleted": (None, "its pod is gone"),
    "its pod is on its way out": (
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["kubelet"]}},
        "is being deleted",
    ),
    "its process ended": ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
}


@pytest.mark.parametrize(("status", "says"), LOST.values(), ids=LOST)
async def test_gone_is_told_from_not_heard_in_the_same_look(status: dict[str, Any] | None, says: str) -> None:
    """The pod was read a moment ago and was well: it does not answer, so it is read again at once."""
    async with stage() as play:
        before = await adapter.look(play.way, None)
        play.deaf = True
        if status is None:
            del play.cluster.objects["/api/v1", "pods"]["demo", NAME]
        else:
            play.pod(**status)
        view = await adapter.look(play.later(), before)
        await adapter.recover(play.way, "a")

    assert not view.ready
    assert says in view.lost
    assert view.answered == before.answered


async def test_a_proxy_that_was_started_anew_knows_nothing_of_before() -> None:
    """Neither of its faults nor of its seconds."""
    async with stage() as play:
        await adapter.inject(play.way, "a", an_order())
        play.control.pulses.done += [PathPulse(at=wall_ns(), microseconds=1_000_000)] * 3
        before = await adapter.look(play.way, None)
        play.control.proxy.close()
        play.restart()
        view: View = before
        for _ in range(2):
            view = await adapter.look(play.later(), view)

    assert before.path is not None
    assert len(before.path.pulses) == 3
    assert view.path is not None
    assert (view.ready, dict(view.readings), view.path.pulses) == (True, {}, ())


async def test_an_order_that_is_refused_says_why() -> None:
    """In the proxy's words, for the fault's message."""
    async with stage() as play:
        with pytest.raises(AdapterError, match=r"400.*delay.latencyMilliseconds is -1"):
            await adapter.inject(play.way, "a", an_order(milliseconds=-1))
