"""The two judges side by side, and the tally of where they differ."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from oracle import naive, play
from oracle.records import Played

MOST_UNKNOWN = 5
"""Percent of what the oracle decides."""


@dataclass
class Tally:
    """What came out of many draws."""

    answers: int = 0
    greens: list[str] = field(default_factory=list)
    """Passed where the oracle does not say that it holds."""
    reds: list[str] = field(default_factory=list)
    """Failed where the oracle says that it holds."""
    unknown: int = 0
    """Unknown where the oracle decides."""
    decided: int = 0
    words: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, said: str, truth: str, what: str) -> None:
        self.answers += 1
        self.words[said] += 1
        if said == "Passed" and truth != "Passed":
            self.greens.append(f"{name}: {what}: Passed, the oracle says {truth}")
        if said == "Failed" and truth == "Passed":
            self.reds.append(f"{name}: {what}: Failed, the oracle says Passed")
        if truth in ("Passed", "Failed"):
            self.decided += 1
            self.unknown += said in ("Unknown", "Inconclusive")

    @property
    def unknown_percent(self) -> float:
        return 100 * self.unknown / max(1, self.decided)

    @property
    def holds(self) -> bool:
        return not self.greens and not self.reds and self.unknown_percent <= MOST_UNKNOWN

    def line(self) -> str:
        """For people."""
        return (
            f"{self.answers} answers: {len(self.greens)} false greens, {len(self.reds)} false reds, "
            f"Unknown in {self.unknown_percent:.1f} % of what the oracle decides; {dict(self.words)}"
        )


def compare(played: Played, tally: Tally) -> None:
    said, word = play.judged(played)
    truth = naive.judge(played)
    asked = {one.name: one for one in played.plan.thresholds} | naive.bounds(played)
    for name, result in truth.items():
        criterion = asked.get(name)
        what = "" if criterion is None else _said(criterion)
        tally.add(name, said[name], result, what)
    tally.add("verdict", word, naive.verdict(played, truth), "")


def _said(asked: Any) -> str:
    parts = (asked.metric, asked.statistic, asked.operator, asked.value, asked.stages, asked.request, asked.decision)
    return " ".join(str(part) for part in parts if part is not None)
