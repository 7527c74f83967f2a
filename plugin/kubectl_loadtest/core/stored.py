"""The stored report of a run: which ConfigMaps hold it, whether they are what was stored, and what is in them. Pure.

A report that was changed after it was stored is not shown. For an earlier run the status keeps no checksum: that is said.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubectl_loadtest.core.statuses import Object
from kubectl_loadtest.problems import BadInputError, PluginError
from loadgen.model.errors import LoadgenError
from loadgen.model.report import Report, Verdict
from loadgen.report import documents
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import ArtifactStatus, LoadTestStatus, Phase
from loadtest_operator.core.evidence.report import KEY

LARGEST = 512 * 1024 * 1024
"""Bytes of an unpacked report. What is larger was not made by the operator."""
UNCHECKED = "The checksum of an earlier run's report is not kept: whether it was changed since is not known."


@dataclass(frozen=True, slots=True)
class Kept:
    """A run whose report can be read."""

    number: int
    verdict: Verdict | None
    ended: datetime | None
    parts: tuple[ArtifactStatus, ...]
    current: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What a run left."""

    report: Report
    beside: Mapping[str, Any]
    """What the platform saw: faults, scaling, workers."""
    notes: tuple[str, ...] = ()


def kept(name: str, status: LoadTestStatus, number: int | None) -> Kept:
    """The run with this number, or the last one. Raises BadInputError where there is none, it goes on, or left no report."""
    run = status.run
    wanted = run.number if number is None else number
    if wanted == run.number and run.number:
        if status.phase is not Phase.FINISHED:
            earlier = f"; `--run {status.history[0].number}` shows the one before" if status.history else ""
            raise BadInputError(f"run {run.number} of LoadTest {name} has not ended ({status.phase}){earlier}")
        return Kept(wanted, status.verdict, run.completion_time, _there(name, status), current=True)
    for past in status.history:
        if past.number == wanted:
            if past.artifact is None:
                raise BadInputError(f"run {wanted} left no report; it ended {past.verdict}: {past.message}")
            parts = (ArtifactStatus(kind="ConfigMap", name=past.artifact),)
            return Kept(wanted, past.verdict, past.completion_time, parts, current=False)
    numbers = [past.number for past in status.history]
    known = ", ".join(map(str, [run.number, *numbers] if run.number else numbers)) or "none"
    raise BadInputError(f"LoadTest {name} has no run {wanted}: known runs are {known}")


def _there(name: str, status: LoadTestStatus) -> tuple[ArtifactStatus, ...]:
    why = next((one.message for one in status.conditions if one.type == ConditionType.RESULTS_STORED), "")
    if not status.artifacts:
        raise BadInputError(
            f"run {status.run.number} left no report{f' ({why})' if why else ''}; it ended {status.verdict}: "
            f"`kubectl loadtest watch {name}` shows what the status has"
        )
    if strange := [one.kind for one in status.artifacts if one.kind != "ConfigMap"]:
        raise BadInputError(f"the report is stored as {', '.join(strange)}: this version reads reports in ConfigMaps")
    return status.artifacts


def data_of(part: ArtifactStatus, config_map: Object | None) -> bytes:
    """The bytes of one part. Raises PluginError where they are gone, or are not those that were stored."""
    if config_map is None:
        raise BadInputError(f"ConfigMap {part.name}, which held the report, is gone: somebody has deleted it")
    encoded = (config_map.get("binaryData") or {}).get(KEY)
    if encoded is None:
        raise PluginError(f"ConfigMap {part.name} has no {KEY}: it is not the one that the operator stored")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise PluginError(f"{KEY} in ConfigMap {part.name} is damaged: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if part.sha256 is not None and digest != part.sha256:
        raise PluginError(
            f"the report in ConfigMap {part.name} is not the one that was stored: its SHA-256 is {digest}, the status says "
            f"{part.sha256}; it is not shown"
        )
    return data


def read(run: Kept, parts: Sequence[bytes]) -> Stored:
    """The report in these bytes, with what is doubtful about it."""
    document = _document(_unpacked(b"".join(parts)))
    try:
        report = documents.load(json.dumps(document["report"]), f"the report of run {run.number}")
    except LoadgenError as error:
        raise PluginError(f"{error}; use the kubectl-loadtest of the operator's release") from error
    unchecked = any(part.sha256 is None for part in run.parts)
    notes = [UNCHECKED] if unchecked else []
    if run.verdict is not None and report.verdict is not run.verdict:
        notes.append(
            f"The stored report says {report.verdict}, the LoadTest's status {run.verdict}: the status counts."
        )
    beside = {name: value for name, value in document.items() if name != "report"}
    return Stored(report, beside, tuple(notes))


def _unpacked(data: bytes) -> bytes:
    """Bounded, so that a small ConfigMap cannot fill the memory."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise PluginError(f"the stored report is damaged: {error}") from error
    if unpacker.unconsumed_tail:
        raise PluginError(f"the stored report has more than {LARGEST} bytes unpacked: it was not made by the operator")
    if not unpacker.eof:
        raise PluginError("the stored report is cut off: its end is missing")
    return text


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PluginError(f"the stored report is not JSON: {error}") from error
    if not isinstance(document, dict) or "report" not in document:
        raise PluginError("the stored document holds no report: it is of another release")
    return document
