"""Act: the one place where decisions become effects. Every action is safe to repeat; what fails is tried at the next
look.

A failed action is remembered as the run's `trouble`, so that the rules can show it and give up in time.
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

from loadgen.model.wire import WorkerState
from loadtest_operator.adapters.errors import AdapterError, ConflictError, NotFoundError
from loadtest_operator.adapters.target.probe import Way
from loadtest_operator.adapters.workers import api as workers
from loadtest_operator.adapters.workers.control import Address
from loadtest_operator.core.actions import (
    AbortWorkers,
    Action,
    ClearAway,
    Create,
    CreateToken,
    Delete,
    Emit,
    InjectFault,
    ProbeTarget,
    RecoverFault,
    ReleaseWorkers,
    SaveTimeline,
    StartWorkers,
    StoreReport,
)
from loadtest_operator.core.common.kinds import CONFIG_MAP, EVENT, LOAD_TEST, SECRET, Kind
from loadtest_operator.core.evidence import events, report
from loadtest_operator.core.faults import machine
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.observed import Observed, Stored
from loadtest_operator.handlers import providers
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.memory import Memory, RunMemory

TIMELINE_EVERY = timedelta(seconds=5)
CREATES = (Create, CreateToken, SaveTimeline, StoreReport, StartWorkers, InjectFault)


async def act(context: Context, observed: Observed, memory: Memory, actions: Iterable[Action]) -> None:
    """Perform them, one after the other, as long as nobody else may lead. Raises LeaseDoubtError before the first that
    may not be."""
    run, troubles = memory.run, []
    for action in actions:
        if memory.deleting and isinstance(action, CREATES):
            continue
        context.kube.fence()
        try:
            await PERFORMERS[type(action)](context, observed, run, action)
        except AdapterError as error:
            troubles.append(str(error))
    run.trouble = "; ".join(troubles)


async def _create(context: Context, observed: Observed, _run: RunMemory, action: Create) -> None:
    await _create_or_adopt(context, observed, action.kind, dict(action.body))


async def _create_token(context: Context, observed: Observed, run: RunMemory, action: CreateToken) -> None:
    token = secrets.token_urlsafe(32)
    data = {"token": base64.b64encode(token.encode()).decode()}
    await _create_or_adopt(context, observed, SECRET, {**action.body, "data": data})


async def _create_or_adopt(context: Context, observed: Observed, kind: Kind, body: dict[str, Any]) -> None:
    try:
        await context.kube.create(kind, observed.namespace, body)
    except ConflictError:
        name = body["metadata"]["name"]
        found = await context.kube.get(kind, observed.namespace, name)
        owners = found["metadata"].get("ownerReferences", []) if found else []
        if found is not None and not any(owner["uid"] == observed.uid for owner in owners):
            raise ConflictError(
                f"{kind.kind} {name} exists and belongs to somebody else: delete or rename it"
            ) from None


async def _delete(context: Context, observed: Observed, _run: RunMemory, action: Delete) -> None:
    await context.kube.delete(action.kind, observed.namespace, action.name)


async def _clear_away(context: Context, observed: Observed, run: RunMemory, action: ClearAway) -> None:
    for thing in action.things:
        await context.kube.delete(thing.kind, observed.namespace, thing.name)
    run.cleared = True


async def _probe(context: Context, observed: Observed, run: RunMemory, _action: ProbeTarget) -> None:
    if observed.target is not None and run.found is not None:
        way = Way.of(observed.target, observed.valid_spec.target.access, run.found.material)
        run.probe = await context.prober.probe(observed.plan, observed.target, run.probe, way, run.found.material)


async def _start(context: Context, observed: Observed, run: RunMemory, action: StartWorkers) -> None:
    async def one(address: Address, index: int) -> None:
        if index in action.start_at:
            _note(context, run, index, await workers.start(context.control, address, run.token, action.start_at[index]))

    await _each(observed, run, one)


async def _abort(context: Context, observed: Observed, run: RunMemory, action: AbortWorkers) -> None:
    async def one(address: Address, index: int) -> None:
        _note(context, run, index, await workers.abort(context.control, address, run.token, action.reason))

    await _each(observed, run, one)


async def _release(context: Context, observed: Observed, run: RunMemory, _action: ReleaseWorkers) -> None:
    async def one(address: Address, _index: int) -> None:
        await workers.release(context.control, address, run.token)

    await _each(observed, run, one)


async def _each(observed: Observed, run: RunMemory, do: Callable[[Address, int], Awaitable[None]]) -> None:
    """All workers at once; one that cannot be reached does not keep the others from being told."""
    reachable = [pod for pod in observed.pods if pod.ip and pod.phase == "Running"]
    if not run.token:
        return
    answers = await asyncio.gather(
        *(do(Address(observed.namespace, pod.name, pod.ip, manifests.CONTROL_PORT), pod.index) for pod in reachable),
        return_exceptions=True,
    )
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


def _note(context: Context, run: RunMemory, index: int, state: WorkerState) -> None:
    if index in run.workers:
        run.workers[index].state = state
        run.workers[index].answered = context.clock()


async def _inject(context: Context, observed: Observed, run: RunMemory, action: InjectFault) -> None:
    way = providers.way(context, observed.namespace, observed.names, run)
    try:
        await providers.ADAPTERS[action.provider].inject(way, action.fault, action.order)
    except AdapterError as error:
        raise type(error)(f"{machine.trouble_of(action.fault)}{error}") from error


async def _recover(context: Context, observed: Observed, run: RunMemory, action: RecoverFault) -> None:
    way = providers.way(context, observed.namespace, observed.names, run)
    await providers.ADAPTERS[action.provider].recover(way, action.fault)


async def _save_timeline(context: Context, observed: Observed, run: RunMemory, action: SaveTimeline) -> None:
    text = action.body["data"]["timeline.json"]
    recent = run.timeline_saved_at is not None and observed.now - run.timeline_saved_at < TIMELINE_EVERY
    if text == run.timeline_saved or recent:
        return
    save = context.kube.merge_patch if run.timeline_saved else context.kube.put
    try:
        await save(CONFIG_MAP, observed.namespace, observed.names.timeline, action.body)
    except NotFoundError:
        run.timeline_saved = ""  # somebody removed it: the next look makes it anew
        raise
    run.timeline_saved, run.timeline_saved_at = text, observed.now


async def _store_report(context: Context, observed: Observed, run: RunMemory, _action: StoreReport) -> None:
    if observed.tally is None:
        return
    try:
        artifact = await asyncio.to_thread(report.build, observed, observed.tally)
        await context.kube.put(CONFIG_MAP, observed.namespace, artifact.name, artifact.body)
    except (AdapterError, ValueError) as error:
        run.stored = Stored(observed.names.report, error=str(error))
        return
    run.stored = Stored(artifact.name, artifact.sha256, artifact.size)


async def _emit(context: Context, observed: Observed, _run: RunMemory, action: Emit) -> None:
    body = events.event(LOAD_TEST, observed.namespace, observed.name, observed.uid, action, context.clock())
    # An Event is a courtesy: nothing depends on it.
    with contextlib.suppress(AdapterError):
        await context.kube.create(EVENT, observed.namespace, body)


PERFORMERS: dict[type[Action], Callable[..., Awaitable[None]]] = {
    Create: _create,
    CreateToken: _create_token,
    Delete: _delete,
    ClearAway: _clear_away,
    ProbeTarget: _probe,
    StartWorkers: _start,
    AbortWorkers: _abort,
    ReleaseWorkers: _release,
    InjectFault: _inject,
    RecoverFault: _recover,
    SaveTimeline: _save_timeline,
    StoreReport: _store_report,
    Emit: _emit,
}
