"""What a report keeps so that runs can be pooled, compared and read again: merged histograms and series, whole.

Nothing here knows a limit: series count values above the sample's *own* percentiles, so any later question about
spread and autocorrelation can be answered, and none has been answered in advance. Histograms are in HdrHistogram's V2
notation, which its libraries read in any language; the exact sums that V2 leaves out stand beside it.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import PlainSerializer

from loadgen.model.base import Model
from loadgen.model.plan import Metric, Statistic

Large = Annotated[int, PlainSerializer(str)]
"""A whole number past 64 bits, written as text."""


class Recorded(Model):
    """One merged distribution; values are microseconds."""

    hdr: str
    """HdrHistogram V2, compressed, base64."""
    total: int
    """Sum of the raw values, microseconds."""
    squares: Large
    """Sum of the squared raw values, microseconds squared."""
    largest: int
    """The largest raw value, microseconds."""


class Values(Model):
    """One metric slot by slot."""

    count: tuple[int, ...]
    """Values of the requests meant to start in the slot."""
    total: tuple[int, ...]
    """Their sum, microseconds."""
    above: dict[Statistic, tuple[int, ...]] = {}
    """How many of them lie above the group's own percentile."""


class Slots(Model):
    """The group's stage in equal slots, by intended time. A stage has at most 600 of them: longer slots, not fewer facts."""

    start_second: int
    step_seconds: int
    planned: tuple[int, ...]
    succeeded: tuple[int, ...]
    failed: tuple[int, ...]
    """Drops among them."""
    good: tuple[int, ...]
    in_flight: tuple[float, ...] | None = None
    """Mean requests in flight; absent where several kinds share them."""
    values: dict[Metric, Values] = {}


class Group(Model):
    """One kind of request in one stage."""

    stage: str
    request: str
    histograms: dict[Metric, Recorded] = {}
    slots: Slots


class SteadyState(StrEnum):
    """Whether a stage's figures would be the same had it lasted twice as long."""

    STEADY = "Steady"
    DRIFTING = "Drifting"
    TOO_SHORT = "TooShort"


class Steadiness(Model):
    """What is known of a stage's steady state."""

    state: SteadyState
    from_second: int | None = None
    """The second of the run from which it was steady."""
    change_percent: float | None = None
    """How far the figure that drifts moved over the stage."""
    message: str
