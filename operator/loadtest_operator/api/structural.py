"""Pydantic models → the structural OpenAPI v3 schema that Kubernetes wants.

JSON Schema says more than Kubernetes accepts, so this is a translation that raises rather than guesses: `$ref` is
inlined, an optional is a member that may be left out (never null), `const` is an enum of one, `exclusiveMinimum` a
flag beside `minimum`; titles, nulls and empty defaults go; unions of anything raise. A list of things with a required
name is a map by name, so that server-side apply merges it and a name used twice is refused.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from loadtest_operator.api.cel import rules_of

Schema = dict[str, Any]

KEPT = (
    "type",
    "description",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
KNOWN = {*KEPT, "$ref", "$defs", "title", "default", "const", "properties", "required", "additionalProperties", "items"}
KNOWN |= {"exclusiveMinimum", "exclusiveMaximum"}


class NotStructuralError(Exception):
    """The model says something that a structural schema cannot."""


class _Generator(GenerateJsonSchema):
    """JSON Schema with the rules of each model, without nulls."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        if rules := rules_of(schema["cls"]):
            result["x-kubernetes-validations"] = rules
        return result


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """The structural schema of a model; a status goes without defaults, it has one writer."""
    schema = model.model_json_schema(schema_generator=_Generator)
    return _convert(schema, schema.get("$defs", {}), model.__name__, defaults=defaults)


def _convert(schema: Schema, definitions: Schema, where: str, *, defaults: bool) -> Schema:
    schema = _inlined(schema, definitions)
    if unknown := [key for key in schema if key not in KNOWN and not key.startswith("x-kubernetes-")]:
        raise NotStructuralError(f"{where}: {', '.join(unknown)} cannot be said in a structural schema")
    result = {key: schema[key] for key in KEPT if key in schema} | _bounds(schema)
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if defaults and (default := _without_empty(schema.get("default"))) not in (None, {}, []):
        result["default"] = default
    result |= _children(schema, definitions, where, defaults=defaults)
    return result | {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = definitions[name] | {key: value for key, value in schema.items() if key != "$ref"}
    return schema


def _bounds(schema: Schema) -> Schema:
    result: Schema = {}
    for key, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if key in schema:
            result |= {limit: schema[key], key: True}
    if "x-kubernetes-int-or-string" in schema and not schema.get("pattern", "").startswith("^-?"):
        result.setdefault("minimum", schema.get("minimum", 0))
    return result


def _children(schema: Schema, definitions: Schema, where: str, *, defaults: bool) -> Schema:
    result: Schema = {}
    if properties := schema.get("properties"):
        result["required"] = schema.get("required", [])
        result["properties"] = {
            name: _convert(value, definitions, f"{where}.{name}", defaults=defaults)
            for name, value in properties.items()
        }
    elif isinstance(schema.get("additionalProperties"), dict):
        values = schema["additionalProperties"]
        result["additionalProperties"] = _convert(values, definitions, f"{where}.*", defaults=defaults)
    if "items" in schema:
        result["items"] = _convert(schema["items"], definitions, f"{where}[]", defaults=defaults)
        result |= _list_type(result["items"])
    return {key: value for key, value in result.items() if value != []}


def _list_type(items: Schema) -> Schema:
    required = items.get("required", [])
    key = next((key for key in ("name", "type") if key in required), None)
    if key is None:
        return {"x-kubernetes-list-type": "atomic"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def _without_empty(value: Any) -> Any:
    """What a default says: nulls and empty members say nothing."""
    if isinstance(value, dict):
        members = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in members.items() if item not in (None, {}, [])}
    return value
