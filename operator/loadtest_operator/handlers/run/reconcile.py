"""One look at one LoadTest: gather → decide → write → act. What kopf's handlers and the tests call."""

import logging
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError, InvalidError
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import giving_up
from loadtest_operator.core.run.decide import decide
from loadtest_operator.core.run.giving_up import GivenUp
from loadtest_operator.handlers import janitor
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS, followed
from loadtest_operator.handlers.run import turns
from loadtest_operator.handlers.run.act import act
from loadtest_operator.handlers.run.gather import gather
from loadtest_operator.handlers.run.memory import Memory
from loadtest_operator.handlers.run.writer import EVERY, write

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

LONGEST_LOOK_SECONDS = 60.0
FINISHED_SECONDS = 60.0


async def reconcile(context: Context, body: Object) -> float:
    """One look; the seconds until the next. Never raises: whatever went wrong, there is a next look."""
    metadata = body["metadata"]
    memory = context.memory(metadata["uid"])

    async def look() -> float:
        async with memory.lock:
            with context.metrics.ticks.time():
                return await _look(context, body, memory)

    async def give_up(why: str) -> float:
        async with memory.lock:
            return await _give_up(context, body, why)

    where = f"{metadata['namespace']}/{metadata['name']}"
    return await followed(context, where, memory.failures, LONGEST_LOOK_SECONDS, look, give_up)


async def _give_up(context: Context, body: Object, why: str) -> float:
    """The run is ended: load stops because its Job goes, and it holds nothing any more. What could not be removed is the
    janitor's."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    found: Object | None = await context.kube.get(LOAD_TEST, namespace, name)
    if found is None:
        return RETRY_SECONDS
    ended = giving_up.given_up(found, why, context.clock())
    for thing in ended.leftovers:
        await _delete(context, found["metadata"], thing)
    turns.release(context, found["metadata"])
    if ended.patch:
        found = await write_end(context, found, ended)
    context.metrics.show(namespace, name, ended.status)
    _let_go(context, found["metadata"])
    janitor.note(context, found)
    return FINISHED_SECONDS


async def write_end(context: Context, found: Object, ended: GivenUp) -> dict[str, Any]:
    """The LoadTest as it is stored then. Raises AdapterError."""
    metadata = found["metadata"]
    version = {"resourceVersion": metadata["resourceVersion"]}
    where = (LOAD_TEST, metadata["namespace"], metadata["name"])
    try:
        return await context.kube.merge_patch(*where, {"status": ended.patch, "metadata": version}, "status")
    except InvalidError:
        return await context.kube.merge_patch(*where, {"status": ended.bare, "metadata": version}, "status")


async def _delete(context: Context, metadata: Object, thing: Delete) -> None:
    try:
        await context.kube.delete_own(thing.kind, metadata["namespace"], thing.name, metadata["uid"])
    except AdapterError as error:
        log.warning("%s %s could not be removed yet: %s", thing.kind.kind, thing.name, error)


def _let_go(context: Context, metadata: Object) -> None:
    """The run is over: its target is free and its memory goes. From here on others may touch the status (the janitor); the
    next run begins with what is stored."""
    turns.release(context, metadata)
    context.forget(metadata["uid"])


async def _look(context: Context, body: Object, memory: Memory) -> float:
    memory.generation = body["metadata"].get("generation", 0)
    if memory.status is None:
        memory.written = dict(body.get("status") or {})
        memory.version = body["metadata"]["resourceVersion"]
    observed = await gather(context, body, memory)
    decision = decide(observed)
    if memory.deleting:
        return RETRY_SECONDS
    await write(context, observed, memory, decision.status)
    _log_step(observed, memory)
    await act(context, observed, memory, decision.actions)
    context.metrics.show(observed.namespace, observed.name, decision.status)
    if decision.status.phase is Phase.FINISHED:
        if not memory.run.trouble:
            janitor.settled(context, body, decision.status.run.number)
        _let_go(context, body["metadata"])
    return min(decision.wake_after, EVERY.total_seconds()) if memory.owes else decision.wake_after


def _log_step(observed: Observed, memory: Memory) -> None:
    new = memory.status
    if new is not None and new.phase is not observed.status.phase:
        log.info(
            "%s/%s run %d: %s → %s: %s",
            observed.namespace, observed.name, new.run.number, observed.status.phase, new.phase, new.message,
        )  # fmt: skip
