"""The report as JSON, and back. `schemaVersion` is checked before anything else, so that a newer file is refused in
words.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from loadgen.model.errors import LoadgenError
from loadgen.model.report import READABLE, Report


class ReportError(LoadgenError):
    """The text is no report that this version can read."""


def dump(report: Report) -> str:
    """JSON, indented, absent values left out."""
    return report.model_dump_json(exclude_none=True, indent=2) + "\n"


def load(text: str | bytes, name: str = "report") -> Report:
    """The report in this JSON, or the one in what the operator has stored; `name` is what to call it in an error."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name} is not JSON: {error}") from error
    if isinstance(document, dict) and "schemaVersion" not in document:
        document = document.get("report", document)
    version = document.get("schemaVersion") if isinstance(document, dict) else None
    if version not in READABLE:
        readable = " and ".join(repr(one) for one in READABLE)
        raise ReportError(f"{name} has schemaVersion {version!r}; this version of loadgen reads {readable}")
    try:
        return Report.model_validate(_renamed(document) if version == "1" else document)
    except (ValidationError, RecursionError) as error:
        raise ReportError(f"{name} is not a report of loadgen: {error}") from error


RENAMED = {"outputTokensPerSecond": "outputTokenThroughput", "OutputTokensPerSecond": "OutputTokenThroughput"}
"""What version 1 called otherwise: fields, and the metric of a threshold."""


def _renamed(value: Any) -> Any:
    """A document of version 1 in today's names."""
    if isinstance(value, list):
        return [_renamed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    named = {RENAMED.get(name, name): _renamed(inner) for name, inner in value.items()}
    if isinstance(metric := named.get("metric"), str):
        named["metric"] = RENAMED.get(metric, metric)
    return named
