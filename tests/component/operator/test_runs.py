"""Whole runs over HTTP: an API server that has a bad minute, a killed operator, how often is written, and no secret anywhere."""

import base64
import gzip
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, pairwise

import pytest
from aiohttp import web

from builders import a_stage
from component.operator.theatre import Theatre, theatre
from fakes.kube import Trouble
from loadgen.model.report import Verdict
from loadgen.model.wire import WIRE_VERSION, WorkerPhase
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import CONFIG_MAP, EVENT

PATIENT = {"summary", "workers", "scaling", "message", "observedGeneration"}
SLOW_API = 0.3
"""Seconds of patience with an API server that hangs, so that the test need not wait long."""


async def test_a_good_target_passes_through_the_pod_proxy() -> None:
    async with theatre() as play:
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert play.starts == 2


async def test_workers_of_another_release_end_the_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing figures would count as zero: nothing is offered, and the message says what to change."""
    monkeypatch.setattr("component.operator.theatre.WIRE_VERSION", WIRE_VERSION - 1)
    async with theatre() as play:
        status = await play.run(most=20)

    assert "use images of one release" in (status.message or "")
    assert (status.verdict, play.starts) == (Verdict.ERROR, 0)


async def test_an_operator_of_another_release_ends_the_run_that_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its predecessor began it. The load stops at once: nobody can read what is measured."""
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(8)
        monkeypatch.setattr("component.operator.theatre.WIRE_VERSION", WIRE_VERSION - 1)
        play.operator_starts()
        await play.look()

        assert {worker.phase for worker in play.world.workers.values()} == {WorkerPhase.ABORTED}
        status = await play.run(most=60)

    assert "use images of one release" in (status.message or "")
    assert status.verdict is Verdict.ERROR


def sometimes(*answers: int | str | None) -> Callable[[Theatre], Trouble]:
    """One answer after the other, for everything but the workers behind the proxy."""
    turns = cycle(answers)
    return lambda _play: lambda request: None if "/proxy/" in request.path else next(turns)


def writes_only(answer: int) -> Callable[[Theatre], Trouble]:
    return lambda _play: lambda request: answer if request.method == "PATCH" else None


BAD_MINUTES: dict[str, Callable[[Theatre], Trouble]] = {
    "conflicts": sometimes(409),
    "too many requests": sometimes(429),
    "errors": sometimes(500),
    "away": sometimes(503),
    "broken connections": sometimes("reset"),
    "now and then": sometimes(None, 500, None, None, 429),
    "writes are refused": writes_only(429),
}


BAD_BEFORE_LOAD = ("errors", "now and then")


@pytest.mark.parametrize(
    ("phase", "name"),
    [*((Phase.RUNNING, name) for name in BAD_MINUTES), *((Phase.PREPARING, name) for name in BAD_BEFORE_LOAD)],
)
async def test_a_bad_minute_of_the_api_server_changes_nothing(phase: Phase, name: str) -> None:
    async with theatre(a_stage(durationSeconds=80)) as play:
        await play.run(phase)
        play.cluster.trouble = BAD_MINUTES[name](play)
        await play.run_for(60)
        play.cluster.trouble = lambda _request: None
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert play.starts == 2
    assert status.summary is not None
    assert status.summary.requests.planned == 2 * 80 * 20


async def test_an_api_server_that_hangs_holds_nothing_up() -> None:
    def hangs(request: web.Request) -> str | None:
        return None if "/proxy/" in request.path else "hang"

    async with theatre(a_stage(durationSeconds=30), seconds=SLOW_API) as play:
        await play.run(Phase.RUNNING)
        play.cluster.trouble = hangs
        await play.run_for(10)
        play.cluster.trouble = lambda _request: None
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message


@pytest.mark.parametrize("looks", range(2, 40, 4))
async def test_a_new_operator_goes_on_where_the_old_one_was_killed(looks: int) -> None:
    async with theatre() as play:
        for _ in range(looks):
            await play.look()
        play.operator_starts()
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert play.starts == 2


async def test_progress_is_written_every_five_seconds_at_most() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run()

    only_progress = [
        moment
        for moment, patch in play.status_writes
        if set(patch) - {"run"} <= PATIENT and set(patch.get("run", {})) <= {"progressPercent"}
    ]
    assert len(only_progress) >= 10
    assert all((later - earlier).total_seconds() >= 5 for earlier, later in pairwise(only_progress))


async def test_a_run_costs_a_bounded_number_of_writes() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run()

    assert len(play.status_writes) <= 120 / 5 + 15


async def test_reasons_that_come_and_go_are_written_every_five_seconds() -> None:
    services = cycle((500, None))

    def one_after_the_other(request: web.Request) -> int | None:
        """The Service cannot be read at one look, its endpoints at the next: each has a reason of its own."""
        if request.path.endswith("/services/web"):
            return next(services)
        return 500 if request.path.endswith("/endpointslices") else None

    async with theatre() as play:
        await play.run(Phase.PREPARING)
        seen = len(play.status_writes)
        play.cluster.trouble = one_after_the_other
        await play.run_for(60)

    reasons = {
        patch["conditions"][1]["message"][-60:] for _, patch in play.status_writes[seen:] if "conditions" in patch
    }
    assert len(reasons) == 2
    assert len(play.status_writes) - seen <= 60 / 5 + 3


async def test_a_verdict_is_written_at_once() -> None:
    async with theatre() as play:
        await play.run()

    (before, _), (end, last) = play.status_writes[-2:]
    assert last["verdict"] == "Passed"
    assert (end - before).total_seconds() < 5


async def test_the_token_is_nowhere_but_in_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with theatre() as play:
        await play.run(Phase.RUNNING)
        token = play.token
        play.cluster.trouble = sometimes(500, None, "reset")(play)
        await play.run_for(3)
        play.cluster.trouble = lambda _request: None
        await play.run()
        seen = [text for text in play.cluster.bodies if "/secrets" not in text and '"kind": "Secret"' not in text]
        report = play.cluster.get(CONFIG_MAP, "demo", "test-1-report")
        events = play.cluster.objects[EVENT.path(None).rpartition("/")[0], EVENT.plural]

    assert report is not None
    stored = gzip.decompress(base64.b64decode(report["binaryData"]["report.json.gz"])).decode()
    everything = [*seen, stored, json.dumps(list(events.values())), json.dumps(play.body), caplog.text]
    everything += [path for _, path in play.cluster.log]
    hidden = (token, base64.b64encode(token.encode()).decode())
    assert len(token) >= 32
    assert events
    assert not [text[:200] for text in everything if any(secret in text for secret in hidden)]


async def test_a_start_that_was_written_down_too_late_is_told_to_nobody_and_moves() -> None:
    """Told after its second 0, workers would begin late or, some of them, not at all."""
    async with theatre() as play:

        def slow(request: web.Request) -> None:
            if request.method == "PATCH" and play.world.workers and play.status.run.load_start_time is None:
                play.now += timedelta(seconds=2)

        play.cluster.trouble = slow
        await play.run(Phase.RUNNING)
        moved_from = play.status.run.load_start_time
        assert play.starts == 0
        status = await play.run()

    assert status.verdict is Verdict.PASSED, status.message
    assert status.run.load_start_time != moved_from
    assert play.starts == 2
