"""The only writer of a LoadTest's status: small merge patches, at most one in five seconds unless something
important changed: a phase, a verdict, a time that decisions rest on, a condition that flipped. A condition that only
gives another reason for the same status may wait, or a flapping API server would get a write for every look.

Every write names the version it rests on. Where the object has changed since, its status decides: if it is what we wrote
last, somebody changed something else and the write is made again; if not, another operator has written, ours is stale
and nothing is written.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from loadtest_operator.adapters.errors import ConflictError
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core.common import diff
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.core.observed import Observed
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run.memory import Memory

EVERY = timedelta(seconds=5)
PATIENT: dict[str, frozenset[str] | None] = {
    "summary": None,
    "workers": None,
    "scaling": None,
    "message": None,
    "observedGeneration": None,
    "run": frozenset({"progressPercent"}),
}


async def write(context: Context, observed: Observed, memory: Memory, status: LoadTestStatus) -> None:
    """Bring the stored status to this one. The memory follows only what was written (or may wait)."""
    new = status.model_dump(mode="json", exclude_none=True)
    patch = diff.merge_patch(memory.written, new)
    waited = memory.written_at is None or observed.now - memory.written_at >= EVERY
    memory.owes = bool(patch) and not waited and not _urgent(patch, memory.written)
    if patch and not memory.owes:
        begun = context.clock()
        await _write(context, observed, memory, patch)
        memory.write_seconds = (context.clock() - begun).total_seconds()
        memory.written, memory.written_at = new, observed.now
    memory.status = status


async def _write(context: Context, observed: Observed, memory: Memory, patch: Mapping[str, Any]) -> None:
    try:
        await _patch(context, observed, memory, patch)
    except ConflictError:
        found = await context.kube.get(LOAD_TEST, observed.namespace, observed.name)
        if found is None or _parsed(found.get("status")) != _parsed(memory.written):
            memory.status = None  # the next look begins with what is stored
            raise
        memory.version = found["metadata"]["resourceVersion"]
        await _patch(context, observed, memory, patch)


def _parsed(status: Mapping[str, Any] | None) -> LoadTestStatus:
    return LoadTestStatus.model_validate(status or {})


async def _patch(context: Context, observed: Observed, memory: Memory, patch: Mapping[str, Any]) -> None:
    body = {"status": patch, "metadata": {"resourceVersion": memory.version}}
    with context.metrics.conflicts.count_exceptions(ConflictError):
        answer = await context.kube.merge_patch(LOAD_TEST, observed.namespace, observed.name, body, "status")
    memory.version = answer["metadata"]["resourceVersion"]


def _urgent(patch: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
    flipped = _statuses(patch) != _statuses(written)
    rest = {key: value for key, value in patch.items() if key != "conditions"}
    return ("conditions" in patch and flipped) or diff.is_urgent(rest, PATIENT)


def _statuses(status: Mapping[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
