"""The operator is taken out: runs end, faults go, and no finalizer keeps an object or its namespace from being deleted.

Runs in a process of its own, which leads and has no kopf: nobody puts a finalizer back. A LoadTest that has not begun stays as
it was asked for, so an operator that is installed again runs it; a run in the middle of which this happens is Inconclusive.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from loadtest_operator.adapters.errors import AdapterError, ConflictError, NotFoundError
from loadtest_operator.api.meta import FINALIZER
from loadtest_operator.api.status import UNDER_WAY
from loadtest_operator.core.common import reasons
from loadtest_operator.core.common.kinds import LOAD_TEST, LOAD_TEST_SCHEDULE, LOAD_TEST_SWEEP, Kind
from loadtest_operator.core.run import giving_up
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run import farewell, reconcile

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

AT_ONCE = 16
TRIES = 5
WHY = "the operator was uninstalled in the middle of the run; set another spec.runToken to run it again under the next one"


async def uninstall(context: Context) -> list[str]:
    """Everything that the operator holds is let go. Returns what still keeps an object, in sentences; never raises."""
    places = context.settings.watch_namespaces or (None,)
    gate = asyncio.Semaphore(AT_ONCE)
    kinds = (LOAD_TEST_SCHEDULE, LOAD_TEST_SWEEP, LOAD_TEST)  # who makes LoadTests first
    found = [await _let_all_go(context, gate, kind, namespace) for kind in kinds for namespace in places]
    return [problem for problems in found for problem in problems]


async def _let_all_go(context: Context, gate: asyncio.Semaphore, kind: Kind, namespace: str | None) -> list[str]:
    try:
        bodies = await context.kube.list(kind, namespace)
    except NotFoundError:
        return []  # the CRD has gone already, and every object with it
    except AdapterError as error:
        return [f"{kind.plural} could not be listed: {error}"]

    async def one(body: Object) -> str:
        async with gate:
            return await _let_go(context, kind, body)

    held = [body for body in bodies if FINALIZER in (body["metadata"].get("finalizers") or ())]
    return [problem for problem in await asyncio.gather(*map(one, held)) if problem]


async def _let_go(context: Context, kind: Kind, body: Object) -> str:
    where = f"{kind.kind} {body['metadata']['namespace']}/{body['metadata']['name']}"
    try:
        if kind == LOAD_TEST and (body.get("status") or {}).get("phase") in UNDER_WAY:
            await _end(context, body)
        await _without_finalizer(context, kind, body["metadata"])
    except AdapterError as error:
        return f"{where} keeps its finalizer {FINALIZER}: {error}"
    log.info("%s is let go", where)
    return ""


async def _end(context: Context, body: Object) -> None:
    """As far as it goes: workers end by their own deadline, faults by their duration, and objects go with the LoadTest."""
    memory = context.memory(body["metadata"]["uid"])
    memory.deleting = True
    where = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
    try:
        async with asyncio.timeout(farewell.DEADLINE_SECONDS):
            await farewell.stop(context, body, memory, "the operator is uninstalled")
    except (AdapterError, TimeoutError, ValidationError) as error:
        log.warning("%s is not stopped: %s", where, error or f"not within {farewell.DEADLINE_SECONDS:.0f} s")
    if memory.run.trouble:
        log.warning("%s: %s", where, memory.run.trouble)
    try:
        await _write_end(context, body["metadata"])
    except AdapterError as error:
        log.warning("%s: its end could not be written down: %s", where, error)


async def _write_end(context: Context, metadata: Object) -> None:
    found = await context.kube.get(LOAD_TEST, metadata["namespace"], metadata["name"])
    if found is None:
        return
    ended = giving_up.given_up(found, WHY, context.clock(), reasons.OPERATOR_UNINSTALLED)
    for thing in ended.leftovers:  # of a run that could not be looked at: its Job is its load
        await context.kube.delete_own(thing.kind, metadata["namespace"], thing.name, metadata["uid"])
    if ended.patch:
        await reconcile.write_end(context, found, ended)


async def _without_finalizer(context: Context, kind: Kind, metadata: Object) -> None:
    """Raises AdapterError."""
    namespace, name = metadata["namespace"], metadata["name"]
    for left in range(TRIES, 0, -1):
        found = await context.kube.get(kind, namespace, name)
        if found is None:
            return
        others = [each for each in found["metadata"].get("finalizers") or () if each != FINALIZER]
        version = found["metadata"]["resourceVersion"]
        try:
            patch = {"metadata": {"finalizers": others, "resourceVersion": version}}
            await context.kube.merge_patch(kind, namespace, name, patch)
        except NotFoundError:
            return
        except ConflictError:
            if left == 1:
                raise
        else:
            return
