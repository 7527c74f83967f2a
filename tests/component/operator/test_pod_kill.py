"""Pods are killed through an API server: those that were chosen, by their uid, once, and only with consent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from fakes.kube import Cluster, connected
from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.adapters.faults import pods as adapter
from loadtest_operator.adapters.workers.control import ControlClient
from loadtest_operator.adapters.workers.proxy import Way
from loadtest_operator.core.common import times
from loadtest_operator.core.common.kinds import CONFIG_MAP, NAMESPACE, POD
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.common.settings import WorkerAccess

ORDER: dict[str, Any] = {
    "count": 2, "percent": None, "by": "Delete", "gracePeriodSeconds": None,
    "selector": {"app": "chat"}, "mostPercent": 50,
}  # fmt: skip


@dataclass
class Stage:
    """A namespace with a target of four pods and a stranger."""

    cluster: Cluster
    way: Way

    def pod(self, name: str, app: str = "chat") -> None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": times.text(self.way.now)}
        metadata = {"name": name, "namespace": "demo", "labels": {"app": app}}
        self.cluster.put(POD, {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "conditions": [ready]}})

    def consent(self, **labels: str) -> None:
        self.cluster.put(NAMESPACE, {"metadata": {"name": "demo", "namespace": "", "labels": labels}})

    def later(self, seconds: float = 10) -> Way:
        self.way = replace(self.way, now=self.way.now + timedelta(seconds=seconds))
        return self.way

    @property
    def alive(self) -> set[str]:
        return {name for _, name in self.cluster.objects["/api/v1", "pods"]}


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    cluster = Cluster()
    async with connected(cluster) as kube, aiohttp.ClientSession() as session:
        control = ControlClient(session, kube, WorkerAccess.POD_IP)
        found = Stage(cluster, Way(kube, control, Paced(), "demo", Names("test", 1), "", datetime.now(UTC)))
        found.consent(**{"loadtest.dev/faults": "allowed"})
        for name in ("chat-1", "chat-2", "chat-3", "chat-4"):
            found.pod(name)
        found.pod("stranger", app="other")
        cluster.put(CONFIG_MAP, {"metadata": {"name": "test-1-kills", "namespace": "demo"}})
        yield found


@pytest.mark.parametrize("by", ["Delete", "Evict"])
async def test_a_kill_from_its_order_to_its_recovery(by: str) -> None:
    """Two of the target's four go and nobody else; ordered again, nobody more; gone when four are ready again."""
    async with stage() as play:
        before = await adapter.look(play.way, None)
        order = {**ORDER, "by": by}
        await adapter.inject(play.way, "kill", order)
        killed = {"chat-1", "chat-2", "chat-3", "chat-4"} - play.alive
        await adapter.inject(play.later(), "kill", order)
        still = {"chat-1", "chat-2", "chat-3", "chat-4"} - play.alive
        felt = (await adapter.look(play.way, before)).readings["kill"]
        for name in killed:  # the same names, other pods: as a StatefulSet does it
            play.pod(name)
        back = play.way.now
        await adapter.inject(play.later(), "kill", order)
        well = (await adapter.look(play.way, None)).readings["kill"]

    assert (before.ready, dict(before.readings)) == (True, {})
    assert len(killed) == 2
    assert still == killed
    assert (felt.effects, felt.gone) == (2, None)
    assert well.gone == back, "and who came back was not killed again"
    assert "stranger" in play.alive
    assert all(name in well.note for name in killed)


async def test_who_is_to_be_killed_is_written_down_before_anybody_is() -> None:
    """The operator is killed between the two: the next one kills the same, whatever its lot would say."""
    async with stage() as play:
        play.cluster.trouble = lambda request: 500 if request.method == "DELETE" else None
        with pytest.raises(AdapterError):
            await adapter.inject(play.way, "kill", ORDER)
        record = play.cluster.get(CONFIG_MAP, "demo", "test-1-kills")
        assert record is not None
        chosen = {victim["name"] for victim in json.loads(record["data"]["kill"])["victims"]}
        untouched = len(play.alive)
        play.cluster.trouble = lambda _request: None
        await adapter.inject(play.later(), "kill", ORDER)

    assert untouched == 5
    assert {"chat-1", "chat-2", "chat-3", "chat-4"} - play.alive == chosen


@pytest.mark.parametrize("labels", [{}, {"loadtest.dev/faults": "forbidden"}])
async def test_without_the_namespaces_consent_nobody_is_killed(labels: dict[str, str]) -> None:
    """Not ready, with what to do; an order is refused, also where the consent was taken back a moment ago."""
    async with stage() as play:
        play.consent(**labels)
        view = await adapter.look(play.way, None)
        with pytest.raises(AdapterError, match=r"kubectl label namespace demo loadtest\.dev/faults=allowed"):
            await adapter.inject(play.way, "kill", ORDER)

    assert not view.ready
    assert "does not consent" in view.trouble
    assert len(play.alive) == 5


async def test_more_than_the_share_is_refused_and_nobody_is_killed() -> None:
    async with stage() as play:
        with pytest.raises(
            AdapterError, match="3 of 4 ready pods are more than the 50 % that the administrator allows"
        ):
            await adapter.inject(play.way, "kill", {**ORDER, "count": 3})

    assert len(play.alive) == 5


async def test_a_disruption_budget_that_says_no_is_told() -> None:
    """In the API server's words: an eviction is asked for again until it is too late."""
    async with stage() as play:
        play.cluster.trouble = lambda request: 429 if request.path.endswith("/eviction") else None
        with pytest.raises(AdapterError, match="eviction"):
            await adapter.inject(play.way, "kill", {**ORDER, "by": "Evict"})

    assert len(play.alive) == 5


async def test_a_record_that_was_taken_away_is_no_kill_that_is_over() -> None:
    """Nothing is known any more, which is said."""
    async with stage() as play:
        await adapter.inject(play.way, "kill", ORDER)
        del play.cluster.objects["/api/v1", "configmaps"]["demo", "test-1-kills"]
        view = await adapter.look(play.later(), None)

    assert (view.ready, dict(view.readings)) == (False, {})
    assert "test-1-kills, is not there" in view.trouble
