"""An API server of one process: real HTTP, objects in a dictionary, and trouble on demand.

It keeps what the operator relies on: resource versions and the conflicts they make, status apart from the rest, merge and
JSON patches, label selectors, watch streams, discovery, finalizers. It knows no schema, no admission and no garbage collection.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from kubernetes.aio.client import Configuration

from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.core.common.kinds import LOAD_TEST, LOAD_TEST_SCHEDULE, LOAD_TEST_SWEEP, Kind

Object = dict[str, Any]
Trouble = Callable[[web.Request], int | str | None]
"""What to answer instead: a status, "hang", "reset", or nothing special."""
PATH = re.compile(
    r"^(?P<root>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale|eviction|proxy.*))?$"
)


def _resource(plural: str, kind: str, *, namespaced: bool) -> Object:
    verbs = ["get", "list", "watch", "patch", "create", "delete"]
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": verbs}


def _group(name: str, version: str) -> Object:
    only = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [only], "preferredVersion": only}


OURS = [_resource(kind.plural, kind.kind, namespaced=True) for kind in (LOAD_TEST, LOAD_TEST_SCHEDULE, LOAD_TEST_SWEEP)]
CORE = [_resource("namespaces", "Namespace", namespaced=False), _resource("events", "Event", namespaced=True)]
CRDS = [_resource("customresourcedefinitions", "CustomResourceDefinition", namespaced=False)]
DISCOVERY: dict[str, Object] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "resources": CORE},
    "/apis": {"groups": [_group("loadtest.dev", "v1alpha1"), _group("apiextensions.k8s.io", "v1")]},
    "/apis/apiextensions.k8s.io/v1": {"kind": "APIResourceList", "resources": CRDS},
    f"/apis/{LOAD_TEST.api_version}": {"kind": "APIResourceList", "resources": OURS},
}
"""What kopf wants to find before it begins."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes."""

    root: str
    namespace: str | None
    plural: str
    name: str | None
    sub: str | None

    @property
    def collection(self) -> tuple[str, str]:
        return self.root, self.plural


@dataclass
class Cluster:
    """The objects, by (root, plural) and then (namespace, name)."""

    objects: dict[tuple[str, str], dict[tuple[str, str], Object]] = field(default_factory=dict)
    trouble: Trouble = field(default=lambda _request: None)
    log: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    bodies: list[str] = field(default_factory=list)
    created: Callable[["Cluster", Object], None] = field(default=lambda _cluster, _body: None)
    """What controllers do about a new object."""
    proxied: Callable[[str, str, web.Request], Awaitable[web.Response]] | None = None
    """The pods behind the pod proxy: pod, path, request."""
    discovery: dict[str, Object] = field(default_factory=dict)
    """More of it: by path, such as /apis/apps.example/v1."""
    watchers: list[tuple[Place, "asyncio.Queue[Object]"]] = field(default_factory=list)
    version: int = 100

    def put(self, kind: Kind, body: Object) -> Object:
        """As if somebody had created it."""
        place = Place(kind.path(None).rpartition("/")[0], body["metadata"]["namespace"], kind.plural, None, None)
        return self._store(place, {"apiVersion": kind.api_version, "kind": kind.kind, **deepcopy(body)}, "ADDED")

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._all((kind.path(None).rpartition("/")[0], kind.plural)).get((namespace, name))

    def _all(self, collection: tuple[str, str]) -> dict[tuple[str, str], Object]:
        return self.objects.setdefault(collection, {})

    def _store(self, place: Place, body: Object, event: str) -> Object:
        self.version += 1
        metadata = body["metadata"]
        metadata["resourceVersion"] = str(self.version)
        metadata.setdefault("uid", f"uid-{self.version}")
        metadata.setdefault("creationTimestamp", "2026-01-01T12:00:00Z")
        key = (metadata["namespace"], metadata["name"])
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            event = "DELETED"
            self._all(place.collection).pop(key, None)
        else:
            self._all(place.collection)[key] = body
        for where, queue in self.watchers:
            if where.collection == place.collection and where.namespace in (None, key[0]):
                queue.put_nowait({"type": event, "object": deepcopy(body)})
        return body

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.log.append((request.method, request.path))
        trouble = self.trouble(request)
        if trouble == "hang":
            await asyncio.sleep(60)
        if trouble == "reset" and request.transport is not None:
            request.transport.abort()
        if isinstance(trouble, int):
            return refusal(trouble, "trouble on demand")
        if (known := {**DISCOVERY, **self.discovery}.get(request.path)) is not None:
            return web.json_response(known)
        found = PATH.match(request.path)
        if found is None:
            return refusal(404, f"no such path: {request.path}")
        place = Place(**found.groupdict())
        if place.sub and place.sub.startswith("proxy"):
            return await self._proxy(place, request)
        return await self._dispatch(place, request)

    async def _proxy(self, place: Place, request: web.Request) -> web.Response:
        assert self.proxied is not None
        pod = (place.name or "").partition(":")[0]
        return await self.proxied(pod, (place.sub or "").removeprefix("proxy"), request)

    async def _dispatch(self, place: Place, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.bodies.append(text)
        body = json.loads(text) if text else {}
        if place.name is None:
            if request.method == "POST":
                return self._create(place, body)
            if "watch" in request.query:
                return await self._watch(place, request)
            items = list(self._selected(place, request.query.get("labelSelector", "")))
            # As the real one: of metadata alone an empty list is null.
            some = None if "as=PartialObjectMetadataList" in request.headers.get("Accept", "") and not items else items
            return web.json_response({"items": some, "metadata": {"resourceVersion": str(self.version)}})
        old = self._all(place.collection).get((place.namespace or "", place.name))
        if old is None:
            return refusal(404, f"{place.plural} {place.name} not found")
        return self._one(place, old, body, request)

    def _one(self, place: Place, old: Object, body: Any, request: web.Request) -> web.Response:
        if request.method == "GET":
            scale = {
                "kind": "Scale",
                "metadata": old["metadata"],
                "spec": {"replicas": old.get("spec", {}).get("replicas")},
            }
            return web.json_response(scale if place.sub == "scale" else old)
        if request.method == "DELETE" or place.sub == "eviction":
            wanted = (body.get("deleteOptions") or body).get("preconditions") or {}
            if wanted.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
                return refusal(409, "the UID in the precondition does not match")
            return self._delete(place, old)
        if isinstance(body, dict) and _is_stale(body, old):
            return refusal(409, "the object has been modified")
        if request.method == "PUT":
            return web.json_response(self._store(place, body, "MODIFIED"))
        return self._patch(place, old, body)

    def _patch(self, place: Place, old: Object, body: Any) -> web.Response:
        new = json_patched(old, body) if isinstance(body, list) else merged(old, body)
        if new is None:
            return refusal(422, "the test of a JSON patch failed")
        whole = (
            {**old, "status": new.get("status", {})} if place.sub == "status" else {**new, "status": old.get("status")}
        )
        if whole.get("status") is None:
            whole.pop("status", None)
        return web.json_response(old if whole == old else self._store(place, whole, "MODIFIED"))

    def _create(self, place: Place, body: Object) -> web.Response:
        body["metadata"].setdefault("namespace", place.namespace)
        if (place.namespace or "", body["metadata"]["name"]) in self._all(place.collection):
            return refusal(409, f"{place.plural} {body['metadata']['name']} already exists")
        made = self._store(place, body, "ADDED")
        self.created(self, made)
        return web.json_response(made, status=201)

    def _delete(self, place: Place, old: Object) -> web.Response:
        gone = deepcopy(old)
        gone["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
        self._store(place, gone, "MODIFIED")
        return web.json_response({"status": "Success"})

    def _selected(self, place: Place, selector: str) -> Iterator[Object]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        for (namespace, _), body in self._all(place.collection).items():
            labels = body["metadata"].get("labels") or {}
            if place.namespace in (None, namespace) and wanted.items() <= labels.items():
                yield body

    async def _watch(self, place: Place, request: web.Request) -> web.StreamResponse:
        queue: asyncio.Queue[Object] = asyncio.Queue()
        self.watchers.append((place, queue))
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        try:
            while True:
                await stream.write(json.dumps(await queue.get()).encode() + b"\n")
        finally:
            self.watchers.remove((place, queue))


def _is_stale(body: Object, old: Object) -> bool:
    """It names a version, and another one than there is."""
    version = old["metadata"]["resourceVersion"]
    return bool((body.get("metadata") or {}).get("resourceVersion", version) != version)


def refusal(status: int, message: str) -> web.Response:
    """As the API server says no."""
    return web.json_response({"kind": "Status", "status": "Failure", "message": message, "code": status}, status=status)


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def json_patched(old: Object, operations: list[Object]) -> Object | None:
    """RFC 6902 as far as finalizers need it; nothing where a test fails."""
    new = deepcopy(old)
    for step in operations:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        parent: Any = new
        for part in path:
            parent = parent[int(part)] if isinstance(parent, list) else parent.setdefault(part, {})
        if step["op"] == "test":
            if (parent[int(last)] if isinstance(parent, list) else parent.get(last)) != step["value"]:
                return None
        elif isinstance(parent, list):
            _change_list(parent, last, step)
        elif step["op"] == "remove":
            parent.pop(last, None)
        else:
            parent[last] = step["value"]
    return new


def _change_list(items: list[Any], last: str, step: Object) -> None:
    if step["op"] == "remove":
        del items[int(last)]
    elif last == "-":
        items.append(step["value"])
    elif step["op"] == "add":
        items.insert(int(last), step["value"])
    else:
        items[int(last)] = step["value"]


@asynccontextmanager
async def serving(cluster: Cluster) -> AsyncIterator[str]:
    """Its address."""
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", cluster.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(cluster: Cluster, *, seconds: float = 5.0) -> AsyncIterator[KubeApi]:
    """The operator's own client; `seconds` is its patience."""
    async with serving(cluster) as address:
        configuration = Configuration()
        configuration.host = address
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session:
            yield KubeApi(session, configuration)
