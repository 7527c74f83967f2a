"""LoadTests that wait: for their turn at a target, for a person, for their ttl. Waiting costs nothing, order is kept, and two
never load one target.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from builders import a_load_test
from component.operator.theatre import NOON, Theatre, clean, theatre
from fakes.kube import Object
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, LOAD_TEST, NETWORK_POLICY, SECRET, Kind
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.run.rules.pending import MISSED_SECONDS
from loadtest_operator.handlers import gone, janitor
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.loadtest import hear
from loadtest_operator.handlers.run.reconcile import reconcile

TTL = 7200


def body_of(play: Theatre, name: str) -> Object:
    found = play.cluster.get(LOAD_TEST, "demo", name)
    assert found is not None
    return found


def phase_of(play: Theatre, name: str) -> str:
    return str((body_of(play, name).get("status") or {}).get("phase"))


def queued(play: Theatre, count: int) -> list[str]:
    """More LoadTests on the same target, the first the oldest; each has somebody who follows it."""
    made = []
    for number in range(count):
        body = a_load_test(name=f"queued-{number:03}")
        body["metadata"]["creationTimestamp"] = (NOON + timedelta(seconds=number)).isoformat()
        play.context.bells[play.cluster.put(LOAD_TEST, body)["metadata"]["uid"]] = asyncio.Event()
        made.append(body["metadata"]["name"])
    return made


async def looked(play: Theatre, names: list[str], times: int = 4) -> list[float]:
    """All look at once, some times; what the last looks asked for."""
    for _ in range(times):
        asked = await asyncio.gather(*(reconcile(play.context, body_of(play, name)) for name in names))
    return asked


def rung(play: Theatre) -> list[str]:
    """Who was woken since we asked last."""
    names = [name for name in list(play.context.bells) if play.context.bells[name].is_set()]
    for name in names:
        play.context.bells[name].clear()
    return [name.removeprefix("uid-of-") for name in names]


def abort(play: Theatre, name: str) -> None:
    body = body_of(play, name)
    body["spec"]["abort"] = True
    body["metadata"]["generation"] += 1
    play.cluster.put(LOAD_TEST, body)


async def test_of_many_that_ask_at_once_one_loads_and_the_oldest_is_next() -> None:
    """In any order of asking; every end wakes the one whose turn it is and nobody else."""
    chance, order = random.Random(7), []
    async with theatre() as play:
        del play.cluster.objects["/apis/loadtest.dev/v1alpha1", "loadtests"]["demo", "test"]
        names = queued(play, 8)
        while waiting := [name for name in names if phase_of(play, name) != "Finished"]:
            chance.shuffle(waiting)
            await looked(play, waiting)
            active = [name for name in waiting if phase_of(play, name) != "Pending"]
            assert len(active) == 1
            order += active
            rung(play)
            abort(play, active[0])
            hear(play.context, "MODIFIED", body_of(play, active[0]))
            assert rung(play) == active
            await looked(play, active, 3)
            assert phase_of(play, active[0]) == "Finished"
            assert rung(play) == [name for name in names if name > active[0]][:1]

    assert order == names


async def test_a_new_operator_keeps_the_order_whoever_looks_first() -> None:
    async with theatre() as play:
        names = queued(play, 3)
        await play.run(Phase.PREPARING)
        await looked(play, names, 2)
        play.operator_starts()

        await looked(play, names[::-1])
        assert [phase_of(play, name) for name in names] == ["Pending"] * 3
        assert "waits for LoadTest demo/test" in body_of(play, names[2])["status"]["message"]

        abort(play, "test")
        while play.status.phase is not Phase.FINISHED:
            await play.look()
        await looked(play, names[::-1])

        assert [phase_of(play, name) for name in names] == ["Preparing", "Pending", "Pending"]


async def test_waiting_costs_no_call_and_hardly_a_look() -> None:
    """200 that wait, 200 that are held."""
    async with theatre() as play:
        await play.run(Phase.RUNNING)
        waiting = queued(play, 200)
        held = [f"held-{number}" for number in range(200)]
        for name in held:
            play.cluster.put(LOAD_TEST, a_load_test(name=name, suspend=True))
        await looked(play, waiting + held, 2)
        play.now += timedelta(seconds=5)
        await looked(play, waiting + held, 1)  # the sentence that could wait is written
        seen = len(play.cluster.log)

        asked = await looked(play, waiting + held, 2)

        assert len(play.cluster.log) == seen
        assert set(asked) == {MISSED_SECONDS}


async def test_one_that_is_held_or_deleted_lets_the_next_one_pass() -> None:
    async with theatre() as play:
        await play.run(Phase.PREPARING)
        first, second, third = queued(play, 3)
        await looked(play, [first, second, third])
        body = body_of(play, first)
        body["spec"]["suspend"] = True
        play.cluster.put(LOAD_TEST, body)
        await looked(play, [first])
        hear(play.context, "DELETED", body_of(play, second))
        abort(play, "test")
        while play.status.phase is not Phase.FINISHED:
            await play.look()

        assert rung(play) == [third]
        await looked(play, [third, first])
        assert (phase_of(play, third), phase_of(play, first)) == ("Preparing", "Pending")


async def finished(play: Theatre, *, told: bool = True) -> int:
    """A run to its end, as the watch tells of it; how many calls were made."""
    await play.run()
    if told:
        hear(play.context, "MODIFIED", play.body)
    return len(play.cluster.log)


async def passing(play: Theatre, seconds: float) -> None:
    """Time in which only the janitor is awake, and it only when it asked to be."""
    end = play.now + timedelta(seconds=seconds)
    while play.now < end:
        asked = await janitor.tidy(play.context)
        play.now += min(timedelta(seconds=asked), end - play.now)


def since(play: Theatre, seen: int) -> Counter[tuple[str, str]]:
    """Calls by method and kind."""
    paths = ((method, path.partition("/demo/")[2].partition("/")[0]) for method, path in play.cluster.log[seen:])
    return Counter(paths)


BELONGINGS = ("jobs", "pods", "services", "secrets", *["configmaps"] * 3, "networkpolicies", "networkpolicies")
FOUND = ("jobs", "secrets", "configmaps", "networkpolicies", "networkpolicies")
"""Of a run without faults; the timeline went at its end. Each is looked at before it goes: is it this LoadTest's?"""
CLEANING = (
    Counter({("GET", "loadtests"): 1, ("GET", "jobs"): 1, ("GET", "pods"): 1, ("PATCH", "loadtests"): 1})
    + Counter(("GET", kind) for kind in BELONGINGS)
    + Counter(("DELETE", kind) for kind in FOUND)
)


async def test_a_finished_load_test_costs_nothing_until_its_ttl() -> None:
    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        seen = await finished(play)

        await passing(play, 3600)
        assert len(play.cluster.log) == seen

        await passing(play, TTL)
        assert since(play, seen) == CLEANING
        assert clean(play.cluster, JOB, SECRET, NETWORK_POLICY)
        assert play.status.run.cleanup_time is not None

        hear(play.context, "MODIFIED", play.body)
        await passing(play, 10 * TTL)
        assert since(play, seen) == CLEANING


async def test_a_changed_ttl_counts_from_the_moment_it_is_told() -> None:
    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        seen = await finished(play)
        await passing(play, 60)
        play.body["spec"]["ttlSecondsAfterFinished"] = 350
        hear(play.context, "MODIFIED", play.body)
        await passing(play, 200)
        assert len(play.cluster.log) == seen
        await passing(play, 60)

    assert since(play, seen) == CLEANING


async def test_a_longer_ttl_that_was_not_told_yet_is_kept() -> None:
    """What is done is done by the LoadTest as it is, not as it was told."""
    async with theatre(ttlSecondsAfterFinished=300) as play:
        seen = await finished(play)
        play.body["spec"]["ttlSecondsAfterFinished"] = TTL
        await passing(play, 400)

        assert since(play, seen) == Counter({("GET", "loadtests"): 1})
        await passing(play, TTL)
        assert play.status.run.cleanup_time is not None


async def test_a_janitor_that_was_overtaken_cleans_again() -> None:
    """Somebody changed the LoadTest in between; that is counted."""
    conflict = iter([409])
    async with theatre(ttlSecondsAfterFinished=300) as play:
        await finished(play)
        play.cluster.trouble = lambda request: next(conflict, None) if request.method == "PATCH" else None
        await passing(play, 400)

        assert play.status.run.cleanup_time is not None
        assert play.context.metrics.registry.get_sample_value("loadtest_operator_status_conflicts_total") == 1


async def test_after_a_restart_a_finished_one_is_looked_at_once() -> None:
    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        seen = await finished(play)
        play.operator_starts()
        hear(play.context, "None", play.body)
        await passing(play, 3600)

    once = {("GET", "loadtests"): 1, ("GET", "jobs"): 1, ("GET", "pods"): 1, ("GET", "configmaps"): 1}
    assert since(play, seen) == Counter(once)


class Killed(BaseException):
    """SIGKILL, as far as handlers are concerned."""


async def killed(*_: Any) -> None:
    raise Killed


def left(play: Theatre, kind: Kind) -> list[str]:
    found = play.cluster.objects.get((kind.path(None).rpartition("/")[0], kind.plural), {})
    return sorted(name for _, name in found)


async def test_what_a_killed_operator_left_at_the_end_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right after it wrote Finished: the timeline and the workers are still there."""

    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        await play.run(Phase.EVALUATING)
        await play.look()
        monkeypatch.setattr("loadtest_operator.handlers.run.reconcile.act", killed)
        with pytest.raises(Killed):
            await play.run()
        job = play.cluster.get(JOB, "demo", "test-1-workers")
        assert job is not None
        job["status"] = {"active": 2}
        assert "test-1-timeline" in left(play, CONFIG_MAP)
        play.operator_starts()
        hear(play.context, "None", play.body)
        await passing(play, 60)

        assert left(play, CONFIG_MAP) == ["test-1-plan", "test-1-report"]
        assert not left(play, JOB)


async def test_a_run_without_workers_leaves_no_timeline_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never got a Job: there is nothing to find it by but its name."""

    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        play.cluster.trouble = lambda request: 500 if request.path.endswith("/proxy/") else None
        await play.run(Phase.PREPARING)
        await play.run_for(20)
        abort(play, "test")
        await play.run(Phase.EVALUATING)
        monkeypatch.setattr("loadtest_operator.handlers.run.reconcile.act", killed)
        with pytest.raises(Killed):
            await play.run()
        assert left(play, CONFIG_MAP) == ["test-1-timeline"]
        assert not left(play, JOB)
        play.operator_starts()
        hear(play.context, "None", play.body)
        await passing(play, 60)

    assert not left(play, CONFIG_MAP)


def no_removals(request: web.Request) -> int | None:
    return 500 if request.method == "DELETE" else None


async def test_a_janitor_whose_news_were_old_looks_again_at_once() -> None:
    """Somebody else has written between its reading and its writing."""
    tries = []

    def once(request: web.Request) -> int | None:
        if request.method == "PATCH" and not tries:
            tries.append(request.path)
            return 409
        return None

    async with theatre(ttlSecondsAfterFinished=0) as play:
        await finished(play)
        play.cluster.trouble = once
        await passing(play, 3)

        assert tries
        assert play.status.run.cleanup_time is not None


async def test_a_farewell_that_failed_is_done_again() -> None:
    """The API server did not take the removal; somebody looks after it."""

    async with theatre(ttlSecondsAfterFinished=TTL) as play:
        await play.run(Phase.EVALUATING)
        play.cluster.trouble = no_removals
        await finished(play)
        assert "test-1-timeline" in left(play, CONFIG_MAP)
        await passing(play, 20)
        play.cluster.trouble = lambda _request: None
        await passing(play, 20)

    assert "test-1-timeline" not in left(play, CONFIG_MAP)


def of_run(play: Theatre, number: int) -> list[str]:
    """What there is of this run."""
    names = [name for kind in (JOB, SECRET, CONFIG_MAP, NETWORK_POLICY) for name in left(play, kind)]
    return [name for name in names if name.startswith(f"test-{number}-")]


async def refused(play: Theatre, _patch: pytest.MonkeyPatch) -> None:
    """Nothing can be removed while the next run begins."""
    play.cluster.trouble = no_removals
    await play.run(Phase.PREPARING)
    play.cluster.trouble = lambda _request: None


async def killed_at_once(play: Theatre, patch: pytest.MonkeyPatch) -> None:
    """The operator is killed when it has written that the next run begins."""
    with patch.context() as patched:
        patched.setattr("loadtest_operator.handlers.run.reconcile.act", killed)
        with pytest.raises(Killed):
            await play.look()
    play.operator_starts()


@pytest.mark.parametrize("begin", [refused, killed_at_once])
async def test_what_the_last_run_left_goes_however_the_next_one_began(
    begin: Callable[[Theatre, pytest.MonkeyPatch], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without its Job, by which the janitor would find it."""
    async with theatre() as play:
        await play.run()
        await play.kube.delete(JOB, "demo", "test-1-workers")
        play.body["spec"]["runToken"] = "2"
        await begin(play, monkeypatch)
        assert "test-1-token" in of_run(play, 1)
        await play.run_for(5)

        assert of_run(play, 1) == ["test-1-report"]
        seen = len(play.cluster.log)
        await play.run_for(20)
        assert "DELETE" not in [method for method, _ in play.cluster.log[seen:]]


async def test_the_report_that_leaves_the_history_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with theatre(results={"keepRuns": 0}) as play:
        await play.run()
        play.body["spec"]["runToken"] = "2"
        await refused(play, monkeypatch)
        assert "test-1-report" in of_run(play, 1)
        await play.run_for(5)

        assert of_run(play, 1) == []


@pytest.mark.looptime(start=0)
async def test_the_janitor_sleeps_until_there_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """One timer for all; a nearer moment wakes it."""
    loop, looks = asyncio.get_running_loop(), []

    async def tidied(_context: object) -> float:
        looks.append(loop.time())
        return 3600.0

    monkeypatch.setattr(janitor, "tidy", tidied)
    nothing: Any = None
    context = Context(nothing, nothing, nothing, Settings(), Metrics())
    keeping = asyncio.create_task(janitor.keep_tidy(context))
    await asyncio.sleep(100)
    run = {"number": 1, "token": "1", "completionTime": "2026-01-01T12:00:00Z"}
    janitor.note(context, {**a_load_test(), "status": {"phase": "Finished", "run": run}})
    await asyncio.sleep(4000)
    keeping.cancel()

    assert looks == [0, 100, 3700]


async def test_a_deletion_that_nobody_told_of_is_found_out() -> None:
    """The watch was broken: without this its series, and an alert on them, would stay until the operator's end."""
    async with theatre() as play:
        await play.run()
        hear(play.context, "MODIFIED", play.body)
        assert "loadtest_verdict{" in play.context.metrics.exposition().decode()
        await gone.compare(play.context)
        assert "loadtest_verdict{" in play.context.metrics.exposition().decode()

        del play.cluster.objects["/apis/loadtest.dev/v1alpha1", "loadtests"]["demo", "test"]
        await gone.compare(play.context)
        assert "loadtest_verdict{" not in play.context.metrics.exposition().decode()
        assert (play.context.known, play.context.settled, play.context.agenda.next()) == ({}, {}, None)
