"""What every kind of ours shares with the rest of Kubernetes: references, conditions, times, decimals without floats.

The schema has no unions and no floats. "Exactly one of" is a set of optional members; a number that may be
fractional is a decimal string in a status (`decimal_text` makes one) and an integer or a decimal string in a spec.
A text that the operator writes is cut to its bound here, so that a long message can never make a status write fail.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from loadgen.model import references
from loadgen.model.base import Model

GROUP: Final = "loadtest.dev"
FINALIZER: Final = f"{GROUP}/operator"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "loadtest.dev/v1alpha1"
PORT_NAME: Final = r"^[-0-9]*[a-z][-a-z0-9]*$"


def _port(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return str(value)
    if isinstance(value, str) and len(value) <= 15 and re.match(PORT_NAME, value):
        return value
    raise ValueError(f"{value!r} is no port: write its name, such as http, or its number, 1 to 65535")


ObjectName = references.ObjectName
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]


class Named(Protocol):
    """Anything that other fields refer to by name."""

    @property
    def name(self) -> str:
        """The name."""


def decimal_text(value: Any) -> Any:
    """A number as a decimal string of four significant digits, more only before the point: 1710, 19.87, 0.0312."""
    if isinstance(value, str) or value is None:
        return value
    number = Decimal(str(value))
    digits = max(0, 3 - number.adjusted()) if number else 0
    rounded = format(round(number, digits), "f")
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def cut(length: int) -> BeforeValidator:
    """Cuts a text to its bound, with an ellipsis."""

    def shorten(value: Any) -> Any:
        return value[: length - 1] + "…" if isinstance(value, str) and len(value) > length else value

    return BeforeValidator(shorten)


DecimalText = Annotated[str, BeforeValidator(decimal_text), Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=32)]
"""A decimal string such as "19.8"."""
Seconds = Annotated[int, Field(ge=1, le=86400)]
SecondsOrNone = Annotated[int, Field(ge=0, le=86400)]
Line = Annotated[str, cut(256), Field(max_length=256)]
"""A short text written by the operator."""
Message = Annotated[str, cut(1024), Field(max_length=1024)]
"""A sentence or two for people, written by the operator."""
Time = AwareDatetime
"""A moment, RFC 3339 with microseconds and Z in JSON."""
NameText = Annotated[str, Field(max_length=253)]
"""A name in a status."""
Port = Annotated[
    str,
    BeforeValidator(_port),
    PlainSerializer(lambda value: int(value) if value.isdigit() else value),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": PORT_NAME,
            "maxLength": 15,
            "minimum": 1,
            "maximum": 65535,
        }
    ),
]
"""A Service's port by name or number."""


class StatusModel(Model):
    """A part of a status. Fields of a newer operator are ignored, so that a downgrade can read it."""

    model_config = ConfigDict(extra="ignore")


class ObjectMeta(Model):
    """The part of an object's metadata that the operator reads."""

    model_config = ConfigDict(extra="ignore")

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()


class LocalReference(Model):
    """An object in the same namespace."""

    name: ObjectName
    """Name of the object."""


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The conditions of a LoadTest, in the order in which a run reaches them; the last three are kstatus'."""

    ACCEPTED = "Accepted"
    TARGET_READY = "TargetReady"
    WORKERS_READY = "WorkersReady"
    LOAD_RUNNING = "LoadRunning"
    LOAD_COMPLETED = "LoadCompleted"
    FAULTS_INJECTED = "FaultsInjected"
    FAULTS_RECOVERED = "FaultsRecovered"
    SCALING_VERIFIED = "ScalingVerified"
    THRESHOLDS_MET = "ThresholdsMet"
    RESULTS_STORED = "ResultsStored"
    FINISHED = "Finished"
    PASSED = "Passed"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Condition(Model):
    """One aspect of the state, as in every Kubernetes API."""

    type: Annotated[str, Field(max_length=64)]
    """Which aspect, such as Finished or Passed."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=64)]
    """CamelCase word for programs."""
    message: Message = ""
    """Sentence for people."""
    last_transition_time: Time
    """When status changed last."""
    observed_generation: int | None = None
    """metadata.generation that the condition was computed from."""


def some(names: Iterable[str], most: int = 8) -> str:
    """The first names; a message has no room for all."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def unique_names(items: Iterable[Named], where: str) -> None:
    """Raises when two things of a list have the same name."""
    names = [item.name for item in items]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{where}: names must be unique; used more than once: {', '.join(twice)}")
