"""Ends that somebody asks for, in every phase; quotas that are queues; and how often is looked."""

from datetime import timedelta

import pytest

from builders import a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Create, Delete
from loadtest_operator.core.common import conditions
from loadtest_operator.core.fleet import quota
from loadtest_operator.core.observed import JobView, Observed
from loadtest_operator.core.run.decide import decide
from unit.operator.situations import DELAY, proxy_refuses
from unit.operator.world import World


class Stuck(World):
    """A worker that says it has more, answers always, and never gives it."""

    def look(self, **changes: object) -> Observed:
        seen = super().look(**changes)
        if self.status.phase is not Phase.EVALUATING:
            return seen
        from dataclasses import replace

        workers = tuple(replace(worker, collected=worker.collected - 1) for worker in seen.workers)
        return replace(seen, workers=workers)


def evaluating(**spec: object) -> Stuck:
    world = Stuck(a_valid_spec(**spec))
    world.run(Phase.EVALUATING)
    for _ in range(5):
        world.step()
    assert world.status.phase is Phase.EVALUATING
    return world


def test_abort_works_while_a_run_is_judged() -> None:
    world = evaluating()
    world.spec = world.spec.model_copy(update={"abort": True})
    asked = world.now

    status = world.run(most=100)

    assert status.verdict is Verdict.ABORTED, status.message
    assert world.now - asked < timedelta(seconds=90)


def test_the_deadline_ends_a_run_that_is_judged() -> None:
    """What is missing then is said, and is never green."""
    world = evaluating(activeDeadlineSeconds=60)

    status = world.run(most=400)

    assert status.verdict is Verdict.INCONCLUSIVE, status.message
    assert "figures of worker 0, 1 are missing" in (status.message or "")


def test_a_load_test_refused_at_once_is_not_aborted_twice() -> None:
    world = World(a_valid_spec(abort=True))
    status = world.run()
    assert status.verdict is Verdict.ABORTED
    assert "before it began" in (status.message or "")


FULL = 'pods "w-0" is forbidden: exceeded quota: compute, requested: pods=1, used: pods={used}, limited: pods={most}'


def test_a_quota_that_others_use_is_a_queue() -> None:
    """Far beyond the workers' usual time; then the run goes on as if nothing had been."""
    world = World(a_valid_spec())
    world.job = JobView(created=world.now, trouble=FULL.format(used=6, most=6))
    world.run(Phase.PREPARING)
    while (world.now - world.status.run.start_time).total_seconds() < 900:  # type: ignore[operator]
        world.step()
    waiting = conditions.find(world.status.conditions, ConditionType.WORKERS_READY)
    assert waiting is not None
    assert (waiting.status, waiting.reason) == ("Unknown", "QuotaExceeded")
    assert "waits for a quota" in waiting.message
    world.job = None

    assert world.run().verdict is Verdict.PASSED


def test_a_quota_that_is_too_small_is_said_at_once() -> None:
    """And waited for no longer than anything else that keeps workers away: only an administrator could help."""
    world = World(a_valid_spec())
    world.job = JobView(created=world.now, trouble=FULL.format(used=1, most=1))

    world.run(Phase.PREPARING)
    for _ in range(5):
        world.step()
    assert "2 x pods 1 can never fit into 1" in (world.status.message or "")
    status = world.run()

    assert status.verdict is Verdict.ERROR
    assert "300 s after the target was ready" in (status.message or "")


def test_a_queue_ends_while_the_load_still_fits() -> None:
    """Waiting longer than activeDeadlineSeconds leaves for the load would be for nothing."""
    world = World(a_valid_spec(a_stage(durationSeconds=100), activeDeadlineSeconds=600))
    world.job = JobView(created=world.now, trouble=FULL.format(used=6, most=6))

    status = world.run()

    assert status.verdict is Verdict.ERROR
    assert timedelta(seconds=500) <= world.now - status.run.start_time < timedelta(seconds=600)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "times", "never"),
    [
        ("exceeded quota: q, requested: pods=1, used: pods=6, limited: pods=6", 6, ""),
        ("exceeded quota: q, requested: pods=1, used: pods=6, limited: pods=6", 7, "7 x pods 1 can never fit into 6"),
        (
            "exceeded quota: q, requested: limits.memory=2Gi,pods=1, used: limits.memory=0,pods=0, "
            "limited: limits.memory=1Gi,pods=9",
            1,
            "limits.memory 2Gi can never fit into 1Gi",
        ),
        ("exceeded quota: q, requested: requests.cpu=100m, used: requests.cpu=1, limited: requests.cpu=1", 10, ""),
        ("exceeded quota: in words that nobody knows", 2, ""),
    ],
)
def test_a_quota_in_words(words: str, times: int, never: str) -> None:
    assert quota.is_full(words)
    assert quota.impossible(words, times) == never


def test_an_object_that_is_not_accepted_ends_the_run_with_the_servers_words() -> None:
    world = World(a_valid_spec())
    world.run(Phase.PREPARING)
    for _ in range(3):
        world.step()
    refused = 'Job "test-1-workers" is invalid: spec.template.labels: Invalid value: "no/such/label"'

    decision = decide(world.look(job=None, refused=refused))

    claim = conditions.find(decision.status.conditions, ConditionType.WORKERS_READY)
    assert claim is not None
    assert (claim.status, claim.reason) == ("False", "WorkersRefused")
    assert refused in claim.message


def test_a_fault_that_is_due_and_cannot_be_injected_is_not_hurried() -> None:
    """About a look a second, as always."""
    world = World(a_valid_spec(a_stage(durationSeconds=40), faults=[{**DELAY, "startAfterSeconds": 5}]))
    world.run_to_second(4)
    proxy_refuses(world)
    begun, looks = world.now, 0
    while world.now - begun < timedelta(seconds=10):
        world.step()
        looks += 1
    assert looks <= 25


def test_who_is_not_first_in_the_queue_for_a_quota_gives_back_what_he_holds() -> None:
    """And makes workers again when it is his turn."""
    world = World(a_valid_spec())
    world.job = JobView(created=world.now, trouble=FULL.format(used=6, most=6))
    world.run(Phase.PREPARING)
    for _ in range(4):
        world.step()

    decision = decide(world.look(ahead="demo/older"))
    assert [action.kind.kind for action in decision.actions if isinstance(action, Delete)] == ["Job"]
    assert "demo/older waits longer" in (decision.status.message or "")

    world.job = None
    waiting = decide(world.look(ahead="demo/older"))
    assert not [action for action in waiting.actions if isinstance(action, Create)]
    assert world.run().verdict is Verdict.PASSED
