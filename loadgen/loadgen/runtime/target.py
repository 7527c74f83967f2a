"""Where requests go: the URL taken apart, its addresses, its TLS settings.

Names are resolved when a connection is opened and remembered for a second at most, so a replica that appears in a
headless Service's DNS gets connections at once, without a look-up per connection. Several addresses are used in turn.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadgen.model.errors import TargetError
from loadgen.runtime.clock import SECOND, monotonic_ns

CA_FILE_VARIABLE = "LOADTEST_CA_FILE"
_REMEMBER_NS = 1 * SECOND

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Target:
    """A base URL: scheme, authority and a path before all requests' paths."""

    host: str
    port: int
    secure: bool
    base: str

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Read `http://host[:port][/base]` or https."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise TargetError(f"target {url!r}: {error}; write http://host:port") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TargetError(f"target {url!r} is no URL of a server: write http://host:port or https://host:port")
        if parts.username or parts.query or parts.fragment:
            raise TargetError(f"target {url!r}: leave out user, query and fragment; paths belong to the requests")
        secure = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if secure else 80), secure, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def tls(self) -> ssl.SSLContext | None:
        """TLS settings: the system's authorities, or the file named by LOADTEST_CA_FILE."""
        if not self.secure:
            return None
        context = ssl.create_default_context(cafile=os.environ.get(CA_FILE_VARIABLE) or None)
        context.set_alpn_protocols(["http/1.1"])
        return context


class Resolver:
    """Addresses of one host, at most a second old, starting with another one each time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._addresses: list[Address] = []
        self._until = 0
        self._turn = 0
        self._lookup: asyncio.Future[list[Address]] | None = None
        if _is_numeric(host):
            self._addresses, self._until = [(host, port)], 1 << 62

    async def resolve(self) -> list[Address]:
        """All addresses, in the order to try them. Raises socket.gaierror."""
        if monotonic_ns() >= self._until:
            await self._refresh()
        self._turn += 1
        turn = self._turn % len(self._addresses)
        return self._addresses[turn:] + self._addresses[:turn]

    async def _refresh(self) -> None:
        """Many openings at once share one look-up."""
        if self._lookup is None:
            self._lookup = asyncio.ensure_future(self._query())
            self._lookup.add_done_callback(self._forget)
        self._addresses = await asyncio.shield(self._lookup)
        self._until = monotonic_ns() + _REMEMBER_NS

    def _forget(self, lookup: "asyncio.Future[list[Address]]") -> None:
        self._lookup = None
        if not lookup.cancelled():
            lookup.exception()  # whoever waited has seen it

    async def _query(self) -> list[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys((str(item[4][0]), int(item[4][1])) for item in found))


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
