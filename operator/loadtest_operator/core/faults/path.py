"""Whether what stands in the load's way for the faults was well: a slow or dead proxy is never the target's fault.

The proxy measures itself second by second, as a worker does. The rules are two lists, as in the generator's validity: the
first makes the measurement GeneratorLimited (Inconclusive), the second Degraded. They are judged over all seconds in which
load was offered, before, in and after a fault; what the proxy has not told of is not taken for sound.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadgen.core.judge.validity import (
    CPU_SECONDS,
    CPU_SHARE,
    LAG_MILLISECONDS,
    LAG_SHARE_OF_BOUND,
    THROTTLED_SHARE,
    Quality,
    figure,
    tightest_bound,
)
from loadgen.core.stats.histogram import Histogram
from loadgen.model.proxy import PathPulse
from loadgen.model.report import ValidityLevel
from loadtest_operator.core.common import times
from loadtest_operator.core.faults import providers
from loadtest_operator.core.faults.view import PathRecord, View
from loadtest_operator.core.observed import Observed

UNTOLD = timedelta(seconds=1.5)
"""A pulse is told when its second is over: so much may be missing of a record that is complete."""
LATE_MILLISECONDS, LATE_SHARE, LATE_ANYHOW_MILLISECONDS = 50.0, 0.2, 250.0
"""A loop this late at P99 over ten seconds does not pass on what the target did: 50 ms or, where that is more, a fifth of the
tightest latency asked for; 250 ms where none is asked for."""
MOST_REFUSED = 0.001
"""Of the connections and requests of a run, one in a thousand."""
REMEDY = "give workers, and with them the delay proxy, more CPU (workerTemplate.resources), or offer less load"


@dataclass(frozen=True, slots=True)
class Span:
    """Some seconds on end, added up."""

    begin: datetime
    seconds: float
    cpu: float
    """Cores."""
    throttled: float
    """Share of the time."""
    lag: float
    """Event loop's, P99, milliseconds."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at. `spans` are ten seconds each, and the rest."""

    title: str
    begin: datetime
    end: datetime
    view: View
    record: PathRecord
    pulses: tuple[PathPulse, ...]
    spans: tuple[Span, ...]
    sent: int
    bound: float | None
    """The tightest latency that is asked for, milliseconds."""

    def at(self, moment: datetime) -> str:
        return f"{max(0.0, (moment - self.begin).total_seconds()):.0f} s into the load"


Rule = Callable[[Evidence], str | None]


def judged(quality: Quality, observed: Observed) -> Quality:
    """The generator's validity, and that of what it sent through: where that was not well, nothing can be judged."""
    evidence, found = gather(observed), quality.validity
    limited, degraded = _reasons(LIMITED, evidence), _reasons(DEGRADED, evidence)
    if limited:
        everywhere = dict.fromkeys(range(len(observed.plan.load.stages)), limited[0])
        worst = {"level": ValidityLevel.GENERATOR_LIMITED, "reasons": (*limited, *found.reasons), "whole": True}
        return Quality(found.model_copy(update=worst), everywhere)
    if degraded and found.level is ValidityLevel.VALID:
        found = found.model_copy(update={"level": ValidityLevel.DEGRADED})
    return Quality(found.model_copy(update={"reasons": (*found.reasons, *degraded)}), quality.limited)


def told(observed: Observed) -> list[dict[str, object]]:
    """What each tells of itself, for the report: its worst ten seconds, and what it adds at rest, in milliseconds."""
    return [_told(seen) for seen in gather(observed)]


def _told(seen: Evidence) -> dict[str, object]:
    rest = seen.record.at_rest
    return {
        "name": seen.title,
        "cores": seen.record.cores,
        "busiestCores": max((span.cpu for span in seen.spans), default=None),
        "loopLagP99Milliseconds": max((span.lag for span in seen.spans), default=None),
        "refused": sum(pulse.refused for pulse in seen.pulses),
        "seconds": sum(pulse.microseconds for pulse in seen.pulses) / 1e6,
        "atRestP50Milliseconds": rest.p50_microseconds / 1000 if rest else None,
        "atRestP99Milliseconds": rest.p99_microseconds / 1000 if rest else None,
    }


def doubt(observed: Observed) -> str:
    """Why failures seen so far may not be the target's; empty where nothing speaks for that."""
    return "; ".join(_reasons(LIMITED, gather(observed)))


def gather(observed: Observed) -> tuple[Evidence, ...]:
    """For each provider in the load's way: the seconds from second 0 to the end of the load, or to now."""
    start, end = observed.load_start, observed.status.run.load_end_time or observed.now
    if start is None or start >= end:
        return ()
    views = [(provider.title, providers.view_of(observed, provider)) for provider in providers.in_the_way(observed)]
    return tuple(_evidence(observed, title, view, start, end) for title, view in views)


def _evidence(observed: Observed, title: str, view: View, begin: datetime, end: datetime) -> Evidence:
    record = view.path or PathRecord(1.0)
    pulses = tuple(pulse for pulse in record.pulses if begin < _end_of(pulse) and _begin_of(pulse) < end)
    return Evidence(
        title=title,
        begin=begin,
        end=end,
        view=view,
        record=record,
        pulses=pulses,
        spans=tuple(_span(part) for part in _parts(pulses)),
        sent=observed.tally.select().counts.sent if observed.tally else 0,
        bound=tightest_bound(observed.plan),
    )


def _begin_of(pulse: PathPulse) -> datetime:
    return times.from_nanoseconds(pulse.at)


def _end_of(pulse: PathPulse) -> datetime:
    return _begin_of(pulse) + timedelta(microseconds=pulse.microseconds)


def _parts(pulses: Sequence[PathPulse]) -> Iterable[Sequence[PathPulse]]:
    """Ten on end, each beginning five after the one before: no ten bad seconds are cut into two halves unseen."""
    last = max(len(pulses) - CPU_SECONDS, 0)
    starts = {*range(0, last + 1, CPU_SECONDS // 2), last}
    return [pulses[start : start + CPU_SECONDS] for start in sorted(starts) if pulses]


def _span(pulses: Sequence[PathPulse]) -> Span:
    lag, time = Histogram(), sum(pulse.microseconds for pulse in pulses)
    for pulse in pulses:
        lag.add(pulse.loop_lag)
    return Span(
        begin=_begin_of(pulses[0]),
        seconds=time / 1e6,
        cpu=sum(pulse.cpu_microseconds for pulse in pulses) / max(time, 1),
        throttled=sum(pulse.throttled_microseconds for pulse in pulses) / max(time, 1),
        lag=lag.percentile(99) / 1000 if lag.count else 0.0,
    )


def _reasons(rules: tuple[Rule, ...], evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    return tuple(said for each in evidence for rule in rules if (said := rule(each)))


def gone(seen: Evidence) -> str | None:
    if not seen.view.lost or _told_to_the_end(seen):
        return None
    return (
        f"{seen.title} was lost while load was offered: {seen.view.lost}; what failed from then on is not the target's"
    )


def silent(seen: Evidence) -> str | None:
    if seen.view.lost or _told_to_the_end(seen):
        return None
    last = seen.at(seen.view.answered) if seen.view.answered else "before the load"
    why = f" ({seen.view.trouble})" if seen.view.trouble else ""
    return f"{seen.title} last answered {last}{why}: whether requests reached the target since then is not known"


def _told_to_the_end(seen: Evidence) -> bool:
    """It answered in this very look, or did when the load had ended."""
    answered = seen.view.answered
    return seen.view.ready or (answered is not None and answered >= seen.end - UNTOLD)


def began_late(seen: Evidence) -> str | None:
    """Another process than the one before: what it did to the load, and that it was gone, nobody tells."""
    if seen.view.answered is None or (seen.pulses and _begin_of(seen.pulses[0]) <= seen.begin):
        return None
    if not seen.pulses and seen.end - seen.begin < UNTOLD:
        return None
    when = seen.at(_begin_of(seen.pulses[0])) if seen.pulses else "after the load"
    return f"{seen.title} was started anew: its own record begins {when}, so not every request reached the target"


def refusing(seen: Evidence) -> str | None:
    refused = sum(pulse.refused for pulse in seen.pulses)
    if refused <= MOST_REFUSED * seen.sent:
        return None
    return (
        f"{seen.title} could not take or open {refused} connections for lack of its own means (files, ports, memory, "
        f"names, backlog), {seen.sent} requests were sent: they did not fail at the target. Keep connections alive, or "
        "offer less load"
    )


def out_of_cpu(seen: Evidence) -> str | None:
    worst = max(seen.spans, key=lambda span: span.cpu, default=None)
    share = worst.cpu / seen.record.cores if worst else 0.0
    if worst is None or share <= CPU_SHARE or worst.seconds < CPU_SECONDS - 1:
        return None
    return (
        f"{seen.title} used {worst.cpu:.2f} of the {seen.record.cores:.2f} cores it may use for {worst.seconds:.0f} s, "
        f"{seen.at(worst.begin)} ({100 * share:.0f} %, at most {100 * CPU_SHARE:.0f} % is sound): {REMEDY}"
    )


def throttled(seen: Evidence) -> str | None:
    worst = max(seen.spans, key=lambda span: span.throttled, default=None)
    if worst is None or worst.throttled <= THROTTLED_SHARE:
        return None
    return (
        f"{seen.title} was throttled by its CPU limit for {100 * worst.throttled:.0f} % of {worst.seconds:.0f} s, "
        f"{seen.at(worst.begin)} (at most {100 * THROTTLED_SHARE:.0f} % is sound): {REMEDY}"
    )


def late(seen: Evidence) -> str | None:
    worst = max(seen.spans, key=lambda span: span.lag, default=None)
    limit = _too_late(seen)
    if worst is None or worst.lag <= limit:
        return None
    return (
        f"{seen.title} passed everything on {figure(worst.lag)} ms late at P99 of {worst.seconds:.0f} s, "
        f"{seen.at(worst.begin)} (at most {figure(limit)} ms is sound): {REMEDY}"
    )


def blurred(seen: Evidence) -> str | None:
    worst = max((span.lag for span in seen.spans), default=0.0)
    limit = _sound(seen)
    if not limit < worst <= _too_late(seen):
        return None
    return (
        f"{seen.title} was {figure(worst)} ms late at P99, more than {figure(limit)} ms; latencies are blurred by as "
        f"much: {REMEDY}"
    )


def adds_at_rest(seen: Evidence) -> str | None:
    rest = seen.record.at_rest
    limit = _sound(seen)
    if rest is None or rest.p50_microseconds <= 1000 * limit:
        return None
    return (
        f"{seen.title} added {figure(rest.p50_microseconds / 1000)} ms to a round trip even at rest (P50 of {rest.turns} "
        f"turns, P99 {figure(rest.p99_microseconds / 1000)} ms), more than {figure(limit)} ms: {REMEDY}"
    )


def _sound(seen: Evidence) -> float:
    """As for the workers: 5 ms, or a tenth of the tightest latency asked for."""
    return min(LAG_MILLISECONDS, LAG_SHARE_OF_BOUND * seen.bound) if seen.bound else LAG_MILLISECONDS


def _too_late(seen: Evidence) -> float:
    return max(LATE_MILLISECONDS, LATE_SHARE * seen.bound) if seen.bound else LATE_ANYHOW_MILLISECONDS


LIMITED: tuple[Rule, ...] = (gone, silent, began_late, refusing, out_of_cpu, throttled, late)
DEGRADED: tuple[Rule, ...] = (blurred, adds_at_rest)
