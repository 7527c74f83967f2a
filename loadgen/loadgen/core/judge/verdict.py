"""One word for a run, and a sentence for the person on call. The first rule that holds decides.

Error (the platform failed) › Aborted › Inconclusive for the whole run (not offered, not collected, or the generator was the limit
everywhere) › Failed (anything asked for is violated, in its own valid scope) › Inconclusive (anything is not known) › Passed, which is what
is left when everything that was asked for was shown to hold.

A run that stopped itself (`load.autoStop`, `abortOnFail`) knows why it failed. That the stop cut off requests, stages
and whatever was still to be seen is our own doing and no reason for doubt; only a generator that was the limit is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.judge.thresholds import ANY_SUCCESS, undecided, violated
from loadgen.model.report import Result, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadgen.model.report import ThresholdResult, Validity, Window


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a verdict rests on."""

    validity: Validity
    thresholds: Sequence[ThresholdResult]
    total: Window
    aborted: str | None = None
    """That somebody stopped the run."""
    given_up: str | None = None
    """Why it stopped itself."""
    errors: Sequence[str] = ()
    """What failed of the platform."""
    inconclusive: Sequence[str] = ()
    """What makes all of the run doubtful."""
    violated: Sequence[str] = ()
    """Things asked for beside the thresholds that do not hold."""
    unknown: Sequence[str] = ()
    """The same, where it is not known."""


Rule = Callable[[Findings], tuple[Verdict, str] | None]


def judge(findings: Findings) -> tuple[Verdict, str]:
    """The verdict and why."""
    decided = (decision for rule in RULES if (decision := rule(findings)))
    return next(decided, (Verdict.PASSED, _praise(findings)))


def platform_failed(found: Findings) -> tuple[Verdict, str] | None:
    return (Verdict.ERROR, _joined(found.errors)) if found.errors else None


def stopped(found: Findings) -> tuple[Verdict, str] | None:
    return None if found.aborted is None else (Verdict.ABORTED, found.aborted)


def hopeless(found: Findings) -> tuple[Verdict, str] | None:
    """Unless it may have been the generator's doing: it was the limit somewhere, and nothing is violated elsewhere."""
    if found.given_up is None or found.validity.whole:
        return None
    if found.validity.limited_stages and not violated(found.thresholds):
        return None
    return Verdict.FAILED, _joined([_with_others(found, found.given_up), *found.violated])


def incomplete(found: Findings) -> tuple[Verdict, str] | None:
    return (Verdict.INCONCLUSIVE, _joined(found.inconclusive)) if found.inconclusive else None


def nothing_measured(found: Findings) -> tuple[Verdict, str] | None:
    if found.total.counts.planned:
        return None
    return Verdict.INCONCLUSIVE, "no request was started in any stage that counts, so nothing was measured"


def not_valid(found: Findings) -> tuple[Verdict, str] | None:
    """Everywhere; a stage alone leaves open what was asked of it."""
    if not found.validity.whole:
        return None
    return Verdict.INCONCLUSIVE, f"the generator was the limit: {_joined(found.validity.reasons)}"


def no_success(found: Findings) -> tuple[Verdict, str] | None:
    """Stands before `anything_violated`: it is why all the others are."""
    if not any(one.name == ANY_SUCCESS for one in violated(found.thresholds)):
        return None
    mostly = f", mostly {found.total.errors[0].failure}" if found.total.errors else ""
    return Verdict.FAILED, _with_others(found, f"none of {found.total.counts.planned} requests succeeded{mostly}")


def anything_violated(found: Findings) -> tuple[Verdict, str] | None:
    failed = [one.message for one in violated(found.thresholds)]
    first = [_with_others(found, failed[0])] if failed else []
    return (Verdict.FAILED, _joined([*first, *found.violated])) if first or found.violated else None


def anything_unknown(found: Findings) -> tuple[Verdict, str] | None:
    unknown = [*(one.message for one in undecided(found.thresholds)), *found.unknown]
    return (Verdict.INCONCLUSIVE, _joined(unknown)) if unknown else None


RULES: tuple[Rule, ...] = (
    platform_failed,
    stopped,
    hopeless,
    incomplete,
    nothing_measured,
    not_valid,
    no_success,
    anything_violated,
    anything_unknown,
)


def _with_others(found: Findings, sentence: str) -> str:
    """The sentence, and every violated threshold that it is not about, by name."""
    names = [
        threshold.name
        for threshold in violated(found.thresholds)
        if not sentence.startswith((f"{threshold.name}:", threshold.message))
    ]
    more = f"; also violated: {', '.join(names)}" if names else ""
    open_ = [threshold.name for threshold in undecided(found.thresholds)]
    return f"{sentence}{more}" + (f"; not known: {', '.join(open_)}" if open_ else "")


def _joined(sentences: Sequence[str]) -> str:
    return "; ".join(sentences)


def _praise(found: Findings) -> str:
    held = sum(threshold.result is Result.PASSED for threshold in found.thresholds)
    warned = [threshold.name for threshold in found.thresholds if threshold.result is not Result.PASSED]
    counts = found.total.counts
    warnings = f"; warnings: {', '.join(warned)}" if warned else ""
    return f"all {held} thresholds hold over {counts.planned} requests{warnings}"
