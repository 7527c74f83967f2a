"""The janitor: what belongs to a finished run goes when its ttl is over, and what should have gone at its end goes now.

The watch tells of every LoadTest; the janitor notes the next moment at which something is to be done about it and sleeps
until the nearest. So finished LoadTests need no daemon, timer or finalizer, and cost no API call before that moment.
A changed ttl comes by the watch, too. Objects of deleted LoadTests are Kubernetes' own garbage collector's (owner
references).

A run whose end this process has seen through needs nothing before its ttl. Any other (of an operator that was killed, or
whose farewell failed) is looked at once: what it left is found by its labels and by its name, not by memory.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from loadtest_operator.adapters.errors import AdapterError, ConflictError
from loadtest_operator.api.status import Run
from loadtest_operator.core.common import names, times
from loadtest_operator.core.common.kinds import JOB, LOAD_TEST
from loadtest_operator.core.common.owners import is_owned
from loadtest_operator.core.faults import providers
from loadtest_operator.core.run import retention
from loadtest_operator.handlers.context import Context

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

AGAIN = timedelta(seconds=1)
"""Where somebody else has written meanwhile: what was read was old."""
RETRY = timedelta(seconds=10)
ODD = timedelta(minutes=10)
"""Until something that cannot be tidied up, and not for want of the API server, is looked at again."""
LONGEST_SECONDS = 3600.0
DEFAULT_TTL_SECONDS = 86400


async def keep_tidy(context: Context) -> None:
    """For ever."""
    while True:
        seconds = await tidy(context)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.agenda_changed.wait(), seconds)
        context.agenda_changed.clear()


def note(context: Context, body: Object) -> None:
    """The watch has told of this LoadTest."""
    metadata = body["metadata"]
    if context.agenda.put((metadata["namespace"], metadata["name"]), _due_or_odd(context, body)):
        context.agenda_changed.set()


def _due_or_odd(context: Context, body: Object) -> datetime | None:
    try:
        return _due(context, body)
    except (ValidationError, ValueError, TypeError):
        return context.clock() + ODD  # when it is due, what is wrong with it is logged


def settled(context: Context, body: Object, run: int) -> None:
    """Everything that had to go at the end of this run has gone."""
    context.settled[body["metadata"]["uid"]] = run


def forget(context: Context, metadata: Object) -> None:
    """The LoadTest is gone."""
    context.agenda.put((metadata["namespace"], metadata["name"]), None)
    context.settled.pop(metadata["uid"], None)


async def tidy(context: Context) -> float:
    """Do what is due; the seconds until the next."""
    for key in context.agenda.take(context.clock()):
        await _guarded(context, key)
    due = context.agenda.next()
    return LONGEST_SECONDS if due is None else _seconds_until(context, due)


async def _guarded(context: Context, key: tuple[str, str]) -> None:
    """One that cannot be tidied up does not keep the others from it."""
    try:
        await _tidy_one(context, *key)
    except AdapterError as error:
        log.warning("the janitor could not tidy up after %s: %s", "/".join(key), error)
        context.agenda.put(key, context.clock() + (AGAIN if isinstance(error, ConflictError) else RETRY))
    except Exception:
        context.metrics.failures.labels("Bug").inc()
        log.exception("the janitor cannot tidy up after %s", "/".join(key))
        context.agenda.put(key, context.clock() + ODD)


def _seconds_until(context: Context, due: datetime) -> float:
    return min(LONGEST_SECONDS, max(0.05, (due - context.clock()).total_seconds()))


def _due(context: Context, body: Object) -> datetime | None:
    run = _finished_run(body)
    if run is None:
        return None
    return retention.next_due(run, _ttl(body), settled=context.settled.get(body["metadata"]["uid"]) == run.number)


def _finished_run(body: Object) -> Run | None:
    """Of the status nothing else is read here: what cannot be read of it must not keep its objects for ever."""
    status = body.get("status") or {}
    return Run.model_validate(status.get("run") or {}) if status.get("phase") == "Finished" else None


def _ttl(body: Object) -> int:
    return int(body["spec"].get("ttlSecondsAfterFinished", DEFAULT_TTL_SECONDS))


async def _tidy_one(context: Context, namespace: str, name: str) -> None:
    """With the LoadTest as it is now: its ttl may just have been changed, or a new run begun."""
    body = await context.kube.get(LOAD_TEST, namespace, name)
    due = _due(context, body) if body is not None else None
    run = _finished_run(body) if body is not None else None
    if body is None or run is None or due is None or due > context.clock():
        context.agenda.put((namespace, name), due)
        return
    over = retention.over(run, _ttl(body), context.clock())
    found = await _found(context, body)
    for thing in retention.gone(name, run.number, found, over=over):
        await context.kube.delete_own(thing.kind, namespace, thing.name, body["metadata"]["uid"])
    settled(context, body, run.number)
    if over:
        await _cleaned(context, body)
    else:
        note(context, body)


async def _found(context: Context, body: Object) -> dict[int, bool]:
    """Runs of which a Job or what makes faults is there, and whether load or a fault could still be."""
    metadata, ours = body["metadata"], f"{names.NAME_LABEL}={names.shorten(body['metadata']['name'])}"
    jobs = await context.kube.list(JOB, metadata["namespace"], labels=ours)
    found: dict[int, bool] = {}
    for thing in jobs:
        _note_run(found, metadata["uid"], thing, alive=bool((thing.get("status") or {}).get("active")))
    for kind, component in providers.traces():
        labels = f"{ours},{names.COMPONENT_LABEL}={component}"
        for thing in await context.kube.list(kind, metadata["namespace"], labels=labels):
            _note_run(found, metadata["uid"], thing, alive=True)
    return found


def _note_run(found: dict[int, bool], uid: str, thing: Object, *, alive: bool) -> None:
    """Whatever belongs to this LoadTest, and not to one of the same name before it."""
    if is_owned(thing, uid):
        label = thing["metadata"]["labels"].get(names.RUN_LABEL, "")
        run = int(label) if label.isdecimal() else 0
        found[run] = found.get(run, False) or alive


async def _cleaned(context: Context, body: Object) -> None:
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    patch = {
        "status": {"run": {"cleanupTime": times.whole(context.clock())}},
        "metadata": {"resourceVersion": body["metadata"]["resourceVersion"]},
    }
    with context.metrics.conflicts.count_exceptions(ConflictError):
        await context.kube.merge_patch(LOAD_TEST, namespace, name, patch, "status")
    context.metrics.forget(namespace, name)
