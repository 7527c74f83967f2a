"""What a user may say about the worker pods. An allow-list: nothing here can reach a host, a volume or a token.

A raw pod spec would make "may create LoadTests" the same as "may run any pod"; every field of this file is one
that cannot be used to gain rights in the namespace.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from loadgen.model.base import Model
from loadtest_operator.api.meta import GROUP, LocalReference, ObjectName

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]{1,9})?(m|[kMGTPE]|[KMGTPE]i)?$"


def _quantity(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_reserved(label: str) -> bool:
    return label.startswith(f"{GROUP}/") or "kubernetes.io/" in label


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


class WorkerTemplate(Model):
    """Where and how the worker pods run; only what is listed here can be set."""

    labels: Annotated[dict[str, LabelValue], Field(max_length=16)] = {}
    """Labels added to the pods. Keys under loadtest.dev/ and kubernetes.io/ are the operator's."""
    annotations: Annotated[dict[str, AnnotationValue], Field(max_length=16)] = {}
    """Annotations added to the pods."""
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=16)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pods tolerate."""
    resources: Resources = Resources()
    """Requests and limits of each worker."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods. Default: the cluster's."""
    image_pull_secrets: Annotated[tuple[LocalReference, ...], Field(max_length=8)] = ()
    """Secrets for pulling the worker image."""

    @model_validator(mode="after")
    def _reserved_labels(self) -> Self:
        if reserved := sorted(key for key in self.labels if _is_reserved(key)):
            raise ValueError(f"labels: {', '.join(reserved)} is reserved for the operator: use another prefix")
        return self
