"""The LoadTests of a sweep: their names, what they ran, and what they are worth as evidence.

The n-th run has the n-th name, so nobody can make it twice; its level is read from its own spec, its figures from its own
stored report. So what exists says everything, and an operator that was killed goes on from there.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from loadgen.core.capacity import points
from loadgen.model.errors import InvalidPlanError, LoadgenError
from loadgen.model.report import Report, Verdict
from loadgen.report import documents
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core.common import conditions, offspring
from loadtest_operator.core.common.kinds import LOAD_TEST_SWEEP
from loadtest_operator.core.common.names import GROUP
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.common.owners import is_owned
from loadtest_operator.core.evidence.report import stored_bytes

Object = Mapping[str, Any]

SWEEP_LABEL = f"{GROUP}/sweep"
HOLD = "hold"
LONGEST_RUN = 604_800


@dataclass(frozen=True, slots=True)
class Child:
    """A LoadTest of the sweep."""

    name: str
    uid: str
    place: str
    """Which run it is: 1, 2, …, or hold."""
    point: Mapping[str, Decimal]
    """What its spec has in the fields that are varied."""
    status: LoadTestStatus
    finished: bool = False
    aborting: bool = False
    report: Report | None = None
    lost: str = ""
    """Why there is no report."""

    @property
    def kept(self) -> tuple[str, ...]:
        """What its stored report is: the checksums of its parts."""
        return tuple(part.sha256 or "" for part in self.status.artifacts)

    @property
    def in_vain(self) -> str:
        """Why it is no evidence, as far as only the cluster can tell; empty where the report may speak."""
        complete = conditions.is_true(self.status.conditions, ConditionType.LOAD_COMPLETED)
        if self.report is None or (self.status.verdict is Verdict.INCONCLUSIVE and not complete):
            return f"it ended {self.status.verdict or Verdict.ERROR}: {self.status.message or self.lost}"
        return ""


def parent(sweep: str, namespace: str, uid: str) -> Parent:
    """The sweep as its LoadTests know it."""
    return Parent(LOAD_TEST_SWEEP, namespace, sweep, uid, SWEEP_LABEL)


def seen(bodies: Iterable[Object], owner: Parent, fields: Sequence[str]) -> dict[str, Child]:
    """The sweep's LoadTests by their place."""
    ours = (body for body in bodies if is_owned(body, owner.uid))
    found = (_child(body, owner.name, fields) for body in ours)
    return {child.place: child for child in found}


def _child(body: Object, sweep: str, fields: Sequence[str]) -> Child:
    metadata = body["metadata"]
    finished = offspring.is_finished(body) and "deletionTimestamp" not in metadata
    status = _status(body) if finished else LoadTestStatus()
    return Child(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        place=metadata["name"].removeprefix(f"{sweep}-"),
        point=_point(body["spec"], fields),
        status=status,
        finished=finished,
        aborting=bool(body["spec"].get("abort")),
        lost="it left no report" if not status.artifacts else "",
    )


def _status(body: Object) -> LoadTestStatus:
    """What cannot be read (of another release) is no evidence: one odd LoadTest must not stop its sweep."""
    try:
        return LoadTestStatus.model_validate(body["status"])
    except ValidationError:
        return LoadTestStatus(message="its status cannot be read: it is of another release")


def _point(spec: Object, fields: Sequence[str]) -> dict[str, Decimal]:
    try:
        return {field: points.value_at(spec, field) for field in fields}
    except InvalidPlanError:
        return {}


def with_report(child: Child, config_maps: Sequence[Object | None]) -> Child:
    """With what the parts of its stored report hold, if they are what was stored; series, which no level needs, left out."""
    try:
        data = b"".join(_part(one, wanted) for one, wanted in zip(config_maps, child.kept, strict=True))
        report = documents.load(gzip.decompress(data), f"the report of {child.name}")
    except (LostError, LoadgenError, OSError, EOFError, zlib.error) as error:
        return replace(child, lost=str(error))
    if not report.record:
        return replace(child, lost="its report was too large to keep its record")
    return replace(child, report=report.model_copy(update={"series": (), "workers": ()}))


class LostError(Exception):
    """A part of a report is not what was stored."""


def _part(config_map: Object | None, wanted: str) -> bytes:
    data = stored_bytes(config_map)
    if not data:
        raise LostError("its stored report is gone: somebody has deleted it")
    if hashlib.sha256(data).hexdigest() != wanted:
        raise LostError(
            f"its stored report in ConfigMap {config_map['metadata']['name'] if config_map else ''} was changed"
        )
    return data


def manifest(owner: Parent, place: str, template: Object, settings: Mapping[str, int | str]) -> dict[str, Any]:
    """The LoadTest of a run: the template as the API server has it, newer fields and all, with these fields set."""
    spec = points.filled_in(template["spec"], settings)
    if place == HOLD:
        longer = _seconds(spec) - _seconds(template["spec"])
        spec["activeDeadlineSeconds"] = min(LONGEST_RUN, spec.get("activeDeadlineSeconds", 3600) + max(0, longer))
    return offspring.manifest(owner, f"{owner.name}-{place}", template, spec)


def _seconds(spec: Object) -> int:
    return sum(stage["durationSeconds"] for stage in spec["load"]["stages"])
