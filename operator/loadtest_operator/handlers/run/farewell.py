"""A LoadTest is deleted: the load stops first, then faults go, then everything else. Never longer than its deadline.

What the owner references cover goes by itself afterwards, also without an operator; what could not be undone here
is named in an Event, and time limits that workers and faults carry end it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.core.actions import AbortWorkers, Action, Emit
from loadtest_operator.core.common.kinds import POD
from loadtest_operator.core.faults import machine as faults
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run import history
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run.act import act
from loadtest_operator.handlers.run.gather import gather
from loadtest_operator.handlers.run.memory import Memory

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

DEADLINE_SECONDS = 45.0


async def farewell(context: Context, body: Object) -> None:
    """Stop and remove everything; returns in any case, so that the finalizer goes."""
    memory = context.memory(body["metadata"]["uid"])
    memory.deleting = True
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), memory.lock:
            await stop(context, body, memory, "the LoadTest is deleted")
    except (AdapterError, TimeoutError) as error:
        await _complain(context, body, memory, str(error) or f"not done within {DEADLINE_SECONDS:.0f} s")


async def stop(context: Context, body: Object, memory: Memory, why: str) -> None:
    """The load ends, faults go, everything of the run goes, and its workers have ended. Raises AdapterError."""
    observed = await gather(context, body, memory)
    stops: list[Action] = [AbortWorkers(why)]
    stops += faults.recoveries(observed)
    await act(context, observed, memory, stops)
    await act(context, observed, memory, history.belongings(observed.names))
    await _wait_until_gone(context, observed)


async def _wait_until_gone(context: Context, observed: Observed) -> None:
    selector = observed.names.selector(manifests.WORKER)
    for _ in range(int(DEADLINE_SECONDS / 0.5)):
        if not await context.kube.list(POD, observed.namespace, labels=selector):
            return
        await asyncio.sleep(0.5)


async def _complain(context: Context, body: Object, memory: Memory, why: str) -> None:
    log.warning("%s/%s deleted, but: %s", body["metadata"]["namespace"], body["metadata"]["name"], why)
    message = f"{why}; workers end by their own deadline, faults by their duration"
    try:
        observed = await gather(context, body, memory)
        await act(context, observed, memory, [Emit("Warning", "NotUndone", message)])
    except AdapterError as error:
        log.warning("no Event about it either: %s", error)
