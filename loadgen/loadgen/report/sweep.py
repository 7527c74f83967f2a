"""A sweep in a terminal: the conclusion first, then the table of levels; and a sweep's JSON, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from rich.console import Group
from rich.text import Text

from loadgen.core.capacity import points
from loadgen.model.sweep import SWEEP_KIND, SWEEP_SCHEMA, Conclusion, Sweep
from loadgen.report.columns import Columns
from loadgen.report.documents import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from loadgen.model.sweep import LevelFigures

STYLES = {
    Conclusion.CONFIRMED: "bold green",
    Conclusion.MEASURED: "bold green",
    Conclusion.UNCONFIRMED: "bold yellow",
    Conclusion.ABORTED: "bold red",
}
HEADERS = ("", "verdict", "runs", "passed", "planned", "req/s", "errors", "SLO", "SLO fitted", "P50", "P95", "P99")
LEAST = ("SLO fitted", "planned", "passed", "P99", "P50", "errors")
ABSENT = "–"


def is_sweep(document: object) -> bool:
    """Whether a JSON document says that it is one."""
    return isinstance(document, dict) and document.get("kind") == SWEEP_KIND


def load(document: object, name: str) -> Sweep:
    """The sweep in this document. Raises ReportError in words."""
    version = document.get("schemaVersion") if isinstance(document, dict) else None
    if version != SWEEP_SCHEMA:
        raise ReportError(
            f"{name} has schemaVersion {version!r}; this version of loadgen reads sweeps of {SWEEP_SCHEMA!r}"
        )
    try:
        return Sweep.model_validate(document)
    except ValidationError as error:
        raise ReportError(f"{name} is not a sweep of loadgen: {error}") from error


def render(sweep: Sweep) -> RenderableType:
    """Everything, for a console."""
    head = Text.assemble((str(sweep.conclusion), STYLES[sweep.conclusion]), "  ", sweep.message)
    detail = Text(f"{sweep.target} · {len(sweep.runs)} runs · {sweep.generator}\n", style="dim")
    table = Columns(HEADERS, LEAST)
    for level in sweep.levels:
        table.add(_cells(level), style="bold" if level.point == sweep.best else "")
    notes = [Text(f"best: {points.said(sweep.best)}")] if sweep.best else []
    notes += [
        Text(f"{points.said(run.point)}: {why}", style="yellow")
        for run in sweep.runs
        if (why := run.drifting if run.valid else f"no evidence: {run.message}")
    ]
    return Group(head, detail, table, *notes)


def _cells(level: LevelFigures) -> Iterable[str]:
    times = (level.response_time_p50, level.response_time_p95, level.response_time_p99)
    return (
        points.said(level.point),
        str(level.verdict or ABSENT),
        *(str(count) for count in (level.runs, level.passed, level.planned)),
        f"{level.requests_per_second:.4g}",
        *(_percent(share) for share in (level.error_percent, level.attainment_percent, level.fitted_percent)),
        *(ABSENT if value is None else f"{value:.4g}" for value in times),
    )


def _percent(share: float | None) -> str:
    """Never rounded up to 100."""
    return ABSENT if share is None else f"{min(share, 99.99) if share < 100 else share:.4g} %"
