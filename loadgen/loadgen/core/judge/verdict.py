"""One word for a run, and a sentence for the person on call. The first rule that holds decides.

Error (the platform failed) › Aborted › Inconclusive (not measured, or not well) › Failed › Passed. Validity stands
before thresholds, and Passed is what is left when nothing speaks against it: a run without requests, without
successes or with a threshold that could not be judged never gets there.

A run that stopped itself (`load.autoStop`, `abortOnFail`) knows why it failed. That the stop cut off requests, stages
and whatever was still to be seen is our own doing and no reason for doubt; only a generator that was the limit is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.model.plan import Severity
from loadgen.model.report import Result, ValidityLevel, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadgen.model.report import ThresholdResult, Validity, Window


UNANSWERED_PERCENT = 5


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a verdict rests on."""

    validity: Validity
    thresholds: Sequence[ThresholdResult]
    total: Window
    aborted: str | None
    given_up: str | None
    errors: Sequence[str]
    inconclusive: Sequence[str]


Rule = Callable[[Findings], tuple[Verdict, str] | None]


def judge(
    *,
    validity: Validity,
    thresholds: Sequence[ThresholdResult],
    total: Window,
    aborted: str | None = None,
    given_up: str | None = None,
    errors: Sequence[str] = (),
    inconclusive: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The verdict and why. `aborted` says that somebody stopped the run, `given_up` why it stopped itself."""
    findings = Findings(validity, thresholds, total, aborted, given_up, errors, inconclusive)
    decided = (decision for rule in RULES if (decision := rule(findings)))
    return next(decided, (Verdict.PASSED, _praise(findings)))


def platform_failed(found: Findings) -> tuple[Verdict, str] | None:
    return (Verdict.ERROR, _joined(found.errors)) if found.errors else None


def stopped(found: Findings) -> tuple[Verdict, str] | None:
    return None if found.aborted is None else (Verdict.ABORTED, found.aborted)


def hopeless(found: Findings) -> tuple[Verdict, str] | None:
    if found.given_up is None or found.validity.level is ValidityLevel.GENERATOR_LIMITED:
        return None
    return Verdict.FAILED, _with_others(found, found.given_up)


def incomplete(found: Findings) -> tuple[Verdict, str] | None:
    return (Verdict.INCONCLUSIVE, _joined(found.inconclusive)) if found.inconclusive else None


def nothing_measured(found: Findings) -> tuple[Verdict, str] | None:
    if found.total.counts.planned:
        return None
    return Verdict.INCONCLUSIVE, "no request was started in any stage that counts, so nothing was measured"


def not_valid(found: Findings) -> tuple[Verdict, str] | None:
    if found.validity.level is not ValidityLevel.GENERATOR_LIMITED:
        return None
    return Verdict.INCONCLUSIVE, f"the generator was the limit: {_joined(found.validity.reasons)}"


def unanswered(found: Findings) -> tuple[Verdict, str] | None:
    """Requests cut off by the end have no outcome; too many of them and nothing can be said about errors."""
    counts = found.total.counts
    if 100 * counts.incomplete <= UNANSWERED_PERCENT * counts.planned:
        return None
    share = 100 * counts.incomplete / counts.planned
    return Verdict.INCONCLUSIVE, (
        f"{counts.incomplete} of {counts.planned} requests ({share:.0f} %) had no answer when the run ended: "
        "look for a hanging target, or raise load.gracefulStopSeconds"
    )


def no_success(found: Findings) -> tuple[Verdict, str] | None:
    """Stands before `undecided`: that nothing succeeded is itself well measured, and why latencies are missing."""
    counts = found.total.counts
    if counts.succeeded:
        return None
    mostly = f", mostly {found.total.errors[0].failure}" if found.total.errors else ""
    return Verdict.FAILED, _with_others(found, f"none of {counts.planned} requests succeeded{mostly}")


def undecided(found: Findings) -> tuple[Verdict, str] | None:
    unknown = _messages(found, Result.UNKNOWN)
    return (Verdict.INCONCLUSIVE, _joined([*unknown, *_messages(found, Result.FAILED)])) if unknown else None


def violated(found: Findings) -> tuple[Verdict, str] | None:
    failed = _messages(found, Result.FAILED)
    return (Verdict.FAILED, _with_others(found, failed[0])) if failed else None


RULES: tuple[Rule, ...] = (
    platform_failed,
    stopped,
    hopeless,
    incomplete,
    nothing_measured,
    not_valid,
    unanswered,
    no_success,
    undecided,
    violated,
)


def _messages(found: Findings, result: Result) -> list[str]:
    return [
        threshold.message
        for threshold in found.thresholds
        if threshold.result is result and threshold.severity is Severity.ERROR
    ]


def _with_others(found: Findings, sentence: str) -> str:
    """The sentence, and every violated threshold that it is not about, by name."""
    names = [
        threshold.name
        for threshold in found.thresholds
        if threshold.result is Result.FAILED
        and threshold.severity is Severity.ERROR
        and not sentence.startswith((f"{threshold.name}:", threshold.message))
    ]
    return f"{sentence}; also violated: {', '.join(names)}" if names else sentence


def _joined(sentences: Sequence[str]) -> str:
    return "; ".join(sentences)


def _praise(found: Findings) -> str:
    held = sum(threshold.result is Result.PASSED for threshold in found.thresholds)
    warned = [threshold.name for threshold in found.thresholds if threshold.result is not Result.PASSED]
    counts = found.total.counts
    warnings = f"; warnings: {', '.join(warned)}" if warned else ""
    return f"all {held} thresholds hold over {counts.planned} requests{warnings}"
