"""What a threshold claims, and whether it holds: Passed, Failed, or Unknown with what stands in the way.

Three kinds of claims cover all metrics. A *share*: at most so large a part of the attempts is against the bound (percentiles are this
too: "P95 < B" says that at most 5 % are over B). A *mean*: of a latency or of a rate. The *largest* value, which is about these
requests alone.

Whatever is not known is played at both ends: as if it were good, and as if it were over every limit. Where the result flips it is Unknown,
and the message says by how many. What remains is chance: the claim holds where the whole 95 % interval keeps the bound, is violated where
none of it does, and is Unknown in between, unless the threshold asks for the observed value alone (`decision: Point`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from loadgen.core.stats import confidence
from loadgen.model.plan import Decision
from loadgen.model.report import Doubt, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from loadgen.core.stats.confidence import Interval, Seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a claim holds."""

    result: Result
    doubt: Doubt | None = None
    why: str = ""
    """For Unknown: what stands in the way, how much of it, and what would decide."""
    as_observed: bool = False
    """Decided by what was seen, without regard to chance."""


ROUNDING = 1e-9
"""A tie is no certainty, whatever the last digits of a quantile are."""
PASSED, FAILED = Answer(Result.PASSED), Answer(Result.FAILED)


def unknown(doubt: Doubt, why: str) -> Answer:
    return Answer(Result.UNKNOWN, doubt, why)


@dataclass(frozen=True, slots=True)
class Open:
    """Attempts of which it is not known on which side of the bound they are."""

    doubt: Doubt
    number: Seconds
    words: str
    """What they did: `had no answer when the run ended`."""

    @property
    def count(self) -> int:
        return round(float(self.number.sum()))


class Claim(Protocol):
    """Something asked for over a scope."""

    def decide(self, decision: Decision) -> Answer:
        """Whether it holds."""

    def surely_violated(self) -> bool:
        """Whether that may be said at any second of the run, at 1 %; only for what can be said before the scope has passed."""


@dataclass(frozen=True, slots=True)
class Share:
    """At most `limit` of the attempts are against the bound."""

    against: Seconds
    attempts: Seconds
    open: tuple[Open, ...]
    limit: Fraction
    strict: bool
    """Less than `limit`."""
    may_be: Callable[[float, Interval], str]
    """What the figure may be, in words, given the effective number of attempts and the interval of the share."""
    kind: str = "requests"

    def decide(self, decision: Decision) -> Answer:
        doubtful = sum((one.number for one in self.open), np.zeros_like(self.attempts))
        best, worst = self._at(self.against, decision), self._at(self.against + doubtful, decision)
        if best is not worst:
            return _flips(self.open, f"{self._number:.0f} {self.kind}")
        if best is Result.UNKNOWN:
            return unknown(Doubt.TOO_FEW, self._chance(self.against))
        return Answer(best, as_observed=decision is Decision.POINT or self.about_these)

    def surely_violated(self) -> bool:
        return confidence.surely_above(self.against, self.attempts, float(self.limit))

    @property
    def _number(self) -> float:
        return float(self.attempts.sum())

    def _at(self, against: Seconds, decision: Decision) -> Result:
        hits = float(against.sum())
        if decision is Decision.POINT or self.about_these:
            bound = float(self.limit * round(self._number))
            return Result.PASSED if (hits < bound if self.strict else hits <= bound) else Result.FAILED
        interval, limit = self._interval(against), float(self.limit)
        if interval.high < limit * (1 - ROUNDING) or (limit >= 1 and not self.strict):
            return Result.PASSED
        return Result.FAILED if interval.low > limit * (1 + ROUNDING) else Result.UNKNOWN

    @property
    def about_these(self) -> bool:
        """A limit of nothing is about these attempts: no sample can show it of all others."""
        return self.limit <= 0

    def _interval(self, against: Seconds) -> Interval:
        effect = confidence.design_effect(against, self.attempts)
        return confidence.share(float(against.sum()) / effect, self._number / effect)

    def _chance(self, against: Seconds) -> str:
        """By how much it is not sure, and what would decide."""
        effect = confidence.design_effect(against, self.attempts)
        number = self._number / effect
        alike = f", which tell as much as {number:.0f} independent ones," if effect > 1.1 else ""
        said = f"with {self._number:.0f} {self.kind}{alike} {self.may_be(number, self._interval(against))}"
        enough = confidence.needed(float(self.limit), float(against.sum()) / effect, number)
        if enough is None:
            return f"{said}; it is too near the bound to be decided by more of them"
        return f"{said}; about {max(1, math.ceil(enough * effect - self._number))} more would decide"


@dataclass(frozen=True, slots=True)
class Mean:
    """Σ parts / Σ sizes keeps the bound."""

    parts: Seconds
    sizes: Seconds
    bound: float
    upper: bool
    """Whether the bound is an upper one."""
    strict: bool
    open: tuple[Open, ...] = ()
    most: Seconds | None = None
    """`parts` if all that is open were as large as can be; None where that has no limit."""
    blur: float = 0.0
    """How much too large what was measured may be."""
    unit: str = ""

    def decide(self, decision: Decision) -> Answer:
        found = confidence.ratio(self.parts, self.sizes)
        if found is None:
            return unknown(Doubt.NO_SAMPLE, "no request gave a value")
        ends = {self._at(found, self.blur, decision), self._at(found, 0.0, decision)}
        if any(one.count for one in self.open):
            ends.add(self._at(self._largest(), 0.0, decision))
        if len(ends) > 1:
            return _flips(self.open, "requests") if any(one.count for one in self.open) else self._blurred()
        (end,) = ends
        if end is Result.UNKNOWN:
            return unknown(Doubt.TOO_FEW, self._chance(found[1]))
        return Answer(end, as_observed=decision is Decision.POINT)

    def surely_violated(self) -> bool:
        return False

    def _largest(self) -> tuple[float, Interval | None]:
        found = None if self.most is None else confidence.ratio(self.most, self.sizes)
        return found or (math.inf, confidence.Interval(math.inf, math.inf))

    def _at(self, found: tuple[float, Interval | None], less: float, decision: Decision) -> Result:
        value, interval = found
        if decision is Decision.POINT:
            return Result.PASSED if self._keeps(value - less) else Result.FAILED
        if interval is None:
            return Result.UNKNOWN
        kept = {self._keeps(interval.low - less), self._keeps(interval.high - less)}
        return Result.UNKNOWN if len(kept) > 1 else Result.PASSED if kept == {True} else Result.FAILED

    def _keeps(self, value: float) -> bool:
        if value == self.bound:
            return not self.strict
        return (value < self.bound) == self.upper

    def _blurred(self) -> Answer:
        return unknown(
            Doubt.AT_THE_BOUND,
            f"the generator's own lag of {self.blur:.2g} {self.unit} decides on which side of the bound it is",
        )

    def _chance(self, interval: Interval | None) -> str:
        if interval is None:
            return "it lasted too short to tell how much it varies: run longer, or set decision: Point"
        return (
            f"from batch to batch it varies so much that it may be between {max(interval.low, 0):.4g} and "
            f"{interval.high:.4g} {self.unit}: run longer, or set decision: Point"
        )


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest value keeps the bound: about these requests, so there is no chance in it."""

    value: float | None
    bound: float
    upper: bool
    strict: bool
    open: tuple[Open, ...] = ()
    blur: float = 0.0

    def decide(self, decision: Decision) -> Answer:
        if self.value is None:
            return unknown(Doubt.NO_SAMPLE, "no request gave a value")
        kept = {self._keeps(self.value), self._keeps(max(0.0, self.value - self.blur))}
        if len(kept) > 1:
            return unknown(
                Doubt.AT_THE_BOUND, f"the generator's own lag of {self.blur:.2g} ms decides on which side it is"
            )
        could_be_larger = any(one.count for one in self.open) and self._keeps(self.value) == self.upper
        if could_be_larger:
            return _flips(self.open, "requests")
        return Answer(Result.PASSED if kept == {True} else Result.FAILED, as_observed=True)

    def surely_violated(self) -> bool:
        return self.upper and self.value is not None and not self._keeps(max(0.0, self.value - self.blur))

    def _keeps(self, value: float) -> bool:
        if value == self.bound:
            return not self.strict
        return (value < self.bound) == self.upper


def _flips(parts: Sequence[Open], of: str) -> Answer:
    """It depends on what is not known."""
    there = sorted((one for one in parts if one.count), key=lambda one: -one.count)
    said = " and ".join(f"{one.count} {one.words}" for one in there)
    remedies = ", ".join(dict.fromkeys(REMEDIES[one.doubt] for one in there))
    return unknown(there[0].doubt, f"of {of} {said}, and whether it holds depends on them: {remedies}")


REMEDIES = {
    Doubt.NO_ANSWER: "look for a hanging target, or raise load.gracefulStopSeconds",
    Doubt.CENSORED: "ask for a percentile, which counts them as over every limit, or raise timeoutSeconds",
    Doubt.ONE_READ: "look for a proxy or gateway that buffers the stream",
    Doubt.AT_THE_BOUND: "move the bound a little, or give workers CPU of their own",
}
"""What to do about attempts whose side is not known."""
