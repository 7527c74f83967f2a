"""LoadTestSweeps in kopf: a daemon for each. Every look reads the sweep and its LoadTests anew: gather → decide → write → act.

What is kept between looks is only what costs much to read again: the parsed spec and the reports of finished LoadTests.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import kopf
from pydantic import ValidationError

from loadtest_operator.adapters.errors import AdapterError, ConflictError
from loadtest_operator.api.meta import GROUP, VERSION
from loadtest_operator.api.problems import sentences
from loadtest_operator.api.sweep import LoadTestSweepSpec, LoadTestSweepStatus, SweepPhase
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common.kinds import CONFIG_MAP, LOAD_TEST, LOAD_TEST_SWEEP
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.run import guard
from loadtest_operator.core.sweep import children as sweep_children
from loadtest_operator.core.sweep.children import Child
from loadtest_operator.core.sweep.decide import AbortChild, ObservedSweep, StartChild, SweepAction, decide_sweep
from loadtest_operator.handlers import parents
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS, followed
from loadtest_operator.handlers.run.memory import Failures

log = logging.getLogger(__name__)

Object = Mapping[str, Any]
Spec = tuple[LoadTestSweepSpec | None, tuple[str, ...]]

LONGEST_LOOK_SECONDS = 60.0


@dataclass(slots=True)
class SweepMemory:
    """One sweep, as long as its daemon runs."""

    generation: int = 0
    spec: Spec = (None, ())
    """As of that generation, and what is wrong with it."""
    read: dict[tuple[str, ...], Child] = field(default_factory=dict)
    """Finished LoadTests with their reports, by uid and checksums."""
    trouble: str = ""
    failures: Failures = field(default_factory=Failures)


def register(registry: kopf.OperatorRegistry, context: Context) -> None:
    """The handler of LoadTestSweeps."""

    @kopf.daemon(
        GROUP,
        VERSION,
        LOAD_TEST_SWEEP.plural,
        registry=registry,
        cancellation_backoff=1,
        cancellation_timeout=10,
    )
    async def follow(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        memory, where = SweepMemory(), (body["metadata"]["namespace"], body["metadata"]["name"])
        while not stopped:
            await stopped.wait(await look(context, memory, *where))


async def look(context: Context, memory: SweepMemory, namespace: str, name: str) -> float:
    """One look; the seconds until the next. Never raises: whatever went wrong, there is a next look."""

    async def one() -> float:
        return await _look(context, memory, namespace, name)

    async def give_up(why: str) -> float:
        return await parents.give_up(context, LOAD_TEST_SWEEP, namespace, name, why)

    where = f"sweep {namespace}/{name}"
    return await followed(context, where, memory.failures, LONGEST_LOOK_SECONDS, one, give_up)


async def _look(context: Context, memory: SweepMemory, namespace: str, name: str) -> float:
    body = await context.kube.get(LOAD_TEST_SWEEP, namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return RETRY_SECONDS
    observed = await _observed(context, memory, body)
    # Pooling many reports takes its time; other runs are followed meanwhile.
    decision = await asyncio.to_thread(decide_sweep, observed, context.clock())
    await parents.write(context, LOAD_TEST_SWEEP, body, decision.status)
    await _act(context, observed.owner, memory, decision.actions)
    return decision.wake_after


async def _observed(context: Context, memory: SweepMemory, body: Object) -> ObservedSweep:
    """What the API server says, as the decision wants it."""
    metadata = body["metadata"]
    owner = sweep_children.parent(metadata["name"], metadata["namespace"], metadata["uid"])
    status = LoadTestSweepStatus.model_validate(body.get("status") or {})
    if memory.generation != metadata["generation"]:
        memory.spec = await asyncio.to_thread(_spec, body)
        memory.generation = metadata["generation"]
    spec, problems = memory.spec
    over = spec is None or status.phase is SweepPhase.FINISHED
    return ObservedSweep(
        owner=owner,
        generation=metadata["generation"],
        spec=spec,
        template=body["spec"].get("loadTestTemplate") or {},
        status=status,
        children={} if over or spec is None else await _children(context, memory, owner, spec),
        problems=problems,
        refusals=guard.refusals(spec.load_test_template.spec, owner.namespace, context.settings) if spec else (),
        trouble=memory.trouble,
    )


def _spec(body: Object) -> Spec:
    try:
        return LoadTestSweepSpec.model_validate(body["spec"]), ()
    except ValidationError as error:
        return None, sentences(error)


async def _children(context: Context, memory: SweepMemory, owner: Parent, spec: LoadTestSweepSpec) -> dict[str, Child]:
    bodies = await context.kube.list(LOAD_TEST, owner.namespace, labels=owner.selector)
    found = sweep_children.seen(bodies, owner, spec.fields)
    return {place: await _with_report(context, memory, owner, child) for place, child in found.items()}


async def _with_report(context: Context, memory: SweepMemory, owner: Parent, child: Child) -> Child:
    """Read once: a stored report does not change, and one that was changed is none."""
    if not child.finished or not child.kept:
        return child
    key = (child.uid, *child.kept)
    if key not in memory.read:
        parts = [await context.kube.get(CONFIG_MAP, owner.namespace, part.name) for part in child.status.artifacts]
        memory.read[key] = await asyncio.to_thread(sweep_children.with_report, child, parts)
    return memory.read[key]


async def _act(context: Context, owner: Parent, memory: SweepMemory, actions: tuple[SweepAction, ...]) -> None:
    """Perform them; what fails is tried again at the next look, and its trouble shown there."""
    troubles = []
    for action in actions:
        try:
            await PERFORMERS[type(action)](context, owner, action)
        except AdapterError as error:
            troubles.append(str(error))
            log.warning("sweep %s/%s: %s", owner.namespace, owner.name, error)
    memory.trouble = "; ".join(troubles)


async def _start(context: Context, owner: Parent, action: StartChild) -> None:
    if not await parents.make(context, owner, action.body, action.says):
        # It is there, and yet the list of the sweep's LoadTests did not have it.
        name = action.body["metadata"]["name"]
        raise ConflictError(
            f"LoadTest {name} is there without its label {owner.selector}: put it back, or delete the LoadTest"
        )


async def _abort(context: Context, owner: Parent, action: AbortChild) -> None:
    await parents.abort(context, owner, action.name)


PERFORMERS: dict[type[SweepAction], Callable[..., Awaitable[None]]] = {
    StartChild: _start,
    AbortChild: _abort,
    Emit: parents.emit,
}
