"""Leader election with a Lease: acquire → lead → lost. One operator acts; a second waits and takes over within 30 s.

Losing the lease is not survivable: whoever might still be acting must end before the next leader starts, so the
process exits (and Kubernetes starts it anew as a candidate).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from loadtest_operator.adapters.errors import AdapterError, ConflictError
from loadtest_operator.adapters.kube import KubeApi, Object
from loadtest_operator.core import leadership
from loadtest_operator.core.kinds import LEASE
from loadtest_operator.core.leadership import Sighting

log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Somebody else may lead now."""


class Leadership:
    """One candidate."""

    def __init__(self, kube: KubeApi, namespace: str, name: str, identity: str, clock: Callable[[], datetime]) -> None:
        self._kube, self._clock = kube, clock
        self._namespace, self._name, self._identity = namespace, name, identity
        self._sighting = Sighting()
        self._held: Object | None = None

    async def acquire(self) -> None:
        """Wait until we lead."""
        while not await self._try():  # noqa: ASYNC110 - the lease is elsewhere
            await asyncio.sleep(leadership.RENEW_SECONDS / 2)
        log.info("%s leads", self._identity)

    async def hold(self) -> None:
        """Renew for ever; raises LeaseLostError when that was not possible for too long."""
        renewed = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(leadership.RENEW_SECONDS)
            if await self._try():
                renewed = asyncio.get_running_loop().time()
            elif self._held is None:
                raise LeaseLostError("another operator took the lease")
            elif asyncio.get_running_loop().time() - renewed > leadership.GIVE_UP_SECONDS - leadership.RENEW_SECONDS:
                raise LeaseLostError("the lease could not be renewed in time")

    async def release(self) -> None:
        """At a graceful end: the next one need not wait."""
        if self._held is None:
            return
        try:
            await self._kube.replace(LEASE, self._namespace, self._name, leadership.released(self._held))
        except AdapterError as error:
            log.warning("the lease was not released: %s", error)

    async def _try(self) -> bool:
        """Take or renew it once. Not having reached the API server leaves what we hold in doubt, not lost."""
        try:
            lease = await asyncio.wait_for(self._kube.get(LEASE, self._namespace, self._name), 5)
            now = self._clock()
            self._sighting = leadership.seen(self._sighting, lease, now)
            if not leadership.may_take(lease, self._sighting, self._identity, now):
                self._held = None
                return False
            await self._write(lease, now)
        except ConflictError:
            return False
        except (AdapterError, TimeoutError) as error:
            log.warning("lease: %s", error or "no answer in time")
            return False
        return True

    async def _write(self, lease: Object | None, now: datetime) -> None:
        body = leadership.claimed(lease, self._name, self._namespace, self._identity, now)
        if lease is None:
            self._held = await self._kube.create(LEASE, self._namespace, body)
        else:
            self._held = await self._kube.replace(LEASE, self._namespace, self._name, body)
