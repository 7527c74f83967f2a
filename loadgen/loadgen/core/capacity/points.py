"""The points of a sweep: a template with fields set, and what a run of one is worth as evidence."""

from __future__ import annotations

import copy
import itertools
import random
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from loadgen.core.capacity.knee import BLOCK_SECONDS, Trial
from loadgen.core.judge import lint
from loadgen.core.schedule.spans import counted_stages
from loadgen.model.errors import InvalidPlanError
from loadgen.model.sweep import LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.model.plan import Plan
    from loadgen.model.report import Report
    from loadgen.model.sweep import SweepShape, SweepSpec

    Point = Mapping[str, Decimal]

STEP = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<member>[^\[\]]+)\])?")


def document(spec: SweepSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The LoadTest of a point. Raises InvalidPlanError where a field leads nowhere."""
    filled = filled_in(spec.load_test_template.spec, settings)
    return {"apiVersion": lint.API_VERSION, "kind": lint.KIND, "metadata": {"name": "sweep"}, "spec": filled}


def filled_in(template: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A LoadTest's spec with fields set, by path. Raises InvalidPlanError where a field leads nowhere."""
    filled = copy.deepcopy(dict(template))
    for path, value in settings.items():
        _set(filled, path, value)
    return filled


def settings(point: Point) -> dict[str, int | str]:
    """The fields of a point as a spec has them."""
    return {path: number(value) for path, value in point.items()}


def plan(spec: SweepSpec, point: Point, **more: Any) -> Plan:
    """The plan of a point; `more` are further fields by path. Raises InvalidPlanError."""
    return lint.parse(document(spec, settings(point) | more))


def number(value: Decimal) -> int | str:
    """As a plan has it."""
    return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")


def _set(node: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        node = _enter(node, step, path)
    if not isinstance(node, dict):
        raise InvalidPlanError([f"{path} leads through what is no mapping"])
    node[last] = value


def value_at(spec: Mapping[str, Any], path: str) -> Decimal:
    """What a LoadTest's spec has in a field. Raises InvalidPlanError where there is no number."""
    node: Any = spec
    *way, last = path.split(".")
    for step in way:
        node = _enter(node, step, path)
    try:
        return Decimal(str(node[last]))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise InvalidPlanError([f"{path} holds no number"]) from error


def _enter(node: Any, step: str, path: str) -> Any:
    found = STEP.fullmatch(step)
    inner = node.get(found["name"]) if found and isinstance(node, dict) else None
    if found is None or inner is None:
        raise InvalidPlanError([f"{path}: loadTestTemplate.spec has no {step.split('[', maxsplit=1)[0]}"])
    if found["member"] is None:
        return inner
    members = {str(one.get("name")): one for one in inner if isinstance(one, dict)} if isinstance(inner, list) else {}
    if found["member"] not in members:
        raise InvalidPlanError(
            [f"{path}: there is no {found['member']!r} among {found['name']}: one of {', '.join(members)}"]
        )
    return members[found["member"]]


def grid(spec: SweepShape) -> list[dict[str, Decimal]]:
    """Every combination as often as it is repeated, shuffled round by round: each round has all of them."""
    axes = spec.vary or ()
    points = [
        dict(zip((axis.field for axis in axes), found, strict=True))
        for found in itertools.product(*(a.values for a in axes))
    ]
    chance, ordered = random.Random(spec.seed), []
    for _ in range(spec.repeats):
        ordered += chance.sample(points, len(points))
    return ordered


def ends(spec: SweepShape) -> list[dict[str, Decimal]]:
    """Points whose plans must be valid before any is run: all of a grid, the ends of a search's range."""
    if spec.search is None:
        return grid(spec.model_copy(update={"repeats": 1}))
    return [{spec.search.field: level} for level in (spec.search.min, spec.search.max)]


def said(point: Point) -> str:
    """A point for people."""
    return ", ".join(f"{path} = {value}" for path, value in point.items())


def stage_of(path: str) -> str | None:
    """The stage whose level the field is; None for another field."""
    found = re.match(LEVEL, path)
    return found["stage"] if found else None


def blocks(report: Report, stage: str | None) -> tuple[tuple[int, int], ...]:
    """Good and planned requests in blocks of at least ten seconds, all kinds together; ramps are left out."""
    chosen = stages(report.plan, stage)
    found: list[tuple[int, int]] = []
    for one in report.plan.load.stages:
        groups = [group for group in report.record if group.stage == one.name and one.name in chosen]
        if groups:
            step = groups[0].slots.step_seconds
            skipped, length = -(-one.ramp_seconds // step), -(-BLOCK_SECONDS // step)
            good, planned = (
                [sum(column) for column in zip(*(getattr(group.slots, name) for group in groups), strict=True)]
                for name in ("good", "planned")
            )
            found += _blocks(list(zip(good, planned, strict=True))[skipped:], length)
    return tuple(found)


def _blocks(slots: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The last block takes what is left over."""
    ends = [*range(length, len(slots) - length + 1, length), len(slots)] if slots else []
    return [
        (sum(good for good, _ in slots[start:end]), sum(planned for _, planned in slots[start:end]))
        for start, end in itertools.pairwise([0, *ends])
    ]


def stages(plan: Plan, stage: str | None) -> set[str]:
    """Those that are judged: the one, or all that count."""
    return {stage} if stage else {plan.load.stages[index].name for index in counted_stages(plan)}


def trial(load: Decimal, found: tuple[tuple[int, int], ...]) -> Trial:
    """As the knee takes it."""
    return Trial(float(load), found)
