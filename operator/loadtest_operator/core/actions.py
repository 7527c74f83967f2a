"""What a decision asks for: frozen values, performed by one function (`handlers.run.act`), each safe to perform twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from loadtest_operator.core.common.kinds import Kind


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object, or adopt the one that is there if it is ours."""

    kind: Kind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CreateToken:
    """Make the run's Secret. The token is drawn when the action is performed; pure code has no secrets."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an object of ours; that it is gone already is fine."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class ClearAway:
    """Remove all of this, which earlier runs left. Asked for at every look until it has succeeded once."""

    things: tuple[Delete, ...]


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """Send one real request of each kind."""


@dataclass(frozen=True, slots=True)
class StartWorkers:
    """Tell each worker second 0 on its own clock, nanoseconds since 1970, by worker index. Not any more when it is too near."""

    second_zero: datetime
    """On the operator's clock."""
    start_at: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class AbortWorkers:
    """Stop offering load at once."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseWorkers:
    """Everything is collected; workers may exit."""


@dataclass(frozen=True, slots=True)
class InjectFault:
    """Have a provider make a fault, which ends by itself after the duration in the order."""

    provider: str
    fault: str
    order: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecoverFault:
    """Have a provider take a fault back now."""

    provider: str
    fault: str


@dataclass(frozen=True, slots=True)
class SaveTimeline:
    """Keep what was seen of the target for an operator that comes after a crash, if it is time."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Write the whole report as an artifact."""


@dataclass(frozen=True, slots=True)
class Emit:
    """A Kubernetes Event about the LoadTest."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = (
    Create
    | CreateToken
    | Delete
    | ClearAway
    | ProbeTarget
    | StartWorkers
    | AbortWorkers
    | ReleaseWorkers
    | InjectFault
    | RecoverFault
    | SaveTimeline
    | StoreReport
    | Emit
)
