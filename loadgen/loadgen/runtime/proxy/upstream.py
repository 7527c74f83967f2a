"""Where the target is: its name's addresses, asked for once a second at most.

A lookup for every connection would wait in a queue of threads that no measurement of the loop shows, and ask the cluster's DNS
as often as the load opens connections.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from loadgen.runtime.clock import SECOND, monotonic_ns

Lookup = Callable[[str, int], Awaitable[list[str]]]


async def look_up(host: str, port: int) -> list[str]:
    """Addresses in the system's order. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


@dataclass(slots=True, eq=False)
class Upstream:
    """`host:port`, connected to by address."""

    host: str
    port: int
    lookup: Lookup = look_up
    _known: list[str] = field(default_factory=list)
    _until: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _addresses(self) -> list[str]:
        async with self._asking:
            if monotonic_ns() >= self._until:
                self._known = await self.lookup(self.host, self.port)
                self._until = monotonic_ns() + SECOND
            return self._known

    async def connect(self, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """To the first address that takes it. Raises OSError: the last one's, or the lookup's."""
        failed = OSError(f"{self.host} has no address")
        for address in await self._addresses():
            try:
                _, made = await asyncio.get_running_loop().create_connection(protocol, address, self.port)
            except OSError as error:
                failed = error
            else:
                return made
        raise failed
