"""Wall time as the API writes it: RFC 3339 in UTC.

Wall time is for people and for agreeing on a common start; durations inside a worker come from its monotonic clock.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

NANOSECONDS = 1_000_000_000


def text(moment: datetime) -> str:
    """`2026-11-22T15:00:00Z`; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def whole(moment: datetime) -> str:
    """The same, cut to whole seconds, as Kubernetes does."""
    return text(moment.replace(microsecond=0))


def parse(value: str | None) -> datetime | None:
    """The moment, or nothing where nothing was said."""
    return datetime.fromisoformat(value) if value else None


def nanoseconds(moment: datetime) -> int:
    """Since 1970, exact to the microsecond."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return int((moment - epoch) / timedelta(microseconds=1)) * 1000


def from_nanoseconds(value: int) -> datetime:
    """The moment of a worker's clock reading."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value // 1000)


def next_tenth(moment: datetime) -> datetime:
    """Rounded up, so that second 0 of a load can be read."""
    return moment + timedelta(microseconds=-moment.microsecond % 100_000)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Never negative: the API's times have whole seconds, so an effect may seem to come before its cause."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((moment for moment in moments if moment is not None), default=None)
