"""Tables that fit: where a terminal is too narrow, the columns that matter least are left out, and named.

A column that is cut in the middle of a number lies; one that is left out does not. The first column is text, the others
are numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

GAP = 2


class Columns:
    """Rows under headers; `least` names the headers that may go, the least important first."""

    def __init__(self, headers: Sequence[str], least: Sequence[str]) -> None:
        self._headers, self._least = headers, least
        self._rows: list[tuple[tuple[str, ...], str]] = []

    def add(self, cells: Iterable[str], style: str = "") -> None:
        self._rows.append((tuple(cells), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        left_out = self._left_out(options.max_width)
        kept = [index for index, header in enumerate(self._headers) if header not in left_out]
        table = Table(box=None, pad_edge=False, header_style="dim")
        for place, index in enumerate(kept):
            table.add_column(self._headers[index], justify="right" if place else "left", no_wrap=True)
        for cells, style in self._rows:
            table.add_row(*(Text(cells[index]) for index in kept), style=style)
        yield table
        if left_out:
            yield Text(f"left out for want of width: {', '.join(left_out)}", style="dim")

    def _left_out(self, width: int) -> Collection[str]:
        widths = {
            header: GAP + max(len(header), *(len(cells[index]) for cells, _ in self._rows), 0)
            for index, header in enumerate(self._headers)
        }
        left_out: list[str] = []
        for header in self._least:
            if sum(widths.values()) - GAP <= width:
                break
            left_out.append(header)
            del widths[header]
        return left_out
