"""A run while it goes on: a picture for a terminal, a line for a log. Pure: a look in, renderables or a line out."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from kubectl_loadtest.core.watching import Seen
from kubectl_loadtest.views import tables
from loadtest_operator.api.status import Phase

BAR = 40
STAGES = 8
"""As many fit on a screen; those that ended long ago no longer change."""


def picture(title: str, look: Seen, notes: Iterable[str]) -> Group:
    """Everything that is known now; `notes` are what the status does not say."""
    parts: list[RenderableType] = [Text(f"{title} · {_place(look)}", style="bold")]
    status = look.status
    if look.ours and status.run.progress_percent is not None:
        parts.append(Text(_bar(status.run.progress_percent)))
    parts += [Text(line) for line in _lines(look)]
    parts += [Text(note, style="yellow") for note in notes if note]
    if look.ours and (table := tables.figures(status, STAGES)) is not None:
        parts += [Text(""), table, *_earlier(look)]
    return Group(*parts)


def line(look: Seen, notes: Iterable[str]) -> str:
    """The same in one line."""
    parts = [_place(look), *_lines(look), *notes]
    return " · ".join(part for part in parts if part)


def milestone(look: Seen, odd: bool) -> object:
    """What a log wants a line for when it changes; figures are not among it."""
    run, status = look.status.run, look.status
    faults = tuple(fault.result for fault in status.faults)
    return look.ours, run.number, status.phase, run.current_stage, faults, odd


def _place(look: Seen) -> str:
    """`run 3 · Running · stage peak · 62 %`."""
    run = look.status.run
    if not look.ours:
        return "waiting for its run to begin"
    percent = "" if run.progress_percent is None else f"{run.progress_percent} %"
    stage = f"stage {run.current_stage}" if run.current_stage else ""
    parts = (f"run {run.number}", str(look.status.phase or Phase.PENDING), stage, percent)
    return " · ".join(part for part in parts if part)


def _earlier(look: Seen) -> list[Text]:
    left_out = len(look.status.summary.stages if look.status.summary else ()) - STAGES
    return [Text(f"{left_out} earlier stages are not shown", style="dim")] if left_out > 0 else []


def _bar(percent: int) -> str:
    done = BAR * percent // 100
    return "━" * done + "┄" * (BAR - done)


def _lines(look: Seen) -> list[str]:
    if not look.ours:
        return []
    status = look.status
    workers = status.workers
    bad = f", {workers.failed} lost" if workers.failed else ""
    said = [
        status.message or "",
        tables.requests(status),
        f"workers: {workers.ready} of {workers.desired} ready{bad}" if workers.desired else "",
        tables.replicas(status.scaling),
        (status.scaling.message or "") if status.scaling else "",
        *(tables.fault(fault) for fault in status.faults),
    ]
    return list(dict.fromkeys(text for text in said if text))
