"""A comparison in a terminal: the answer and its reason first, then every figure with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from loadgen.core.capacity.compare import Answer
from loadgen.core.capacity.figures import Scale
from loadgen.report.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from loadgen.core.capacity.compare import Comparison, Row

STYLES = {
    Answer.WORSE: "bold red",
    Answer.UNDECIDED: "bold yellow",
    Answer.BETTER: "bold green",
    Answer.EQUIVALENT: "bold green",
}
HEADERS = ("", "before", "after", "change", "95 % interval", "answer")
LEAST = ("before", "after")
ABSENT = "–"


def render(found: Comparison) -> RenderableType:
    """Everything, for a console."""
    head = Text.assemble((str(found.answer), STYLES[found.answer]), "  ", found.message)
    if found.method is None:
        return head
    table = Columns(HEADERS, LEAST)
    for row in found.rows:
        table.add(
            _cells(row), style="" if row.answer is Answer.EQUIVALENT else STYLES[row.answer].removeprefix("bold ")
        )
    note = f"margin {found.margin_percent:g} % (errors: 1 point); {found.method}"
    return Group(head, Text(""), table, Text(f"\n{note}", style="dim"))


def _cells(row: Row) -> Iterable[str]:
    label = f"{row.scope} · {row.figure.name} [{row.figure.unit}]"
    if row.change is None or row.before is None or row.after is None:
        return label, ABSENT, ABSENT, ABSENT, ABSENT, str(row.answer)
    unit = "%" if row.figure.scale is Scale.RATIO else "points"
    change = row.change
    interval = f"{change.low:+.1f} to {change.high:+.1f}"
    return label, f"{row.before:.4g}", f"{row.after:.4g}", f"{change.estimate:+.1f} {unit}", interval, str(row.answer)
