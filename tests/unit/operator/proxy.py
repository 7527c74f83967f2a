"""A delay proxy of a few variables: faults by name, each with its own end, and a record of itself."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loadgen.model.proxy import PathPulse
from loadgen.model.wire import Sparse
from loadtest_operator.core.common import times
from loadtest_operator.core.faults.view import PathRecord, Reading, View

QUIET = Sparse(bins=[100], counts=[50], total=5000, largest=100)


@dataclass
class Proxy:
    """What the process knows."""

    born: datetime
    readings: dict[str, Reading] = field(default_factory=dict)
    until: dict[str, datetime] = field(default_factory=dict)
    pulses: list[PathPulse] = field(default_factory=list)
    effects: int = 7
    """That a fault has at once."""
    refuses: bool = False
    """Orders come to nothing."""
    never_ends: bool = False
    """Its dead-man's switch is broken, and it does not listen."""
    cpu: float = 0.1
    lag: Sparse = field(default_factory=lambda: QUIET)
    refused: int = 0

    def inject(self, name: str, seconds: float, now: datetime) -> None:
        if name not in self.readings and not self.refuses:
            self.readings[name] = Reading(since=now, effects=self.effects)
            self.until[name] = now + timedelta(seconds=seconds)

    def recover(self, name: str, now: datetime) -> None:
        if name in self.readings and self.readings[name].gone is None and not self.never_ends:
            self.readings[name] = replace(self.readings[name], gone=now)

    def pass_time(self, now: datetime) -> None:
        for name, until in self.until.items():
            if until <= now:
                self.recover(name, until)
        while self._told + timedelta(seconds=1) <= now:
            self.pulses.append(
                PathPulse(
                    at=times.nanoseconds(self._told),
                    microseconds=1_000_000,
                    cpu_microseconds=int(1e6 * self.cpu),
                    loop_lag=self.lag,
                    refused=self.refused,
                )
            )

    @property
    def _told(self) -> datetime:
        return self.born + timedelta(seconds=len(self.pulses))

    def view(self, now: datetime) -> View:
        path = PathRecord(1.0, tuple(self.pulses))
        return View(ready=True, answered=now, readings=dict(self.readings), path=path)
