"""One active run per target: who has which target, and who is next (`core.run.queues`).

A target is the workload that would be loaded, not the Service that it is called by. After a start, all LoadTests are read
once, so that a pending one cannot slip in before those that were active or waited longer. From then on the API server is
asked once for each run which workload it is about: whoever ends wakes the next.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loadtest_operator.adapters.target.identity import identity
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.status import UNDER_WAY
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.handlers.context import Context

Object = Mapping[str, Any]


async def blocker(context: Context, body: Object, spec: LoadTestSpec | None) -> str:
    """Who has the target or waits for it longer; nobody (and then we have it) if empty."""
    await _load(context)
    metadata = body["metadata"]
    target = await _target(context, metadata, spec) if _wants(spec) and spec else None
    if context.queues.target_of(_who(metadata)) not in (None, target):
        release(context, metadata)
    if target is None:
        return ""
    first = context.queues.ask(target, _who(metadata), _created(metadata), context.clock())
    return first.rpartition("/")[0]


def ahead(context: Context, metadata: Object, *, full: bool) -> str:
    """Who waits longer for the namespace's quota: of several that hold a part of it and wait for the rest, all but one must give
    their part back, or nobody would ever get the rest."""
    if not full and context.quotas.target_of(_who(metadata)) is None:
        return ""
    first = context.quotas.ask(metadata["namespace"], _who(metadata), _created(metadata), context.clock())
    return first.rpartition("/")[0]


def release_quota(context: Context, metadata: Object) -> None:
    """It has its workers, or needs none any more."""
    _wake(context, context.quotas.leave(_who(metadata), context.clock()))


def release(context: Context, metadata: Object) -> None:
    """A run is over, does not want its turn, or its LoadTest is gone: the next one is woken."""
    release_quota(context, metadata)
    _wake(context, context.queues.leave(_who(metadata), context.clock()))


def _wake(context: Context, following: str) -> None:
    if following:
        context.wake(following.rpartition("/")[2])


async def _target(context: Context, metadata: Object, spec: LoadTestSpec) -> str:
    memory = context.memory(metadata["uid"])
    if memory.identity is None or memory.identity[0] != spec.target:
        memory.identity = spec.target, await identity(context.kube, spec, metadata["namespace"])
    return memory.identity[1]


def _wants(spec: LoadTestSpec | None) -> bool:
    return spec is not None and not spec.suspend and not spec.abort


def _who(metadata: Object) -> str:
    return f"{metadata['namespace']}/{metadata['name']}/{metadata['uid']}"


def _created(metadata: Object) -> datetime:
    return datetime.fromisoformat(metadata["creationTimestamp"])


async def _load(context: Context) -> None:
    async with context.loading:
        if context.loaded:
            return
        for namespace in context.settings.watch_namespaces or (None,):
            for body in await context.kube.list(LOAD_TEST, namespace):
                await _note(context, body)
        context.loaded = True


async def _note(context: Context, body: Object) -> None:
    phase, metadata = (body.get("status") or {}).get("phase") or "Pending", body["metadata"]
    try:
        spec = LoadTestSpec.model_validate(body["spec"])
    except ValidationError:
        return
    if phase in UNDER_WAY or (phase == "Pending" and _wants(spec)):
        target = await _target(context, metadata, spec)
        context.queues.take_part(target, _who(metadata), _created(metadata), context.clock(), active=phase in UNDER_WAY)
