"""Where requests go: the URL taken apart, its addresses, its TLS settings.

Names are resolved when a connection is opened and remembered for a second at most, so a replica that appears in a
headless Service's DNS gets connections at once, without a look-up per connection. Several addresses are used in turn.
"""

import asyncio
import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loadgen.core.prompts.material import OPEN, authorities, header
from loadgen.core.protocols.words import printable
from loadgen.model.access import Access
from loadgen.model.errors import TargetError
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.runtime.clock import SECOND, monotonic_ns

CA_FILE_VARIABLE = "LOADTEST_CA_FILE"
_REMEMBER_NS = 1 * SECOND
_BEFORE_AT = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@", re.DOTALL)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Target:
    """A base URL: scheme, authority and a path before all requests' paths; and what every request says to get in."""

    host: str
    """Where connections go: the target, or a proxy before it."""
    port: int
    secure: bool
    base: str
    authority: str
    """Value of the Host header."""
    server_name: str
    """Name that a certificate must have, and SNI."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What every request has besides its own headers."""
    proxied: bool = False
    """Whether a proxy stands before it, which is told the name of each request."""
    mark: str = ""
    """Of the requests to it; empty where nobody wants to know."""
    ca: str | None = field(default=None, repr=False)
    """Authorities to trust instead of the system's, PEM."""

    @classmethod
    def parse(cls, url: str, access: Access = OPEN, material: Material = NO_MATERIAL, via: str = "") -> "Target":
        """Read `http://host[:port][/base]` or https. `via` is the `host:port` of a TCP proxy before it.

        Raises TargetError; InvalidPlanError where the material is of no use.
        """
        name = shown(url)
        try:
            parts = urlsplit(url)
            port = parts.port
            (parts.hostname or "").encode("idna")
        except ValueError as error:
            raise TargetError(
                f"target {name!r} has no host and port that can be read: write http://host:port"
            ) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TargetError(f"target {name!r} is no URL of a server: write http://host:port or https://host:port")
        if port == 0:
            raise TargetError(f"target {name!r} has port 0, on which nothing can listen: write http://host:port")
        if parts.username is not None or parts.query or parts.fragment:
            raise TargetError(f"target {name!r}: leave out user, query and fragment; paths belong to the requests")
        secure = parts.scheme == "https"
        host, port = parts.hostname, port or (443 if secure else 80)
        proxy, _, proxy_port = via.rpartition(":")
        found = header(access, material)
        return cls(
            host=proxy or host,
            proxied=bool(proxy),
            port=int(proxy_port or port),
            secure=secure,
            base=parts.path.rstrip("/"),
            authority=_authority(host, port, secure),
            server_name=(access.tls and access.tls.server_name) or host,
            headers=(found,) if found else (),
            ca=authorities(access, material),
        )

    @property
    def origin(self) -> str:
        """Where connections go, as a URL."""
        return f"{'https' if self.secure else 'http'}://{_authority(self.host, self.port, self.secure)}"

    def tls(self) -> ssl.SSLContext | None:
        """TLS settings: the authorities of the plan, else of the file named by LOADTEST_CA_FILE, else the system's."""
        if not self.secure:
            return None
        file = os.environ.get(CA_FILE_VARIABLE) if self.ca is None else None
        context = ssl.create_default_context(cafile=file or None, cadata=self.ca)
        context.set_alpn_protocols(["http/1.1"])
        return context


def shown(url: str) -> str:
    """A URL for people: without what may be secret, all before an @ and all after a question mark."""
    return printable(re.split(r"[?#]", _BEFORE_AT.sub(r"\1…@", url), maxsplit=1)[0])


def _authority(host: str, port: int, secure: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == (443 if secure else 80) else f"{shown}:{port}"


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
