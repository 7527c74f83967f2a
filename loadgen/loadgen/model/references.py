"""What a plan takes from elsewhere: a key of a ConfigMap or a Secret, whose content is a file where the load is made.

A field of one of these types is all that a new use needs: `references` finds it wherever it is in a plan or a spec, the
operator mounts it and reads it for its probe, and the command line looks for it in a folder. What a reference stands
for is called material; it is kept by `path`, apart from the plan, and never shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from loadgen.model.base import Model, require_exactly_one

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)]
"""Name of an object in the cluster (DNS subdomain)."""
DataKey = Annotated[str, Field(pattern=r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$", min_length=1, max_length=253)]
"""A key of a ConfigMap or Secret; as a file's name it stays in its folder."""
Material = Mapping[str, bytes]
"""Content of references, by their paths."""
NO_MATERIAL: Material = {}


class Holder(StrEnum):
    """What holds the key."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"


class KeyReference(Model):
    """A key of an object in the LoadTest's own namespace."""

    holder: ClassVar[Holder]
    name: ObjectName
    """Name of the object."""
    key: DataKey
    """Key in its data."""

    @property
    def path(self) -> str:
        """Where its content is kept, below a folder."""
        return f"{self.holder.lower()}s/{self.name}/{self.key}"


class ConfigMapKey(KeyReference):
    """A key of a ConfigMap in the LoadTest's own namespace."""

    holder: ClassVar[Holder] = Holder.CONFIG_MAP


class SecretKey(KeyReference):
    """A key of a Secret in the LoadTest's own namespace."""

    holder: ClassVar[Holder] = Holder.SECRET


class FromConfigMap(Model):
    """Content from a ConfigMap."""

    config_map_key_ref: ConfigMapKey
    """The key of a ConfigMap."""


class FromSecret(Model):
    """Content from a Secret."""

    secret_key_ref: SecretKey
    """The key of a Secret."""


class FromEither(Model):
    """Content from a ConfigMap or a Secret: exactly one of configMapKeyRef and secretKeyRef."""

    config_map_key_ref: ConfigMapKey | None = None
    """The key of a ConfigMap."""
    secret_key_ref: SecretKey | None = None
    """The key of a Secret."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        return require_exactly_one(self, "config_map_key_ref", "secret_key_ref")

    @property
    def path(self) -> str:
        """Of the one that is set."""
        return next(one.path for one in (self.config_map_key_ref, self.secret_key_ref) if one)


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a key."""

    to: KeyReference
    field: str
    """Which field refers to it, such as requests[chat].openAIChat.prompt.jsonl."""

    def __str__(self) -> str:
        return f"{self.field}: {self.to.holder} {self.to.name}, key {self.to.key}"


def references(model: Model, where: str = "") -> Iterator[Reference]:
    """Every reference in a model, each with the field that has it."""
    for name, field in type(model).model_fields.items():
        value, here = getattr(model, name), f"{where}.{field.alias or name}" if where else field.alias or name
        if isinstance(value, KeyReference):
            yield Reference(value, where)
        elif isinstance(value, Model):
            yield from references(value, here)
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, Model):
                    yield from references(item, f"{here}[{getattr(item, 'name', place)}]")
