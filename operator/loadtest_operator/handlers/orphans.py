"""The sweeper: what makes faults and belongs to no run that goes on is removed, at the start and every minute.

It is the net below the others (a run's own end, the janitor, owner references): it knows nothing of what this process has
done, only what is there. What it removes is told in an Event; what it cannot remove is counted in a metric.
"""

import asyncio
import logging
from typing import Any

from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common.kinds import EVENT, LOAD_TEST, Kind
from loadtest_operator.core.common.names import COMPONENT_LABEL
from loadtest_operator.core.evidence import events
from loadtest_operator.core.faults import providers
from loadtest_operator.core.faults.orphans import Orphan, orphans
from loadtest_operator.handlers.context import Context

log = logging.getLogger(__name__)
EVERY_SECONDS = 60.0


async def keep_sweeping(context: Context) -> None:
    """For ever, from the start on."""
    while True:
        try:
            context.metrics.orphans.set(await sweep(context))
        except AdapterError as error:
            log.warning("what faults have left could not be found out: %s", error)
        await asyncio.sleep(EVERY_SECONDS)


async def sweep(context: Context) -> int:
    """How many are left. Things first, then LoadTests (`core.faults.orphans`)."""
    things: list[tuple[Kind, Any]] = []
    for kind, component in providers.traces():
        things += [(kind, thing) for thing in await _everywhere(context, kind, f"{COMPONENT_LABEL}={component}")]
    found = orphans(things, await _everywhere(context, LOAD_TEST)) if things else ()
    return sum([not await _removed(context, orphan) for orphan in found])


async def _everywhere(context: Context, kind: Kind, labels: str = "") -> list[Any]:
    namespaces = context.settings.watch_namespaces or (None,)
    return [body for namespace in namespaces for body in await context.kube.list(kind, namespace, labels=labels)]


async def _removed(context: Context, orphan: Orphan) -> bool:
    try:
        await context.kube.delete(orphan.kind, orphan.namespace, orphan.name, {"preconditions": {"uid": orphan.uid}})
    except AdapterError as error:
        await _tell(context, orphan, orphan.stays(str(error)))
        return False
    await _tell(context, orphan, orphan.undone)
    return True


async def _tell(context: Context, orphan: Orphan, message: str) -> None:
    """In the log, and as an Event where there is somebody that it is about."""
    log.warning("%s/%s: %s", orphan.namespace, orphan.name, message)
    if orphan.owner is None:
        return
    metadata, emit = orphan.owner["metadata"], Emit("Warning", "FaultOrphan", message)
    body = events.event(LOAD_TEST, metadata["namespace"], metadata["name"], metadata["uid"], emit, context.clock())
    try:
        await context.kube.create(EVENT, metadata["namespace"], body)
    except AdapterError as error:
        log.warning("an Event about it could not be written: %s", error)
