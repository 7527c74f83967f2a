"""The metrics APIs over a real HTTP connection: what is asked, what is read, and what becomes of every kind of no."""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from builders import a_stage
from component.operator.test_calls import a_web_pod, autoscaled
from component.operator.theatre import NOON, Theatre, theatre
from fakes.kube import Cluster, Object, connected, refusal
from loadtest_operator.adapters.target import meter
from loadtest_operator.adapters.target.meter import METER_SECONDS, Meter
from loadtest_operator.api.outcome import MetricStatus
from loadtest_operator.api.status import Phase
from loadtest_operator.core.common.kinds import CONFIG_MAP, DEPLOYMENT, HPA, POD
from loadtest_operator.core.evidence.report import KEY
from loadtest_operator.core.scaling.metrics.readings import Lack, Reading
from loadtest_operator.core.scaling.workload import Workload
from unit.operator.test_metrics import a_pod, about, custom, resource, usage

WORKLOAD = Workload("Deployment", "web", replicas=2, selector="app=web", counted=2)
CUSTOM, EXTERNAL, RESOURCE = "custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"
DEPTH = custom("External", {"name": "depth"})
Answers = dict[str, Any]


def serves(group: str, *versions: str) -> dict[str, Object]:
    return {f"/apis/{group}": {"name": group, "versions": [{"version": found} for found in versions]}}


@dataclass
class Api(Cluster):
    """A cluster whose metrics APIs answer as planned: by the path's last step, an object, a status or a function."""

    answers: Answers = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "metrics.k8s.io/" not in request.path:
            return await super().answer(request)
        self.asked.append(request.path_qs)
        planned = self.answers.get(request.path.rpartition("/")[2], 404)
        if callable(planned):
            planned = await planned()
        if isinstance(planned, web.Response):
            return planned
        return refusal(planned, "so it is planned") if isinstance(planned, int) else web.json_response(planned)


def an_api(**answers: Any) -> Api:
    discovery = {
        **serves(CUSTOM, "v1beta1", "v1beta2"),
        **serves(EXTERNAL, "v1beta1"),
        **serves(RESOURCE, "v1beta1"),
        "/api/v1": {"resources": [{"name": "services", "kind": "Service"}]},
    }
    api = Api(discovery=discovery, answers=answers)
    for name in ("a", "b"):
        api.put(POD, a_pod(name, namespace="demo", labels={"app": "web"}))
    return api


def hpa(*metrics: Any) -> Object:
    return {"spec": {"minReplicas": 1, "maxReplicas": 5, "metrics": list(metrics)}}


async def read(api: Api, *metrics: Any, workload: Workload = WORKLOAD) -> tuple[Reading, ...]:
    found = Meter()
    async with connected(api) as kube:
        assert found.newest(kube, "demo", hpa(*metrics), workload, NOON) == ()
        await found.settled()
        return found.newest(kube, "demo", hpa(*metrics), workload, NOON)


def value(text: str) -> Object:
    return {"items": [{"value": text}]}


def of_pods(**values: str) -> Object:
    return {"items": [{"describedObject": {"name": pod}, "value": text} for pod, text in values.items()]}


async def test_every_kind_of_metric_is_read_where_the_autoscaler_reads_it() -> None:
    api = an_api(pods=usage(a="60m", b="30m").body, queue=of_pods(a="4", b="8"), depth=value("30"))
    object_metric = about("Service")
    object_metric["object"]["metric"] = {"name": "depth"}

    found = await read(api, resource(averageUtilization=60), custom("Pods"), object_metric, DEPTH)

    assert [f"{one.value}/{one.target}" for one in found] == ["45%/60%", "6/10", "15/10", "15/10"]
    assert [one.ratio for one in found] == [0.75, 0.6, 1.5, 1.5]
    assert sorted(api.asked) == [
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/demo/pods/*/queue?labelSelector=app%3Dweb&metricLabelSelector=model%3Dm",
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/demo/services/front/depth",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/demo/depth",
        "/apis/metrics.k8s.io/v1beta1/namespaces/demo/pods?labelSelector=app%3Dweb",
    ]


async def test_an_adapter_of_the_older_version_is_asked_in_its_own() -> None:
    api = an_api(queue=of_pods(a="4", b="8"))
    api.discovery |= serves(CUSTOM, "v1beta1")

    (found,) = await read(api, custom("Pods"))

    assert found.value == "6"
    assert "/v1beta1/" in api.asked[0]


async def never() -> int:
    await asyncio.sleep(60)
    return 500


async def much() -> web.Response:
    return web.Response(body=b"[" + b" " * (meter.MOST_BYTES + 1) + b"]")


async def text() -> web.Response:
    return web.Response(text="<html>")


NOES: list[tuple[str, Any, Lack, str]] = [
    (
        "forbidden to the operator",
        403,
        Lack.FORBIDDEN,
        "may not read depth of external.metrics.k8s.io in namespace demo",
    ),
    ("not there", 404, Lack.ABSENT, "there is no depth of external.metrics.k8s.io in namespace demo"),
    ("the adapter is away", 503, Lack.NO_ANSWER, "so it is planned"),
    ("the adapter fails", 500, Lack.NO_ANSWER, "so it is planned"),
    ("no JSON", text, Lack.NO_ANSWER, "the answer is no JSON"),
    ("more than anybody can mean", much, Lack.NO_ANSWER, "the answer has more than 4194304 bytes"),
    ("no series", {"items": []}, Lack.NO_VALUE, "no series"),
    ("no items at all", {}, Lack.NO_VALUE, "no series"),
]


@pytest.mark.parametrize(("answer", "lack", "why"), [row[1:] for row in NOES], ids=[row[0] for row in NOES])
async def test_each_no_is_told_from_the_others(answer: Any, lack: Lack, why: str) -> None:
    """And the other metric has its value all the same."""
    found, other = await read(an_api(depth=answer, queue=of_pods(a="4", b="8")), DEPTH, custom("Pods"))

    assert (found.lack, other.value) == (lack, "6")
    assert why in found.why


async def test_an_api_that_nobody_serves_says_what_to_install() -> None:
    api = an_api(depth=value("1"))
    del api.discovery[f"/apis/{EXTERNAL}"]

    (found,) = await read(api, DEPTH)

    assert (found.lack, found.missing) == (Lack.ABSENT, True)
    assert found.why == (
        "no external.metrics.k8s.io is served in the cluster: install an adapter of external metrics, such as KEDA"
    )


async def test_pods_that_may_not_be_listed_are_told_too() -> None:
    api = an_api(queue=of_pods(a="4", b="8"))
    api.trouble = lambda request: 403 if request.path.endswith("/namespaces/demo/pods") else None

    (found,) = await read(api, custom("Pods"))

    assert found.lack is Lack.FORBIDDEN
    assert "may not read the pods of the workload: grant it" in found.why


async def test_the_population_is_the_workloads_and_not_the_services() -> None:
    """A second workload behind the same Service has pods that its autoscaler does not count."""
    api = an_api(queue=of_pods(a="4", b="8"))
    api.put(POD, a_pod("other", namespace="demo", labels={"app": "web", "canary": "yes"}))
    canary = Workload("Deployment", "canary", replicas=1, selector="app=web,canary=yes", counted=1)

    await read(api, custom("Pods"), workload=canary)

    assert "labelSelector=app%3Dweb,canary%3Dyes" in api.asked[0]


async def test_a_metrics_api_that_hangs_does_not_make_looking_slow() -> None:
    """It is asked again only after it was answered or given up, and what was read before stays until then."""
    api, found = an_api(depth=value("30")), Meter()
    async with connected(api) as kube:
        later = NOON
        found.newest(kube, "demo", hpa(DEPTH), WORKLOAD, later)
        await found.settled()
        api.answers["depth"] = never
        for _ in range(4):
            later += timedelta(seconds=METER_SECONDS)
            (one,) = found.newest(kube, "demo", hpa(DEPTH), WORKLOAD, later)
            await asyncio.sleep(0.05)
        found.end()

    assert one.value == "15"
    assert len(api.asked) == 2


async def test_it_is_asked_no_more_often_than_it_changes() -> None:
    api, found = an_api(depth=value("30")), Meter()
    async with connected(api) as kube:
        for second in range(20):
            found.newest(kube, "demo", hpa(DEPTH), WORKLOAD, NOON + timedelta(seconds=second))
            await found.settled()

    assert len(api.asked) == 4


async def metered(answers: Answers, more: Callable[[Theatre], Any]) -> tuple[MetricStatus, ...]:
    """What the status says after a run whose autoscaler steers by `depth`."""
    async with theatre(a_stage(durationSeconds=60), scaling={"settleSeconds": 10}) as play:
        autoscaled(play.cluster)
        a_web_pod(play.cluster, "web-1", created=play.now, ready=play.now)
        workload = play.cluster.get(DEPLOYMENT, "demo", "web")
        assert workload is not None
        workload["spec"]["selector"] = {"matchLabels": {"app": "web"}}
        found = play.cluster.get(HPA, "demo", "web")
        assert found is not None
        found["spec"]["metrics"] = [DEPTH]
        play.cluster.discovery |= serves(EXTERNAL, "v1beta1")
        path = f"/apis/{EXTERNAL}/v1beta1/namespaces/demo/depth"
        play.cluster.trouble = lambda request: answers.get("status") if request.path == path else None
        play.cluster.discovery[path] = answers["depth"]
        await play.run(Phase.RUNNING)
        await play.run_for(20)
        more(play)
        await play.run_for(20)
        return play.status.scaling.metrics if play.status.scaling else ()


async def test_the_status_shows_what_the_autoscaler_steers_by() -> None:
    (found,) = await metered({"depth": value("7")}, lambda _play: None)

    assert (found.type, found.name, found.current, found.target) == ("External", "depth", "7", "10")
    assert (found.lack, found.missing_since, found.message) == (None, None, None)


async def test_the_status_says_since_when_a_metric_is_missing() -> None:
    answers: Answers = {"depth": value("7")}
    lost: list[Any] = []

    def loses(play: Theatre) -> None:
        answers["status"] = 503
        lost.append(play.now)

    (found,) = await metered(answers, loses)

    assert (found.current, found.lack, found.target) == (None, "NoAnswer", "10")
    assert found.missing_since is not None
    assert 0 <= (found.missing_since - lost[0]).total_seconds() <= METER_SECONDS + 3
    assert "trouble on demand" in (found.message or "")


async def test_the_stored_report_and_the_status_recommend_the_same() -> None:
    """An autoscaler without metrics: what would have suited is not known, and that is what both say."""
    async with theatre(a_stage(durationSeconds=20), scaling={"settleSeconds": 10}) as play:
        autoscaled(play.cluster)
        a_web_pod(play.cluster, "web-1", created=play.now, ready=play.now)
        status = await play.run()
        assert status.scaling is not None
        assert status.scaling.recommendation is not None
        kept = play.cluster.get(CONFIG_MAP, "demo", status.artifacts[0].name)

    assert kept is not None
    stored = json.loads(gzip.decompress(base64.b64decode(kept["binaryData"][KEY])))
    assert status.scaling.recommendation.message == "not known: the autoscaler has no metrics"
    assert stored["scaling"]["recommendation"]["message"] == status.scaling.recommendation.message
