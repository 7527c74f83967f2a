"""Charts as SVG made by hand: lines and episodes over the run's time, and latency by percentile. A gap in what was measured is a gap in
the line, and the caption says how much is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log10
from typing import TYPE_CHECKING

from loadgen.report.html import axes
from loadgen.report.html.markup import Element, el
from loadgen.report.terminal import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadgen.report.html.axes import Scale
    from loadgen.report.html.surroundings import Episode, Span

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 250, 64, 12, 44, 30
STYLES = 4
ROW = 26


@dataclass(frozen=True, slots=True)
class Line:
    """Values over time; None is a gap. A stepped line holds each value until the next."""

    name: str
    points: Sequence[tuple[float, float | None]]
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """The time axis that the charts of a run share."""

    seconds: float
    stages: Sequence[Span] = ()
    faults: Sequence[Span] = ()


def timeline(title: str, unit: str, lines: Sequence[Line], axis: Axis, *, logarithmic: bool = False) -> Element:
    """Lines over the run. `logarithmic` allows such an axis where the values are far apart."""
    values = [value for line in lines for _, value in line.points if value is not None]
    across = axes.Scale(0.0, max(axis.seconds, 1.0), LEFT, WIDTH - RIGHT)
    up = axes.vertical(values, HEIGHT - BOTTOM, TOP, may_be_logarithmic=logarithmic)
    parts = [
        *_bands(axis, across),
        *_horizontal(up),
        *(_tick(across(at), axes.clock(at, axis.seconds)) for at in axes.moments(axis.seconds)),
        *(_path(line, place, across, up) for place, line in enumerate(lines)),
        *_legend([line.name for line in lines]),
    ]
    notes = [_said(line, unit, axis.seconds) for line in lines]
    scale = ["The vertical axis is logarithmic."] if up.logarithmic else []
    return _figure(title, unit, parts, [*notes, *_thinning(lines), *scale])


def episodes(title: str, rows: Sequence[Episode], axis: Axis) -> Element:
    """A bar for each over the run's time, in the steps that it took; a step that is not known is a gap."""
    across = axes.Scale(0.0, max(axis.seconds, 1.0), LEFT, WIDTH - RIGHT)
    height = TOP + ROW * len(rows) + BOTTOM
    names = list(dict.fromkeys(step.name for row in rows for step in row.steps))
    parts = [
        *_bands(axis, across, height),
        *(_tick(across(at), axes.clock(at, axis.seconds), height) for at in axes.moments(axis.seconds)),
        *(part for place, row in enumerate(rows) for part in _episode(row, TOP + ROW * place, across, names)),
        *(part for place, name in enumerate(names) for part in _key(name, LEFT + 190 * place, place)),
    ]
    notes = [f"{row.name}: {', '.join(_lasted(step) for step in row.steps) or 'no step is known'}." for row in rows]
    return _figure(title, "seconds", parts, notes, height)


def _episode(row: Episode, y: float, across: Scale, names: Sequence[str]) -> Iterable[Element]:
    yield el("text", row.name, x=LEFT - 6, y=f"{y + ROW / 2 + 4:.1f}", text_anchor="end")
    for step in row.steps:
        left, right = across(step.start), across(step.end)
        yield el(
            "rect", el("title", f"{row.name}: {_lasted(step)}"), x=f"{left:.1f}", y=y + 3, height=ROW - 6,
            width=f"{max(right - left, 1.5):.1f}", class_=f"step f{names.index(step.name) % STYLES}",
        )  # fmt: skip


def _key(name: str, x: float, place: int) -> Iterable[Element]:
    yield el("rect", x=x, y=5, width=24, height=12, class_=f"step f{place % STYLES}")
    yield el("text", name, x=x + 30, y=16)


def _lasted(step: Span) -> str:
    return f"{step.name} {step.end - step.start:.1f} s"


@dataclass(frozen=True, slots=True)
class Percentile:
    """A point of a distribution, with the bounds that the sample leaves for it."""

    percent: float
    """Below 100."""
    value: float
    bounds: tuple[float, float] | None = None


def percentiles(title: str, unit: str, curves: Sequence[tuple[str, Sequence[Percentile]]]) -> Element:
    """Latency by percentile; the axis gives each nine the same room, since that is where queues show. Bars are the
    bounds.
    """
    values = [value for _, points in curves for one in points for value in (one.value, *(one.bounds or ()))]
    across = axes.Scale(0.0, 3.0, LEFT, WIDTH - RIGHT - 24)
    up = axes.vertical(values, HEIGHT - BOTTOM, TOP, may_be_logarithmic=True)
    lines = [Line(name, [(_nines(one.percent), one.value) for one in points]) for name, points in curves]
    parts = [
        *_horizontal(up),
        *(_tick(across(_nines(percent)), f"P{percent:g}") for percent in (0.0, 50.0, 90.0, 95.0, 99.0, 99.9)),
        *(_path(line, place, across, up) for place, line in enumerate(lines)),
        *(_marks(points, place, across, up) for place, (_, points) in enumerate(curves)),
        *_legend([name for name, _ in curves]),
    ]
    said = [f"{name}: {', '.join(_worded(one) for one in points)}." for name, points in curves]
    return _figure(title, unit, parts, [*said, *(["The vertical axis is logarithmic."] if up.logarithmic else [])])


def _nines(percent: float) -> float:
    return -log10(1 - percent / 100)


def _worded(one: Percentile) -> str:
    between = f" ({number(one.bounds[0])} to {number(one.bounds[1])})" if one.bounds else ""
    return f"P{one.percent:g} {number(one.value)}{between}"


def _marks(points: Sequence[Percentile], place: int, across: Scale, up: Scale) -> Element:
    """A dot for each, and a bar from bound to bound."""
    at = {one.percent: f"{across(_nines(one.percent)):.1f}" for one in points}
    dots = [el("circle", cx=at[one.percent], cy=f"{up(one.value):.1f}", r="3") for one in points]
    bars = [
        el("path", d=f"M{at[one.percent]} {up(one.bounds[0]):.1f}V{up(one.bounds[1]):.1f}")
        for one in points
        if one.bounds
    ]
    return el("g", *dots, *bars, class_=f"line s{place % STYLES}")


def _figure(title: str, unit: str, parts: Iterable[Element], notes: Sequence[str], height: float = HEIGHT) -> Element:
    text = " ".join(notes)
    drawing = el(
        "svg", el("title", f"{title}, {unit}"), el("desc", text), *parts, viewBox=f"0 0 {WIDTH} {height}", role="img",
        aria_label=f"{title}, {unit}. {text}",
    )  # fmt: skip
    return el("figure", el("h3", f"{title}, {unit}"), drawing, el("figcaption", text))


def _said(line: Line, unit: str, seconds: float) -> str:
    """A line in words, for who does not see it: its ends, when, and how much is missing."""
    known = [(at, value) for at, value in line.points if value is not None and isfinite(value)]
    if not known:
        return f"{line.name}: no value."
    least, most = min(known, key=lambda point: point[1]), max(known, key=lambda point: point[1])
    missing = 0 if line.stepped else len(line.points) - len(known)
    gap = f"; {missing} of {len(line.points)} seconds have no value" if missing else ""
    spread = "throughout" if least[1] == most[1] else f"at least, {number(most[1])} at most"
    when = "" if least[1] == most[1] else f", at {axes.clock(most[0], seconds)}"
    return f"{line.name}: {number(least[1])} {unit} {spread}{when}{gap}."


def _thinning(lines: Sequence[Line]) -> list[str]:
    every = axes.stride_of(max((len(line.points) for line in lines if not line.stepped), default=0))
    return [f"Each place shows the least and the most of {every} seconds."] if every > 1 else []


def _path(line: Line, place: int, across: Scale, up: Scale) -> Element:
    every = 1 if line.stepped else axes.stride_of(len(line.points))
    points, stride = (list(axes.held(line.points)), float("inf")) if line.stepped else (line.points, 1.0)
    pieces = (axes.thinned(piece, every) for piece in axes.unbroken(points, stride))
    drawn = "".join(_piece(piece, across, up, line.stepped) for piece in pieces)
    return el("path", d=drawn, class_=f"line s{place % STYLES}")


def _piece(points: Sequence[tuple[float, float]], across: Scale, up: Scale, stepped: bool) -> str:
    (first, value), *rest = points
    drawn = [f"M{across(first):.1f} {up(value):.1f}"]
    for moment, value in rest:
        drawn.append(f"H{across(moment):.1f}V{up(value):.1f}" if stepped else f"L{across(moment):.1f} {up(value):.1f}")
    return "".join(drawn if rest else [*drawn, "h0"])


def _bands(axis: Axis, across: Scale, below: float = HEIGHT) -> Iterable[Element]:
    for place, stage in enumerate(axis.stages):
        if place % 2:
            yield _band(stage, across, "band", below)
        room = int((across(stage.end) - across(stage.start)) / 7)
        if room >= 3:
            short = stage.name if len(stage.name) <= room else f"{stage.name[: room - 1]}…"
            yield el("text", short, x=f"{across(stage.start) + 3:.1f}", y=TOP - 6)
    yield from (_band(fault, across, "fault", below) for fault in axis.faults)


def _band(span: Span, across: Scale, kind: str, below: float) -> Element:
    left, right = across(span.start), across(span.end)
    width, height = f"{max(right - left, 1):.1f}", below - TOP - BOTTOM
    named = el("title", f"{'fault ' if kind == 'fault' else ''}{span.name}")
    return el("rect", named, x=f"{left:.1f}", y=TOP, width=width, height=height, class_=kind)


def _horizontal(up: Scale) -> Iterable[Element]:
    for value in up.ticks():
        y = f"{up(value):.1f}"
        yield el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis")
        yield el("text", f"{value:,.10g}", x=LEFT - 6, y=f"{up(value) + 4:.1f}", text_anchor="end")


def _tick(x: float, label: str, below: float = HEIGHT) -> Element:
    return el("text", label, x=f"{x:.1f}", y=below - BOTTOM + 18, text_anchor="middle")


def _legend(names: Sequence[str]) -> Iterable[Element]:
    x = LEFT
    for place, name in enumerate(names):
        yield el("path", d=f"M{x} 12h24", class_=f"line s{place % STYLES}")
        yield el("text", name, x=x + 30, y=16)
        x += 50 + 7 * len(name)
