"""A file with one LoadTest: read, and everything that is wrong with it said at once. Pure but for the reading."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubectl_loadtest.problems import BadInputError
from loadgen.core.judge import advice as advise
from loadgen.core.judge import lint
from loadtest_operator.api.loadtest import LoadTest

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The one LoadTest of a file."""

    body: Object
    others: tuple[str, ...] = ()
    """Kinds and names of what else is in the file."""

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        found = self.body["metadata"].get("namespace")
        return str(found) if found else None


def read(path: str) -> str:
    """The file's text; `-` is the standard input."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not UTF-8: {error}") from error


def parse(text: str, path: str) -> Manifest:
    """The LoadTest in a text. Raises BadInputError where there is none, or more than one, or it has no name."""
    try:
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not YAML: {error}") from error
    tests = [one for one in documents if isinstance(one, dict) and one.get("kind") == "LoadTest"]
    if len(tests) != 1:
        raise BadInputError(f"{path} holds {len(tests)} LoadTests: exactly one is needed{_instead(documents)}")
    body, metadata = tests[0], tests[0].get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        raise BadInputError(f"{path}: metadata.name is missing: a LoadTest is found again by its name")
    others = tuple(_named(one) for one in documents if one is not body)
    return Manifest({**body, "metadata": dict(metadata)}, others)


def problems(manifest: Manifest) -> list[str]:
    """What the generator and the operator would refuse, one sentence each."""
    found = lint.problems(manifest.body)
    if found:
        return found
    try:
        LoadTest.model_validate(manifest.body, by_alias=True, by_name=False)
    except ValidationError as error:
        return [_sentence(one) for one in error.errors(include_url=False)]
    return []


def advice(manifest: Manifest) -> list[str]:
    """What a valid LoadTest will not be able to tell."""
    said = [f"{other} is in the file too and is not applied: `kubectl apply -f` it first" for other in manifest.others]
    return [*said, *advise.advice(lint.parse(manifest.body))]


def _sentence(detail: Any) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    path = "".join(steps).removeprefix(".")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return (
            f"{path} is not a known field: `kubectl explain loadtest.{path.rpartition('.')[0]}` lists those there are"
        )
    value = "" if detail["type"] in ("value_error", "missing") else f" is {detail['input']!r:.60}"
    return f"{path}{value}: {message}"


def _instead(documents: list[Any]) -> str:
    """What to do with what is there instead."""
    found = [one for one in documents if isinstance(one, dict)]
    if any(one.get("kind") == "LoadTestSchedule" for one in found):
        return "; a LoadTestSchedule runs by itself: `kubectl apply -f` it"
    plans = any("load" in one for one in found)
    return "; a bare plan has no target: put it under spec of a LoadTest, or use `loadgen run`" if plans else ""


def _named(document: Any) -> str:
    if not isinstance(document, dict):
        return "a text"
    return f"{document.get('kind', 'an object')} {(document.get('metadata') or {}).get('name', '')}".strip()
