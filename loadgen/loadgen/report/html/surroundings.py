"""What was seen beside the load, in the page's own words: spans of time, replicas, tables. Seconds count from the load's
start; a value that was not seen is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted, such as a stage or a fault."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Steps:
    """A number that held from each moment until the next, such as replicas that were ready."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Table:
    """A section of its own."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Sentences below the table, above all what is not known."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that went step by step, such as a scale-up: its steps that are known, in their order."""

    name: str
    steps: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything that a cluster adds to a report."""

    title: str = ""
    """What the test is called there."""
    notes: Sequence[str] = ()
    """Sentences about the record itself, such as a checksum that could not be compared."""
    faults: Sequence[Span] = ()
    replicas: Sequence[Steps] = ()
    episodes: Sequence[Episode] = ()
    """Scale-ups."""
    tables: Sequence[Table] = ()
