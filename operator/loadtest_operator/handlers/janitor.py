"""The janitor: every ten seconds, one list of our Jobs and proxies; what belongs to a finished run goes when its ttl is
over, and what should have gone at its end goes now.

So finished LoadTests need no daemon, timer or finalizer, and whatever a crash left behind is found. Objects of
deleted LoadTests are Kubernetes' own garbage collector's (owner references).
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.api.status import LoadTestStatus
from loadtest_operator.core import names, retention, times
from loadtest_operator.core.kinds import JOB, LOAD_TEST, POD
from loadtest_operator.handlers.context import Context

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

EVERY_SECONDS = 10.0
OURS = ",".join(f"{key}={value}" for key, value in names.MANAGED_BY.items())


async def keep_tidy(context: Context) -> None:
    """For ever."""
    while True:
        try:
            await sweep(context)
        except AdapterError as error:
            log.warning("the janitor could not look: %s", error)
        await asyncio.sleep(EVERY_SECONDS)


async def sweep(context: Context) -> None:
    """Once."""
    for namespace in context.settings.watch_namespaces or (None,):
        jobs = await context.kube.list(JOB, namespace, labels=OURS)
        proxies = await context.kube.list(POD, namespace, labels=f"{OURS},{names.COMPONENT_LABEL}=proxy")
        active = [job for job in jobs if (job.get("status") or {}).get("active")]
        alive = {_owner(thing) for thing in (*active, *proxies)}
        for owner in {_owner(thing) for thing in (*jobs, *proxies)}:
            await _sweep_run(context, *owner, alive=owner in alive)


def _owner(thing: Object) -> tuple[str, str, int]:
    """Namespace, LoadTest and run number. The name is the owner's, for the label may be a shortened one."""
    metadata = thing["metadata"]
    loadtest = next((owner["name"] for owner in metadata.get("ownerReferences", []) if owner["kind"] == "LoadTest"), "")
    return metadata["namespace"], loadtest, int(metadata["labels"].get(names.RUN_LABEL, 0))


async def _sweep_run(context: Context, namespace: str, name: str, run: int, *, alive: bool) -> None:
    body = await context.kube.get(LOAD_TEST, namespace, name) if name else None
    if body is None:
        return
    status = LoadTestStatus.model_validate(body.get("status") or {})
    ttl = body["spec"].get("ttlSecondsAfterFinished", 86400)
    gone = retention.due(name, status, ttl, run, context.clock())
    forgotten = retention.stray(name, status, run, context.clock()) if alive else ()
    for thing in gone or forgotten:
        await context.kube.delete(thing.kind, namespace, thing.name)
    if gone and run == status.run.number:
        patch = {"status": {"run": {"cleanupTime": times.whole(context.clock())}}}
        await context.kube.merge_patch(LOAD_TEST, namespace, name, patch, "status")
        context.metrics.forget(namespace, name)
