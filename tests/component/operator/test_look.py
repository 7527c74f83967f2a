"""Looking at a target over a real HTTP connection: whatever runs it, and whatever may not be looked at."""

from datetime import timedelta
from typing import Any

from builders import a_stage, a_valid_spec
from component.operator.test_calls import autoscaled, owned
from component.operator.theatre import NOON, Theatre, a_web_service, theatre
from fakes.kube import Cluster, connected
from loadtest_operator.adapters.target.look import look
from loadtest_operator.adapters.target.meter import Meter
from loadtest_operator.api.loadtest import WorkloadReference
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import HPA, POD, REPLICA_SET, Kind
from loadtest_operator.core.common.paced import Paced
from loadtest_operator.core.scaling.target import TargetView
from loadtest_operator.core.scaling.timeline import NOBODY, Timeline

GROUP = "serve.example/v1"
MODEL_SERVER = Kind(GROUP, "ModelServer", "modelservers")
RESOURCES = [{"name": "modelservers", "kind": "ModelServer"}, {"name": "modelservers/scale", "kind": "Scale"}]
HERE = {"namespace": "demo"}


def a_cluster(*, resources: list[dict[str, str]] = RESOURCES) -> Cluster:
    """Service web, whose pod belongs to a ReplicaSet of a kind that nobody here knows."""
    cluster = Cluster(discovery={f"/apis/{GROUP}": {"kind": "APIResourceList", "resources": resources}})
    a_web_service(cluster)
    owner = [{**owned("ModelServer", "web")[0], "apiVersion": GROUP}]
    cluster.put(MODEL_SERVER, {"metadata": {"name": "web", **HERE}, "spec": {"replicas": 2}})
    cluster.put(REPLICA_SET, {"metadata": {"name": "web-x", **HERE, "ownerReferences": owner}, "spec": {"replicas": 2}})
    pod = {"name": "web-1", "labels": {"app": "web"}, **HERE, "ownerReferences": owned("ReplicaSet", "web-x")}
    cluster.put(POD, {"metadata": pod, "spec": {}, "status": {}})
    spec = {"scaleTargetRef": {"kind": "ModelServer", "name": "web"}, "maxReplicas": 5}
    cluster.put(HPA, {"metadata": {"name": "web", **HERE}, "spec": spec, "status": {}})
    return cluster


async def seen(cluster: Cluster, looks: int = 2, **target: Any) -> TargetView:
    """What the last of some looks sees."""
    spec = a_valid_spec()
    changed = spec.target.model_copy(update=target)
    known, view = Paced(), None
    async with connected(cluster) as kube:
        for _ in range(looks):
            view = await look(kube, spec.model_copy(update={"target": changed}), "demo", known, Meter(), NOON)
    assert view is not None
    return view


async def test_any_kind_with_a_scale_subresource_is_followed() -> None:
    view = await seen(a_cluster())

    assert (view.workload, view.desired, view.blind) == ("ModelServer/web", 2, "")
    assert view.autoscaler is not None
    assert view.read == NOON


async def test_an_owner_that_cannot_be_scaled_is_not_the_workload() -> None:
    view = await seen(a_cluster(resources=RESOURCES[:1]))

    assert (view.workload, view.blind) == ("ReplicaSet/web-x", "")


async def test_a_named_kind_that_cannot_be_scaled_is_told() -> None:
    view = await seen(a_cluster(), workload_ref=WorkloadReference(api_version=GROUP, kind="Modelserver", name="web"))

    assert view.workload == ""
    assert view.blind == f"{GROUP} has no kind Modelserver with a scale subresource: correct spec.target.workloadRef"


def forbidden(part: str) -> Any:
    return lambda request: 403 if part in request.path else None


async def test_an_autoscaler_that_may_not_be_looked_at_is_not_taken_for_none() -> None:
    cluster = a_cluster()
    cluster.trouble = forbidden("horizontalpodautoscalers")

    view = await seen(cluster)

    assert view.autoscaler is None
    assert "may not get and list HorizontalPodAutoscalers in namespace demo: grant it" in view.blind


async def test_a_workload_that_may_not_be_looked_at_names_what_to_grant() -> None:
    cluster = a_cluster()
    cluster.trouble = forbidden("replicasets")

    view = await seen(cluster)

    assert "may not get replicasets of apps/v1 in namespace demo" in view.blind


async def test_an_autoscaler_of_another_workload_is_refused() -> None:
    spec = a_valid_spec(scaling={"autoscalerRef": {"name": "web"}})
    cluster = Cluster()
    a_web_service(cluster)
    autoscaled(cluster)
    pod = {"name": "web-1", "labels": {"app": "web"}, **HERE, "ownerReferences": owned("ReplicaSet", "web-x")}
    cluster.put(POD, {"metadata": pod, "spec": {}, "status": {}})
    other = {"scaleTargetRef": {"kind": "Deployment", "name": "other"}, "maxReplicas": 5}
    cluster.put(HPA, {"metadata": {"name": "web", **HERE}, "spec": other, "status": {}})

    async with connected(cluster) as kube:
        view = await look(kube, spec, "demo", Paced(), Meter(), NOON)

    assert view.autoscaler is None
    assert "HorizontalPodAutoscaler web scales Deployment/other, the target is Deployment/web" in view.blind


async def test_a_workload_that_goes_does_not_make_looks_old() -> None:
    """Its last answer is as old as it was; what is seen since is new all the same."""
    cluster, known, spec = a_cluster(), Paced(), a_valid_spec()
    async with connected(cluster) as kube:
        await look(kube, spec, "demo", known, Meter(), NOON)
        await look(kube, spec, "demo", known, Meter(), NOON + timedelta(seconds=1))
        for gone in (MODEL_SERVER, REPLICA_SET):
            cluster.objects.pop((gone.path(None).rpartition("/")[0], gone.plural))
        for second in range(2, 6):
            view = await look(kube, spec, "demo", known, Meter(), NOON + timedelta(seconds=second))

    assert view.read == NOON + timedelta(seconds=5)


def seen_by(play: Theatre) -> Timeline:
    return play.context.memory("uid-of-test").run.timeline


async def test_what_the_api_server_refused_to_show_is_a_gap() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        play.cluster.trouble = lambda request: 503 if "endpointslices" in request.path else None
        await play.run_for(10)
        play.cluster.trouble = lambda _request: None
        await play.run_for(3)

        (gap,) = seen_by(play).gaps

    assert "trouble on demand" in gap.because
    assert 9 <= gap.seconds <= 13


async def test_an_operator_that_starts_anew_knows_what_the_last_one_saw_and_what_nobody_did() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(20)
        before = seen_by(play)
        play.pass_time(10)
        play.operator_starts()
        await play.run_for(1)
        after = seen_by(play)

    assert after.since == before.since
    assert after.samples[: len(before.samples)] == before.samples
    assert [gap.because for gap in after.gaps] == [NOBODY]
    assert 10 <= after.gaps[0].seconds <= 17
