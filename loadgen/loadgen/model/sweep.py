"""A sweep: one load test at many levels. What a user writes, and what comes out (`loadgen sweep --out`).

Shares are percent, latencies milliseconds, rates per second, levels in the unit of the field that is varied.
"""

import math
import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from loadgen.model.base import Model, Number, require_exactly_one
from loadgen.model.report import Verdict

SWEEP_KIND = "LoadTestSweep"
SWEEP_SCHEMA = "1"
MOST_POINTS = 256
"""Runs of a grid, each level as often as it is repeated; and of a search."""
LEVEL = r"^load\.stages\[(?P<stage>[^\[\]]+)\]\.(arrivalRate|concurrency)$"
"""Fields that are a level of load."""

FieldPath = Annotated[str, Field(pattern=r"^[a-zA-Z]+(\[[^\[\]]+\])?(\.[a-zA-Z]+(\[[^\[\]]+\])?)*$", max_length=256)]


class Template(Model):
    """The load test that is run at each level."""

    spec: dict[str, Any]
    """As in a LoadTest; what only means something in a cluster is left aside by `loadgen sweep`."""


class Vary(Model):
    """One axis of a grid."""

    field: FieldPath
    """`load.stages[NAME].concurrency`: members of a list go by their name."""
    values: Annotated[tuple[Number, ...], Field(min_length=1, max_length=MOST_POINTS)]
    """The values it takes."""


class SearchSpec(Model):
    """Looks for the highest level at which enough requests keep their SLO."""

    field: FieldPath
    """`load.stages[NAME].arrivalRate` or `.concurrency`; that stage is what is judged."""
    min: Number
    """The lowest level, run first."""
    max: Number
    """The highest level that is ever run."""
    attainment_percent: Annotated[Number, Field(gt=0, lt=100)] = Decimal(95)
    """Percent of planned requests that must keep every bound of `slo` (of requests without one: succeed). Default 95."""
    precision_percent: Annotated[int, Field(ge=1, le=100)] = 10
    """Width of the knee's interval at which the search ends. Default 10."""
    max_runs: Annotated[int, Field(ge=4, le=MOST_POINTS)] = 24
    """Runs, the hold not counted. Default 24."""
    hold_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """The least time for which the interval's lower end must hold; five times the P99 where that is longer. Default 60."""

    @model_validator(mode="after")
    def _a_level(self) -> Self:
        if not re.match(LEVEL, self.field):
            raise ValueError(f"field {self.field}: a search needs load.stages[NAME].arrivalRate or .concurrency")
        return self

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if not 0 < self.min < self.max:
            raise ValueError(f"min {self.min} and max {self.max}: write 0 < min < max")
        return self


class Between(Model):
    """What happens between two runs."""

    rest_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Pause. Default 0."""


class SweepShape(Model):
    """Which levels are run, how often and in which order: exactly one of vary (a grid) and search."""

    vary: Annotated[tuple[Vary, ...], Field(min_length=1, max_length=3)] | None = None
    """Every combination of these values."""
    search: SearchSpec | None = None
    """A search for the knee."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 3
    """Runs of each level (of a search: of the levels around the knee), in shuffled order. Default 3."""
    between: Between = Between()
    """Default: nothing."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Of the order of runs. Default 0."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        levels = math.prod(len(axis.values) for axis in self.vary or ())
        if levels * self.repeats > MOST_POINTS and self.vary:
            raise ValueError(
                f"vary makes {levels} combinations, which with repeats {self.repeats} are {levels * self.repeats} runs; "
                f"at most {MOST_POINTS} can be made: write fewer values, or fewer repeats"
            )
        return require_exactly_one(self, "vary", "search")

    @model_validator(mode="after")
    def _each_field_once(self) -> Self:
        fields = [axis.field for axis in self.vary or ()]
        if twice := next((field for field in fields if fields.count(field) > 1), None):
            raise ValueError(f"vary has {twice} twice: write all of its values in one entry")
        return self


class SweepSpec(SweepShape):
    """A sweep as `loadgen sweep` reads it."""

    load_test_template: Template
    """What is run."""


class SweepRun(Model):
    """One run."""

    point: dict[str, Number]
    """The level, by field."""
    start_time: str
    verdict: Verdict
    message: str
    valid: bool
    """It measured the target: only then is it evidence."""
    limited: bool = False
    """The generator was the limit: higher levels are out of its reach."""
    blocks: tuple[tuple[int, int], ...]
    """Good and planned requests of each ten seconds or more."""
    drifting: str = ""
    """Why its figures are of no steady state."""


class LevelFigures(Model):
    """All valid runs of a level, pooled."""

    point: dict[str, Number]
    runs: int
    passed: int
    """Runs whose verdict was Passed."""
    planned: int
    attainment_percent: float
    attainment_low: float | None = None
    """95 % interval."""
    attainment_high: float | None = None
    verdict: Verdict | None = None
    """Passed and Failed where the whole interval is on that side of what is wanted; else Inconclusive."""
    error_percent: float
    requests_per_second: float
    """Successes."""
    response_time_mean: float | None = None
    response_time_p50: float | None = None
    response_time_p95: float | None = None
    response_time_p99: float | None = None
    fitted_percent: float | None = None
    """Attainment by the falling fit through all levels."""


class KneeFigures(Model):
    """The highest load that keeps the SLO."""

    field: str
    bound: Literal["Known", "AtLeast", "AtMost"]
    load: float
    low: float | None = None
    """95 % interval; an end that lies beyond the range is absent."""
    high: float | None = None
    shape: Literal["Smooth", "Cliff"] | None = None
    attainment_percent: float


class Hold(Model):
    """The interval's lower end, held."""

    level: float
    seconds: int
    held: bool
    attainment_percent: float | None = None
    message: str


class Conclusion(StrEnum):
    """What a sweep came to."""

    CONFIRMED = "Confirmed"
    """A knee, and its hold passed."""
    UNCONFIRMED = "Unconfirmed"
    """No knee, or its hold did not pass; a grid with a level that gave no evidence."""
    MEASURED = "Measured"
    """A grid whose every level gave evidence: a table, nothing to confirm."""
    ABORTED = "Aborted"


class Sweep(Model):
    """A whole sweep."""

    kind: Literal["LoadTestSweep"] = "LoadTestSweep"
    schema_version: Literal["1"] = "1"
    generator: str
    target: str
    spec: SweepSpec
    conclusion: Conclusion
    message: str
    runs: tuple[SweepRun, ...]
    levels: tuple[LevelFigures, ...] = ()
    best: dict[str, Number] | None = None
    """Of a grid: the level with the most successes per second among those whose verdict is Passed."""
    knee: KneeFigures | None = None
    hold: Hold | None = None
