"""Which request to a metrics API each metric of an autoscaling/v2 spec means, as the controller makes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from loadtest_operator.core.scaling.autoscaler import source_of

Object = Mapping[str, Any]
RESOURCE: Final = "metrics.k8s.io"
CUSTOM: Final = "custom.metrics.k8s.io"
EXTERNAL: Final = "external.metrics.k8s.io"
VERSIONS: Final = {RESOURCE: ("v1beta1",), CUSTOM: ("v1beta2", "v1beta1"), EXTERNAL: ("v1beta1",)}
"""Of each group, what the controller can read, the better one first."""
SERVED_BY: Final = {
    RESOURCE: "metrics-server",
    CUSTOM: "an adapter of custom metrics, such as prometheus-adapter",
    EXTERNAL: "an adapter of external metrics, such as KEDA",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One GET below `/apis/GROUP/VERSION/namespaces/NAMESPACE`."""

    group: str
    steps: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    about: tuple[str, str] | None = None
    """API version and kind of the object whose plural comes before the steps: discovery knows it."""

    def path(self, version: str, namespace: str, plural: str = "") -> str:
        """Without the query. A name is one step, whatever is in it."""
        steps = (plural, *self.steps) if self.about else self.steps
        return "/".join((f"/apis/{self.group}/{version}/namespaces", namespace, *(quote(step, "*:") for step in steps)))


def question_of(metric: Object, pods: str) -> Question:
    """What to ask for a metric of the spec; `pods` is the selector of the workload's pods, empty where it is not known.

    Raises:
        ValueError: it cannot be asked for; says what is wrong.
    """
    kind = str(metric.get("type"))
    if kind not in QUESTIONS:
        raise ValueError(f"a metric of type {kind} is none of {', '.join(QUESTIONS)}")
    return QUESTIONS[kind](source_of(metric), pods)


def plural_of(resources: Iterable[Object], api_version: str, kind: str) -> str:
    """How a metrics API calls a kind that discovery shows: `services`, `ingresses.networking.k8s.io`; empty for none."""
    group = api_version.rpartition("/")[0]
    name = next((found["name"] for found in resources if found.get("kind") == kind and "/" not in found["name"]), "")
    return f"{name}.{group}" if name and group else str(name)


def labels_text(selector: Object | None) -> str:
    """A LabelSelector as a request's query has it, requirements by key; empty for one that selects everything."""
    selector = selector or {}
    found = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for part in selector.get("matchExpressions") or ():
        values = ",".join(sorted(part.get("values") or ()))
        found.append((part["key"], EXPRESSIONS[part["operator"]].format(key=part["key"], values=values)))
    return ",".join(text for _, text in sorted(found))


EXPRESSIONS: Final = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def _usage(_source: Object, pods: str) -> Question:
    return Question(RESOURCE, ("pods",), (("labelSelector", _known(pods)),))


def _of_pods(source: Object, pods: str) -> Question:
    query = (("labelSelector", _known(pods)), *_of_metric("metricLabelSelector", source))
    return Question(CUSTOM, ("pods", "*", _name(source)), query)


def _of_object(source: Object, _pods: str) -> Question:
    about, query = source["describedObject"], tuple(_of_metric("metricLabelSelector", source))
    api_version = about.get("apiVersion") or "v1"
    if (api_version, about["kind"]) == ("v1", "Namespace"):
        # Whatever it is called: the controller reads of the autoscaler's own namespace only.
        return Question(CUSTOM, ("metrics", _name(source)), query)
    return Question(CUSTOM, (_step(about["name"]), _name(source)), query, (api_version, about["kind"]))


def _external(source: Object, _pods: str) -> Question:
    return Question(EXTERNAL, (_name(source),), tuple(_of_metric("labelSelector", source)))


QUESTIONS: Final[dict[str, Callable[[Object, str], Question]]] = {
    "Resource": _usage,
    "ContainerResource": _usage,
    "Pods": _of_pods,
    "Object": _of_object,
    "External": _external,
}


def _of_metric(parameter: str, source: Object) -> Iterable[tuple[str, str]]:
    text = labels_text(source["metric"].get("selector"))
    return [(parameter, text)] if text else []


def _name(source: Object) -> str:
    return _step(source["metric"]["name"])


def _step(name: str) -> str:
    """The controller's client sends no other either."""
    if not name or name in (".", "..") or {"/", "%"} & set(name):
        raise ValueError(f"{name!r} cannot be a step of a path: it is empty, . or .., or has / or % in it")
    return name


def _known(pods: str) -> str:
    if not pods:
        raise ValueError("the workload tells no selector of its pods")
    return pods
