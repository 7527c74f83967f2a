"""What an adapter saw of a fault's maker at one look, times on the operator's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from loadgen.model.proxy import AtRest, PathPulse


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one fault, by its name; of nothing else."""

    since: datetime | None = None
    """In force since then, by the maker's own record."""
    gone: datetime | None = None
    """Not in force any more since then."""
    effects: int = 0
    """How often it was felt. In force is only what was."""
    not_covered: str = ""
    """What the fault should have hit and did not."""
    note: str = ""
    """What there is to say of it though nothing went wrong."""


@dataclass(frozen=True, slots=True)
class PathRecord:
    """How something that stands in the load's way did, by itself."""

    cores: float
    pulses: tuple[PathPulse, ...] = ()
    """`at` on the operator's clock."""
    at_rest: AtRest | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One maker of faults."""

    ready: bool = False
    trouble: str = ""
    """Why it cannot be talked to now."""
    lost: str = ""
    """Why it is gone for good, and every fault of its with it."""
    answered: datetime | None = None
    """When it last told anything."""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    path: PathRecord | None = None

    @property
    def why_not(self) -> str:
        """Why it cannot be ordered anything now; empty when it can."""
        return self.lost or self.trouble
