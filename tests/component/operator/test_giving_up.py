"""Runs that cannot go on: they end in Error within minutes, begin nothing, touch no other run, and hold nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from builders import a_load_test, a_stage
from component.operator.theatre import Theatre, clean, theatre
from fakes.kube import Object, refusal
from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import CONFIG_MAP, JOB, LOAD_TEST, POD, SECRET
from loadtest_operator.handlers import janitor
from loadtest_operator.handlers.run import reconcile
from loadtest_operator.handlers.run.reconcile import reconcile as look_at

LOOKS = 30


def stored(play: Theatre) -> Object:
    return play.body["status"]


def unreadable_status(play: Theatre) -> None:
    """As another release might have written it."""
    stored(play)["faults"] = [{"name": "slow", "via": "Magic", "plannedTime": "soon", "result": "Unheard"}]


def unreadable_timeline(play: Theatre) -> None:
    play.cluster.put(
        CONFIG_MAP,
        {
            "metadata": {"name": "test-1-timeline", "namespace": "demo"},
            "data": {"timeline.json": '["of another release"]'},
        },
    )


def unreadable_plan(play: Theatre) -> None:
    """And a new runToken, so that the spec of the run is only in its plan."""
    plan = play.cluster.get(CONFIG_MAP, "demo", "test-1-plan")
    assert plan is not None
    plan["data"]["spec.json"] = '{"of": "another release"}'
    play.body["spec"]["runToken"] = "2"


async def given_up(play: Theatre) -> None:
    for _ in range(LOOKS):
        await play.look()
        if (play.body.get("status") or {}).get("phase") == "Finished":
            return


@pytest.mark.parametrize("spoil", [unreadable_status, unreadable_plan])
async def test_state_that_cannot_be_read_ends_in_error_and_starts_nothing(spoil: Any) -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        begun, starts = stored(play)["run"], play.starts
        play.operator_starts()
        spoil(play)
        await given_up(play)

        assert (stored(play)["phase"], stored(play)["verdict"]) == ("Finished", "Error")
        assert {key: stored(play)["run"][key] for key in ("number", "token", "loadStartTime")} == {
            key: begun[key] for key in ("number", "token", "loadStartTime")
        }
        assert clean(play.cluster, JOB, SECRET)
        assert play.starts == starts


async def test_a_timeline_that_cannot_be_read_begins_nothing_either() -> None:
    """Whether the run can go on without it or not: it is this run, and it ends."""
    async with theatre(a_stage(durationSeconds=60)) as play:
        await play.run(Phase.RUNNING)
        starts = play.starts
        play.operator_starts()
        unreadable_timeline(play)
        status = await play.run()

        assert (status.run.number, play.starts) == (1, starts)
        assert status.verdict is not None


async def test_a_finished_run_whose_status_cannot_be_read_stays_what_it_was() -> None:
    """A new runToken is answered with a run that ended in Error; the run before keeps its verdict, its Job and its report."""
    async with theatre(ttlSecondsAfterFinished=7200) as play:
        await play.run()
        unreadable_status(play)
        stored(play)["artifacts"] = [{"kind": "ConfigMap", "name": "test-1-report", "sha256": "0", "bytes": "many"}]
        play.body["spec"]["runToken"] = "2"
        for _ in range(3 * LOOKS):
            await play.look()

        run, history = stored(play)["run"], stored(play)["history"]
        assert (run["number"], run["token"], stored(play)["verdict"]) == (2, "2", "Error")
        assert [(past["number"], past["verdict"]) for past in history] == [(1, "Passed")]
        assert play.cluster.get(JOB, "demo", "test-1-workers")
        assert play.cluster.get(CONFIG_MAP, "demo", "test-1-report")
        assert not play.cluster.get(JOB, "demo", "test-2-workers")


async def test_a_load_test_that_could_never_be_looked_at_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not begun again by an operator that is well."""

    async def broken(*_: object) -> Any:
        raise ZeroDivisionError("ours")

    async with theatre() as play:
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "gather", broken)
            await given_up(play)
        await play.look()

        assert (play.status.verdict, play.status.run.number, play.status.run.token) == (Verdict.ERROR, 1, "1")
        assert clean(play.cluster, JOB, SECRET)


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_status_that_the_api_server_never_takes_ends_the_run(status: int) -> None:
    """Such as a list with one name twice: what the last resort writes rests on what is stored, and is taken."""
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        accept = play.cluster._patch

        def picky(place: Any, old: Object, body: Any) -> web.Response:
            ours = place.sub == "status" and "InternalError" not in str(body)
            return refusal(status, "thresholds: Duplicate value") if ours else accept(place, old, body)

        play.cluster._patch = picky  # type: ignore[method-assign]
        begun = play.now
        await given_up(play)

        assert play.status.verdict is Verdict.ERROR
        assert "Duplicate value" in (play.status.message or "")
        assert play.now - begun < timedelta(minutes=3)
        assert clean(play.cluster, JOB, SECRET)


async def test_an_api_server_that_is_away_ends_nothing() -> None:
    """What passes by itself is waited for."""
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        play.cluster.trouble = lambda request: 503 if "loadtests" in request.path else None
        for _ in range(LOOKS):
            await look_at(play.context, play.body)
        play.cluster.trouble = lambda _request: None
        assert (await play.run()).verdict is Verdict.PASSED


async def test_a_run_that_was_given_up_lets_everything_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target, so that the next LoadTest begins; its metrics; its memory."""

    def broken(_observed: object) -> Any:
        raise ZeroDivisionError("ours")

    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        waiting = play.cluster.put(LOAD_TEST, a_load_test(name="next"))
        play.context.bells["uid-of-next"] = asyncio.Event()
        await look_at(play.context, waiting)
        await look_at(play.context, waiting)
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "decide", broken)
            await given_up(play)

        assert play.context.bells["uid-of-next"].is_set()
        found = play.context.metrics.exposition().decode()
        assert 'loadtest_verdict{loadtest="test",namespace="demo",run="1",verdict="Error"} 1.0' in found
        assert 'phase="Running"' not in found
        assert "uid-of-test" not in play.context.memories


async def test_what_could_not_be_removed_is_left_to_the_janitor(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_observed: object) -> Any:
        raise ZeroDivisionError("ours")

    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        monkeypatch.setattr(reconcile, "decide", broken)
        play.cluster.trouble = lambda request: 403 if request.method == "DELETE" else None
        await given_up(play)
        assert play.body["status"]["verdict"] == "Error"
        assert play.cluster.get(JOB, "demo", "test-1-workers")

        play.cluster.trouble = lambda _request: None
        play.cluster.get(JOB, "demo", "test-1-workers")["status"] = {"active": 2}  # type: ignore[index]
        play.pass_time(60)
        await janitor.tidy(play.context)
        assert clean(play.cluster, JOB)


async def test_one_odd_object_does_not_stop_the_janitor() -> None:
    """Neither when the watch tells of it nor when its time has come; the others are tidied up."""
    async with theatre(ttlSecondsAfterFinished=10) as play:
        await play.run()
        odd = a_load_test(name="odd", ttlSecondsAfterFinished=0)
        run = {"number": 1, "token": "1", "completionTime": "2026-01-01T12:00:00Z"}
        for name, status in {
            "odd": {"phase": "Finished", "run": {**run, "completionTime": "yesterday"}},
            "odder": {"phase": "Finished", "run": run},
        }.items():
            body = {**odd, "metadata": {**odd["metadata"], "name": name, "uid": f"uid-of-{name}"}, "status": status}
            if name == "odder":
                body["spec"] = {**odd["spec"], "ttlSecondsAfterFinished": "soon"}
            janitor.note(play.context, play.cluster.put(LOAD_TEST, body))
        janitor.note(play.context, play.body)
        for _ in range(4):
            play.pass_time(400)
            await janitor.tidy(play.context)

        assert clean(play.cluster, JOB, SECRET)
        assert play.status.run.cleanup_time is not None


async def test_nothing_that_belongs_to_somebody_else_is_removed_or_written_over() -> None:
    """Its name may be one that a run would choose: a name that fits is no proof."""
    foreign = {"metadata": {"name": "test-1-report", "namespace": "demo"}, "data": {"mine": "yes"}}
    async with theatre(ttlSecondsAfterFinished=10) as play:
        play.cluster.put(CONFIG_MAP, foreign)
        play.cluster.put(POD, {"metadata": {"name": "test-1-proxy", "namespace": "demo"}, "spec": {}, "status": {}})
        status = await play.run()
        play.pass_time(60)
        janitor.note(play.context, play.body)
        await janitor.tidy(play.context)

        assert status.verdict is Verdict.PASSED
        assert status.artifacts == ()
        assert play.status.run.cleanup_time is not None
        assert play.cluster.get(POD, "demo", "test-1-proxy")
        found = play.cluster.get(CONFIG_MAP, "demo", "test-1-report")
        assert found is not None
        assert found["data"] == {"mine": "yes"}


async def test_what_is_stored_and_not_valid_itself_is_dropped_at_last() -> None:
    """The API server judges the whole status: what another release left in it would make every write fail."""
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        play.operator_starts()
        unreadable_status(play)
        accept = play.cluster._patch

        def strict(place: Any, old: Object, body: Any) -> web.Response:
            left = "Unheard" in str(old.get("status")) and (body.get("status") or {}).get("faults", 1) is not None
            return refusal(422, "faults[0].result: Unsupported value") if left else accept(place, old, body)

        play.cluster._patch = strict  # type: ignore[method-assign]
        await given_up(play)

        assert (play.status.verdict, play.status.run.number, play.status.run.token) == (Verdict.ERROR, 1, "1")
        assert clean(play.cluster, JOB, SECRET)


async def test_abort_works_where_what_was_seen_of_the_target_cannot_be_had() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        play.operator_starts()
        play.cluster.trouble = lambda request: 500 if request.path.endswith("-timeline") else None
        play.body["spec"]["abort"] = True
        assert (await play.run(most=60)).verdict is Verdict.ABORTED


async def test_a_refused_job_ends_the_run_at_once_with_the_servers_words() -> None:
    """422: waiting would not heal it."""
    async with theatre() as play:
        play.cluster.trouble = lambda request: 422 if (request.method, request.path[-5:]) == ("POST", "/jobs") else None
        begun = play.now
        status = await play.run()

        assert status.verdict is Verdict.ERROR
        assert "does not accept" in (status.message or "")
        assert "trouble on demand" in (status.message or "")
        assert play.now - begun < timedelta(seconds=90)  # of which the last look asks for a minute of rest
