"""The emulated API server behind real HTTP, in a thread of its own, for a client that blocks. It adds what a real one does
to a spec: generations, dry runs, and an answer for a kind that is not installed.
"""

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from fakes import kube
from fakes.kube import Object, Place
from loadtest_operator.core.common.kinds import CONFIG_MAP, LOAD_TEST

GROUP = f"/apis/{LOAD_TEST.api_version}"


@dataclass
class Server(kube.Cluster):
    """The emulated server, and a script of what happens before each time that the LoadTest is read."""

    installed: bool = True
    refuse: str = ""
    """The words of RBAC, where it lets nothing through."""
    script: list[Callable[["Server"], None]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if not self.installed and request.path.startswith(GROUP):
            return web.Response(status=404, text="404 page not found\n")
        if request.method == "GET" and request.path.startswith(f"{GROUP}/namespaces/demo/loadtests/") and self.script:
            self.script.pop(0)(self)
        if self.refuse:
            return kube.refusal(403, self.refuse)
        before = deepcopy(self.objects)
        answer = await super().answer(request)
        if "dryRun" in request.query:
            self.objects = before
        return answer

    def _store(self, place: Place, body: Object, event: str) -> Object:
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        old = self._all(place.collection).get(key)
        if old is None:
            body["metadata"].setdefault("generation", 1)
        elif old.get("spec") != body.get("spec"):
            body["metadata"] = {**body["metadata"], "generation": old["metadata"]["generation"] + 1}
        return super()._store(place, body, event)

    def test(self, name: str = "chat") -> Object:
        """The LoadTest."""
        found = self.get(LOAD_TEST, "demo", name)
        assert found is not None
        return found

    def write_status(self, status: Object, name: str = "chat") -> None:
        """As the operator does."""
        body = deepcopy(self.test(name))
        self.put(LOAD_TEST, {**body, "status": status})

    def keep(self, name: str, data: bytes) -> None:
        """A report's ConfigMap."""
        metadata = {"name": name, "namespace": "demo"}
        self.put(CONFIG_MAP, {"metadata": metadata, "binaryData": {"report.json.gz": base64.b64encode(data).decode()}})


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Its address, while it runs in a thread."""
    ready, addresses = threading.Event(), list[str]()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with kube.serving(server) as address:
            addresses.append(address)
            ready.set()
            await over.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait(30)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)


def write_kubeconfig(folder: Path, address: str) -> str:
    """A kubeconfig with two contexts: `here`, in namespace demo, and `nowhere`, where nothing listens."""

    def context(name: str) -> dict[str, Any]:
        return {"name": name, "context": {"cluster": name, "user": "me", "namespace": "demo"}}

    def cluster(name: str, server: str) -> dict[str, Any]:
        return {"name": name, "cluster": {"server": server}}

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [context("here"), context("nowhere")],
        "clusters": [cluster("here", address), cluster("nowhere", "http://127.0.0.1:1")],
        "users": [{"name": "me", "user": {"token": "secret"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return str(file)
