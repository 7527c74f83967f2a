"""Answers of the API server that are asked for again when they are old enough: each question at its own pace."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    at: datetime
    given: object

    def serves(self, seconds: float, now: datetime, given: object) -> bool:
        """Whether it need not be asked again. A clock that was set back makes everything old."""
        young = 0 <= (now - self.at).total_seconds() < seconds
        return self.value is not None and self.given == given and young


@dataclass(slots=True)
class Paced:
    """The newest answers of one run. Times are given."""

    _answers: dict[str, _Answer] = field(default_factory=dict)

    async def ask(
        self,
        what: str,
        seconds: float,
        now: datetime,
        question: Callable[[], Awaitable[T]],
        *,
        given: object = None,
    ) -> T:
        """The answer, not older than so many seconds and asked under the same circumstances. That something is not there
        (None) is never taken for granted."""
        known = self._answers.get(what)
        if known is not None and known.serves(seconds, now, given):
            return known.value  # type: ignore[no-any-return]
        value = await question()
        self._answers[what] = _Answer(value, now, given)
        return value

    def note(self, what: str, value: object, now: datetime) -> None:
        """Something found on the way."""
        self._answers[what] = _Answer(value, now, None)

    def last(self, what: str) -> Any:
        """The last answer, however old."""
        known = self._answers.get(what)
        return known.value if known is not None else None

    def asked(self, what: str) -> datetime | None:
        """When the last answer was asked for."""
        known = self._answers.get(what)
        return known.at if known is not None else None

    def fresh(self, what: str, now: datetime) -> bool:
        """Whether it was asked at this very moment."""
        known = self._answers.get(what)
        return known is not None and known.at == now

    def forget(self, what: str) -> None:
        """Ask again, whatever its age."""
        self._answers.pop(what, None)
