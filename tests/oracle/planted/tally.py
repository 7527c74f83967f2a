"""How often the planted cause is named."""

from collections import Counter
from dataclasses import dataclass, field

from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling import figures
from oracle.planted.plants import Draw, a_draw
from unit.operator.film import START, at

LEAST_RIGHT, MOST_WRONG = 95.0, 2.0
"""Percent: of all failures; of those in which nothing that was seen explains it."""


@dataclass
class Causes:
    """What was named."""

    failures: int = 0
    right: int = 0
    honest: int = 0
    """Failures that nothing explains."""
    invented: int = 0
    """Of these, with a cause all the same."""
    met: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def right_percent(self) -> float:
        return 100 * self.right / max(1, self.failures)

    @property
    def invented_percent(self) -> float:
        return 100 * self.invented / max(1, self.honest)

    @property
    def holds(self) -> bool:
        return self.right_percent >= LEAST_RIGHT and self.invented_percent <= MOST_WRONG

    def line(self) -> str:
        return (
            f"{self.failures} failures: the planted cause named in {self.right_percent:.1f} %; nothing explains "
            f"{self.honest}, of which {self.invented_percent:.1f} % have a cause; {sum(self.met.values())} were met all the same"
        )


def named(draw: Draw) -> tuple[str, Cause | None, str]:
    until = draw.deadline + 200
    seen = draw.world.film(until)
    (found,) = figures.judged(draw.spec, seen, START, at(until), ended=True)
    return str(found.result), found.cause, found.message


def tallied(draws: int, first: int = 0) -> Causes:
    """So many."""
    tally = Causes()
    for seed in range(first, first + draws):
        plant, draw = a_draw(seed)
        result, cause, message = named(draw)
        if result == "Passed":
            tally.met[plant] += 1
            continue
        tally.failures += 1
        tally.right += cause is draw.cause
        unknown = draw.cause is Cause.UNKNOWN
        tally.honest += unknown
        tally.invented += unknown and cause is not draw.cause
        if cause is not draw.cause:
            tally.wrong.append(f"{seed} {plant} {draw.kind}: {result}, {cause}: {message}")
    return tally
