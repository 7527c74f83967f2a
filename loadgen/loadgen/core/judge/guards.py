"""Ways to hold without meaning anything, each by name. The lists are the specification; the first that answers decides.

`BEFORE` stands before any claim: without a sample, or where the generator was the limit, nothing is Passed and nothing Failed. `OF_PASSED`
doubts what holds: answers that nearly all stayed away, or that stopped being what they were, keep every bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.judge.claims import Answer, unknown
from loadgen.core.judge.latency import Latency, Speed
from loadgen.core.judge.measures import MEASURES
from loadgen.core.schedule.arrivals import expected
from loadgen.core.schedule.spans import seconds_of
from loadgen.model.plan import Metric
from loadgen.model.report import Doubt, TokenSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadgen.core.judge.scope import Scope
    from loadgen.core.stats.confidence import Seconds
    from loadgen.model.plan import Criterion

COLLAPSED_SHARE = 0.05
"""Fewer answers than this share of what was planned are no sample of it."""
CHANGED_SHARE = 0.1
"""Answers that shrink to this share of what they were are others."""
ENOUGH_ANSWERS = 10
TOGETHER_SHARE = 0.5
"""Of a stream's outputs, those read together with the one before."""
QUARTERS = 4
FROM_TOKENS = (
    *(Metric.OUTPUT_TOKEN_THROUGHPUT, Metric.OUTPUT_TOKENS_PER_SECOND_PER_USER, Metric.TIME_PER_OUTPUT_TOKEN),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What guards look at."""

    asked: Criterion
    scope: Scope
    limited: Mapping[int, str]
    """Why the generator was the limit, by stage."""


Guard = Callable[[Question], Answer | None]


def time_never_came(about: Question) -> Answer | None:
    return None if about.scope.passed else unknown(Doubt.NO_SAMPLE, "that time never came")


def generator_was_the_limit(about: Question) -> Answer | None:
    found = sorted(about.scope.places & about.limited.keys())
    if not found:
        return None
    names = " + ".join(about.scope.plan.load.stages[index].name for index in found)
    return unknown(Doubt.SCOPE_NOT_VALID, f"the generator was the limit in stage {names}: {about.limited[found[0]]}")


def nothing_to_judge_by(about: Question) -> Answer | None:
    if not float(about.scope.grid.planned.sum()):
        return unknown(Doubt.NO_SAMPLE, "no request was planned there")
    if MEASURES[about.asked.metric].attempts(about.scope):
        return None
    if float(about.scope.grid.number(lambda counts: counts.at_once).sum()):
        return unknown(Doubt.ONE_READ, "every answer came in one read, which is no evidence of a pace")
    return unknown(Doubt.NO_SAMPLE, f"no request gave a value{about.scope.mostly}")


def token_sources_mixed(about: Question) -> Answer | None:
    counts = about.scope.counts
    if about.asked.metric not in FROM_TOKENS or counts.token_source is not TokenSource.MIXED:
        return None
    return unknown(
        Doubt.MIXED_SOURCES,
        f"the server told the output tokens of {counts.told} answers (usage) and not those of {counts.untold}, where events stand for "
        "them: no figure of both means anything; let every answer tell its usage, or judge one kind of request",
    )


def answers_stayed_away(about: Question) -> Answer | None:
    """Of latencies that do not count what failed, and of everything where the plan itself was not followed."""
    counts, planned = about.scope.counts, _planned_by_now(about.scope)
    counted = counts.succeeded if isinstance(MEASURES[about.asked.metric], Latency | Speed) else counts.planned
    if counted >= COLLAPSED_SHARE * max(planned, counts.planned):
        return None
    return unknown(
        Doubt.COLLAPSED,
        f"{counted} of about {max(planned, counts.planned):.0f} planned requests were answered{about.scope.mostly}: what so few say is "
        "no sample of the load",
    )


def _planned_by_now(scope: Scope) -> float:
    """Open arrivals that the plan has for the scope so far, of the mix."""
    whole = len(seconds_of(scope.plan, scope.places))
    chosen = [one for index, one in enumerate(scope.plan.requests) if scope.requests is None or index in scope.requests]
    share = sum(one.effective_weight for one in chosen) / sum(one.effective_weight for one in scope.plan.requests)
    return expected(scope.plan, scope.places) * share * len(scope.passed) / whole if whole else 0.0


def tokens_stayed_away(about: Question) -> Answer | None:
    """Output tokens an answer, by quarters of the scope."""
    ended = [about.scope.tally.ended((at,), about.scope.requests) for at in about.scope.passed]
    return _shrunk([one.output_tokens for one in ended], [one.succeeded for one in ended], "output tokens")


def bytes_stayed_away(about: Question) -> Answer | None:
    """Bytes an answer, where all kinds of requests are asked about: bytes are not told apart by kind."""
    scope = about.scope
    if scope.requests is not None and len(scope.requests) < len(scope.plan.requests):
        return None
    received = [sum(beat.bytes_received for beat in scope.tally.pulses((at,))) for at in scope.passed]
    ended = [scope.tally.ended((at,)) for at in scope.passed]
    return _shrunk(received, [one.succeeded for one in ended], "bytes")


def _shrunk(amounts: list[int], answers: list[int], what: str) -> Answer | None:
    amount, number = (_quarters(np.array(values, dtype=np.float64)) for values in (amounts, answers))
    known = [(a / n) for a, n in zip(amount, number, strict=True) if n >= ENOUGH_ANSWERS]
    if len(known) < 2 or min(known[1:]) >= CHANGED_SHARE * known[0]:
        return None
    return unknown(
        Doubt.CHANGED,
        f"answers had {known[0]:.0f} {what} at first and {min(known[1:]):.0f} later: they stopped being what they were, so their "
        "figures are of something else; look at what the target answers",
    )


def gaps_within_reads(about: Question) -> Answer | None:
    """Outputs that were read together are apart by nothing; where most are, a gap says how it was read and not how it was sent."""
    if about.asked.metric is not Metric.INTER_CHUNK_LATENCY:
        return None
    histogram = about.scope.streamed.histogram(Metric.INTER_CHUNK_LATENCY)
    together = int(histogram.counts[0])
    if together <= TOGETHER_SHARE * histogram.count:
        return None
    return unknown(
        Doubt.ONE_READ,
        f"{together} of {histogram.count} outputs were read together with the one before, which is no evidence of their pace: look for a "
        "proxy or gateway that buffers the stream, or ask for MaxStall or TimePerOutputToken",
    )


def _quarters(values: Seconds) -> list[float]:
    return [float(part.sum()) for part in np.array_split(values, QUARTERS)]


BEFORE: tuple[Guard, ...] = (time_never_came, generator_was_the_limit, nothing_to_judge_by, token_sources_mixed)
OF_PASSED: tuple[Guard, ...] = (answers_stayed_away, tokens_stayed_away, bytes_stayed_away, gaps_within_reads)


def first(guards: tuple[Guard, ...], about: Question) -> Answer | None:
    return next((answer for guard in guards if (answer := guard(about))), None)
