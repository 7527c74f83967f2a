"""Due times, above all where the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest_operator.core.schedule import cron
from loadtest_operator.core.schedule.cron import BadScheduleError

SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
"""Berlin: 02:00 → 03:00 at 01:00 UTC, and 03:00 → 02:00 at 01:00 UTC."""
DAYS = [
    ("an ordinary night", "30 2 * * *", SPRING - timedelta(days=7), ["01:30"]),
    ("a start in the skipped hour is made right after it", "30 2 * * *", SPRING, ["01:00"]),
    ("several in the skipped hour are one", "0,15,30,45 2 * * *", SPRING, ["01:00"]),
    ("one in the skipped hour and one right after it are one", "0 2,3 * * *", SPRING, ["01:00"]),
    ("by the hour, real time goes on", "30 * * * *", SPRING, ["00:30", "01:30", "02:30"]),
    ("a start in the repeated hour is made once, in the first of them", "30 2 * * *", AUTUMN, ["00:30"]),
    ("by the hour, the repeated hour counts twice", "30 * * * *", AUTUMN, ["00:30", "01:30", "02:30"]),
    ("by the minute too", "*/30 2 * * *", AUTUMN, ["00:00", "00:30", "01:00", "01:30"]),
    ("after the change, local time is one hour later", "30 3 * * *", AUTUMN, ["02:30"]),
]


@pytest.mark.parametrize(("what", "expression", "day", "due"), DAYS, ids=[row[0] for row in DAYS])
def test_when_the_clocks_change(what: str, expression: str, day: datetime, due: list[str]) -> None:
    berlin = cron.parse(expression, "Europe/Berlin")
    end, found = day + timedelta(hours=3), []
    moment = berlin.after(day - cron.SECOND)
    while moment and moment < end:
        found.append(moment.strftime("%H:%M"))
        moment = berlin.after(moment)
    assert found == due


EXPRESSIONS = ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 */2 * * *", "0 0 * * 1", "5 3 28-31 * *"]
ZONES = ["Etc/UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(-7200, 7200).map(lambda seconds: SPRING + timedelta(seconds=3600 + seconds)),
    st.integers(-7200, 7200).map(lambda seconds: AUTUMN + timedelta(seconds=3600 + seconds)),
)


@given(st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES), moments, st.integers(0, 400_000))
def test_due_times_do_not_depend_on_where_one_begins_to_look(
    expression: str, zone: str, start: datetime, seconds: int
) -> None:
    timing = cron.parse(expression, zone)
    start = start.replace(microsecond=0)  # a second before it must not have a due time of its own in between
    end = start + timedelta(seconds=min(seconds, 20_000) if expression.startswith("*") else seconds)
    walked = []
    moment = timing.after(start - cron.SECOND)
    while moment and moment <= end:
        walked.append(moment)
        moment = timing.after(moment)
    from_before = []
    moment = timing.after(start - timedelta(days=1))
    while moment and moment <= end:
        from_before += [moment] if moment >= start else []
        moment = timing.after(moment)
    assert walked == from_before
    assert all(one < other for one, other in pairwise(walked))
    assert timing.latest(start, end) == (walked[-1] if walked else None)
    assert timing.count(start, end) == min(len(walked), cron.MOST_COUNTED)


def test_a_year_of_minutes_is_not_walked_through() -> None:
    every_minute = cron.parse("* * * * *", "Etc/UTC")
    assert every_minute.latest(SPRING - timedelta(days=365), SPRING) == SPRING
    assert every_minute.count(SPRING - timedelta(days=365), SPRING) == cron.MOST_COUNTED


BAD = [
    ("61 * * * *", "Etc/UTC", "InvalidSchedule", ["spec.schedule '61 * * * *'", "Bad minute", "five fields"]),
    ("0 25 * * *", "Etc/UTC", "InvalidSchedule", ["Bad hour"]),
    ("0 0 30 2 *", "Etc/UTC", "InvalidSchedule", ["Bad day-of-month"]),
    ("0 0 * * 1#2/3", "Etc/UTC", "InvalidSchedule", ["five fields"]),
    ("a b c d e", "Etc/UTC", "InvalidSchedule", ["Bad minute"]),
    ("0 3 * * *", "Europe/Atlantis", "InvalidTimeZone", ["spec.timeZone 'Europe/Atlantis'", "Europe/Berlin"]),
    ("0 3 * * *", "../../etc/passwd", "InvalidTimeZone", ["IANA"]),
    ("0 3 * * *", "Europe", "InvalidTimeZone", ["IANA"]),
]


@pytest.mark.parametrize(("expression", "zone", "reason", "words"), BAD)
def test_nonsense_is_named_with_its_remedy(expression: str, zone: str, reason: str, words: list[str]) -> None:
    with pytest.raises(BadScheduleError) as caught:
        cron.parse(expression, zone)
    assert caught.value.reason == reason
    for word in words:
        assert word in str(caught.value)
