"""Gather: the world around one LoadTest, into one frozen value.

What the API server shows is read anew, each part at its own pace; where it cannot be read now, the last known stays (a
pod is not gone because the API server is). Workers are asked directly, at every look. Nothing is decided here.
"""

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from loadgen.core.stats.tally import Tally
from loadgen.model.wire import WorkerPhase, WorkerState
from loadtest_operator.adapters.errors import AdapterError, OtherReleaseError
from loadtest_operator.adapters.target import look as target
from loadtest_operator.adapters.target import material
from loadtest_operator.adapters.target.material import Found
from loadtest_operator.adapters.workers import api as workers
from loadtest_operator.adapters.workers.control import Address
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.problems import sentences
from loadtest_operator.api.status import UNDER_WAY, LoadTestStatus, Phase
from loadtest_operator.core.common import conditions, times
from loadtest_operator.core.common.kinds import CONFIG_MAP, EVENT, JOB, POD, SECRET, SELECTING, Kind
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.owners import is_owned
from loadtest_operator.core.faults.providers import provider_of
from loadtest_operator.core.fleet import manifests, quota
from loadtest_operator.core.fleet.pods import WorkerPod, newest_by_index, worker_pod
from loadtest_operator.core.observed import JobView, Observed, WorkerView
from loadtest_operator.core.run import guard
from loadtest_operator.core.run.rules.preparing import CLOCK_SAMPLES
from loadtest_operator.core.scaling import timeline
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run import providers, turns
from loadtest_operator.handlers.run.memory import Memory, RunMemory, WorkerMemory

Object = Mapping[str, Any]

MUTABLE = ("abort", "suspend", "ttl_seconds_after_finished")
FIRST_COMPLAINT_SECONDS = 3
STARTING_SECONDS, JOB_SECONDS = 0.4, 5.0
"""Between two readings of the run's Job and pods: while something is expected, and while all is well."""


async def gather(context: Context, body: Object, memory: Memory) -> Observed:
    """The world, now."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    status = memory.status or LoadTestStatus.model_validate(body.get("status") or {})
    run = memory.for_run(status.run.number)
    run.note_probe()
    names = Names(name, status.run.number)
    live, problems = parsed(body.get("spec") or {})
    spec = await _spec_of_run(context, namespace, names, status, live, run)
    phase = status.phase or Phase.PENDING
    if spec is not None and phase in UNDER_WAY:
        await _look_around(context, namespace, names, spec, status, run)
    return Observed(
        now=context.clock(),
        namespace=namespace,
        name=name,
        uid=body["metadata"]["uid"],
        generation=body["metadata"].get("generation", 0),
        status=status,
        settings=context.settings,
        write_seconds=memory.write_seconds,
        spec=spec,
        problems=problems,
        token=live.run_token if live else "",
        blocker=await turns.blocker(context, body, spec) if phase is Phase.PENDING else "",
        ahead=_ahead(context, body, phase, run),
        job=run.job,
        pods=run.pods,
        workers=_views(context, run),
        target=run.target,
        probe=run.probe,
        providers=dict(run.providers),
        tally=run.tally,
        timeline=run.timeline,
        stored=run.stored,
        cleared=run.cleared,
        trouble=run.trouble,
        refused=run.refused,
        captured=run.captured,
        lacking=run.found.lacking if run.found else "",
        unusable=run.found.unusable if run.found else "",
    )


def _ahead(context: Context, body: Object, phase: Phase, run: RunMemory) -> str:
    if phase is not Phase.PREPARING:
        turns.release_quota(context, body["metadata"])
        return ""
    full = quota.is_full(run.job.trouble if run.job else run.trouble)
    return turns.ahead(context, body["metadata"], full=full)


def parsed(spec: Object) -> tuple[LoadTestSpec | None, tuple[str, ...]]:
    """The spec, or a sentence for everything that is wrong with it."""
    try:
        return LoadTestSpec.model_validate(spec), ()
    except ValidationError as error:
        return None, sentences(error)


async def _spec_of_run(
    context: Context, namespace: str, names: Names, status: LoadTestStatus, live: LoadTestSpec | None, run: RunMemory
) -> LoadTestSpec | None:
    """The spec that the run began with, with today's abort, suspend and ttl."""
    if status.phase not in UNDER_WAY:
        return live
    if live is not None and live.run_token == status.run.token:
        run.spec = live
        return live
    if run.spec is None:
        found = await context.kube.get(CONFIG_MAP, namespace, names.plan)
        run.spec = LoadTestSpec.model_validate_json(found["data"]["spec.json"]) if found else None
    if run.spec is None or live is None:
        return run.spec
    return run.spec.model_copy(update={field: getattr(live, field) for field in MUTABLE})


async def _look_around(
    context: Context, namespace: str, names: Names, spec: LoadTestSpec, status: LoadTestStatus, run: RunMemory
) -> None:
    looks = [_look_at_target(context, namespace, names, spec, run)]
    if conditions.is_true(status.conditions, ConditionType.TARGET_READY):
        looks += [
            _look_at_workers(context, namespace, names, spec, run),
            _look_at_providers(context, namespace, names, spec, run),
        ]
        run.found = None
    else:
        looks += [
            _look_at_material(context, namespace, spec, run),
            _look_at_selectors(context, namespace, names, spec, run),
        ]
    await asyncio.gather(*looks)


async def _look_at_target(context: Context, namespace: str, names: Names, spec: LoadTestSpec, run: RunMemory) -> None:
    try:
        await _load_timeline(context, namespace, names, run)
        run.target = await target.look(context.kube, spec, namespace, run.known, run.meter, context.clock())
    except AdapterError as error:
        run.trouble = str(error)
        run.timeline = timeline.missed(run.timeline, str(error))
        return
    if spec.target.service_ref is None:
        return
    if run.target.found:
        run.timeline = timeline.extended(run.timeline, run.target, context.clock())
    else:
        run.timeline = timeline.missed(run.timeline, "the target's Service was not there")


async def _look_at_selectors(
    context: Context, namespace: str, names: Names, spec: LoadTestSpec, run: RunMemory
) -> None:
    """Would something in the namespace take the workers for other pods, because of labels that the user gave?"""
    given, ours = spec.worker_template.labels, manifests.worker_labels(names)
    if not given:
        return

    async def captured(kind: Kind) -> str:
        list_all = partial(context.kube.list, kind, namespace)
        found = await run.known.ask(f"every {kind.plural}", JOB_SECONDS, context.clock(), list_all)
        return guard.attracting(kind, found, given, ours)

    said = await asyncio.gather(*map(captured, SELECTING))
    run.captured = next(filter(None, said), "")


async def _look_at_material(context: Context, namespace: str, spec: LoadTestSpec, run: RunMemory) -> None:
    """Again and again until all of it is there."""
    if run.found is not None and not run.found.lacking:
        return
    try:
        run.found = await material.read(context.kube, namespace, spec)
    except AdapterError as error:
        run.found = Found(lacking=str(error))


async def _load_timeline(context: Context, namespace: str, names: Names, run: RunMemory) -> None:
    """Once: what an operator before us saw."""
    if run.timeline_loaded:
        return
    found = await context.kube.get(CONFIG_MAP, namespace, names.timeline)
    if found is not None:
        run.timeline = timeline.loaded((found.get("binaryData") or {}).get(manifests.TIMELINE_KEY, ""))
    run.timeline_loaded = True


async def _look_at_workers(context: Context, namespace: str, names: Names, spec: LoadTestSpec, run: RunMemory) -> None:
    """The workers tell most themselves; the API server is asked about their pods now and then, and whenever something is
    not as it should be."""
    now, away = context.clock(), False
    try:
        await _look_at_job(context, namespace, names, spec, run, now)
    except AdapterError as error:
        away = True
        # The last known pods stay; workers can be asked without the API server.
        run.trouble = str(error)
        if run.job is None:
            raise
    if run.stored is None:  # what the report does not have, no figure shown beside it may have
        await asyncio.gather(*(_look_at_worker(context, namespace, spec, run, pod) for pod in run.pods if pod.ip))
    if not away and not run.known.fresh("job", now) and not _as_it_should_be(spec, run):
        run.known.forget("job")
        with contextlib.suppress(AdapterError):
            await _look_at_job(context, namespace, names, spec, run, now)


def _as_it_should_be(spec: LoadTestSpec, run: RunMemory) -> bool:
    """Every worker has a pod that lives, and answers."""
    workers = [run.workers.get(index) for index in range(spec.load.workers)]
    answer = all(
        worker
        and worker.state
        and not worker.error
        and worker.state.phase not in (WorkerPhase.ABORTED, WorkerPhase.FAILED)
        for worker in workers
    )
    return answer and len(run.pods) == spec.load.workers and all(pod.alive and not pod.problem for pod in run.pods)


async def _look_at_job(
    context: Context, namespace: str, names: Names, spec: LoadTestSpec, run: RunMemory, now: datetime
) -> None:
    async def read() -> tuple[JobView, tuple[WorkerPod, ...]] | None:
        job = await context.kube.get(JOB, namespace, names.job)
        if job is None:
            return None
        pods = await context.kube.list(POD, namespace, labels=names.selector(manifests.WORKER))
        view = _job_view(job)
        # A Job of the same name, given back while others waited for the quota, may have left pods that are still going.
        # Labels can be written on any pod; only the Job's own are told the token and believed.
        seen = (worker_pod(pod) for pod in pods if is_owned(pod, job["metadata"]["uid"]))
        found = newest_by_index(pod for pod in seen if pod.created is None or pod.created >= view.created)
        short = len(found) < spec.load.workers
        return replace(view, trouble=await _complaint(context, namespace, job) if short else ""), found

    seconds = JOB_SECONDS if _as_it_should_be(spec, run) else STARTING_SECONDS
    run.job, run.pods = await run.known.ask("job", seconds, now, read) or (None, ())
    if run.job is not None:
        run.token = run.token or await _token(context, namespace, names)


def _job_view(job: Object) -> JobView:
    failed = [found for found in job.get("status", {}).get("conditions") or [] if found["type"] == "Failed"]
    created = times.parse(job["metadata"]["creationTimestamp"])
    if created is None:
        raise AdapterError("a Job without creationTimestamp")
    return JobView(
        created=created,
        failed=any(found["status"] == "True" for found in failed),
        message=failed[0].get("message", "") if failed else "",
    )


async def _complaint(context: Context, namespace: str, job: Object) -> str:
    """Why the Job controller could not make a pod: a quota, admission."""
    created = times.parse(job["metadata"]["creationTimestamp"])
    if created is None or (context.clock() - created).total_seconds() < FIRST_COMPLAINT_SECONDS:
        return ""
    fields = f"involvedObject.name={job['metadata']['name']},reason=FailedCreate"
    events = await context.kube.list(EVENT, namespace, fields=fields)
    return str(events[-1].get("message", "")) if events else ""


async def _token(context: Context, namespace: str, names: Names) -> str:
    found = await context.kube.get(SECRET, namespace, names.secret)
    return base64.b64decode(found["data"]["token"]).decode() if found else ""


async def _look_at_worker(context: Context, namespace: str, spec: LoadTestSpec, run: RunMemory, pod: WorkerPod) -> None:
    """Its state, and what it measured since we last asked."""
    memory = run.workers.setdefault(pod.index, WorkerMemory(context.clock()))
    if _view(context, pod.index, memory).drained:
        return
    address = Address(namespace, pod.name, pod.ip, manifests.CONTROL_PORT)
    await run.asking.ask(f"worker {pod.index}", partial(_ask_worker, context, address, spec, run, memory))


async def _ask_worker(
    context: Context, address: Address, spec: LoadTestSpec, run: RunMemory, memory: WorkerMemory
) -> None:
    try:
        state = await _polled(context, address, run, memory)
        await _collect(context, address, spec, run, memory, state.last)
    except AdapterError as error:
        memory.error, memory.other_release = str(error), isinstance(error, OtherReleaseError)
        return
    memory.state, memory.answered = state, context.clock()
    memory.error, memory.other_release = "", False


async def _polled(context: Context, address: Address, run: RunMemory, memory: WorkerMemory) -> WorkerState:
    """Its state; once it is ready, asked for often enough that its clock is known."""
    while True:
        polled = await workers.poll(context.control, address, run.token)
        memory.note(polled.offset, polled.round_trip)
        if polled.state.phase is not WorkerPhase.READY or memory.samples >= CLOCK_SAMPLES:
            return polled.state


async def _collect(
    context: Context, address: Address, spec: LoadTestSpec, run: RunMemory, memory: WorkerMemory, last: int
) -> None:
    while memory.collected < last:
        snapshot = await workers.deltas(context.control, address, run.token, memory.collected)
        if run.tally is None:
            run.tally = Tally(spec.plan)
        for delta in snapshot.deltas:
            run.tally.add(delta)
        memory.collected = snapshot.last
        if not snapshot.more:
            return


async def _look_at_providers(
    context: Context, namespace: str, names: Names, spec: LoadTestSpec, run: RunMemory
) -> None:
    """Who makes the faults: one that cannot be talked to says so in its view."""
    way = providers.way(context, namespace, names, run)

    async def look(name: str) -> None:
        run.providers[name] = await providers.ADAPTERS[name].look(way, run.providers.get(name))

    used = {provider_of(fault).name for fault in spec.faults}
    await asyncio.gather(*(run.asking.ask(name, partial(look, name)) for name in used))


def _views(context: Context, run: RunMemory) -> tuple[WorkerView, ...]:
    return tuple(_view(context, index, run.workers[index]) for index in sorted(run.workers))


def _view(context: Context, index: int, memory: WorkerMemory) -> WorkerView:
    heard = memory.answered or memory.asked_since
    return WorkerView(
        index=index,
        state=memory.state,
        silent_seconds=max(0.0, (context.clock() - heard).total_seconds()),
        error=memory.error,
        other_release=memory.other_release,
        offset=memory.offset,
        samples=memory.samples,
        round_trip=memory.longest_round_trip,
        collected=memory.collected,
    )
