"""The table of a sweep as its status has it: bounded, whatever was measured."""

from collections.abc import Iterable
from typing import Any

from loadgen.core.capacity import points, sweeping
from loadgen.core.capacity.sweeping import Table
from loadgen.model.report import Verdict
from loadgen.model.sweep import Hold, KneeFigures, LevelFigures
from loadtest_operator.api.meta import decimal_text
from loadtest_operator.api.sweep import BestLevel, HoldStatus, KneeStatus, LevelStatus, SweepRuns
from loadtest_operator.core.sweep.evidence import Evidence

MOST_BYTES = 48 * 1024
"""Of the levels' JSON: with the rest, a status stays under 64 KiB."""
MOST_IN_VAIN = 16


def of(evidence: Evidence) -> dict[str, Any]:
    """Fields of the status that follow from the runs that have finished."""
    lost = evidence.without_evidence
    counts = SweepRuns(planned=evidence.planned, finished=len(evidence.taken), without_evidence=len(lost))
    found = sweeping.table(evidence.progress)
    shown, more = _fitting(_level(one) for one in found.levels)
    return {
        "runs": counts,
        "fields": evidence.spec.fields,
        "levels": shown,
        "more_levels": more or None,
        "best": _best(found.best) if found.best else None,
        "knee": _knee(found.knee) if found.knee else None,
        "without_evidence": lost[-MOST_IN_VAIN:],
    }


def _fitting(levels: Iterable[LevelStatus]) -> tuple[tuple[LevelStatus, ...], int]:
    """As many as there is room for, and how many more there are."""
    shown, size, more = list[LevelStatus](), 0, 0
    for level in levels:
        size += len(level.model_dump_json(exclude_none=True)) + 1
        if size > MOST_BYTES:
            more += 1
        else:
            shown.append(level)
    return tuple(shown), more


def _fields(level: LevelFigures) -> dict[str, Any]:
    return {
        "values": tuple(str(points.number(value)) for value in level.point.values()),
        "runs": level.runs,
        "verdict": level.verdict or Verdict.INCONCLUSIVE,
        "slo_attainment_percent": _percent(level.attainment_percent),
        "slo_attainment_low_percent": _percent(level.attainment_low or 0.0),
        "slo_attainment_high_percent": _percent(100.0 if level.attainment_high is None else level.attainment_high),
        "error_percent": decimal_text(level.error_percent),
        "requests_per_second": decimal_text(level.requests_per_second),
        "p50": decimal_text(level.response_time_p50),
        "p95": decimal_text(level.response_time_p95),
        "p99": decimal_text(level.response_time_p99),
    }


def _level(level: LevelFigures) -> LevelStatus:
    return LevelStatus(**_fields(level))


def _best(level: LevelFigures) -> BestLevel:
    return BestLevel(**_fields(level), level=points.said(level.point))


def _percent(share: float) -> Any:
    """Never rounded up to 100."""
    return decimal_text(min(share, 99.99) if share < 100 else share)


def _knee(found: KneeFigures) -> KneeStatus:
    return KneeStatus(
        field=found.field,
        bound=found.bound,
        load=decimal_text(found.load),
        low=decimal_text(found.low),
        high=decimal_text(found.high),
        shape=found.shape,
        attainment_percent=decimal_text(found.attainment_percent),
    )


def of_hold(hold: Hold) -> HoldStatus:
    """What came of it."""
    return HoldStatus(level=decimal_text(hold.level), seconds=hold.seconds, held=hold.held, message=hold.message)


def concluded(evidence: Evidence, hold: Hold | None) -> tuple[Verdict, str]:
    """What the sweep comes to (`sweeping.verdict`)."""
    found = sweeping.table(evidence.progress)
    conclusion, message = sweeping.conclude(evidence.progress, found.knee, hold)
    return sweeping.verdict(conclusion, found.levels), message + _best_said(found)


def _best_said(found: Table) -> str:
    if found.best is None:
        return ""
    rate, kept = found.best.requests_per_second, _percent(found.best.attainment_percent)
    return f"; best: {points.said(found.best.point)} with {rate:.4g} requests/s, {kept} % within the SLO"
