"""The API server, narrow and untyped: objects are dictionaries, so a newer server's fields survive a round trip.

Authentication comes from kubernetes.aio's configuration (in the cluster: a token that is read again when it is
rotated; outside: the kubeconfig with its certificates or plug-ins); requests are aiohttp's, each with a time-out.
"""

import json
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from yarl import URL

from loadtest_operator.adapters.errors import InvalidError, NotFoundError, RetryableError, of_status, translated
from loadtest_operator.core.common.kinds import LEASE, POD, Kind
from loadtest_operator.core.common.owners import is_owned

Object = dict[str, Any]
Read = Callable[[aiohttp.ClientResponse], Awaitable[bytes]]

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
CONNECTIONS = 64
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
MERGE = "application/merge-patch+json"
NAMES = re.compile(r"(/[A-Za-z0-9._:-]+)+")
"""Paths of objects: what a name was taken from (an owner's reference, a spec) may have been written by anybody."""
FOR_THE_SERVER = ("authorization", "impersonate-", "x-remote-")
"""Beginnings of headers that the API server reads itself: with the operator's rights they would not be the target's."""


class KubeApi:
    """One cluster."""

    def __init__(self, session: aiohttp.ClientSession, configuration: Configuration) -> None:
        self._session = session
        self._configuration = configuration
        self.calls = 0
        self.fence: Callable[[], None] = _nobody_else
        """Called before every request that changes anything but a Lease; raises where another operator may lead."""

    @classmethod
    async def connect(cls) -> "KubeApi":
        """From the pod's service account, else from the kubeconfig."""
        configuration = Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=_tls(configuration))
        return cls(aiohttp.ClientSession(connector=connector, timeout=TIMEOUT), configuration)

    async def close(self) -> None:
        await self._session.close()

    async def get(self, kind: Kind, namespace: str, name: str, subresource: str = "") -> Object | None:
        """The object (or its subresource), or nothing."""
        try:
            return await self._json("GET", kind.path(namespace, name, subresource))
        except NotFoundError:
            return None

    async def resources(self, api_version: str) -> list[Object]:
        """What a group's version has (discovery), subresources too; nothing where there is no such version."""
        try:
            found = await self._json("GET", "/api/v1" if api_version == "v1" else f"/apis/{api_version}")
        except NotFoundError:
            return []
        resources: list[Object] = found.get("resources") or []
        return resources

    async def versions(self, group: str) -> list[str]:
        """In which a group is served (discovery); nothing where it is not."""
        try:
            found = await self._json("GET", f"/apis/{group}")
        except NotFoundError:
            return []
        return [version["version"] for version in found.get("versions") or ()]

    async def read(self, path: str, query: Mapping[str, str], *, most: int, seconds: float) -> Object:
        """What a program behind the API server (an aggregated API) answers to a GET. The path goes out byte for byte.

        Raises:
            RetryableError: no answer in that many seconds, more than `most` bytes, or no JSON object.
        """
        doing = f"GET {path[:200]}"
        if leaves(path):
            raise InvalidError(f"{doing}: a path with steps . or .. is not sent to the API server")
        url = URL(self._configuration.host + path, encoded=True).with_query(query)
        patience = aiohttp.ClientTimeout(total=seconds)
        self.calls += 1
        with translated(doing):
            async with self._session.get(url, headers=await self._authorization(), timeout=patience) as response:
                body = await _bounded(response, most, doing)
        if response.status >= 400:
            raise of_status(response.status, f"{doing}: {_message(body.decode(errors='replace'))}")
        return _object(body, doing)

    async def list(
        self, kind: Kind, namespace: str | None, labels: str = "", fields: str = "", *, metadata_only: bool = False
    ) -> list[Object]:
        """All of them, page by page."""
        accept = METADATA if metadata_only else "application/json"
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": "500"}
        items: list[Object] = []
        while True:
            page = await self._json("GET", kind.path(namespace), query=query, accept=accept)
            items += page["items"] or ()
            if not (token := page.get("metadata", {}).get("continue")):
                return items
            query["continue"] = token

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Object:
        """Raises ConflictError where it is there already."""
        return await self._change("POST", kind, kind.path(namespace), body)

    async def merge_patch(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> Object:
        """With metadata.resourceVersion in the patch: raises ConflictError where the object has changed since."""
        return await self._change("PATCH", kind, kind.path(namespace, name, subresource), patch, MERGE)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> Object:
        """Raises ConflictError where the object's resourceVersion is no longer the body's."""
        return await self._change("PUT", kind, kind.path(namespace, name), body)

    async def delete_own(self, kind: Kind, namespace: str, name: str, owner: str) -> None:
        """As `delete`, but only what belongs to the object with this uid: a name that fits is no proof."""
        found = await self.get(kind, namespace, name)
        if found is not None and is_owned(found, owner):
            await self.delete(kind, namespace, name)

    async def evict(self, namespace: str, pod: str, options: Mapping[str, Any]) -> None:
        """A delete that a PodDisruptionBudget may refuse (RetryableError) or a precondition (ConflictError)."""
        metadata = {"name": pod, "namespace": namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
        await self._change("POST", POD, POD.path(namespace, pod, "eviction"), body)

    async def delete(
        self, kind: Kind, namespace: str, name: str, options: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """That it is gone already is fine. What it owns follows in the background."""
        body = {"propagationPolicy": "Background", **options}
        try:
            await self._change("DELETE", kind, kind.path(namespace, name), body)
        except NotFoundError:
            return

    async def _change(
        self, method: str, kind: Kind, path: str, body: Mapping[str, Any], content: str = "application/json"
    ) -> Object:
        if kind != LEASE:
            self.fence()
        return await self._json(method, path, body=body, content=content)

    async def proxied(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_seconds: float,
        read: Read,
    ) -> tuple[int, bytes]:
        """A request to a pod or Service through the API server. `read` bounds what is taken of the answer. The path goes out
        byte for byte; with steps `..` in it, it would be another one, asked for with the operator's own rights."""
        if leaves(path):
            raise InvalidError(f"{method} {path[:200]}: a path with steps . or .. is not sent through the API server")
        mine = {name: value for name, value in headers.items() if not name.lower().startswith(FOR_THE_SERVER)}
        with translated(f"{method} {path} through the API server"):
            async with self._session.request(
                method,
                URL(self._configuration.host + path, encoded=True),
                headers={**mine, **await self._authorization()},
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                allow_redirects=False,
                data=body,
                timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            ) as response:
                return response.status, await read(response)

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        if not NAMES.fullmatch(path) or leaves(path):
            raise NotFoundError(f"{method} {path[:200]!r}: there can be nothing of such a name")
        self.calls += 1
        headers = {"Accept": accept, "Content-Type": content, **await self._authorization()}
        data = json.dumps(body) if body is not None else None
        parameters = {key: value for key, value in (query or {}).items() if value}
        with translated(f"{method} {path}"):
            async with self._session.request(
                method, self._configuration.host + path, params=parameters, data=data, headers=headers
            ) as response:
                text = await response.text()
        if response.status >= 400:
            raise of_status(response.status, f"{method} {path}: {_message(text)}")
        answer: Object = json.loads(text)
        return answer

    async def _authorization(self) -> dict[str, str]:
        token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token} if token else {}


def leaves(path: str) -> bool:
    """Whether somebody on the way might resolve the path to one outside of what it begins with."""
    plain = unquote(unquote(path.partition("?")[0]))
    return bool({".", ".."} & set(re.split(r"[/\\]", plain)))


def _nobody_else() -> None:
    """Without a lease no other operator is expected."""


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _bounded(response: aiohttp.ClientResponse, most: int, doing: str) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            raise RetryableError(f"{doing}: the answer has more than {most} bytes")
    return bytes(body)


def _object(body: bytes, doing: str) -> Object:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise RetryableError(f"{doing}: the answer is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise RetryableError(f"{doing}: the answer is no object")
    return found


def _message(text: str) -> str:
    """What the API server says, without the envelope."""
    try:
        return str(json.loads(text).get("message", text))[:500]
    except ValueError:
        return text[:500]
