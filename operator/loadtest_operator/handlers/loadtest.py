"""LoadTests in kopf: a daemon for each that is not finished, and a bounded farewell when one is deleted.

A finished LoadTest has no daemon and no finalizer: it costs nothing until its runToken changes. The daemon never
ends by itself (kopf would not start it again in this process); kopf stops it when the filter no longer matches.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import kopf
from pydantic import ValidationError

from loadtest_operator.api.meta import GROUP, VERSION
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.handlers import gone, janitor
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run import farewell
from loadtest_operator.handlers.run.memory import Memory
from loadtest_operator.handlers.run.reconcile import reconcile

Object = Mapping[str, Any]


def unfinished(spec: Object, status: Object, meta: Object, **_: Any) -> bool:
    """A run goes on, a new one is asked for, or the status does not say yet that the newest spec was seen."""
    token = (status.get("run") or {}).get("token")
    if status.get("phase") != "Finished" or spec.get("runToken", "1") != token:
        return True
    return bool(status.get("observedGeneration") != meta.get("generation"))


def register(registry: kopf.OperatorRegistry, context: Context) -> None:
    """The handlers of LoadTests."""

    # The look that finishes a run releases the workers and removes the proxy after it has written Finished, which is
    # what makes kopf stop the daemon: it needs the time to end by itself.
    @kopf.daemon(
        GROUP,
        VERSION,
        LOAD_TEST.plural,
        registry=registry,
        when=unfinished,
        cancellation_backoff=15,
        cancellation_timeout=10,
    )
    async def run(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        with context.metrics.active.track_inprogress(), _bell(context, body["metadata"]["uid"]) as bell:
            while not stopped:
                await _pause(await reconcile(context, body), stopped, bell)

    @kopf.on.delete(GROUP, VERSION, LOAD_TEST.plural, registry=registry, when=unfinished, retries=3, timeout=55)
    async def delete(body: kopf.Body, **_: Any) -> None:
        await farewell.farewell(context, body)

    @kopf.on.event(GROUP, VERSION, LOAD_TEST.plural, registry=registry)
    async def told(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        hear(context, str(event["type"]), body)


def hear(context: Context, event: str, body: Object) -> None:
    """What the watch tells: who follows a LoadTest wakes up when its spec has changed, the janitor notes what is due."""
    metadata = body["metadata"]
    if event == "DELETED":
        gone.forget(context, metadata)
        return
    context.known[metadata["uid"]] = (metadata["namespace"], metadata["name"])
    if _is_news(context.memories.get(metadata["uid"]), body):
        context.wake(metadata["uid"])
    _show_again(context, body)
    janitor.note(context, body)


def _show_again(context: Context, body: Object) -> None:
    """A run that another operator process finished: its series, and the alerts on them, outlive a restart."""
    metadata, status = body["metadata"], body.get("status") or {}
    if metadata["uid"] in context.memories or unfinished(body["spec"], status, metadata):
        return
    if not (status.get("run") or {}).get("cleanupTime"):
        with contextlib.suppress(ValidationError):  # of another release: what cannot be read is not shown
            context.metrics.show(metadata["namespace"], metadata["name"], LoadTestStatus.model_validate(status))


def _is_news(memory: Memory | None, body: Object) -> bool:
    if memory is None:  # its last run is over; until the watch says so, too, the body is an old one
        status = body.get("status") or {}
        return status.get("phase") == "Finished" and unfinished(body["spec"], status, body["metadata"])
    return bool(memory.generation != body["metadata"].get("generation", 0))


@contextlib.contextmanager
def _bell(context: Context, uid: str) -> Iterator[asyncio.Event]:
    bell = context.bells[uid] = asyncio.Event()
    try:
        yield bell
    finally:
        context.bells.pop(uid, None)


async def _pause(seconds: float, stopped: kopf.DaemonStopped, bell: asyncio.Event) -> None:
    """Until the time is over, kopf wants us to end, or there is news."""
    waits = (asyncio.ensure_future(stopped.wait()), asyncio.ensure_future(bell.wait()))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    bell.clear()
