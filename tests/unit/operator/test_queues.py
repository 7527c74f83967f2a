"""Who loads a target and who is next: never two, the oldest first, and nobody waits for a ghost."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from loadtest_operator.core.run.queues import SILENCE, Queues
from unit.operator.world import NOON

NAMES = "abcde"
"""In the order in which they were created."""


def created(who: str) -> object:
    return NOON - timedelta(hours=1) + timedelta(seconds=NAMES.index(who))


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "leave"]), st.sampled_from(NAMES)), max_size=60)


@given(STEPS)
def test_never_two_and_the_oldest_first(steps: list[tuple[str, str]]) -> None:
    """Whatever comes and goes in whatever order."""
    queues, waiting, active = Queues(), set(), set()
    for doing, who in steps:
        if doing == "leave":
            there = who in waiting | active
            following = queues.leave(who, NOON)
            active.discard(who)
            waiting.discard(who)
            assert following == (min(waiting, default="") if there and not active else "")
            continue
        first = queues.ask("web", who, created(who), NOON)  # type: ignore[arg-type]
        waiting.add(who)
        if not first:
            assert active <= {who}
            assert active or who == min(waiting)
            active.add(who)
        else:
            assert first == next(iter(active), min(waiting))
        waiting -= active
        assert len(active) <= 1


def test_targets_have_queues_of_their_own() -> None:
    queues = Queues()

    assert queues.ask("web", "a", NOON, NOON) == ""
    assert queues.ask("chat", "b", NOON, NOON) == ""
    assert queues.ask("web", "c", NOON, NOON) == "a"


def test_one_that_was_active_before_us_goes_first_however_young() -> None:
    queues = Queues()
    queues.take_part("web", "young", NOON, NOON, active=True)

    assert queues.ask("web", "old", NOON - timedelta(days=1), NOON) == "young"


def test_nobody_waits_for_one_that_is_heard_of_no_more() -> None:
    queues = Queues()
    queues.take_part("web", "ghost", NOON - timedelta(days=1), NOON)

    assert queues.ask("web", "b", NOON, NOON + SILENCE) == "ghost"
    assert queues.ask("web", "b", NOON, NOON + SILENCE + timedelta(seconds=1)) == ""
