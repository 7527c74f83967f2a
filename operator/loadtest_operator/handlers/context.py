"""Everything a handler needs, wired once in `main`: the way to the cluster, the settings, the clock, the memories."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loadtest_operator.adapters.control import ControlClient
from loadtest_operator.adapters.kube import KubeApi
from loadtest_operator.adapters.metrics import Metrics
from loadtest_operator.adapters.probe import Prober
from loadtest_operator.core.settings import Settings
from loadtest_operator.handlers.memory import Memory


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
    claims: dict[str, str] = field(default_factory=dict)
    """Which LoadTest has which target; taken within one step of the event loop, so two cannot both get it."""
    claims_loaded: bool = False

    def memory(self, uid: str) -> Memory:
        return self.memories.setdefault(uid, Memory())
