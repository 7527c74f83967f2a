"""What forbids setting runs against each other at all; the first reason counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from loadgen.core.schedule.spans import counted_stages
from loadgen.model.plan import Severity
from loadgen.model.report import Result, ValidityLevel, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loadgen.model.report import Report

    Runs = Sequence[Report]

VOLUME = 0.05
"""How far the number of planned requests, or the seconds measured, may differ."""
UNFINISHED = (Verdict.ERROR, Verdict.ABORTED)


def refuse(before: Runs, after: Runs) -> str | None:
    """Why these runs cannot be compared; None if they can."""
    return next((why for guard in GUARDS if (why := guard(before, after))), None)


def none_given(before: Runs, after: Runs) -> str | None:
    return None if before and after else "there is no run on one of the sides"


def same_run(before: Runs, after: Runs) -> str | None:
    """Equal in everything, its start included: one run, whatever its files are called."""
    seen: list[Report] = []
    for run in (*before, *after):
        if run in seen:
            return (
                f"the run of {run.start_time} was given twice: a run compared with itself is equal and proves nothing"
            )
        seen.append(run)
    return None


def no_record(before: Runs, after: Runs) -> str | None:
    old = [run for run in (*before, *after) if not run.record]
    if not old:
        return None
    return f"{_named(old[0])} keeps no record (schemaVersion {old[0].schema_version}): run it again with this version"


def not_measured(before: Runs, after: Runs) -> str | None:
    for run in (*before, *after):
        if run.validity.level is ValidityLevel.GENERATOR_LIMITED:
            return f"in {_named(run)} the generator was the limit: {'; '.join(run.validity.reasons)}"
        if run.verdict in UNFINISHED or unexplained(run):
            return f"{_named(run)} ended {run.verdict}: {run.message}"
    return None


def unexplained(run: Report) -> bool:
    """Inconclusive for another reason than a threshold that could not be decided."""
    unknown = any(one.result is Result.UNKNOWN and one.severity is Severity.ERROR for one in run.thresholds)
    return run.verdict is Verdict.INCONCLUSIVE and not unknown


def other_plan(before: Runs, after: Runs) -> str | None:
    first = before[0]
    for run in (*before, *after):
        if run.plan_hash != first.plan_hash:
            paths = list(_differences(_plan(first), _plan(run)))
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            return (
                f"the plans differ in {', '.join(paths[:3]) or 'their hashes'}{more}: run both sides with the same plan"
            )
    return None


def _plan(run: Report) -> Any:
    return json.loads(run.plan.model_dump_json())


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    if one == other:
        return
    pairs: dict[str, tuple[Any, Any]] = {}
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = {f".{key}": (one.get(key), other.get(key)) for key in {**one, **other}}
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = {f"[{index}]": pair for index, pair in enumerate(zip(one, other, strict=True))}
    if not pairs:
        yield path.removeprefix(".") or "everything"
    for key, (left, right) in pairs.items():
        yield from _differences(left, right, path + key)


def other_volume(before: Runs, after: Runs) -> str | None:
    """Planned requests of open stages, and seconds of all: a run cut short, or load that was not offered."""
    for what, measure in (("seconds were measured", _seconds), ("requests were planned", _planned)):
        wanted = measure(before[0])
        for run in (*before, *after):
            if abs(measure(run) - wanted) > VOLUME * wanted:
                return (
                    f"in {_named(run)} {measure(run)} {what}, in {_named(before[0])} {wanted}: not the same load"
                    f" ({_named(run)} ended {run.verdict}: {run.message})"
                )
    return None


def _seconds(run: Report) -> int:
    counted = {run.plan.load.stages[index].name for index in counted_stages(run.plan)}
    kind = run.plan.requests[0].name
    return sum(
        len(group.slots.planned) * group.slots.step_seconds
        for group in run.record
        if group.stage in counted and group.request == kind
    )


def _planned(run: Report) -> int:
    counted = [run.plan.load.stages[index] for index in counted_stages(run.plan)]
    opened = {stage.name for stage in counted if stage.concurrency is None}
    return sum(sum(group.slots.planned) for group in run.record if group.stage in opened)


def _named(run: Report) -> str:
    return f"the run of {run.start_time} against {run.target}"


GUARDS: tuple[Callable[[Runs, Runs], str | None], ...] = (
    none_given,
    same_run,
    no_record,
    not_measured,
    other_plan,
    other_volume,
)
