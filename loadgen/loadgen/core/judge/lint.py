"""Everything that is wrong with a plan, at once, in sentences that name the field as the user wrote it.

A document is a bare plan (requests, load, thresholds) or a LoadTest whose `spec` holds one; the fields of a LoadTest
that only the operator knows are passed over: checking them is the API server's part. pydantic finds what is wrong with
single fields; its checks between fields run only where all fields are right, so names and references are looked at once
more on the raw document. What is said of plans that are valid and yet cannot answer what they ask is in `advice`.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from loadgen.model.access import Access, refuse_twice_given
from loadgen.model.base import Model
from loadgen.model.errors import InvalidPlanError
from loadgen.model.plan import Plan
from loadgen.model.requests import API_NAME

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

API_VERSION = "loadtest.dev/v1alpha1"
KIND = "LoadTest"
PLAN_FIELDS = ("requests", "load", "thresholds", "defaults")
ACCESS_FIELDS = ("authorization", "tls")
"""Fields of a LoadTest's target that mean something without a cluster."""
OPERATOR_FIELDS = (
    *("runToken", "suspend", "abort", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "target", "scaling"),
    *("faults", "results", "workerTemplate"),
)
"""Fields of a LoadTest's spec that are the operator's alone."""


def parse(document: Any) -> Plan:
    """The plan in a document; raises `InvalidPlanError` with every problem."""
    if found := problems(document):
        raise InvalidPlanError(found)
    return _plan(document)


def _plan(document: Mapping[Any, Any]) -> Plan:
    part, _ = _plan_part(document)
    return Plan.model_validate(_only_plan(part), by_alias=True, by_name=False)


def access(document: Any) -> Access:
    """How a LoadTest's target is talked to, once `parse` has found no problem; a bare plan says nothing of it."""
    return Access.model_validate(_only_access(document), by_alias=True, by_name=False)


def problems(document: Any) -> list[str]:
    """Every problem, one sentence each; none means that the plan runs."""
    if not isinstance(document, Mapping):
        return [f"a plan is a mapping with requests and load, not {_shown(document)}"]
    if document.get("kind") == "LoadTestSweep":
        return ["kind is 'LoadTestSweep', which is many runs: play it with loadgen sweep"]
    part, prefix = _plan_part(document)
    if not isinstance(part, Mapping):
        return [*_envelope(document), f"spec is {_shown(part)}: write a mapping with requests and load"]
    found = [*_envelope(document), *_unknown(part, prefix), *_invalid(_only_plan(part), prefix)]
    return found or _invalid_access(document)


def _plan_part(document: Mapping[Any, Any]) -> tuple[Any, str]:
    """Where the plan's fields are, and what stands before them in a path."""
    return (document.get("spec"), "spec.") if _is_load_test(document) else (document, "")


def _is_load_test(document: Mapping[Any, Any]) -> bool:
    return not document.keys().isdisjoint({"apiVersion", "kind", "metadata", "spec"})


def _only_plan(part: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: part[name] for name in PLAN_FIELDS if name in part}


def _only_access(document: Mapping[Any, Any]) -> dict[str, Any]:
    part, _ = _plan_part(document)
    target = part.get("target")
    return {name: target[name] for name in ACCESS_FIELDS if name in target} if isinstance(target, Mapping) else {}


def _invalid_access(document: Mapping[Any, Any]) -> list[str]:
    """What is wrong with the target's authorization and TLS; the rest of the plan is right."""
    try:
        refuse_twice_given(access(document), _plan(document).requests)
    except ValidationError as error:
        return [
            f"spec.target.{_path(one['loc'], None)}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False)
        ]
    except ValueError as error:
        return [f"spec.{error}"]
    return []


def _envelope(document: Mapping[Any, Any]) -> list[str]:
    """What stands around a LoadTest's spec."""
    wanted = {"apiVersion": API_VERSION, "kind": KIND} if _is_load_test(document) else {}
    return [
        f"{name} is {_shown(document.get(name))}: write {value}"
        for name, value in wanted.items()
        if document.get(name) != value
    ]


def _unknown(part: Mapping[Any, Any], prefix: str) -> list[str]:
    known = (*PLAN_FIELDS, *OPERATOR_FIELDS) if prefix else PLAN_FIELDS
    return [_unknown_field(prefix + name, known) for name in map(str, part) if name not in known]


def _unknown_field(path: str, known: Sequence[str]) -> str:
    return f"{path} is not a known field: {_nearest(path.rpartition('.')[2], known)}"


def _nearest(word: str, known: Sequence[str]) -> str:
    """Which of the known words may have been meant."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower().replace("_", ""), by_lower, 1, 0.55)
    return f"did you mean {by_lower[near[0]]}?" if near else f"one of {', '.join(known)}"


def _invalid(part: Mapping[str, Any], prefix: str) -> list[str]:
    try:
        Plan.model_validate(part, by_alias=True, by_name=False)
    except ValidationError as error:
        details = [one for one in error.errors(include_url=False) if not _is_echo(one)]
        between = _names_and_references(part)
        found = [_sentence(one, part) for one in _without_misspelt(details) if one["loc"] or not between]
        return [prefix + sentence for sentence in dict.fromkeys([*found, *between])]
    return []


def _is_echo(detail: ErrorDetails) -> bool:
    """pydantic calls a list too short when its items are invalid; that is said of the items already."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _without_misspelt(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """A required field that is there under a wrong name is one problem, not two."""
    strange = [one["loc"] for one in details if one["type"] == "extra_forbidden"]
    meant = {(*loc[:-1], _nearest(str(loc[-1]), _fields_at(loc[:-1]))) for loc in strange}
    return [
        one
        for one in details
        if one["type"] != "missing" or (*one["loc"][:-1], f"did you mean {one['loc'][-1]}?") not in meant
    ]


def _sentence(detail: ErrorDetails, part: Mapping[str, Any]) -> str:
    """The field, its value, and what would be right."""
    loc, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    path, value = _path(loc, part), _shown(detail["input"])
    if kind == "extra_forbidden":
        return f"{path} is not a known field: {_nearest(str(loc[-1]), _fields_at(loc[:-1]))}"
    if kind == "missing":
        return f"{path} is required{_described(loc)}"
    if kind in ("enum", "literal_error"):
        return f"{path} is {value}: {_nearest(str(detail['input']), _words(context['expected']))}"
    if kind == "value_error":
        return _own_words(path, str(context["error"]))
    return f"{path} is {value}: {_remedy(kind, context) or detail['msg']}"


def _own_words(path: str, words: str) -> str:
    """A message of the model's own, which may name the path itself."""
    return f"{path}: {words}" if path else words


def _remedy(kind: str, context: Mapping[str, Any]) -> str:
    """What would be right, for the errors that a plan's fields can have."""
    if "pattern" in context:
        return _PATTERNS.get(context["pattern"], "write lower-case letters, digits and dashes, such as peak-2")
    for limit, words in {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}.items():
        if limit in context:
            return f"write {words} {context[limit]}"
    for limit, words in {"min_length": "at least", "max_length": "at most"}.items():
        if limit in context:
            return f"write {words} {context[limit]} {'characters' if kind.startswith('string') else 'entries'}"
    return _REMEDIES.get(kind, "")


_PATTERNS = {"^/": "write a path that begins with /", API_NAME: "write a function's name, such as predict"}
_REMEDIES = {
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write a text, in quotes if it looks like a number",
    "tuple_type": "write a list",
    "dict_type": "write a mapping",
    "model_type": "write a mapping",
    "model_attributes_type": "write a mapping",
}


def _path(loc: Iterable[str | int], part: Any) -> str:
    """`load.stages[peak].rampSeconds`: items of a list by their name where they have one."""
    path, here = "", part
    for step in loc:
        if isinstance(step, int):
            path += f"[{_label(here, step)}]"
            here = here[step] if isinstance(here, list) else None
        else:
            here = here.get(step) if isinstance(here, Mapping) else None
            path += f".{step}" if path else step
    return path


def _label(items: Any, index: int) -> str | int:
    """The item's name, if no other item has it."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    name = names[index]
    return name if isinstance(name, str) and names.count(name) == 1 else index


def _shown(value: Any) -> str:
    """A value, short."""
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _words(expected_words: str) -> list[str]:
    return [word.strip("' ") for word in expected_words.replace(" or ", ", ").split(",")]


def _described(loc: tuple[str | int, ...]) -> str:
    """What the field is for, from the model's own description."""
    model = _model_at(loc[:-1])
    for field in model.model_fields.values() if model else ():
        if field.alias == loc[-1] and field.description:
            return f": {field.description[:1].lower()}{field.description[1:].rstrip('.')}"
    return ""


def _fields_at(loc: tuple[str | int, ...]) -> list[str]:
    model = _model_at(loc)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_at(loc: Iterable[str | int]) -> type[Model] | None:
    """The model that the value at this place is checked against."""
    model: type[Model] | None = Plan
    for step in loc:
        if isinstance(step, str):
            fields = model.model_fields.values() if model else ()
            model = next((_model_in(field.annotation) for field in fields if field.alias == step), None)
    return model


def _model_in(annotation: Any) -> type[Model] | None:
    """The model inside tuple[Annotated[M | None, …], …]."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, Model) else None
    return next((model for one in typing.get_args(annotation) if (model := _model_in(one))), None)


def _names_and_references(part: Mapping[str, Any]) -> list[str]:
    """Names used twice and thresholds that refer to nothing; in the model's words, so that nothing is said twice."""
    load = part.get("load")
    stages = _named(load.get("stages") if isinstance(load, Mapping) else None)
    requests, thresholds = _named(part.get("requests")), _named(part.get("thresholds"))
    found = [*_twice("load.stages", stages), *_twice("requests", requests), *_twice("thresholds", thresholds)]
    for threshold in thresholds:
        where = f"thresholds[{threshold['name']}]"
        found += _dangling(f"{where}.request", "request", [threshold.get("request")], requests)
        named = threshold.get("stages")
        found += _dangling(f"{where}.stages", "stage", named if isinstance(named, list) else [], stages)
    return found


def _named(items: Any) -> list[Mapping[str, Any]]:
    candidates = items if isinstance(items, list) else []
    return [item for item in candidates if isinstance(item, Mapping) and isinstance(item.get("name"), str)]


def _twice(path: str, items: list[Mapping[str, Any]]) -> list[str]:
    names = [item["name"] for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"{path}: names must be unique; used more than once: {', '.join(twice)}"] if twice else []


def _dangling(path: str, kind: str, wanted: Iterable[Any], items: list[Mapping[str, Any]]) -> list[str]:
    names = [item["name"] for item in items]
    lost = (name for name in wanted if isinstance(name, str) and name not in names)
    return [f"{path} {name!r} is no {kind}: {_nearest(name, names)}" for name in lost if names]
