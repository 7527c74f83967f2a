"""Finished LoadTests: what they show, and that they take in what may still change."""

from component.operator.theatre import Theatre, theatre
from loadtest_operator.handlers.loadtest import hear, unfinished
from loadtest_operator.handlers.run.reconcile import reconcile


def followed(play: Theatre) -> bool:
    """Whether kopf would follow it, as it is stored."""
    return unfinished(play.body["spec"], play.body.get("status") or {}, play.body["metadata"])


def series(play: Theatre) -> set[str]:
    """Those of this LoadTest that say how it stands."""
    lines = play.context.metrics.exposition().decode().splitlines()
    return {line for line in lines if line.startswith(("loadtest_verdict{", "loadtest_info{"))}


async def test_a_changed_ttl_is_taken_in_so_that_who_waits_for_the_object_sees_it_current() -> None:
    """Flux, Argo CD and `kubectl wait` by kstatus take an object with an older observedGeneration for one in progress."""
    async with theatre() as play:
        await play.run()
        assert not followed(play)
        before = play.body["status"]
        play.body["spec"]["ttlSecondsAfterFinished"] = 350
        play.body["metadata"]["generation"] += 1
        assert followed(play)

        await reconcile(play.context, play.body)

        assert not followed(play)
        now = play.body["status"]
        assert now == {**before, "observedGeneration": play.body["metadata"]["generation"]}


async def test_a_new_operator_shows_the_verdicts_of_the_runs_before_it() -> None:
    """Alerts on a verdict would otherwise clear with each restart."""
    async with theatre() as play:
        await play.run()
        shown = series(play)
        assert shown
        metadata = play.body["metadata"]
        play.context.metrics.forget(metadata["namespace"], metadata["name"])

        hear(play.context, "ADDED", play.body)

        assert series(play) == shown


async def test_what_another_release_wrote_is_not_shown_and_nothing_breaks() -> None:
    async with theatre() as play:
        await play.run()
        metadata = play.body["metadata"]
        play.context.metrics.forget(metadata["namespace"], metadata["name"])
        play.body["status"]["verdict"] = "Splendid"

        hear(play.context, "ADDED", play.body)

        assert not series(play)
        assert metadata["uid"] in play.context.known
