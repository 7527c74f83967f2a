"""Reads what to run from a file: a bare plan, a LoadTest manifest, or the LoadTest of a LoadTestSchedule. Judging the document
is `core.judge.lint`'s part."""

from pathlib import Path
from typing import Any

import yaml

from loadgen.core.judge.lint import ACCESS_FIELDS, PLAN_FIELDS
from loadgen.model.errors import InvalidPlanError


def ignored(document: dict[str, Any]) -> list[str]:
    """The parts of a manifest that mean nothing without a cluster."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return []
    target = spec.get("target")
    parts = [
        f"spec.target.{name}" for name in (target if isinstance(target, dict) else ()) if name not in ACCESS_FIELDS
    ]
    return [*parts, *(f"spec.{name}" for name in spec if name not in (*PLAN_FIELDS, "target"))]


def read(path: Path) -> dict[str, Any]:
    """The file's one document."""
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
    except OSError as error:
        raise InvalidPlanError([f"{path} cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidPlanError([f"{path} is not YAML: {error}"]) from error
    except RecursionError as error:
        raise InvalidPlanError([f"{path} is nested too deeply to be a plan"]) from error
    documents = [_of_schedule(one) if _is_a(one, "LoadTestSchedule") else one for one in documents]
    tests = [one for one in documents if _is_a(one, "LoadTest")] or documents
    if len(tests) != 1 or not isinstance(tests[0], dict):
        raise InvalidPlanError([f"{path} holds {len(tests)} plans or LoadTests; exactly one is needed"])
    return tests[0]


def _is_a(document: Any, kind: str) -> bool:
    return isinstance(document, dict) and document.get("kind") == kind


def _of_schedule(document: dict[str, Any]) -> dict[str, Any]:
    """The test that a schedule starts, as if it had been started now."""
    spec = document.get("spec")
    template = spec.get("loadTestTemplate") if isinstance(spec, dict) else None
    if not isinstance(template, dict):
        raise InvalidPlanError(["spec.loadTestTemplate is missing: the LoadTest that the schedule starts"])
    head: dict[str, Any] = {name: document[name] for name in ("apiVersion", "metadata") if name in document}
    return {**head, "kind": "LoadTest", "spec": template.get("spec")}
