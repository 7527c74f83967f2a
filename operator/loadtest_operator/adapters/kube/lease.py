"""Leader election with a Lease: acquire → lead → lost. One operator acts; a second waits and takes over within 30 s.

Losing the lease is not survivable: whoever might still be acting must end before the next leader starts, so the
process exits (and Kubernetes starts it anew as a candidate). A process that stood still (SIGSTOP, a paused machine) cannot
know that it lost the lease before it asks: `check` refuses to act until the lease has been renewed again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from loadtest_operator.adapters.errors import AdapterError, ConflictError, RetryableError
from loadtest_operator.adapters.kube.api import KubeApi, Object
from loadtest_operator.core.common.kinds import LEASE
from loadtest_operator.core.run import leadership
from loadtest_operator.core.run.leadership import Sighting

log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Somebody else may lead now."""


class LeaseDoubtError(RetryableError):
    """The lease has not been renewed for so long that somebody else may lead now. Nothing was done."""


def seconds_since_boot() -> float:
    """Goes on while the machine sleeps, which time.monotonic does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Leadership:
    """One candidate. `clock` tells the wall's time, `seconds` counts."""

    def __init__(
        self,
        kube: KubeApi,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        seconds: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self._kube, self._clock, self._seconds = kube, clock, seconds
        self._renewed = float("-inf")
        self._namespace, self._name, self._identity = namespace, name, identity
        self._sighting = Sighting()
        self._held: Object | None = None

    async def acquire(self) -> None:
        """Wait until we lead."""
        while not await self._try():  # noqa: ASYNC110 - the lease is elsewhere
            await asyncio.sleep(leadership.RENEW_SECONDS / 2)
        log.info("%s leads", self._identity)

    async def take_over(self) -> None:
        """Lead from now on, whoever did until now: it ends as soon as it looks, and after GIVE_UP_SECONDS it does nothing any more."""
        while not await self._try(whoever_holds=True):  # noqa: ASYNC110 - the lease is elsewhere
            await asyncio.sleep(1)
        log.info("%s leads", self._identity)

    async def hold(self) -> None:
        """Renew for ever; raises LeaseLostError when that was not possible for too long."""
        while True:
            await asyncio.sleep(leadership.RENEW_SECONDS)
            if await self._try():
                continue
            if self._held is None:
                raise LeaseLostError("another operator took the lease")
            if self._age > leadership.GIVE_UP_SECONDS - leadership.RENEW_SECONDS:
                raise LeaseLostError("the lease could not be renewed in time")

    def check(self) -> None:
        """Before every step that changes anything. Raises LeaseDoubtError."""
        if self._age > leadership.GIVE_UP_SECONDS:
            raise LeaseDoubtError(f"not acting: the lease was last renewed {self._age:.0f} s ago")

    @property
    def _age(self) -> float:
        return self._seconds() - self._renewed

    async def release(self) -> None:
        """At a graceful end: the next one need not wait."""
        if self._held is None:
            return
        try:
            await self._kube.replace(LEASE, self._namespace, self._name, leadership.released(self._held))
        except AdapterError as error:
            log.warning("the lease was not released: %s", error)

    async def _try(self, *, whoever_holds: bool = False) -> bool:
        """Take or renew it once. Not having reached the API server leaves what we hold in doubt, not lost."""
        asked = self._seconds()
        try:
            lease = await asyncio.wait_for(self._kube.get(LEASE, self._namespace, self._name), 5)
            now = self._passed()
            self._sighting = leadership.seen(self._sighting, lease, now)
            if not (whoever_holds or leadership.may_take(lease, self._sighting, self._identity, now)):
                self._held = None
                return False
            await self._write(lease, self._clock())
        except ConflictError:
            return False
        except (AdapterError, TimeoutError) as error:
            log.warning("lease: %s", error or "no answer in time")
            return False
        # Not the moment of the answer: the request may have been long on its way.
        self._renewed = asked
        return True

    def _passed(self) -> datetime:
        """For measuring how long a lease stood still: a wall clock that is set meanwhile would make a lease look old, and its
        holder would lead beside us."""
        return datetime.fromtimestamp(self._seconds(), UTC)

    async def _write(self, lease: Object | None, now: datetime) -> None:
        body = leadership.claimed(lease, self._name, self._namespace, self._identity, now)
        if lease is None:
            self._held = await self._kube.create(LEASE, self._namespace, body)
        else:
            self._held = await self._kube.replace(LEASE, self._namespace, self._name, body)
