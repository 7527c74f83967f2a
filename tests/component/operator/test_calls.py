"""What a run asks of the API server, and that asking less has not made it see later."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from builders import a_stage
from component.operator.theatre import Theatre, theatre
from fakes.kube import Cluster, Object
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common import names, times
from loadtest_operator.core.common.kinds import DEPLOYMENT, ENDPOINT_SLICE, HPA, JOB, LOAD_TEST, POD, REPLICA_SET
from loadtest_operator.core.scaling.timeline import PodLife

MOST_PER_SECOND = 4.0
SCALING = {"settleSeconds": 10}


def owned(kind: str, name: str) -> list[Object]:
    return [{"kind": kind, "name": name, "uid": f"uid-of-{name}", "controller": True}]


def autoscaled(cluster: Cluster, replicas: int = 1, scaled: datetime | None = None) -> None:
    """Deployment, ReplicaSet and HorizontalPodAutoscaler of Service web."""
    here = {"namespace": "demo"}
    cluster.put(DEPLOYMENT, {"metadata": {"name": "web", **here}, "spec": {"replicas": replicas}})
    cluster.put(REPLICA_SET, {"metadata": {"name": "web-x", **here, "ownerReferences": owned("Deployment", "web")}})
    status: Object = {"desiredReplicas": replicas, "currentReplicas": 1}
    status["conditions"] = [{"type": "ScalingActive", "status": "True"}]
    status |= {"lastScaleTime": times.whole(scaled)} if scaled else {}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5}
    cluster.put(HPA, {"metadata": {"name": "web", **here}, "spec": spec, "status": status})


def a_web_pod(cluster: Cluster, name: str, *, created: datetime, ready: datetime | None = None) -> None:
    metadata: Object = {
        "name": name,
        "namespace": "demo",
        "labels": {"app": "web"},
        "creationTimestamp": times.whole(created),
    }
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": times.whole(created)}]
    if ready:
        conditions.append({"type": "Ready", "status": "True", "lastTransitionTime": times.whole(ready)})
    metadata |= {"uid": f"uid-of-{name}", "ownerReferences": owned("ReplicaSet", "web-x")}
    body: Object = {"metadata": metadata, "spec": {}}
    cluster.put(POD, {**body, "status": {"phase": "Running", "conditions": conditions}})


def serves(cluster: Cluster, *pods: str) -> None:
    piece = cluster.get(ENDPOINT_SLICE, "demo", "web-x")
    assert piece is not None
    piece["endpoints"] = [
        {"addresses": [f"10.0.0.{place}"], "targetRef": {"kind": "Pod", "name": pod}} for place, pod in enumerate(pods)
    ]


def calls(play: Theatre, seen: int) -> Counter[str]:
    """To the API server itself, by method and kind."""
    found: Counter[str] = Counter()
    for method, path in play.cluster.log[seen:]:
        if "/proxy/" not in path:
            found[f"{method} {path.partition('/demo/')[2].partition('/')[0]}"] += 1
    return found


async def running(play: Theatre, seconds: float = 60) -> Counter[str]:
    await play.run(Phase.RUNNING)
    await play.run_for(10)
    seen = len(play.cluster.log)
    await play.run_for(seconds)
    assert play.status.phase is Phase.RUNNING
    return calls(play, seen)


async def test_a_run_asks_at_most_four_times_a_second() -> None:
    async with theatre(a_stage(durationSeconds=120), scaling=SCALING) as play:
        autoscaled(play.cluster)
        a_web_pod(play.cluster, "web-1", created=play.now, ready=play.now)
        made = await running(play)
        print(dict(made))

    assert sum(made.values()) <= 60 * MOST_PER_SECOND
    assert made["GET endpointslices"] >= 59
    assert made["GET deployments"] >= 59
    assert made["GET jobs"] <= 13


async def test_without_an_autoscaler_it_asks_less() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        autoscaled(play.cluster)
        del play.cluster.objects["/apis/autoscaling/v2", "horizontalpodautoscalers"]
        a_web_pod(play.cluster, "web-1", created=play.now, ready=play.now)
        made = await running(play)

    assert sum(made.values()) <= 60 * 3.5


async def test_a_target_that_nobody_owns_and_starting_cost_as_little() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        seen, begun = len(play.cluster.log), play.now
        made = await running(play)
        whole = sum(calls(play, seen).values()) / (play.now - begun).total_seconds()

    assert sum(made.values()) <= 60 * MOST_PER_SECOND
    assert whole <= MOST_PER_SECOND + 1


def life_of(play: Theatre, pod: str) -> PodLife:
    return next(life for life in play.context.memory("uid-of-test").run.timeline.pods if life.name == pod)


async def test_a_scale_up_is_seen_to_the_second() -> None:
    """The decision by the autoscaler's clock, the pod by its own, traffic within a look."""
    async with theatre(a_stage(durationSeconds=120), scaling=SCALING) as play:
        autoscaled(play.cluster)
        a_web_pod(play.cluster, "web-1", created=play.now, ready=play.now)
        await running(play, 7.5)
        decided = play.now.replace(microsecond=0)
        autoscaled(play.cluster, 2, scaled=decided)
        changed = play.now
        await play.look()
        last = play.context.memory("uid-of-test").run.timeline.last
        assert last is not None
        assert last.scaler is not None
        assert (last.replicas, last.time, last.scaler.last_scale_time) == (2, changed, decided)

        a_web_pod(play.cluster, "web-2", created=decided + timedelta(seconds=1))
        await play.run_for(4)
        a_web_pod(play.cluster, "web-2", created=decided + timedelta(seconds=1), ready=decided + timedelta(seconds=5))
        serves(play.cluster, "web-1", "web-2")
        served = play.now
        await play.look()
        await play.look()
        life = life_of(play, "web-2")

    assert life.serving == served
    assert (life.created, life.ready) == (decided + timedelta(seconds=1), decided + timedelta(seconds=5))


async def seconds_until_stopped(play: Theatre) -> float:
    begun = play.now
    while play.status.phase is Phase.RUNNING:
        await play.look()
    return (play.now - begun).total_seconds()


def lose(play: Theatre, name: str, pod: Object | None) -> None:
    """The worker answers no more, and this is what became of its pod."""
    del play.cluster.objects["/api/v1", "pods"]["demo", name]
    if pod is not None:
        play.cluster.put(POD, pod)
    answer = play.cluster.proxied
    assert answer is not None

    async def silent(to: str, path: str, request: Any) -> Any:
        if to == name:
            request.transport.abort()
        return await answer(to, path, request)

    play.cluster.proxied = silent


async def test_a_worker_whose_pod_is_gone_is_noticed_at_the_next_look() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await running(play, 7.5)
        lose(play, "worker-1", None)
        seconds = await seconds_until_stopped(play)

        assert seconds < 0.5
        assert "lost worker 1" in (play.status.message or "")
        assert "its pod is gone" in (play.status.message or "")


async def test_a_worker_that_was_killed_says_why() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await running(play, 7.5)
        pod = play.cluster.get(POD, "demo", "worker-1")
        assert pod is not None
        terminated = {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
        lose(
            play, "worker-1", {**pod, "status": {**pod["status"], "phase": "Failed", "containerStatuses": [terminated]}}
        )
        seconds = await seconds_until_stopped(play)

        assert seconds <= 4
        assert "killed at its memory limit" in (play.status.message or "")


async def test_why_a_worker_does_not_start_is_told_within_ten_seconds() -> None:
    """From the moment the kubelet knows it."""
    async with theatre() as play:
        play.cluster.created = lambda _cluster, _body: None
        await play.run(Phase.PREPARING)
        while (job := play.cluster.get(JOB, "demo", "test-1-workers")) is None:
            await play.look()
        waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
        labels = names.Names("test", 1).labels("worker")
        owner = {"kind": "Job", "uid": job["metadata"]["uid"], "controller": True}
        metadata = {"name": "worker-0", "namespace": "demo", "labels": labels, "ownerReferences": [owner]}
        play.cluster.put(POD, {"metadata": metadata, "spec": {}, "status": {"containerStatuses": [waiting]}})
        told = play.now
        while "no such image" not in str(play.cluster.get(LOAD_TEST, "demo", "test")):
            await play.look()

        assert (play.now - told).total_seconds() <= 10
