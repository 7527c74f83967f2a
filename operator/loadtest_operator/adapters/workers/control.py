"""A way to a pod's control port: straight to its IP, or through the API server's pod proxy.

The token goes in two headers: the API server keeps `Authorization` for itself when it proxies.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from loadtest_operator.adapters.errors import translated
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.workers.http import bounded
from loadtest_operator.core.common.settings import WorkerAccess

TOKEN_HEADER = "X-Loadtest-Token"  # noqa: S105 - a header's name
TIMEOUT_SECONDS = 3.0
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """A pod's control port."""

    namespace: str
    pod: str
    ip: str
    port: int


class ControlClient:
    """Requests to control APIs; every one has a time-out and bounded answers."""

    def __init__(self, session: aiohttp.ClientSession, kube: KubeApi, access: WorkerAccess) -> None:
        self._session, self._kube, self._access = session, kube, access

    async def request(
        self, method: str, address: Address, path: str, *, token: str, body: bytes | None = None, seconds: float = 0
    ) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"Authorization": f"Bearer {token}", TOKEN_HEADER: token, "Content-Type": "application/json"}
        timeout = seconds or TIMEOUT_SECONDS
        if self._access is WorkerAccess.API_SERVER_PROXY:
            del headers["Authorization"]
            proxied = f"/api/v1/namespaces/{address.namespace}/pods/{address.pod}:{address.port}/proxy{path}"
            return await self._kube.proxied(
                method, proxied, headers=headers, body=body, timeout_seconds=timeout, read=_all_of_it
            )
        return await self._direct(method, address, path, headers, body, timeout)

    async def _direct(
        self, method: str, address: Address, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> tuple[int, bytes]:
        host = f"[{address.ip}]" if ":" in address.ip else address.ip
        with translated(f"{method} {path} of pod {address.pod}"):
            async with self._session.request(
                method,
                f"http://{host}:{address.port}{path}",
                headers=headers,
                data=body,
                timeout=aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 2.0)),
            ) as response:
                return response.status, await _all_of_it(response)


async def _all_of_it(response: aiohttp.ClientResponse) -> bytes:
    return await bounded(response, MOST_BYTES)
