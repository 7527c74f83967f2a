"""What an autoscaler steers by: which request a metric means, and what value follows from the answer."""

from typing import Any

import pytest

from loadtest_operator.core.scaling.metrics.questions import labels_text, plural_of, question_of
from loadtest_operator.core.scaling.metrics.readings import Answer, Lack, Reading, reading_of, sight_of

NOW = 1_767_268_800.0
"""2026-01-01T12:00:00Z."""
SPEC = {"minReplicas": 1, "maxReplicas": 5}
QUEUE = {"name": "queue", "selector": {"matchLabels": {"model": "m"}}}


def resource(name: str = "cpu", container: str = "", **target: Any) -> dict[str, Any]:
    to = "Utilization" if "averageUtilization" in target else "AverageValue"
    body = {"name": name, "target": {"type": to, **target}}
    if container:
        return {"type": "ContainerResource", "containerResource": {**body, "container": container}}
    return {"type": "Resource", "resource": body}


def custom(kind: str, metric: Any = QUEUE, **more: Any) -> dict[str, Any]:
    target = more.pop("target", {"type": "AverageValue", "averageValue": "10"})
    return {"type": kind, kind[0].lower() + kind[1:]: {"metric": metric, "target": target, **more}}


def about(kind: str, api_version: str = "v1", name: str = "front") -> dict[str, Any]:
    return custom("Object", describedObject={"kind": kind, "apiVersion": api_version, "name": name})


ASKED = [
    (
        "usage is asked of all pods at once",
        resource(averageUtilization=60),
        "/apis/metrics.k8s.io/v9/namespaces/demo/pods",
        {"labelSelector": "app=web"},
    ),
    (
        "usage of one container is the same request",
        resource(container="main", averageUtilization=60),
        "/apis/metrics.k8s.io/v9/namespaces/demo/pods",
        {"labelSelector": "app=web"},
    ),
    (
        "a metric of pods is asked of all of them, by the workload's selector and the metric's",
        custom("Pods"),
        "/apis/custom.metrics.k8s.io/v9/namespaces/demo/pods/*/queue",
        {"labelSelector": "app=web", "metricLabelSelector": "model=m"},
    ),
    (
        "a metric of an object goes by its plural",
        about("Service"),
        "/apis/custom.metrics.k8s.io/v9/namespaces/demo/PLURAL/front/queue",
        {"metricLabelSelector": "model=m"},
    ),
    (
        "a metric of a namespace is of the autoscaler's own, whatever it says",
        about("Namespace", name="other"),
        "/apis/custom.metrics.k8s.io/v9/namespaces/demo/metrics/queue",
        {"metricLabelSelector": "model=m"},
    ),
    (
        "an external metric has its selector as the request's own",
        custom("External"),
        "/apis/external.metrics.k8s.io/v9/namespaces/demo/queue",
        {"labelSelector": "model=m"},
    ),
    (
        "a metric without a selector is asked for without one",
        custom("External", {"name": "llm:queue size"}),
        "/apis/external.metrics.k8s.io/v9/namespaces/demo/llm:queue%20size",
        {},
    ),
]


@pytest.mark.parametrize(("metric", "path", "query"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_each_metric_means_one_request(metric: Any, path: str, query: dict[str, str]) -> None:
    question = question_of(metric, "app=web")

    assert question.path("v9", "demo", "PLURAL") == path
    assert dict(question.query) == query


@pytest.mark.parametrize(
    ("metric", "pods", "says"),
    [
        (custom("External", {"name": "../secrets"}), "app=web", "'../secrets' cannot be a step"),
        (custom("External", {"name": ".."}), "app=web", "'..' cannot be a step"),
        (about("Service", name="a/b"), "app=web", "'a/b' cannot be a step"),
        (custom("Pods"), "", "no selector of its pods"),
        (resource(averageUtilization=60), "", "no selector of its pods"),
        ({"type": "Magic"}, "app=web", "of type Magic is none of Resource"),
    ],
)
def test_what_cannot_be_asked_for_says_why(metric: Any, pods: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        question_of(metric, pods)


def test_a_selector_is_written_as_the_controller_writes_it() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "beta", "operator": "DoesNotExist"},
        {"key": "zone", "operator": "Exists"},
        {"key": "env", "operator": "NotIn", "values": ["dev"]},
    ]

    assert labels_text({"matchLabels": {"app": "web"}, "matchExpressions": expressions}) == (
        "app=web,!beta,env notin (dev),tier in (a,b),zone"
    )
    assert labels_text(None) == ""


def test_a_plural_has_its_group() -> None:
    found = [{"name": "ingresses/status", "kind": "Ingress"}, {"name": "ingresses", "kind": "Ingress"}]

    assert plural_of(found, "networking.k8s.io/v1", "Ingress") == "ingresses.networking.k8s.io"
    assert plural_of([{"name": "services", "kind": "Service"}], "v1", "Service") == "services"
    assert plural_of(found, "networking.k8s.io/v1", "Route") == ""


def a_pod(name: str, *, ready: bool = True, **more: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-01-01T11:00:10Z"}
    status = {"phase": "Running", "startTime": "2026-01-01T11:00:00Z", "conditions": [condition]}
    containers = [{"name": "main", "resources": {"requests": {"cpu": "100m"}}}]
    return {
        "metadata": {"name": name, **more},
        "spec": {"containers": containers},
        "status": status,
    }


def usage(**cpu: str) -> Answer:
    items = [
        {
            "metadata": {"name": pod},
            "timestamp": "2026-01-01T11:59:50Z",
            "window": "1m10.5s",
            "containers": [{"name": "main", "usage": {"cpu": used, "memory": "1Mi"}}],
        }
        for pod, used in cpu.items()
    ]
    return Answer({"items": items})


def of_pods(**values: str) -> Answer:
    return Answer(
        {"items": [{"describedObject": {"kind": "Pod", "name": pod}, "value": values[pod]} for pod in values]}
    )


def read(metric: Any, answer: Answer, *pods: Any) -> Reading:
    pods = pods or (a_pod("a"), a_pod("b"))
    return reading_of(SPEC, metric, answer, sight_of(pods, len(pods), len(pods)), NOW)


VALUE = {"type": "Value", "value": "100"}
READ = [
    ("utilization is cut to whole percent", resource(averageUtilization=60), usage(a="50m", b="68100u"), "59%", "60%"),
    ("of one container", resource(container="main", averageUtilization=50), usage(a="100m", b="0"), "50%", "50%"),
    ("usage by value", resource(averageValue="40m"), usage(a="30m", b="60m"), "45m", "40m"),
    ("of pods the average", custom("Pods"), of_pods(a="4", b="7"), "5500m", "10"),
    ("of an object the whole", custom("Object", target=VALUE), Answer({"items": [{"value": "150"}]}), "150", "100"),
    ("a share for each pod", custom("Object"), Answer({"items": [{"value": "30"}]}), "15", "10"),
    ("several series are summed", custom("External"), Answer({"items": [{"value": "9"}, {"value": "11"}]}), "10", "10"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "answer", "value", "target"), [row[1:] for row in READ], ids=[row[0] for row in READ]
)
def test_a_value_is_what_the_controller_makes_of_the_answer(
    metric: Any, answer: Answer, value: str, target: str
) -> None:
    found = read(metric, answer)

    assert (found.value, found.target, found.lack, found.why) == (value, target, None, "")


def test_the_ratio_is_the_controllers() -> None:
    """A pod without a value holds a rise back: the ratio by which it decides counts it as idle."""
    assert read(custom("Pods"), of_pods(a="30", b="30")).ratio == 3.0
    assert read(custom("Pods"), of_pods(a="30")).ratio == 1.5
    assert read(custom("Object", target=VALUE), Answer({"items": [{"value": "150"}]})).ratio == 1.5


def test_a_pod_that_is_not_ready_does_not_count_for_cpu() -> None:
    found = read(resource(averageUtilization=50), usage(a="50m", b="900m"), a_pod("a"), a_pod("b", ready=False))

    assert found.value == "50%"


def test_no_replica_gives_no_ratio_and_no_error() -> None:
    found = reading_of(SPEC, custom("External"), Answer({"items": [{"value": "9"}]}), sight_of((), 0, 0), NOW)

    assert (found.value, found.ratio) == ("9", None)


LACKING = [
    ("no pod has a value", custom("Pods"), of_pods(), "no value of queue for any pod"),
    ("the usage of none is known", resource(averageUtilization=60), usage(), "no value of cpu"),
    ("no series is left", custom("External"), Answer({"items": []}), "no series"),
    ("two values of one object", custom("Object"), Answer({"items": [{"value": "1"}, {"value": "2"}]}), "2 values"),
    ("a value that is none", custom("External"), Answer({"items": [{"value": "many"}]}), "'many' is no quantity"),
    ("an answer of another shape", custom("Pods"), Answer({"items": [{"value": "1"}]}), "describedObject"),
    ("an answer that is a text", custom("Pods"), Answer({"items": ["x"]}), "queue"),
    ("a pod that requests nothing", resource("memory", averageUtilization=60), usage(a="1"), "requests no memory"),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "answer", "why"), [row[1:] for row in LACKING], ids=[row[0] for row in LACKING])
def test_no_value_is_never_a_zero(metric: Any, answer: Answer, why: str) -> None:
    found = read(metric, answer)

    assert (found.lack, found.missing, found.ratio, found.value) == (Lack.NO_VALUE, True, None, "<unknown>")
    assert why in found.why


def test_what_may_not_be_read_is_not_taken_for_missing() -> None:
    found = read(custom("External"), Answer(lack=Lack.FORBIDDEN, why="no rights"))

    assert (found.lack, found.missing, found.target, found.why) == (Lack.FORBIDDEN, False, "10", "no rights")
