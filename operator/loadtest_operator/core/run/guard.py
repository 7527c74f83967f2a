"""What the administrator and the namespace allow: a LoadTest is a load generator aimed, and labelled, by whoever may create one.

By default only Services in the LoadTest's own namespace, and of these only such as lead to its pods: where a Service that is
a mere name (ExternalName), or whose addresses somebody wrote by hand, leads is nobody's to say, so it counts as a URL. What
it is counts, not what it is called. The worker template has only harmless fields (`api.worker`); but a label is harmless
only as long as no Service takes pods that carry it for its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.settings import Settings

Object = Mapping[str, Any]
ASK_FOR_URLS = "or ask the administrator to set the operator's allowUrls"


def refusals(spec: LoadTestSpec, namespace: str, settings: Settings) -> tuple[str, ...]:
    """A sentence for each thing that is not allowed."""
    reference = spec.target.service_ref
    if reference is None:
        return _url(spec, settings)
    wanted = reference.namespace or namespace
    if wanted == namespace or wanted in settings.allowed_target_namespaces or "*" in settings.allowed_target_namespaces:
        return ()
    return (
        f"spec.target.serviceRef.namespace {wanted!r} is not allowed: use a Service in {namespace!r}, or ask the "
        "administrator to add the namespace to the operator's allowedTargetNamespaces",
    )


def _url(spec: LoadTestSpec, settings: Settings) -> tuple[str, ...]:
    if settings.allow_urls:
        return ()
    return (f"spec.target.url {spec.target.url!r} is not allowed: use serviceRef, {ASK_FOR_URLS}",)


def leads_elsewhere(service: Object) -> str:
    """Why a Service's answers are not those of pods in its namespace; empty where they are."""
    name, spec = service["metadata"]["name"], service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return f"Service {name} is an ExternalName: it leads to {spec.get('externalName', 'wherever it says')}"
    if not spec.get("selector"):
        return f"Service {name} has no selector: it leads to whatever addresses were written for it"
    return ""


def not_allowed_to_lead(elsewhere: str, settings: Settings) -> str:
    """The refusal of a Service that leads elsewhere; empty where that is fine."""
    if not elsewhere or settings.allow_urls:
        return ""
    return f"spec.target.serviceRef: {elsewhere}, which is not allowed: use a Service whose selector selects pods, {ASK_FOR_URLS}"


def is_own(spec: LoadTestSpec, namespace: str, elsewhere: str) -> bool:
    """Whether the target belongs to the LoadTest's namespace: only then may its answers be shown to who reads the LoadTest."""
    reference = spec.target.service_ref
    return reference is not None and (reference.namespace or namespace) == namespace and not elsewhere


def attracting(things: Iterable[Object], given: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Which Service would send its clients to the workers, or which NetworkPolicy would say something else of them, because of the
    labels that the user gave; empty where none."""
    changed = ((thing, selector) for thing in things for selector in _selectors(thing) if _tells(selector, given, ours))
    for thing, selector in changed:
        because = ", ".join(f"{key}={given[key]}" for key in sorted(_keys(selector) & given.keys() - ours.keys()))
        effect = EFFECTS[thing.get("kind", "Service")].format(thing["metadata"]["name"])
        return f"spec.workerTemplate.labels: {because} would {effect}: {REMEDY}"
    return ""


REMEDY = "use other labels (what is meant for workers selects app.kubernetes.io/name: loadtest-worker)"
EFFECTS = {
    "Service": "make the workers endpoints of Service {}, and take its clients' requests",
    "NetworkPolicy": "change what NetworkPolicy {} lets the workers do",
}


def _tells(selector: Object, given: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether it is the user's labels that make a difference to this selector."""
    return _selects(selector, {**given, **ours}) != _selects(selector, ours)


def _selectors(thing: Object) -> Iterator[Object]:
    """Every selector of pods: of a Service, or of a NetworkPolicy's subject and peers."""
    spec = thing.get("spec") or {}
    if thing.get("kind") != "NetworkPolicy":
        if spec.get("selector"):
            yield {"matchLabels": spec["selector"]}
        return
    yield spec.get("podSelector") or {}
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(side) or ():
            yield from (peer["podSelector"] for peer in rule.get(peers) or () if peer.get("podSelector"))


def _keys(selector: Object) -> set[str]:
    return {*(selector.get("matchLabels") or {}), *(each["key"] for each in selector.get("matchExpressions") or ())}


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """As the API server matches labels; one without any requirement selects everything."""
    exact = (selector.get("matchLabels") or {}).items() <= labels.items()
    return exact and all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
