"""A sweep: where it is or its verdict, the table of its levels, what follows from them, and what gave no evidence. Pure."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from loadgen.report.columns import Columns
from loadgen.report.terminal import STYLES
from loadtest_operator.api.sweep import LevelStatus, LoadTestSweepStatus, SweepPhase

HEADERS = ("verdict", "runs", "req/s", "errors", "SLO", "SLO 95 %", "P50", "P95", "P99")
LEAST = ("P50", "errors", "runs", "P95", "SLO", "P99")
ABSENT = "–"


def picture(namespace: str, name: str, status: LoadTestSweepStatus) -> Group:
    """As far as it is known."""
    return Group(
        _head(status), Text(f"LoadTestSweep {namespace}/{name} · {progress(status)}", style="dim"), *_parts(status)
    )


def progress(status: LoadTestSweepStatus) -> str:
    """`3 of 12 LoadTests finished · knee-4 runs`."""
    runs = status.runs
    counts = f"{runs.finished} of {runs.planned} LoadTests finished" if runs else "not taken up by the operator yet"
    return " · ".join(filter(None, (counts, f"{status.current} runs" if status.current else "")))


def _head(status: LoadTestSweepStatus) -> Text:
    said = status.message or "the operator has not looked at it yet"
    if status.verdict is None:
        return Text(f"{status.phase or SweepPhase.PENDING}  {said}")
    return Text.assemble((str(status.verdict), STYLES[status.verdict]), "  ", said)


def _parts(status: LoadTestSweepStatus) -> Iterator[RenderableType]:
    if status.levels:
        yield Text(f"\nLevels of {', '.join(status.fields)}; response times in milliseconds", style="bold")
        yield Padding(_table(status), (0, 0, 0, 2))
    if said := [*_found(status)]:
        yield Text("\nFound", style="bold")
        yield from _lines(said)
    if status.without_evidence:
        yield Text("\nNo evidence", style="bold")
        yield from _lines(f"{run.name}: {run.message}" for run in status.without_evidence)


def _table(status: LoadTestSweepStatus) -> Columns:
    best = status.best.values if status.best else None
    table = Columns(("", *HEADERS), LEAST)
    for level in status.levels:
        table.add(_cells(level), style="bold" if level.values == best else "")
    return table


def _cells(level: LevelStatus) -> Iterable[str]:
    interval = f"{level.slo_attainment_low_percent}–{level.slo_attainment_high_percent}"
    return (
        ", ".join(level.values),
        str(level.verdict),
        str(level.runs),
        level.requests_per_second,
        f"{level.error_percent} %",
        f"{level.slo_attainment_percent} %",
        interval,
        *(value or ABSENT for value in (level.p50, level.p95, level.p99)),
    )


def _found(status: LoadTestSweepStatus) -> Iterator[str]:
    if status.more_levels:
        yield f"{status.more_levels} more levels have no room in the status"
    if status.best:
        yield f"best: {status.best.level}, {status.best.requests_per_second} requests/s"
    if knee := status.knee:
        ends = f" (95 % interval {knee.low or 'below the range'} to {knee.high or 'beyond the range'})"
        word = {"Known": "", "AtLeast": "at least ", "AtMost": "at most "}[knee.bound]
        yield f"knee: {word}{knee.load}{ends if knee.bound == 'Known' else ''}, {knee.attainment_percent} % within the SLO"
    if status.hold:
        yield status.hold.message


def _lines(sentences: Iterable[str]) -> Iterator[RenderableType]:
    return (Padding(Text(sentence), (0, 0, 0, 2)) for sentence in sentences)
