"""The whole report of a run as bytes for a ConfigMap: the generator's report, and beside it what the platform saw.

A ConfigMap holds 1 MiB, so the compressed report may have 900 KiB; a run that has more loses its per-second
series first (the status and the windows have the figures), then its record.
"""

import base64
import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from loadgen.core.capacity import steady
from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.report import Report, Validity, ValidityLevel
from loadtest_operator.core.common import times
from loadtest_operator.core.common.judgement import Judgement
from loadtest_operator.core.common.kinds import CONFIG_MAP
from loadtest_operator.core.evidence import figures, verdict
from loadtest_operator.core.faults import path
from loadtest_operator.core.fleet.manifests import metadata
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.replay import advice
from loadtest_operator.core.scaling.replay.course import Record

MOST_BYTES = 900 * 1024
MOST_TIMELINE = MOST_BYTES // 2
"""Of these, for what was seen of the target."""
KEY = "report.json.gz"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A ConfigMap with the report."""

    name: str
    body: Mapping[str, Any]
    sha256: str
    size: int
    judgement: Judgement
    """What it says; the status says the same."""


def build(observed: Observed, tally: Tally) -> Artifact:
    """The artifact of a run that is being judged."""
    judgement = verdict.judge(observed)
    made = _report(observed, tally, judgement)
    judgement = _advised(observed, made, judgement)
    data = fitted(made, lambda one: _packed(observed, one, judgement))
    name = observed.names.report
    body = {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": metadata(observed, name, "report"),
        "binaryData": {KEY: base64.b64encode(data).decode()},
    }
    return Artifact(name, body, hashlib.sha256(data).hexdigest(), len(data), judgement)


def stored_bytes(config_map: Mapping[str, Any] | None) -> bytes:
    """What an artifact holds; nothing where it is gone, or holds no such thing."""
    held = (config_map or {}).get("binaryData") or {}
    try:
        return base64.b64decode(held.get(KEY) or "", validate=True)
    except ValueError:
        return b""


def _advised(observed: Observed, made: Report, judgement: Judgement) -> Judgement:
    """With what would have suited the load, where there is an autoscaler."""
    if judgement.scaling is None or not observed.timeline.autoscaler:
        return judgement
    record = Record(made, observed.timeline, faults=bool(judgement.faults))
    return replace(judgement, scaling=advice.beside(judgement.scaling, record))


def fitted(report: Report, pack: Callable[[Report], bytes]) -> bytes:
    """As much of the report as there is room for; raises `ValueError` where even its least is too much."""
    data = b""
    for lost in ({}, {"series": ()}, {"series": (), "record": ()}):
        data = pack(report.model_copy(update=lost))
        if len(data) <= MOST_BYTES:
            return data
    raise ValueError(f"the report has {len(data)} bytes compressed; a ConfigMap takes {MOST_BYTES}")


def _report(observed: Observed, tally: Tally, judgement: Judgement) -> Report:
    late = {worker.index: worker.state.started_late_microseconds / 1000 for worker in observed.workers if worker.state}
    made = summary.report(
        observed.plan,
        tally,
        target=observed.status.run.target,
        start_time=times.text(observed.load_start or observed.now),
        verdict=judgement.verdict,
        message=judgement.message,
        validity=judgement.validity or Validity(level=ValidityLevel.VALID),
        thresholds=judgement.thresholds,
        workers=summary.workers(tally, late),
    )
    return steady.beside(made)


def _packed(observed: Observed, report: Report, judgement: Judgement) -> bytes:
    judged = observed.status.model_copy(update=figures.judged(observed, judgement))
    status = judged.model_dump(mode="json", exclude_none=True, include={"faults", "scaling", "workers"})
    whole = {
        "report": report.model_dump(mode="json", exclude_none=True),
        "timeline": msgspec.to_builtins(timeline.fitting(observed.timeline, MOST_TIMELINE)),
        "faultProviders": path.told(observed),
        **status,
    }
    # Without a time stamp in the header the same report has the same hash.
    return gzip.compress(msgspec.json.encode(whole), mtime=0)
