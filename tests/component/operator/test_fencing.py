"""A leader that stood still, and two that write: what is stale changes nothing. Time is a variable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from component.operator.theatre import Theatre, theatre
from fakes.kube import Cluster
from loadgen.model.report import Verdict
from loadtest_operator.adapters.errors import ConflictError
from loadtest_operator.adapters.kube.lease import Leadership, LeaseDoubtError
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import CONFIG_MAP, LOAD_TEST
from loadtest_operator.core.run.leadership import DURATION_SECONDS, GIVE_UP_SECONDS
from loadtest_operator.handlers.run import reconcile

FROZEN_SECONDS = 20.0


@dataclass
class Leader:
    """The theatre's operator as the holder of a lease that is renewed whenever a test says so."""

    play: Theatre
    seconds: float = 1000.0

    async def renew(self) -> None:
        self.leadership = Leadership(self.play.kube, "demo", "lease", "me", lambda: self.play.now, lambda: self.seconds)
        await self.leadership.acquire()
        self.play.kube.fence = self.leadership.check

    def changes(self) -> list[tuple[str, str]]:
        """Every request that is more than reading, also to the workers behind the pod proxy."""
        return [call for call in self.play.cluster.log if call[0] != "GET" and "/leases" not in call[1]]


Freeze = Callable[[Leader, pytest.MonkeyPatch], None]


def after(step: str) -> Freeze:
    """The process stands still right after this step of every look, longer than the lease lasts."""

    def freeze(leader: Leader, patch: pytest.MonkeyPatch) -> None:
        perform = getattr(reconcile, step)

        async def performed(*arguments: Any) -> Any:
            answer = await perform(*arguments)
            leader.seconds += FROZEN_SECONDS
            return answer

        patch.setattr(reconcile, step, performed)

    return freeze


async def frozen_at(look: int, step: str, patch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What a look did beside reading when the leader froze after this step."""
    async with theatre() as play:
        leader = Leader(play)
        for _ in range(look):
            await leader.renew()
            await play.look()
        await leader.renew()
        seen = len(leader.changes())
        with patch.context() as patched:
            after(step)(leader, patched)
            await play.look()
        return leader.changes()[seen:]


@pytest.mark.parametrize("look", range(0, 24, 2))
async def test_frozen_between_gather_and_act_nothing_is_written_or_done(
    look: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await frozen_at(look, "gather", monkeypatch)

    assert done == []


@pytest.mark.parametrize("look", range(0, 24, 2))
async def test_frozen_between_writing_and_acting_nothing_is_done(look: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = await frozen_at(look, "write", monkeypatch)

    assert [path for _, path in done if not path.endswith("/loadtests/test/status")] == []


async def test_frozen_after_the_start_was_written_no_worker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are not reached through the API server: the order itself is behind the fence."""
    async with theatre() as play:
        leader = Leader(play)
        await leader.renew()
        write = reconcile.write

        async def written(context: Any, observed: Any, memory: Any, status: Any) -> None:
            await write(context, observed, memory, status)
            leader.seconds += FROZEN_SECONDS if status.phase is Phase.RUNNING else 0

        monkeypatch.setattr(reconcile, "write", written)
        await play.run(Phase.RUNNING)

        assert play.status.run.load_start_time is not None
        assert play.starts == 0


async def test_one_that_could_renew_after_all_goes_on() -> None:
    """A pause without another leader costs a look, not the run."""
    async with theatre() as play:
        leader = Leader(play)
        await leader.renew()
        for look in range(200):
            if look % 7 == 3:
                leader.seconds += FROZEN_SECONDS
                await play.look()
                await leader.renew()
            await play.look()
            if play.status.phase is Phase.FINISHED:
                break

        assert play.status.verdict is Verdict.PASSED, play.status.message
        assert play.starts == 2


async def test_the_fence_stands_before_the_lease_ends_and_lets_reading_pass() -> None:
    assert GIVE_UP_SECONDS < DURATION_SECONDS
    async with theatre() as play:
        leader = Leader(play)
        await leader.renew()
        leader.seconds += GIVE_UP_SECONDS
        await play.kube.create(CONFIG_MAP, "demo", {"kind": "ConfigMap", "metadata": {"name": "in-time"}})
        leader.seconds += 0.1
        for refused in (
            play.kube.create(CONFIG_MAP, "demo", {"kind": "ConfigMap", "metadata": {"name": "late"}}),
            play.kube.merge_patch(CONFIG_MAP, "demo", "in-time", {}),
            play.kube.delete(CONFIG_MAP, "demo", "in-time"),
        ):
            with pytest.raises(LeaseDoubtError, match="last renewed 10 s ago"):
                await refused

        assert await play.kube.get(CONFIG_MAP, "demo", "in-time")


def conflicts(play: Theatre) -> float | None:
    """As Prometheus sees it."""
    return play.context.metrics.registry.get_sample_value("loadtest_operator_status_conflicts_total")


def stored(cluster: Cluster) -> dict[str, Any]:
    found = cluster.get(LOAD_TEST, "demo", "test")
    assert found is not None
    return found


async def test_a_status_that_another_operator_wrote_is_not_overwritten() -> None:
    """No fence: the writes themselves are refused, and the next look begins with what the other one wrote."""
    async with theatre() as play:
        await play.run(Phase.PREPARING)
        body = stored(play.cluster)
        theirs = {**body["status"], "message": "theirs"}
        play.cluster.put(LOAD_TEST, {**body, "status": theirs})
        memory = play.context.memory("uid-of-test")
        memory.written_at = None
        seen = len(play.cluster.log)

        await play.look()

        assert stored(play.cluster)["status"] == theirs
        assert {method for method, _ in play.cluster.log[seen:]} == {"GET", "PATCH"}
        assert memory.status is None
        assert conflicts(play) == 1
        status = await play.run()
        assert status.verdict is Verdict.PASSED, status.message
        assert conflicts(play) == 1


async def test_a_change_of_anything_else_does_not_stop_our_writing() -> None:
    """A label, a finalizer, a changed ttl: the version is another one, the status is ours."""
    async with theatre() as play:
        await play.run(Phase.RUNNING)
        for number in range(30):
            body = stored(play.cluster)
            play.cluster.put(LOAD_TEST, {**body, "metadata": {**body["metadata"], "labels": {"number": str(number)}}})
            await play.look()

        status = await play.run()
        assert status.verdict is Verdict.PASSED, status.message


async def test_a_patch_of_an_old_version_is_a_conflict() -> None:
    async with theatre() as play:
        old = stored(play.cluster)["metadata"]["resourceVersion"]
        play.cluster.put(LOAD_TEST, stored(play.cluster))
        patch = {"metadata": {"resourceVersion": old}, "status": {"phase": "Running"}}

        with pytest.raises(ConflictError):
            await play.kube.merge_patch(LOAD_TEST, "demo", "test", patch, "status")
