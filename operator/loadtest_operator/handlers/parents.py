"""What handlers of objects that make LoadTests share: writing the status, making a LoadTest, Events, the last resort."""

import logging
from collections.abc import Mapping
from typing import Any

from loadgen.model.base import Model
from loadtest_operator.adapters.errors import AdapterError, ConflictError, NotFoundError
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common import diff, offspring
from loadtest_operator.core.common.kinds import EVENT, LOAD_TEST, Kind
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.common.owners import is_owned
from loadtest_operator.core.evidence import events
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
STUCK_SECONDS = 30.0


async def write(context: Context, kind: Kind, body: Object, status: Model) -> None:
    """What changed of the status, if anything did."""
    metadata = body["metadata"]
    new = status.model_dump(mode="json", exclude_none=True)
    if patch := diff.merge_patch(body.get("status") or {}, new):
        await context.kube.merge_patch(kind, metadata["namespace"], metadata["name"], {"status": patch}, "status")


async def make(context: Context, parent: Parent, body: Object, says: str) -> bool:
    """The LoadTest, told by an Event; that it is there already is fine if it is the parent's. Whether it is a new one."""
    name = body["metadata"]["name"]
    try:
        await context.kube.create(LOAD_TEST, parent.namespace, body)
    except ConflictError:
        found = await context.kube.get(LOAD_TEST, parent.namespace, name)
        if found is None or not is_owned(found, parent.uid):
            whose = parent.kind.kind.removeprefix("LoadTest").lower()
            raise ConflictError(f"LoadTest {name} exists and is not this {whose}'s: delete or rename it") from None
        return False
    await emit(context, parent, Emit("Normal", "Started", says))
    log.info("%s %s/%s started %s", parent.kind.kind, parent.namespace, parent.name, says)
    return True


async def abort(context: Context, parent: Parent, name: str, **annotations: str) -> None:
    """Stops a LoadTest; that it is gone is fine."""
    noted = {"metadata": {"annotations": annotations}} if annotations else {}
    try:
        await context.kube.merge_patch(LOAD_TEST, parent.namespace, name, {**noted, "spec": {"abort": True}})
    except NotFoundError:
        return


async def emit(context: Context, parent: Parent, action: Emit) -> None:
    """An Event about the parent. It is a courtesy: nothing depends on it."""
    where = (parent.namespace, parent.name, parent.uid)
    try:
        body = events.event(parent.kind, *where, action, context.clock())
        await context.kube.create(EVENT, parent.namespace, body)
    except AdapterError as error:
        log.info("no Event about %s %s/%s: %s", parent.kind.kind, parent.namespace, parent.name, error)


async def give_up(context: Context, kind: Kind, namespace: str, name: str, why: str) -> float:
    """It does not end: it says that it cannot go on, and is looked at again."""
    body = await context.kube.get(kind, namespace, name)
    if body is None:
        return RETRY_SECONDS
    whose = kind.kind.removeprefix("LoadTest").lower()
    says = f"the operator cannot go on with this {whose}, no LoadTest is made: {why}; please report this"
    if patch := offspring.stuck(body, says, context.clock()):
        await context.kube.merge_patch(kind, namespace, name, {"status": patch}, "status")
    return STUCK_SECONDS
