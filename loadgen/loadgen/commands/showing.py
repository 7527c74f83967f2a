"""Shows a file again, whichever kind of result it holds."""

import json
from collections.abc import Callable
from pathlib import Path

from loadgen.commands.common import show
from loadgen.model.report import Report
from loadgen.report import documents, sweep


def show_file(file: Path, show_report: Callable[[Report], None], *, only_reports: bool = False) -> None:
    """Raises ReportError where it is neither a report nor a sweep, and for a sweep where only reports will do."""
    text = file.read_bytes()
    document = _parsed(text)
    if sweep.is_sweep(document):
        if only_reports:
            raise documents.ReportError(f"{file} is a sweep: it is shown as a table only, without --html or --junit")
        show(sweep.render(sweep.load(document, str(file))))
    else:
        show_report(documents.load(text, str(file)))


def _parsed(text: bytes) -> object:
    """None for what is no JSON: `documents.load` says so in words."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
