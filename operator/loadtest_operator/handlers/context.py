"""Everything a handler needs, wired once in `main`: the way to the cluster, the settings, the clock, the memories."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.target.probe import Prober
from loadtest_operator.adapters.workers.control import ControlClient
from loadtest_operator.core.common.agenda import Agenda
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.run.queues import Queues
from loadtest_operator.handlers.run.memory import Memory


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Context:
    """The operator's hands and eyes."""

    kube: KubeApi
    control: ControlClient
    prober: Prober
    settings: Settings
    metrics: Metrics
    clock: Callable[[], datetime] = wall_clock
    memories: dict[str, Memory] = field(default_factory=dict)
    queues: Queues = field(default_factory=Queues)
    """Which LoadTest has which target; taken within one step of the event loop, so two cannot both get it."""
    quotas: Queues = field(default_factory=Queues)
    """Of each namespace: who waits for its quota, and who may keep what he has of it meanwhile."""
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    loaded: bool = False
    """Whether the queues know the LoadTests that were there before us."""
    agenda: Agenda = field(default_factory=Agenda)
    """When finished LoadTests are to be looked at."""
    agenda_changed: asyncio.Event = field(default_factory=asyncio.Event)
    settled: dict[str, int] = field(default_factory=dict)
    """By uid: the run whose end was seen through."""
    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By uid: namespace and name of the LoadTests that the watch has told of."""
    bells: dict[str, asyncio.Event] = field(default_factory=dict)
    """By uid: wakes the one who follows this LoadTest."""

    def memory(self, uid: str) -> Memory:
        return self.memories.setdefault(uid, Memory())

    def forget(self, uid: str) -> None:
        """Nothing of this LoadTest stays in memory."""
        if memory := self.memories.pop(uid, None):
            memory.run.end()

    def wake(self, uid: str) -> None:
        """There is news for whoever follows this LoadTest."""
        if bell := self.bells.get(uid):
            bell.set()
