"""Tables in narrow terminals: whole numbers or none."""

import io

import pytest
from rich.console import Console

from loadgen.model.report import Distribution
from loadgen.report.columns import Columns
from loadgen.report.plain import plain
from loadgen.report.terminal import latency_row

HEADERS = ("", "count", "mean", "P50", "P99")


def shown(width: int) -> list[str]:
    table = Columns(HEADERS, ("mean", "P50"))
    table.add(("ResponseTime", "12345", "678.9", "543.2", "1234.5"))
    written = io.StringIO()
    Console(file=written, width=width, color_system=None).print(table)
    return [line.rstrip() for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "columns", "note"),
    [
        (80, ["count", "mean", "P50", "P99"], ""),
        (41, ["count", "mean", "P50", "P99"], ""),
        (40, ["count", "P50", "P99"], "left out for want of width: mean"),
        (32, ["count", "P99"], "left out for want of width: mean, P50"),
    ],
)
def test_a_narrow_terminal_does_without_the_least_important(width: int, columns: list[str], note: str) -> None:
    """What does not fit is left out whole, and named."""
    header, row, *notes = shown(width)
    said = " ".join(notes)
    assert header.split() == columns
    assert len(row.split()) == len(columns) + 1
    assert said == note


@pytest.mark.parametrize(
    ("own", "shown"), [({"P50": 0.2, "P99": 7.5}, "7.50"), ({}, "0.10")], ids=["each", "as of old"]
)
def test_what_stands_beside_a_row_holds_for_each_of_its_percentiles(own: dict[str, float], shown: str) -> None:
    """The loop's lag alone does not: what it read late changed places. Reports of old know no more."""
    row = latency_row("TimeToFirstToken", Distribution(count=700, p50=20, p99=80, uncertainty=0.1, uncertainties=own))
    assert [*row][-1] == shown


def test_brackets_are_text() -> None:
    """A field's path is no markup."""
    table = Columns(("", "n"), ())
    table.add(("load.stages[bold].concurrency", "1"))
    assert "load.stages[bold].concurrency" in plain(table)
