"""Reads what to run from a file: a bare plan, or a LoadTest manifest. Judging the document is `core.judge.lint`'s part."""

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
    parts = [f"spec.target.{name}" for name in target or () if name not in ACCESS_FIELDS]
    return [*parts, *(f"spec.{name}" for name in spec if name not in (*PLAN_FIELDS, "target"))]


def read(path: Path) -> dict[str, Any]:
    """The file's one document."""
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
    except OSError as error:
        raise InvalidPlanError([f"{path} cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidPlanError([f"{path} is not YAML: {error}"]) from error
    tests = [one for one in documents if isinstance(one, dict) and one.get("kind") == "LoadTest"] or documents
    if len(tests) != 1 or not isinstance(tests[0], dict):
        raise InvalidPlanError([f"{path} holds {len(tests)} plans or LoadTests; exactly one is needed"])
    return tests[0]
