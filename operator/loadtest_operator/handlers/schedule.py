"""LoadTestSchedules in kopf: a daemon for each, which sleeps until the next start is due, at most half a minute.

Every look reads the schedule and its LoadTests anew: gather → decide → write → act. What is kept between looks is
only what the API cannot say (`ScheduleMemory`), and losing it costs nothing but a repeated attempt.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import kopf
from pydantic import ValidationError

from loadtest_operator.adapters.errors import AdapterError
from loadtest_operator.adapters.metrics.schedules import ScheduleMetrics
from loadtest_operator.api.meta import GROUP, VERSION
from loadtest_operator.api.problems import sentences
from loadtest_operator.api.schedule import LoadTestScheduleSpec, LoadTestScheduleStatus
from loadtest_operator.core.actions import Delete, Emit
from loadtest_operator.core.common.kinds import LOAD_TEST, LOAD_TEST_SCHEDULE
from loadtest_operator.core.common.offspring import Parent
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.run import guard
from loadtest_operator.core.schedule import children as schedule_children
from loadtest_operator.core.schedule.children import REPLACED_ANNOTATION, SCHEDULE_LABEL
from loadtest_operator.core.schedule.starts import (
    AbortChild,
    ObservedSchedule,
    ScheduleAction,
    StartChild,
    decide_schedule,
)
from loadtest_operator.handlers import parents
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS, followed
from loadtest_operator.handlers.run.memory import Failures

log = logging.getLogger(__name__)

Object = Mapping[str, Any]

LONGEST_LOOK_SECONDS = 60.0


@dataclass(slots=True)
class ScheduleMemory:
    """One schedule, as long as its daemon runs."""

    started: datetime | None = None
    trouble: str = ""
    failures: Failures = field(default_factory=Failures)


def register(registry: kopf.OperatorRegistry, context: Context) -> None:
    """The handler of LoadTestSchedules."""
    metrics = ScheduleMetrics(context.metrics.registry)

    @kopf.daemon(
        GROUP,
        VERSION,
        LOAD_TEST_SCHEDULE.plural,
        registry=registry,
        cancellation_backoff=1,
        cancellation_timeout=10,
    )
    async def follow(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        memory, where = ScheduleMemory(), (body["metadata"]["namespace"], body["metadata"]["name"])
        try:
            while not stopped:
                await stopped.wait(await look(context, metrics, memory, *where))
        finally:
            metrics.forget(*where)


async def look(context: Context, metrics: ScheduleMetrics, memory: ScheduleMemory, namespace: str, name: str) -> float:
    """One look; the seconds until the next. Never raises: whatever went wrong, there is a next look."""

    async def one() -> float:
        return await _look(context, metrics, memory, namespace, name)

    async def give_up(why: str) -> float:
        return await parents.give_up(context, LOAD_TEST_SCHEDULE, namespace, name, why)

    where = f"schedule {namespace}/{name}"
    return await followed(context, where, memory.failures, LONGEST_LOOK_SECONDS, one, give_up)


async def _look(context: Context, metrics: ScheduleMetrics, memory: ScheduleMemory, namespace: str, name: str) -> float:
    body = await context.kube.get(LOAD_TEST_SCHEDULE, namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return RETRY_SECONDS
    labels = f"{SCHEDULE_LABEL}={name}"
    observed = observe(body, await context.kube.list(LOAD_TEST, namespace, labels=labels), memory, context.settings)
    decision = decide_schedule(observed, context.clock())
    await parents.write(context, LOAD_TEST_SCHEDULE, body, decision.status)
    await _act(context, observed, memory, decision.actions)
    metrics.show(namespace, name, decision.status)
    return decision.wake_after


def observe(
    body: Object, children: list[dict[str, Any]], memory: ScheduleMemory, settings: Settings
) -> ObservedSchedule:
    """What the API server said, as the decision wants it."""
    metadata = body["metadata"]
    spec, problems = _spec(body)
    return ObservedSchedule(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        spec=spec,
        template=body["spec"].get("loadTestTemplate") or {},
        status=LoadTestScheduleStatus.model_validate(body.get("status") or {}),
        children=schedule_children.seen(children, metadata["uid"]),
        problems=problems,
        refusals=guard.refusals(spec.load_test_template.spec, metadata["namespace"], settings) if spec else (),
        started=memory.started,
        trouble=memory.trouble,
    )


def _spec(body: Object) -> tuple[LoadTestScheduleSpec | None, tuple[str, ...]]:
    try:
        return LoadTestScheduleSpec.model_validate(body["spec"]), ()
    except ValidationError as error:
        return None, sentences(error)


async def _act(
    context: Context, observed: ObservedSchedule, memory: ScheduleMemory, actions: tuple[ScheduleAction, ...]
) -> None:
    """Perform them; what fails is tried again at the next look, and its trouble shown there."""
    troubles = []
    for action in actions:
        try:
            await PERFORMERS[type(action)](context, observed, memory, action)
        except AdapterError as error:
            troubles.append(str(error))
            log.warning("schedule %s/%s: %s", observed.namespace, observed.name, error)
    memory.trouble = "; ".join(troubles)


async def _start(context: Context, observed: ObservedSchedule, memory: ScheduleMemory, action: StartChild) -> None:
    await parents.make(context, _parent(observed), action.body, action.says)
    memory.started = action.minute


async def _abort(context: Context, observed: ObservedSchedule, _memory: ScheduleMemory, action: AbortChild) -> None:
    await parents.abort(context, _parent(observed), action.name, **{REPLACED_ANNOTATION: action.replaced_by})


async def _delete(context: Context, observed: ObservedSchedule, _memory: ScheduleMemory, action: Delete) -> None:
    await context.kube.delete(LOAD_TEST, observed.namespace, action.name)


async def _emit(context: Context, observed: ObservedSchedule, _memory: ScheduleMemory, action: Emit) -> None:
    await parents.emit(context, _parent(observed), action)


def _parent(observed: ObservedSchedule) -> Parent:
    return schedule_children.parent(observed.name, observed.namespace, observed.uid)


PERFORMERS: dict[type[ScheduleAction], Callable[..., Awaitable[None]]] = {
    StartChild: _start,
    AbortChild: _abort,
    Delete: _delete,
    Emit: _emit,
}
