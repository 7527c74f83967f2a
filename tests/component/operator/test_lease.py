"""Two operators and one Lease, in virtual time: one leads, the other takes over, and a leader that lost it knows."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loadtest_operator.adapters.errors import ConflictError, RetryableError
from loadtest_operator.adapters.kube.lease import Leadership, LeaseLostError
from loadtest_operator.core.common.kinds import Kind
from loadtest_operator.core.run.leadership import GIVE_UP_SECONDS

pytestmark = pytest.mark.looptime(start=0)
Object = dict[str, Any]


class Leases:
    """An API server with one Lease; every write has a version, every call takes a moment."""

    def __init__(self) -> None:
        self.lease: Object | None = None
        self.version = 0
        self.away = False

    async def get(self, _kind: Kind, _namespace: str, _name: str) -> Object | None:
        await self._travel()
        return deepcopy(self.lease)

    async def create(self, _kind: Kind, _namespace: str, body: Mapping[str, Any]) -> Object:
        await self._travel()
        if self.lease is not None:
            raise ConflictError("exists")
        return self._write(body)

    async def replace(self, _kind: Kind, _namespace: str, _name: str, body: Mapping[str, Any]) -> Object:
        await self._travel()
        if self.lease is None or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError("modified")
        return self._write(body)

    async def _travel(self) -> None:
        await asyncio.sleep(0.01)
        if self.away:
            raise RetryableError("503")

    def _write(self, body: Mapping[str, Any]) -> Object:
        self.version += 1
        self.lease = deepcopy(dict(body))
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return deepcopy(self.lease)

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


def clock() -> datetime:
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())


def a_candidate(leases: Leases, name: str) -> Leadership:
    return Leadership(leases, "system", "lease", name, clock, asyncio.get_running_loop().time)  # type: ignore[arg-type]


async def seconds_of(doing: Any) -> float:
    """How long it took."""
    begun = asyncio.get_running_loop().time()
    await doing
    return asyncio.get_running_loop().time() - begun


async def test_who_takes_over_leads_at_once_and_the_other_ends_before_it_may_act() -> None:
    leases = Leases()
    first, last = a_candidate(leases, "first"), a_candidate(leases, "last")
    await first.acquire()
    holding = asyncio.create_task(first.hold())

    taken = await seconds_of(last.take_over())

    assert (taken < 1, leases.holder) == (True, "last")
    with pytest.raises(LeaseLostError):
        await asyncio.wait_for(holding, GIVE_UP_SECONDS)


async def test_of_two_that_try_at_once_one_leads() -> None:
    leases = Leases()
    tries = [asyncio.create_task(a_candidate(leases, name).acquire()) for name in ("a", "b")]

    done, waiting = await asyncio.wait(tries, timeout=10)

    assert (len(done), len(waiting)) == (1, 1)
    waiting.pop().cancel()


async def test_a_leader_keeps_it_while_it_renews() -> None:
    leases = Leases()
    first = a_candidate(leases, "a")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    second = asyncio.create_task(a_candidate(leases, "b").acquire())

    await asyncio.wait({holding, second}, timeout=600)

    assert leases.holder == "a"
    assert not holding.done()
    holding.cancel()
    second.cancel()


async def test_a_killed_leader_is_followed_within_thirty_seconds() -> None:
    leases = Leases()
    await a_candidate(leases, "a").acquire()

    assert 15 <= await seconds_of(a_candidate(leases, "b").acquire()) <= 30
    assert leases.holder == "b"
    assert leases.lease is not None
    assert leases.lease["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_ends_in_peace_is_followed_at_once() -> None:
    leases = Leases()
    first = a_candidate(leases, "a")
    await first.acquire()
    waiting = asyncio.create_task(seconds_of(a_candidate(leases, "b").acquire()))
    await asyncio.sleep(1)

    await first.release()

    assert await waiting < 6


async def test_whoever_sees_another_holder_has_lost_it() -> None:
    leases = Leases()
    first = a_candidate(leases, "a")
    await first.acquire()
    assert leases.lease is not None
    leases.lease["spec"]["holderIdentity"] = "thief"
    leases.lease["metadata"]["resourceVersion"] = "99"

    with pytest.raises(LeaseLostError, match="another operator"):
        await asyncio.wait_for(first.hold(), 10)


async def test_a_leader_cut_off_gives_up_before_another_may_begin() -> None:
    """Both by the same clock: the old one must be gone when the new one's wait is over."""
    leases = Leases()
    first = a_candidate(leases, "a")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(9)
    renewed = asyncio.get_running_loop().time() - 1
    leases.away = True

    with pytest.raises(LeaseLostError, match="in time"):
        await asyncio.wait_for(holding, 60)
    lost_after = asyncio.get_running_loop().time() - renewed

    assert lost_after < 15


async def test_a_short_outage_costs_nobody_the_lease() -> None:
    leases = Leases()
    first = a_candidate(leases, "a")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(9)
    leases.away = True
    await asyncio.sleep(4)
    leases.away = False

    await asyncio.wait({holding}, timeout=60)

    assert not holding.done()
    holding.cancel()


async def test_a_wall_clock_that_runs_away_does_not_make_a_lease_old() -> None:
    """Its holder renews it and would go on leading."""
    leases, loop = Leases(), asyncio.get_running_loop()
    first = a_candidate(leases, "a")
    await first.acquire()
    holding = asyncio.create_task(first.hold())

    def hasty() -> datetime:
        return clock() + timedelta(seconds=100 * loop.time())

    second = Leadership(leases, "system", "lease", "b", hasty, loop.time)  # type: ignore[arg-type]
    taking = asyncio.create_task(second.acquire())
    await asyncio.sleep(60)

    assert leases.holder == "a"
    for task in (holding, taking):
        task.cancel()
