"""LoadTests in kopf: a daemon for each that is not finished, and a bounded farewell when one is deleted.

A finished LoadTest has no daemon and no finalizer: it costs nothing until its runToken changes. The daemon never
ends by itself (kopf would not start it again in this process); kopf stops it when the filter no longer matches.
"""

from collections.abc import Mapping
from typing import Any

import kopf

from loadtest_operator.api.meta import GROUP, VERSION
from loadtest_operator.handlers import farewell
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.reconcile import reconcile

PLURAL = "loadtests"


def unfinished(spec: Mapping[str, Any], status: Mapping[str, Any], **_: Any) -> bool:
    """A run goes on, or a new one is asked for."""
    token = (status.get("run") or {}).get("token")
    return status.get("phase") != "Finished" or spec.get("runToken", "1") != token


def register(registry: kopf.OperatorRegistry, context: Context) -> None:
    """The handlers of LoadTests."""

    # The look that finishes a run releases the workers and removes the proxy after it has written Finished, which is
    # what makes kopf stop the daemon: it needs the time to end by itself.
    @kopf.daemon(
        GROUP, VERSION, PLURAL, registry=registry, when=unfinished, cancellation_backoff=15, cancellation_timeout=10
    )
    async def run(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        with context.metrics.active.track_inprogress():
            while not stopped:
                await stopped.wait(await reconcile(context, body))

    @kopf.on.delete(GROUP, VERSION, PLURAL, registry=registry, when=unfinished, retries=3, timeout=55)
    async def delete(body: kopf.Body, **_: Any) -> None:
        await farewell.farewell(context, body)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def gone(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] == "DELETED":
            farewell.forget(context, body["metadata"])
