"""What the administrator and the namespace allow: a LoadTest is a load generator aimed, and labelled, by whoever may create one.

By default only Services in the LoadTest's own namespace, and of these only such as lead to its pods: where a Service that is
a mere name (ExternalName), or whose addresses somebody wrote by hand, leads is nobody's to say, so it counts as a URL. What
it is counts, not what it is called. The worker template has only harmless fields (`api.worker`); but a label is harmless
only as long as no Service takes pods that carry it for its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.common.kinds import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    SELECTING,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.faults import pod_kill

Object = Mapping[str, Any]
MANAGED_BY, ENDPOINTS_CONTROLLER = "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"
"""Who writes a Service's addresses where it has a selector, and takes back what another writes in its name."""
ASK_FOR_URLS = "or ask the administrator to set the operator's allowUrls"


def refusals(spec: LoadTestSpec, namespace: str, settings: Settings) -> tuple[str, ...]:
    """A sentence for each thing that is not allowed."""
    return (
        *_target(spec, namespace, settings),
        *_priority(spec, settings),
        *pod_kill.refusals(spec, namespace, settings),
    )


def _priority(spec: LoadTestSpec, settings: Settings) -> tuple[str, ...]:
    """A class may drive other namespaces' pods from their nodes."""
    name, allowed = spec.worker_template.priority_class_name, settings.allowed_priority_classes
    if name is None or name in allowed:
        return ()
    known = f"use {' or '.join(allowed)}, or leave it out" if allowed else "leave it out"
    return (
        f"spec.workerTemplate.priorityClassName {name!r} is not allowed: {known}, or ask the administrator to add it to the "
        "operator's allowedPriorityClasses",
    )


def _target(spec: LoadTestSpec, namespace: str, settings: Settings) -> tuple[str, ...]:
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


def written_by_hand(service: Object, slices: Iterable[Object]) -> str:
    """Which of a Service's addresses are not those that its selector finds; empty where there are none."""
    for piece in slices:
        if (piece["metadata"].get("labels") or {}).get(MANAGED_BY) != ENDPOINTS_CONTROLLER:
            return (
                f"Service {service['metadata']['name']} has addresses that its selector did not find: somebody else wrote "
                f"EndpointSlice {piece['metadata']['name']}"
            )
    return ""


def not_allowed_to_lead(elsewhere: str, settings: Settings) -> str:
    """The refusal of a Service that leads elsewhere; empty where that is fine."""
    if not elsewhere or settings.allow_urls:
        return ""
    return (
        f"spec.target.serviceRef: {elsewhere}, which is not allowed: use a Service whose addresses are those that its selector "
        f"finds, {ASK_FOR_URLS}"
    )


def is_own(spec: LoadTestSpec, namespace: str, elsewhere: str) -> bool:
    """Whether the target belongs to the LoadTest's namespace: only then may its answers be shown to who reads the LoadTest."""
    reference = spec.target.service_ref
    return reference is not None and (reference.namespace or namespace) == namespace and not elsewhere


def attracting(kind: Kind, things: Iterable[Object], given: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """What of this kind would take the workers for other pods, because of the labels that the user gave; empty where nothing.

    A Service would send its clients to them, a NetworkPolicy say something else of them, an autoscaler count their CPU as that
    of the pods that it scales."""
    changed = (
        (thing, selector) for thing in things for selector in SELECTORS[kind](thing) if _tells(selector, given, ours)
    )
    for thing, selector in changed:
        because = ", ".join(f"{key}={given[key]}" for key in sorted(_keys(selector) & given.keys() - ours.keys()))
        effect = EFFECTS[kind].format(thing["metadata"]["name"])
        return f"spec.workerTemplate.labels: {because} would {effect}: {REMEDY}"
    return ""


REMEDY = "use other labels (what is meant for workers selects app.kubernetes.io/name: loadtest-worker)"
EFFECTS: Mapping[Kind, str] = {
    SERVICE: "make the workers endpoints of Service {}, and take its clients' requests",
    NETWORK_POLICY: "change what NetworkPolicy {} lets the workers do",
    DEPLOYMENT: "have the workers counted by the autoscaler of Deployment {}",
    STATEFUL_SET: "have the workers counted by the autoscaler of StatefulSet {}",
    DISRUPTION_BUDGET: "have the workers counted by PodDisruptionBudget {}",
}
if missing := {*SELECTING} ^ {*EFFECTS}:
    raise TypeError(f"what these do with pods that they select is not said: {missing}")


def _tells(selector: Object, given: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether it is the user's labels that make a difference to this selector."""
    return _selects(selector, {**given, **ours}) != _selects(selector, ours)


def _of_service(thing: Object) -> Iterator[Object]:
    if selector := (thing.get("spec") or {}).get("selector"):
        yield {"matchLabels": selector}


def _of_workload(thing: Object) -> Iterator[Object]:
    if (selector := (thing.get("spec") or {}).get("selector")) is not None:
        yield selector


def _of_policy(thing: Object) -> Iterator[Object]:
    """Its subject's, and its peers'."""
    spec = thing.get("spec") or {}
    yield spec.get("podSelector") or {}
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(side) or ():
            yield from (peer["podSelector"] for peer in rule.get(peers) or () if peer.get("podSelector"))


SELECTORS: Mapping[Kind, Callable[[Object], Iterator[Object]]] = {
    **dict.fromkeys(SELECTING, _of_workload),
    SERVICE: _of_service,
    NETWORK_POLICY: _of_policy,
}
"""Every selector of pods in an object of the kind."""


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
