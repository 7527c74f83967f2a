"""Act: the one place where decisions become effects. Every action is safe to repeat; what fails is tried at the next
look.

A failed action is remembered as the run's `trouble`, so that the rules can show it and give up in time.
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from loadgen.model.wire import WorkerState
from loadtest_operator.adapters.errors import AdapterError, ConflictError, InvalidError, NotFoundError
from loadtest_operator.adapters.target.probe import Way
from loadtest_operator.adapters.workers import api as workers
from loadtest_operator.adapters.workers.control import Address
from loadtest_operator.api.status import Phase
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
from loadtest_operator.core.common.kinds import CONFIG_MAP, EVENT, JOB, LOAD_TEST, POD, SECRET, Kind
from loadtest_operator.core.common.owners import is_owned
from loadtest_operator.core.evidence import events, report
from loadtest_operator.core.faults import machine
from loadtest_operator.core.fleet import manifests
from loadtest_operator.core.observed import Observed, ProbeResult, Stored
from loadtest_operator.core.run import guard
from loadtest_operator.core.scaling import timeline
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run import providers
from loadtest_operator.handlers.run.memory import Memory, RunMemory

QUICK_PROBE_SECONDS = 1.0
"""Most targets have answered by then: they need no other look."""
LATEST_TOLD = timedelta(milliseconds=200)
"""A worker told later than this before second 0 may miss it."""
TIMELINE_EVERY = timedelta(seconds=5)
PARTS = (Create, CreateToken)
CREATES = (Create, CreateToken, SaveTimeline, StoreReport, StartWorkers, InjectFault)


async def act(context: Context, observed: Observed, memory: Memory, actions: Iterable[Action]) -> None:
    """Perform them, one after the other, as long as nobody else may lead. Raises LeaseDoubtError before the first that
    may not be.

    What a run is made of is made in order, and nothing after what could not be: a Job beside somebody else's plan of that name
    would run that plan."""
    run, troubles, incomplete = memory.run, [], False
    for action in actions:
        if (memory.deleting and isinstance(action, CREATES)) or (incomplete and isinstance(action, PARTS)):
            continue
        context.kube.fence()
        try:
            await PERFORMERS[type(action)](context, observed, run, action)
        except AdapterError as error:
            troubles.append(str(error))
            incomplete = incomplete or isinstance(action, PARTS)
            if isinstance(error, InvalidError) and isinstance(action, PARTS):
                run.refused = str(error)
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
        await _refuse_foreign(context, observed, kind, body["metadata"]["name"])


async def _put(context: Context, observed: Observed, kind: Kind, name: str, body: Mapping[str, Any]) -> None:
    """Create it, or bring ours to this content."""
    try:
        await context.kube.create(kind, observed.namespace, body)
    except ConflictError:
        await _refuse_foreign(context, observed, kind, name)
        await context.kube.merge_patch(kind, observed.namespace, name, body)


async def _refuse_foreign(context: Context, observed: Observed, kind: Kind, name: str) -> None:
    found = await context.kube.get(kind, observed.namespace, name)
    if found is not None and not is_owned(found, observed.uid):
        raise ConflictError(f"{kind.kind} {name} exists and belongs to somebody else: delete or rename it") from None


async def _delete(context: Context, observed: Observed, run: RunMemory, action: Delete) -> None:
    await context.kube.delete_own(action.kind, observed.namespace, action.name, observed.uid)
    if action.kind == POD:  # it may be who is being asked
        run.asking.drop()
        run.known.forget(action.name)
    if action.kind == JOB and observed.phase is Phase.PREPARING:
        run.forget_workers()


async def _clear_away(context: Context, observed: Observed, run: RunMemory, action: ClearAway) -> None:
    for thing in action.things:
        await context.kube.delete_own(thing.kind, observed.namespace, thing.name, observed.uid)
    run.cleared = True


async def _probe(context: Context, observed: Observed, run: RunMemory, _action: ProbeTarget) -> None:
    """Begin it, unless it is under way. A target may take longer to answer than a look may last (a model that is being
    loaded), so it is not waited for: `gather` sees what came of it."""
    if observed.target is None or run.found is None:
        return
    if run.probing is None:
        own = guard.is_own(observed.valid_spec, observed.namespace, observed.target.elsewhere)
        way = Way.of(observed.target, observed.valid_spec.target.access, run.found.material, own=own)
        probing = context.prober.probe(observed.plan, observed.target, run.probe, way, run.found.material)
        run.probing = asyncio.create_task(probing, name=f"probe of {observed.namespace}/{observed.name}")
        run.probing.add_done_callback(lambda probe: _ready(context, observed.uid, probe))
    await asyncio.wait({run.probing}, timeout=QUICK_PROBE_SECONDS)
    run.note_probe()


def _ready(context: Context, uid: str, probe: asyncio.Task[ProbeResult]) -> None:
    """The run goes on at once; a target that is not ready yet is asked again in a while."""
    if not probe.cancelled() and probe.exception() is None and probe.result().ok:
        context.wake(uid)


async def _start(context: Context, observed: Observed, run: RunMemory, action: StartWorkers) -> None:
    """All of them or, where writing it down took too long, none: then the start moves."""
    if context.clock() > action.second_zero - LATEST_TOLD:
        raise AdapterError("writing the start down took so long that it is too late to tell the workers")

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
    with _about(action.fault):
        await providers.ADAPTERS[action.provider].inject(way, action.fault, action.order)


async def _recover(context: Context, observed: Observed, run: RunMemory, action: RecoverFault) -> None:
    way = providers.way(context, observed.namespace, observed.names, run)
    with _about(action.fault):
        await providers.ADAPTERS[action.provider].recover(way, action.fault)


@contextlib.contextmanager
def _about(fault: str) -> Iterator[None]:
    """Whose order it was that failed."""
    try:
        yield
    except AdapterError as error:
        raise type(error)(f"{machine.trouble_of(fault)}{error}") from error


async def _save_timeline(context: Context, observed: Observed, run: RunMemory, _action: SaveTimeline) -> None:
    if run.timeline_saved_at is not None and observed.now - run.timeline_saved_at < TIMELINE_EVERY:
        return
    name = observed.names.timeline
    body = manifests.timeline(observed, await asyncio.to_thread(timeline.stored, observed.timeline))
    try:
        if run.timeline_saved_at is not None:
            await context.kube.merge_patch(CONFIG_MAP, observed.namespace, name, body)
        else:
            await _put(context, observed, CONFIG_MAP, name, body)
    except NotFoundError:
        run.timeline_saved_at = None  # somebody removed it: the next look makes it anew
        raise
    run.timeline_saved_at = observed.now


async def _store_report(context: Context, observed: Observed, run: RunMemory, _action: StoreReport) -> None:
    if observed.tally is None:
        return
    run.asking.drop()  # the tally is read beside the loop
    try:
        artifact = await asyncio.to_thread(report.build, observed, observed.tally)
        await _put(context, observed, CONFIG_MAP, artifact.name, artifact.body)
    except (AdapterError, ValueError) as error:
        run.stored = Stored(observed.names.report, error=str(error))
        return
    run.stored = Stored(artifact.name, artifact.sha256, artifact.size, judgement=artifact.judgement)


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
