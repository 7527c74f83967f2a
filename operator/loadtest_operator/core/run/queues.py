"""Who loads which target, and who is next: one active run per target, then the LoadTest that has existed longest.

In memory, of one operator (of several, one acts, by its lease) and one event loop: asking and taking are one step, so two
cannot both get a target. Whoever waits asks again from time to time; one that has not asked for `SILENCE` is not
waited for: it went without our hearing of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

SILENCE = timedelta(seconds=90)
"""Three times what a waiting LoadTest sleeps at most."""


@dataclass(slots=True)
class Place:
    """In the queue of a target."""

    created: datetime
    asked: datetime
    active: bool = False


class Queues:
    """One queue for each target. `who` is any name of a LoadTest; times are given."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Place]] = {}
        self._targets: dict[str, str] = {}

    def take_part(self, target: str, who: str, created: datetime, now: datetime, *, active: bool = False) -> None:
        """Stand in the queue, or have the target already."""
        self._targets[who] = target
        self._lines.setdefault(target, {})[who] = Place(created, now, active)

    def ask(self, target: str, who: str, created: datetime, now: datetime) -> str:
        """Whoever has the target or comes before us. Empty: we have it, from this moment on."""
        mine = self._lines.get(target, {}).get(who)
        self.take_part(target, who, created, now, active=mine is not None and mine.active)
        first = self._first(target, now)
        if first != who:
            return first
        self._lines[target][who].active = True
        return ""

    def target_of(self, who: str) -> str | None:
        """Where it stands."""
        return self._targets.get(who)

    def leave(self, who: str, now: datetime) -> str:
        """The run is over, or does not want to begin any more; who may begin now (empty: nobody)."""
        target = self._targets.pop(who, None)
        if target is None:
            return ""
        line = self._lines[target]
        del line[who]
        if not line:
            del self._lines[target]
            return ""
        first = self._first(target, now)
        return "" if first and line[first].active else first

    def _first(self, target: str, now: datetime) -> str:
        line = self._lines[target]
        there = [who for who, place in line.items() if place.active or now - place.asked <= SILENCE]
        return min(there, key=lambda who: (not line[who].active, line[who].created, who), default="")
