"""When a schedule is due: five cron fields in a time zone, as Debian's cron reads them (cronsim).

A due time is a moment in UTC; the set of them does not depend on where one starts to look. At a change of the clock:

- fields that name minute and hour (`30 2 * * *`): a start in the hour that is skipped is made right after the gap,
  once even if several fall into it; a start in the hour that comes twice is made in the first of the two.
- a minute or hour field that begins with `*`: real time goes on, so `0 * * * *` is made in both of the hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

SECOND = timedelta(seconds=1)
LARGEST_GAP = timedelta(hours=3)
"""More than any time zone ever skipped or repeated on one day."""
MOST_COUNTED = 1000
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class BadScheduleError(ValueError):
    """A schedule that cannot be followed: which reason, and a sentence with field, value and remedy."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than this; nothing where there is none within fifty years."""
        return next(self._upcoming(moment), None)

    def count(self, since: datetime, until: datetime) -> int:
        """How many due times there are from `since` to `until`, both included; at most a thousand are counted."""
        return sum(1 for _ in islice(self._between(since, until), MOST_COUNTED))

    def latest(self, since: datetime, until: datetime) -> datetime | None:
        """The last due time from `since` to `until`, both included."""
        back = CronSim(self.expression, (until + SECOND).astimezone(self.zone), reverse=True)
        near = next(back, None)
        # Backwards, cronsim may be off by a gap; from a little before, forwards, it is not.
        start = since if near is None else max(since, near.astimezone(UTC) - LARGEST_GAP)
        return max(self._between(start, until), default=None)

    def _between(self, since: datetime, until: datetime) -> Iterator[datetime]:
        return takewhile(lambda due: due <= until, self._upcoming(since - SECOND))

    def _upcoming(self, moment: datetime) -> Iterator[datetime]:
        """Strictly rising: cronsim repeats a moment for each start in a gap, and steps back in a repeated hour."""
        last = moment
        for due in CronSim(self.expression, moment.astimezone(self.zone)):
            if (found := due.astimezone(UTC)) > last:
                last = found
                yield found


@lru_cache(maxsize=256)
def parse(schedule: str, time_zone: str) -> Cron:
    """Raises BadScheduleError."""
    cron = Cron(" ".join(schedule.split()), _zone(time_zone))
    try:
        first = cron.after(ANY_DAY)
    except (CronSimError, AssertionError) as error:
        raise BadScheduleError("InvalidSchedule", _not_cron(schedule, str(error))) from error
    if first is None:
        raise BadScheduleError("InvalidSchedule", _not_cron(schedule, "no such day within fifty years"))
    return cron


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadScheduleError(
            "InvalidTimeZone",
            f"spec.timeZone {name!r} is no time zone: write a name of the IANA database, such as Europe/Berlin or Etc/UTC",
        ) from error


def _not_cron(schedule: str, what: str) -> str:
    return (
        f"spec.schedule {schedule!r} is no cron expression ({what or 'cannot be read'}): write five fields, minute, "
        'hour, day of the month, month, day of the week, such as "0 3 * * *" for three o\'clock every night'
    )
