"""One look at one LoadTest: gather → decide → write → act. What kopf's handlers and the tests call."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError, NotFoundError
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import giving_up, history
from loadtest_operator.core.run.decide import decide
from loadtest_operator.handlers import janitor, targets
from loadtest_operator.handlers.act import act
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.gather import gather
from loadtest_operator.handlers.memory import Memory
from loadtest_operator.handlers.writer import EVERY, write

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

RETRY_SECONDS = 2.0
BUG_SECONDS = 10.0
LONGEST_LOOK_SECONDS = 60.0


async def reconcile(context: Context, body: Object) -> float:
    """One look; the seconds until the next. Never raises: whatever went wrong, there is a next look."""
    metadata = body["metadata"]
    memory = context.memory(metadata["uid"])
    where = f"{metadata['namespace']}/{metadata['name']}"
    try:
        async with memory.lock, asyncio.timeout(LONGEST_LOOK_SECONDS):
            with context.metrics.ticks.time():
                return await _look(context, body, memory)
    except NotFoundError as error:
        log.info("%s is gone: %s", where, error)
        return RETRY_SECONDS
    except (AdapterError, TimeoutError) as error:
        context.metrics.failures.labels(type(error).__name__).inc()
        log.warning("%s: %s; trying again", where, error or "took too long")
        return RETRY_SECONDS
    except Exception as error:
        context.metrics.failures.labels("Bug").inc()
        log.exception("%s: a bug in the operator; trying again", where)
        await _after_a_bug(context, body, memory, error)
        return BUG_SECONDS


async def _after_a_bug(context: Context, body: Object, memory: Memory, error: Exception) -> None:
    """Some tries, then the run is ended: load stops because its Job goes."""
    memory.bugs += 1
    if memory.bugs < giving_up.PATIENCE:
        return
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    status = memory.status or LoadTestStatus()
    why = f"{type(error).__name__}: {error}"
    ended = giving_up.given_up(status, why, context.clock(), body["metadata"].get("generation", 0))
    patch = {"status": ended.model_dump(mode="json", exclude_none=True)}
    try:
        for thing in history.belongings(Names(name, status.run.number)):
            await context.kube.delete(thing.kind, namespace, thing.name)
        await context.kube.merge_patch(LOAD_TEST, namespace, name, patch, "status")
        memory.status, memory.written, memory.bugs = ended, patch["status"], 0
    except AdapterError as failure:
        log.warning("%s/%s could not be given up yet: %s", namespace, name, failure)


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
    memory.bugs = 0
    context.metrics.show(observed.namespace, observed.name, decision.status)
    if decision.status.phase is Phase.FINISHED:
        # From here on others may touch the status (the janitor); the next run begins with what is stored.
        targets.release(context, body["metadata"])
        if not memory.run.trouble:
            janitor.settled(context, body, decision.status.run.number)
        context.memories.pop(body["metadata"]["uid"], None)
    return min(decision.wake_after, EVERY.total_seconds()) if memory.owes else decision.wake_after


def _log_step(observed: Observed, memory: Memory) -> None:
    new = memory.status
    if new is not None and new.phase is not observed.status.phase:
        log.info(
            "%s/%s run %d: %s → %s: %s",
            observed.namespace, observed.name, new.run.number, observed.status.phase, new.phase, new.message,
        )  # fmt: skip
