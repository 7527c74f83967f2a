"""Whatever happens in whatever order: no scheduled minute is started twice, and none is lost without a word."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest_operator.core.schedule import cron
from unit.operator.schedule_world import ScheduleWorld, a_schedule, minute

Step = tuple[Callable[..., None], Any]


def wait(world: ScheduleWorld, seconds: int) -> None:
    """A wake-up, sooner or later than was asked for."""
    world.now += timedelta(seconds=seconds)
    world.look()


def run(world: ScheduleWorld, minutes: int) -> None:
    world.run(minutes=minutes)


def die(world: ScheduleWorld, when: str) -> None:
    """Killed before or after it acted, or between two looks."""
    if when != "between":
        world.look(dies=when == "before acting")
        # What is deleted before anybody saw it cannot be known about; that it was made is then seen first.
        if when == "after acting":
            world.look()
    world.crash()


def jump(world: ScheduleWorld, seconds: int) -> None:
    world.now += timedelta(seconds=seconds)
    world.look()


def finish(world: ScheduleWorld, verdict: str) -> None:
    for name in [name for name, body in world.children.items() if not body.get("status")]:
        world.finish(verdict, name)


def delete(world: ScheduleWorld, _: Any) -> None:
    """A user takes all LoadTests away."""
    world.look()
    world.children.clear()


def edit(world: ScheduleWorld, changes: dict[str, Any]) -> None:
    world.edit(**changes)


def refuse(world: ScheduleWorld, why: str) -> None:
    world.refusal = why


CRONS = ["* * * * *", "*/5 * * * *", "7,8 * * * *", "0 * * * *", "30 2 * * *"]
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "schedule": st.sampled_from(CRONS),
        "timeZone": st.sampled_from(["Etc/UTC", "Europe/Berlin", "No/Where"]),
        "suspend": st.booleans(),
        "concurrencyPolicy": st.sampled_from(["Forbid", "Replace", "Allow"]),
        "startingDeadlineSeconds": st.sampled_from([10, 100, 10_000]),
        "successfulRunsHistoryLimit": st.integers(0, 2),
    },
)
TIME = st.one_of(
    st.tuples(st.just(wait), st.integers(0, 200)),
    st.tuples(st.just(wait), st.integers(0, 20_000)),
    st.tuples(st.just(run), st.integers(1, 4)),
    st.tuples(st.just(die), st.sampled_from(["before acting", "after acting", "between"])),
    st.tuples(st.just(finish), st.sampled_from(["Passed", "Failed"])),
    st.tuples(st.just(refuse), st.sampled_from(["", "", "exceeded quota"])),
)
ANYTHING = st.one_of(
    TIME,
    st.tuples(st.just(jump), st.integers(-20_000, 20_000)),
    st.tuples(st.just(edit), EDITS),
    st.tuples(st.just(delete), st.none()),
)


@settings(max_examples=100, deadline=None)
@given(EDITS, st.lists(ANYTHING, max_size=15))
def test_no_minute_is_started_twice(spec: dict[str, Any], steps: list[Step]) -> None:
    world = a_schedule(**{"schedule": "* * * * *"} | spec)
    for step, argument in steps:
        step(world, argument)
    assert all(count == 1 for count in world.made.values()), world.made
    starts = [minute(name) for name in world.made]
    assert starts == sorted(starts)
    assert len(world.stored["conditions"]) == 3


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CRONS), st.sampled_from(["Forbid", "Replace", "Allow"]), st.lists(TIME, max_size=12))
def test_every_due_start_is_made_or_told(expression: str, policy: str, steps: list[Step]) -> None:
    world = a_schedule(expression, timeZone="Europe/Berlin", concurrencyPolicy=policy)
    timing = cron.parse(expression, "Europe/Berlin")
    for step, argument in steps:
        step(world, argument)
    world.look()
    mark = world.status.next_schedule_time
    assert mark is not None
    due = timing.count(world.created + cron.SECOND, mark - cron.SECOND)
    made = sum(minute(name) < mark for name in world.made)
    if due < cron.MOST_COUNTED:
        assert made + world.status.missed_starts == due


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["Forbid", "Replace"]), st.lists(TIME, max_size=12))
def test_no_two_run_at_once_unless_allowed(policy: str, steps: list[Step]) -> None:
    world = a_schedule("* * * * *", concurrencyPolicy=policy)
    for step, argument in steps:
        step(world, argument)
        assert sum(not body.get("status") for body in world.children.values()) <= 1


@pytest.mark.parametrize("dies", [True, False])
def test_a_look_twice_at_the_same_instant_changes_nothing(dies: bool) -> None:
    world = a_schedule("* * * * *")
    world.run(minutes=3)
    world.look(dies=dies)
    before = world.stored
    assert world.look().status.model_dump() == world.look().status.model_dump()
    assert world.stored == before
