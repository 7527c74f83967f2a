"""The whole operator but kopf on a fake API server over real HTTP: gather, decide, write, act, through the pod proxy.

Time is a variable that moves on by what each look asks for, so a run of minutes takes a second. Workers and the target answer
behind the pod proxy, with the token of the run's Secret.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from builders import a_load_test
from fakes.kube import Cluster, Object, connected, refusal
from loadgen.model.proxy import FaultRecord, ProxyState
from loadgen.model.wire import WIRE_VERSION, Snapshot, WorkerPhase, WorkerState
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.target.probe import Prober
from loadtest_operator.adapters.workers.control import ControlClient
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.common import names, times
from loadtest_operator.core.common.kinds import ENDPOINT_SLICE, LOAD_TEST, POD, SECRET, SERVICE, Kind
from loadtest_operator.core.common.settings import Settings, WorkerAccess
from loadtest_operator.core.run import guard
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run.reconcile import reconcile
from unit.operator.proxy import Proxy
from unit.operator.world import World

PROXY = "test-1-proxy"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_web_service(cluster: Cluster) -> None:
    """Service web with one ready endpoint."""
    here = {"namespace": "demo"}
    ports = [{"name": "http", "port": 80}]
    cluster.put(SERVICE, {"metadata": {"name": "web", **here}, "spec": {"selector": {"app": "web"}, "ports": ports}})
    endpoint = {
        "addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "web-1"}
    }  # fmt: skip
    labels = {"kubernetes.io/service-name": "web", guard.MANAGED_BY: guard.ENDPOINTS_CONTROLLER}
    body = {"metadata": {"name": "web-x", "labels": labels, **here}, "ports": ports, "endpoints": [endpoint]}
    cluster.put(ENDPOINT_SLICE, body)
    cluster.put(POD, {"metadata": {"name": "web-1", "labels": {"app": "web"}, **here}, "spec": {}, "status": {}})


@dataclass
class Theatre:
    """One LoadTest on a fake cluster, and the operator that runs it."""

    cluster: Cluster
    kube: KubeApi
    session: aiohttp.ClientSession
    world: World
    now: datetime = NOON
    starts: int = 0
    frozen: set[str] = field(default_factory=set)
    """Pods that take requests and answer none."""
    status_writes: list[tuple[datetime, Object]] = field(default_factory=list)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.context = self._in_memory()
        self.cluster.created = self._controllers
        self.cluster.proxied = self._pod

    def operator_ends(self) -> None:
        """With all that it has under way."""
        for memory in self.context.memories.values():
            memory.run.end()

    def operator_starts(self) -> None:
        """Another operator process: nothing in memory."""
        self.operator_ends()
        self.context = self._in_memory()

    def _in_memory(self) -> Context:
        access = WorkerAccess.API_SERVER_PROXY
        return Context(
            kube=self.kube,
            control=ControlClient(self.session, self.kube, access),
            prober=Prober(self.session, self.kube, access),
            settings=Settings(worker_access=access),
            metrics=Metrics(),
            clock=lambda: self.now,
        )

    @property
    def body(self) -> Object:
        found = self.cluster.get(LOAD_TEST, "demo", "test")
        assert found is not None
        return found

    @property
    def status(self) -> LoadTestStatus:
        return LoadTestStatus.model_validate(self.body.get("status") or {})

    @property
    def token(self) -> str:
        """Of the run's Secret; empty before there is one."""
        secret = self.cluster.get(SECRET, "demo", "test-1-token")
        return base64.b64decode(secret["data"]["token"]).decode() if secret else ""

    async def look(self) -> None:
        """One look, and the time until the next."""
        seen = len(self.cluster.bodies)
        seconds = await reconcile(self.context, self.body)
        for text in self.cluster.bodies[seen:]:
            if text.startswith('{"status"'):
                self.status_writes.append((self.now, json.loads(text)["status"]))
        self.pass_time(max(seconds, 0.05))

    async def run(self, until: Phase = Phase.FINISHED, most: int = 400) -> LoadTestStatus:
        for _ in range(most):
            await self.look()
            if self.status.phase is until:
                return self.status
        raise AssertionError(f"still {self.status.phase}: {self.status.message}")

    async def run_for(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            await self.look()

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.world.now = self.now
        self.world.pass_time(0)

    def _controllers(self, cluster: Cluster, body: Object) -> None:
        """The Job controller and the kubelet."""
        if body["kind"] == "Pod":
            self._start_proxy(cluster, body)
        if body["kind"] != "Job":
            return
        self.world._create_job()
        labels = body["spec"]["template"]["metadata"]["labels"]
        for index in range(body["spec"]["completions"]):
            metadata = {"name": f"worker-{index}", "namespace": "demo", "labels": labels}
            metadata["ownerReferences"] = [{"kind": "Job", "uid": body["metadata"]["uid"], "controller": True}]
            metadata["annotations"] = {names.INDEX_ANNOTATION: str(index)}
            running = {"phase": "Running", "podIP": f"10.1.0.{index + 1}"}
            cluster.put(POD, {"metadata": metadata, "spec": {}, "status": running})

    async def _pod(self, pod: str, path: str, request: web.Request) -> web.Response:
        if pod in self.frozen:
            await asyncio.Event().wait()
        if pod.startswith("web-"):
            return web.Response(text="hello")
        if request.headers.get("X-Loadtest-Token") != self.token or "Authorization" in request.headers:
            return refusal(401, "a token is needed")
        if pod == PROXY:
            return await self._proxy(path, request)
        index = int(pod.rpartition("-")[2])
        if path == "/v1/deltas":
            return web.Response(body=msgspec.msgpack.encode(self._snapshot(index, int(request.query["after"]))))
        if path in ("/v1/start", "/v1/abort"):
            self._order(index, path, await request.json())
        return web.Response(body=msgspec.json.encode(self._state(index)))

    def _start_proxy(self, cluster: Cluster, body: Object) -> None:
        """The kubelet."""
        self.world.proxy = Proxy(born=self.now)
        cluster.put(POD, {**body, "status": {"phase": "Running", "podIP": "10.1.0.99"}})

    async def _proxy(self, path: str, request: web.Request) -> web.Response:
        """In the theatre's time, which the operator's clock shows, too."""
        proxy, name = self.world.proxy, path.rpartition("/")[2]
        assert proxy is not None
        if request.method == "PUT":
            proxy.inject(name, (await request.json())["durationSeconds"], self.now)
        if request.method == "DELETE":
            proxy.recover(name, self.now)
        return web.Response(body=msgspec.json.encode(_proxy_state(proxy, int(request.query.get("after", 0)))))

    def _order(self, index: int, path: str, body: Any) -> None:
        if path == "/v1/start":
            self.starts += self.world.workers[index].phase is WorkerPhase.READY
            self.world._start({index: body["startAt"]})
        elif self.world.workers[index].phase is not WorkerPhase.FINISHED:
            self.world.workers[index].phase = WorkerPhase.ABORTED

    def _state(self, index: int) -> WorkerState:
        worker = self.world.workers[index]
        return WorkerState(
            WIRE_VERSION, index, self.world.spec.load.workers, 1, worker.phase, time.time_ns(), worker.seconds,
            start_at=worker.start_at,
        )  # fmt: skip

    def _snapshot(self, index: int, after: int) -> Snapshot:
        worker = self.world.workers[index]
        deltas = [self.world._delta(index, second) for second in range(after, worker.seconds)]
        return Snapshot(version=WIRE_VERSION, last=worker.seconds, deltas=deltas)


def _proxy_state(proxy: Proxy, after: int) -> ProxyState:
    faults = [
        FaultRecord(
            name=name,
            run=1,
            injected_at=nanoseconds(reading.since or NOON),
            until=nanoseconds(proxy.until[name]),
            recovered_at=nanoseconds(reading.gone) if reading.gone else None,
            effects=reading.effects,
        )
        for name, reading in proxy.readings.items()
    ]
    pulses = proxy.pulses[after:]
    return ProxyState(WIRE_VERSION, "boot", time.time_ns(), 1.0, 0, faults, after + len(pulses), pulses)


@asynccontextmanager
async def theatre(*stages: Object, seconds: float = 5.0, **changes: Any) -> AsyncIterator[Theatre]:
    """A LoadTest against Service web; the operator has `seconds` of patience with the API server."""
    cluster = Cluster()
    a_web_service(cluster)
    body = a_load_test(*stages, **changes)
    cluster.put(LOAD_TEST, body)
    async with connected(cluster, seconds=seconds) as kube, aiohttp.ClientSession() as session:
        play = Theatre(cluster, kube, session, World(LoadTestSpec.model_validate(body["spec"])))
        yield play
        play.operator_ends()


def clean(cluster: Cluster, *kinds: Kind) -> bool:
    """Whether nothing of these kinds is there."""
    return not any(cluster.objects.get((kind.path(None).rpartition("/")[0], kind.plural)) for kind in kinds)


def nanoseconds(moment: datetime) -> int:
    return times.nanoseconds(moment)
