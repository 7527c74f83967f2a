"""What a schedule decides, in virtual time: each policy, what is missed and how it is told, the clock, the limits."""

from datetime import timedelta
from typing import Any

import pytest

from loadtest_operator.api.meta import Condition
from loadtest_operator.core.schedule import children as schedule_children
from loadtest_operator.core.schedule.starts import StartChild
from unit.operator.schedule_world import NOON, ScheduleWorld, a_child, a_schedule


def condition(world: ScheduleWorld, kind: str) -> Condition:
    return next(found for found in world.status.conditions if found.type == kind)


def state(world: ScheduleWorld, kind: str) -> tuple[str, str]:
    found = condition(world, kind)
    return str(found.status), found.reason


# Starts


def test_it_starts_on_the_minute_and_sleeps_between() -> None:
    world = a_schedule("0 * * * *")
    world.run(minutes=59, seconds=59)
    assert world.names == []

    world.run(seconds=2)

    assert world.names == ["13:00"]
    assert world.status.last_schedule_time == NOON + timedelta(hours=1)
    assert world.status.next_schedule_time == NOON + timedelta(hours=2)
    assert [run.name for run in world.status.active] == ["nightly-29671980"]
    assert state(world, "Ready") == ("True", "Scheduled")
    assert world.stored["nextScheduleTime"] == "2026-06-01T14:00:00Z"


def test_nothing_is_ever_slept_over() -> None:
    world = a_schedule("*/10 * * * *")
    for _ in range(1000):
        wake = world.look().wake_after
        assert 0 < wake <= 30
        world.now += timedelta(seconds=wake)
    assert world.now > NOON + timedelta(hours=1)
    assert world.names == ["12:10"]


def test_a_load_test_is_made_as_the_template_says() -> None:
    world = a_schedule()
    template = world.spec["loadTestTemplate"] | {"metadata": {"labels": {"team": "chat"}, "annotations": {"why": "x"}}}
    template["spec"] |= {"ofANewerVersion": True}
    at = NOON + timedelta(hours=1)

    body = schedule_children.manifest("nightly", "demo", "uid-1", template, at)

    assert body["metadata"]["name"] == f"nightly-{int(at.timestamp()) // 60}"
    assert body["metadata"]["labels"]["team"] == "chat"
    assert body["metadata"]["labels"]["loadtest.dev/schedule"] == "nightly"
    assert body["metadata"]["annotations"] == {"why": "x", "loadtest.dev/scheduled-time": "2026-06-01T13:00:00Z"}
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert body["spec"]["ofANewerVersion"]
    assert schedule_children.minute_of(body["metadata"]["name"]) == at


def test_only_our_own_load_tests_count() -> None:
    at = NOON
    ours, namesake, renamed = a_child(at), a_child(at, uid="another"), a_child(at)
    renamed["metadata"]["name"] = "nightly-of-mine"
    assert [child.minute for child in schedule_children.seen([ours, namesake, renamed], "uid-of-nightly")] == [at]


# Verdicts


VERDICTS = [
    ("Passed", ("True", "Passed")),
    ("Failed", ("False", "Failed")),
    ("Inconclusive", ("False", "Inconclusive")),
    ("Error", ("False", "Error")),
    ("Aborted", ("False", "Aborted")),
]


@pytest.mark.parametrize(("verdict", "expected"), VERDICTS)
def test_the_last_verdict_is_a_condition(verdict: str, expected: tuple[str, str]) -> None:
    world = a_schedule()
    assert state(world, "LastRunPassed") == ("Unknown", "NoVerdictYet")
    world.run(hours=1, seconds=1)
    world.finish(verdict)
    world.run(minutes=1)

    assert state(world, "LastRunPassed") == expected
    assert world.status.last_run == world.status.recent[0]
    assert world.status.recent[0].verdict == verdict
    assert world.status.recent[0].requests_per_second == "9.8"
    assert world.status.recent[0].response_time_p99_milliseconds == "12"
    assert (world.status.last_successful_time is not None) == (verdict == "Passed")
    assert world.status.active == ()


def test_a_run_that_goes_on_does_not_hide_the_verdict_before() -> None:
    world = a_schedule()
    world.run(hours=1, seconds=1)
    world.finish("Failed")
    world.run(hours=1)
    assert state(world, "LastRunPassed") == ("False", "Failed")
    assert world.status.last_run is not None
    assert world.status.last_run.verdict is None


# Concurrency


POLICIES: list[tuple[str, list[str], int, str]] = [
    ("Forbid", ["13:00"], 1, "StillRunning"),
    ("Allow", ["13:00", "14:00"], 0, "NoneMissed"),
]


@pytest.mark.parametrize(("policy", "made", "missed", "reason"), POLICIES)
def test_when_the_run_before_has_not_finished(policy: str, made: list[str], missed: int, reason: str) -> None:
    world = a_schedule(concurrencyPolicy=policy)
    world.run(hours=2, seconds=1)
    assert world.names == made
    assert world.status.missed_starts == missed
    assert condition(world, "StartMissed").reason == reason


def test_forbid_says_who_is_in_the_way_and_does_not_make_up_for_it() -> None:
    world = a_schedule(concurrencyPolicy="Forbid")
    world.run(hours=2, seconds=1)
    assert (
        "nightly-29671980 had not finished and concurrencyPolicy is Forbid" in condition(world, "StartMissed").message
    )
    assert [event.reason for event in world.events] == ["StartMissed"]
    world.finish()
    world.run(minutes=59)
    assert world.names == ["13:00"]
    world.run(minutes=2)
    assert world.names == ["13:00", "15:00"]
    assert state(world, "StartMissed") == ("False", "NoneMissed")
    assert "1 missed so far" in condition(world, "StartMissed").message


def test_allow_has_a_bound() -> None:
    world = a_schedule("* * * * *", concurrencyPolicy="Allow")
    world.run(minutes=40)
    assert len(world.made) == 32
    assert condition(world, "StartMissed").reason == "TooManyActive"
    assert len(world.status.active) == 32


def test_replace_aborts_waits_deletes_and_starts() -> None:
    world = a_schedule(concurrencyPolicy="Replace")
    world.run(hours=1, seconds=1)
    (old,) = world.made
    world.run(hours=1, seconds=5)
    assert world.aborted == [old]
    assert world.names == ["13:00"]
    assert state(world, "Ready") == ("True", "Starting")

    world.finish("Aborted")
    world.run(seconds=5)

    assert world.names == ["13:00", "14:00"]
    assert world.deleted == [old]
    assert [run.verdict for run in world.status.recent] == [None, "Aborted"]
    assert world.status.missed_starts == 0


@pytest.mark.parametrize(("expression", "due"), [("0 * * * *", 60), ("* * * * *", 1)])
def test_replace_does_not_wait_for_an_abort_for_ever(expression: str, due: int) -> None:
    """Two minutes from the start that first wanted its place, however often starts are due."""
    world = a_schedule(expression, concurrencyPolicy="Replace")
    (stuck,) = world.children = {"nightly-29671920": a_child(NOON)}
    world.run(minutes=due + 1)
    assert (world.aborted, world.deleted) == ([stuck], [])
    world.run(minutes=1, seconds=10)
    assert world.deleted[0] == stuck
    assert world.names


# What is missed


MISSED: list[tuple[str, dict[str, Any], dict[str, Any], list[str], int, str]] = [
    ("away over one start: it is made late", {}, {"minutes": 90}, ["13:00"], 0, "NoneMissed"),
    ("away over three: the last is made, two are told", {}, {"hours": 3.5}, ["15:00"], 2, "OperatorAway"),
    ("within the deadline", {"startingDeadlineSeconds": 3600}, {"minutes": 90}, ["13:00"], 0, "NoneMissed"),
    ("past the deadline", {"startingDeadlineSeconds": 600}, {"minutes": 90}, [], 1, "DeadlineExceeded"),
    ("three past the deadline", {"startingDeadlineSeconds": 600}, {"hours": 3.5}, [], 3, "DeadlineExceeded"),
    ("suspended meanwhile", {"suspend": True}, {"hours": 3.5}, [], 3, "Suspended"),
    ("a month away", {}, {"days": 30}, ["12:00"], 719, "OperatorAway"),
]


@pytest.mark.parametrize(("what", "spec", "away", "made", "missed", "reason"), MISSED, ids=[row[0] for row in MISSED])
def test_missed_starts_are_told(
    what: str, spec: dict[str, Any], away: dict[str, Any], made: list[str], missed: int, reason: str
) -> None:
    world = a_schedule(**spec)
    world.skip(**away)
    first = world.look()
    assert world.names == made
    assert world.status.missed_starts == missed
    assert len(world.events) == bool(missed)
    assert reason in {found.reason for found in first.status.conditions}
    world.run(minutes=5)
    assert (world.names, world.status.missed_starts, len(world.events)) == (made, missed, bool(missed))


def test_a_late_start_says_so() -> None:
    world = a_schedule()
    world.skip(minutes=90)
    start = next(action for action in world.look(dies=True).actions if isinstance(action, StartChild))
    assert start.says == "nightly-29671980, due 2026-06-01T13:00:00Z, 1800 s late"


def test_suspended_starts_are_counted_and_not_made_up_for() -> None:
    world = a_schedule(suspend=True)
    world.run(hours=3, minutes=30)
    assert world.status.missed_starts == 3
    assert {event.type for event in world.events} == {"Normal"}
    assert state(world, "Ready") == ("True", "Suspended")
    world.edit(suspend=False)
    world.run(minutes=29)
    assert world.names == []
    world.run(minutes=2)
    assert world.names == ["16:00"]


def test_a_refused_start_is_tried_again_until_the_next_is_due() -> None:
    world = a_schedule()
    world.refusal = "exceeded quota"
    world.run(hours=1, minutes=30)
    assert state(world, "Ready") == ("False", "StartRefused")
    assert "exceeded quota" in str(world.status.message)
    world.run(hours=1)
    assert world.status.missed_starts == 1
    assert "exceeded quota" in condition(world, "StartMissed").message
    world.refusal = ""
    world.run(seconds=15)
    assert world.names == ["14:00"]
    assert state(world, "Ready") == ("True", "Scheduled")


# The operator dies, the clock jumps, the spec changes


def test_an_operator_that_dies_before_the_start_makes_it_afterwards() -> None:
    world = a_schedule()
    world.now += timedelta(hours=1)
    world.look(dies=True)
    world.crash()
    world.look()
    world.look()
    assert (world.names, sum(world.made.values())) == (["13:00"], 1)


def test_a_load_test_that_was_deleted_at_once_is_not_made_again() -> None:
    world = a_schedule()
    world.now += timedelta(hours=1)
    world.look()
    world.children.clear()
    world.run(minutes=10)
    assert sum(world.made.values()) == 1


def test_a_clock_that_goes_back_starts_nothing_twice_and_is_told() -> None:
    world = a_schedule(concurrencyPolicy="Allow")
    world.run(hours=2, seconds=30)
    world.children.clear()
    world.crash()
    world.now -= timedelta(hours=1, minutes=30)
    world.look()
    assert state(world, "Ready") == ("False", "ClockWentBack")
    world.run(hours=1, minutes=29)
    assert world.names == ["13:00", "14:00"]
    world.run(hours=1, minutes=2)
    assert world.names == ["13:00", "14:00", "15:00"]
    assert sum(world.made.values()) == 3
    assert state(world, "Ready") == ("True", "Scheduled")


def test_a_clock_that_goes_forth_makes_one_start() -> None:
    world = a_schedule()
    world.now += timedelta(hours=5, minutes=10)
    world.run(minutes=1)
    assert (world.names, world.status.missed_starts) == (["17:00"], 4)


def test_another_cron_expression_counts_from_now() -> None:
    world = a_schedule("0 3 * * *")
    world.run(minutes=30)
    world.edit(schedule="15 * * * *")
    world.run(minutes=30)
    assert world.status.next_schedule_time == NOON + timedelta(hours=1, minutes=15)
    world.run(minutes=16)
    assert (world.names, world.status.missed_starts) == (["13:15"], 0)


def test_an_edit_while_the_operator_is_away_hides_no_missed_start() -> None:
    world = a_schedule(startingDeadlineSeconds=60)
    world.skip(minutes=90)
    world.edit(failedRunsHistoryLimit=1)
    world.look()
    assert world.status.missed_starts == 1


def test_an_unusable_schedule_says_what_is_wrong_and_goes_on_once_it_is_right() -> None:
    world = a_schedule(timeZone="Europe/Atlantis")
    assert state(world, "Ready") == ("False", "InvalidTimeZone")
    assert "spec.timeZone 'Europe/Atlantis'" in str(world.status.message)
    assert world.status.next_schedule_time is None
    world.run(hours=2)
    world.edit(timeZone="Europe/Berlin")
    world.run(minutes=30)
    assert (world.names, world.status.missed_starts) == ([], 0)
    world.run(minutes=31)
    assert world.names == ["15:00"]


# Limits


def test_only_finished_ones_beyond_the_limits_go() -> None:
    world = a_schedule("* * * * *", concurrencyPolicy="Allow", successfulRunsHistoryLimit=2, failedRunsHistoryLimit=1)
    verdicts = ["Passed", "Failed", "Passed", "Error", "Passed", "", "Passed"]
    ages = range(len(verdicts), 0, -1)
    children = [
        a_child(NOON - timedelta(hours=age), verdict=verdict) for age, verdict in zip(ages, verdicts, strict=True)
    ]
    world.children = {body["metadata"]["name"]: body for body in children}
    names = list(world.children)
    world.look()
    assert sorted(world.deleted) == [names[0], names[1], names[2]]
    assert len(world.status.recent) == 7
    world.look()
    assert [run.verdict for run in reversed(world.status.recent)] == [verdict or None for verdict in verdicts]


def test_one_that_was_given_a_new_token_is_active_again() -> None:
    world = a_schedule(failedRunsHistoryLimit=0)
    body = a_child(NOON, verdict="Failed")
    body["spec"]["runToken"] = "2"
    world.children = {body["metadata"]["name"]: body}
    world.look()
    assert world.deleted == []
    assert len(world.status.active) == 1


def test_the_trend_is_bounded_and_outlives_the_load_tests() -> None:
    world = a_schedule("* * * * *", successfulRunsHistoryLimit=1)
    world.run(seconds=30)
    for _ in range(25):
        world.run(minutes=1)
        world.finish()
    world.run(seconds=10)
    assert len(world.status.recent) == 20
    assert len(world.children) == 1
    assert world.status.recent[0].name == max(world.made)


def test_a_suspended_schedule_has_no_next_start() -> None:
    world = a_schedule(suspend=True)
    world.run(hours=1, minutes=30)
    assert world.status.next_schedule_time is None
    assert world.status.missed_starts == 1
    world.edit(suspend=False)
    world.run(minutes=1)
    assert world.status.next_schedule_time == world.now.replace(hour=14, minute=0, second=0, microsecond=0)
