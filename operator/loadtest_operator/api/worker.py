"""What a user may say about the worker pods. An allow-list: nothing here can reach a host, a volume or a token.

A raw pod spec would make "may create LoadTests" the same as "may run any pod"; every field of this file is one
that cannot be used to gain rights in the namespace. Labels and annotations are read by injectors, networks and clouds, which
add containers, volumes or identities to a pod that asks for it: so only keys without a prefix are free (Kubernetes leaves
them to the user), and of the others those that take nothing. What a pod would be refused for is refused here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from loadgen.model.base import Model
from loadtest_operator.api.meta import LocalReference, ObjectName

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]{1,9})?(m|[kMGTPE]|[KMGTPE]i)?$"


def _quantity(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


LABEL_NAME = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
QUALIFIED_NAME = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
Harmless = Mapping[str, tuple[str, ...]]
HARMLESS_LABELS: Harmless = {"sidecar.istio.io/inject": ("false",)}
HARMLESS_ANNOTATIONS: Harmless = {
    "sidecar.istio.io/inject": ("false",),
    "linkerd.io/inject": ("disabled",),
    "prometheus.io/scrape": ("false", "true"),
    "cluster-autoscaler.kubernetes.io/safe-to-evict": ("false", "true"),
    "karpenter.sh/do-not-disrupt": ("false", "true"),
}
"""Keys with a prefix that take nothing, and the values that they may have."""
TAKEN = "aadpodidbinding"
"""The one key without a prefix that gives a pod rights: an identity in Azure."""
RESOURCES = ("cpu", "memory", "ephemeral-storage")
DEFAULT_REQUESTS = {"cpu": "100m", "memory": "128Mi"}
# Memory is limited so that a leak cannot hurt the node; CPU is not, for a throttled generator measures itself.
DEFAULT_LIMITS = {"memory": "512Mi"}
SUFFIXES: dict[str | None, Decimal] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("KMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def amount(text: str) -> Decimal | None:
    """A quantity such as 500m or 2Gi as a number; nothing where it is none."""
    found = re.match(r"^([0-9]+(?:\.[0-9]+)?)(m|k|[KMGTPE]i?)?\Z", text)
    return Decimal(found[1]) * SUFFIXES[found[2]] if found else None


def more(one: str, other: str) -> bool:
    """Whether one quantity is larger than another; what cannot be read is not."""
    first, second = amount(one), amount(other)
    return first is not None and second is not None and first > second


def _wrong_keys(given: Mapping[str, str], harmless: Harmless) -> list[str]:
    """Keys that are not free, or have a value that they may not have."""
    return sorted(
        key
        for key, value in given.items()
        if (not re.match(LABEL_NAME, key) or key == TAKEN) and value not in harmless.get(key, ())
    )


def _refuse_keys(what: str, given: Mapping[str, str], harmless: Harmless) -> None:
    if wrong := _wrong_keys(given, harmless):
        known = "; ".join(f"{key}: {' or '.join(values)}" for key, values in harmless.items())
        raise ValueError(
            f"{what}: {', '.join(wrong)[:300]} cannot be set: keys with a prefix, and {TAKEN}, may add containers, volumes or "
            f"rights to the pods; use other keys without a prefix, of at most 63 characters, or {known}"
        )


def _refuse_odd_labels(what: str, given: Mapping[str, str], keys: str) -> None:
    for key, value in given.items():
        if not re.match(keys, key) or len(key.rpartition("/")[2]) > 63:
            raise ValueError(f"{what}: {key[:100]!r} is no label's key: write letters, digits, - _ and . only")
        if not re.match(LABEL_VALUE, value):
            raise ValueError(f"{what}.{key}: {value!r} is no label's value: write letters, digits, - _ and . only")


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    Field(pattern=QUANTITY_PATTERN, max_length=32),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "maxLength": 32, "minimum": 0}),
]
"""A Kubernetes quantity such as 500m, 2 or 256Mi."""
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]
LabelValue = Annotated[str, Field(max_length=63)]
AnnotationValue = Annotated[str, Field(max_length=4096)]


class Resources(Model):
    """Requests and limits of a worker's container."""

    requests: Quantities = {}
    """Least resources, such as cpu: "1". Default: the operator's setting."""
    limits: Quantities = {}
    """Most resources. A CPU limit throttles the load generator; a run that it spoiled is Inconclusive. A heavy load takes a core
    for each 64 MiB of the memory limit beyond the first 128 MiB."""

    @model_validator(mode="after")
    def _can_be_granted(self) -> Self:
        if other := sorted({*self.requests, *self.limits} - set(RESOURCES)):
            raise ValueError(f"{', '.join(other)[:200]} cannot be asked for: only {', '.join(RESOURCES)}")
        for name, wanted in self.requests.items():
            if name in self.limits and more(wanted, self.limits[name]):
                raise ValueError(
                    f"requests.{name} {wanted} is more than limits.{name} {self.limits[name]}: raise the limit"
                )
        return self

    @property
    def effective(self) -> tuple[dict[str, str], dict[str, str]]:
        """Requests and limits with the defaults, which give way to what was asked for."""
        requests = {**DEFAULT_REQUESTS, **self.requests}
        limits = {**DEFAULT_LIMITS, **self.limits}
        for name in requests.keys() & limits.keys():
            if more(requests[name], limits[name]):
                side, given = (requests, limits) if name in self.limits else (limits, requests)
                side[name] = given[name]
        return requests, limits


class Toleration(Model):
    """A taint that worker pods tolerate, as in a pod."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """Key of the taint. Default: every key (operator must be Exists)."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How value is compared. Default Equal."""
    value: LabelValue | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint. Default: every effect."""
    toleration_seconds: Annotated[int, Field(ge=0, le=604_800)] | None = None
    """How long a NoExecute taint is tolerated, in seconds. Default: for ever."""

    @model_validator(mode="after")
    def _is_accepted(self) -> Self:
        if self.key is None and self.operator != "Exists":
            raise ValueError("a toleration without key tolerates every taint: set operator: Exists, or a key")
        if self.operator == "Exists" and self.value:
            raise ValueError("value does not go with operator Exists: leave it out, or use Equal")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError(
                "tolerationSeconds is for effect NoExecute: set that effect, or leave tolerationSeconds out"
            )
        if self.key is not None and not re.match(QUALIFIED_NAME, self.key):
            raise ValueError(f"{self.key!r} is no taint's key: such as example.com/dedicated")
        return self


class WorkerTemplate(Model):
    """Where and how the worker pods run; only what is listed here can be set."""

    labels: Annotated[dict[str, LabelValue], Field(max_length=16)] = {}
    """Labels added to the pods: keys without a prefix, and sidecar.istio.io/inject: "false". A LoadTest whose workers a Service,
    NetworkPolicy, Deployment, StatefulSet or PodDisruptionBudget of the namespace would select by them is not run."""
    annotations: Annotated[dict[str, AnnotationValue], Field(max_length=16)] = {}
    """Annotations added to the pods: keys without a prefix, and some that take nothing, such as
    cluster-autoscaler.kubernetes.io/safe-to-evict: "false" or sidecar.istio.io/inject: "false"."""
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=16)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pods tolerate."""
    resources: Resources = Resources()
    """Requests and limits of each worker."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods, one that the administrator allows. Default: the cluster's."""
    image_pull_secrets: Annotated[tuple[LocalReference, ...], Field(max_length=8)] = ()
    """Secrets for pulling the worker image."""

    @model_validator(mode="after")
    def _takes_nothing(self) -> Self:
        _refuse_keys("labels", self.labels, HARMLESS_LABELS)
        _refuse_keys("annotations", self.annotations, HARMLESS_ANNOTATIONS)
        _refuse_odd_labels("labels", self.labels, QUALIFIED_NAME)
        _refuse_odd_labels("nodeSelector", self.node_selector, QUALIFIED_NAME)
        if (self.priority_class_name or "").startswith("system-"):
            raise ValueError(
                f"priorityClassName {self.priority_class_name}: the system's classes are for what runs the cluster"
            )
        return self
