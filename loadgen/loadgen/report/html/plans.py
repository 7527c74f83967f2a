"""The plan as the page shows it: YAML as a user would write it, without what looks like a secret. A page is sent around
more freely than a manifest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import yaml

if TYPE_CHECKING:
    from loadgen.model.plan import Plan

HIDDEN = "(not shown: may be a secret)"
_SECRET = re.compile("auth|api-?key|token|cookie|secret|password|signature|credential", re.IGNORECASE)
"""Names of headers whose values are left out."""


def text(plan: Plan) -> str:
    """The plan as YAML, fields that have their default value left out."""
    document = plan.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return yaml.safe_dump(_without_secrets(document), sort_keys=False, allow_unicode=True, width=100)


def address(target: str) -> str:
    """A URL without the name and password that may stand in it."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return target.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _without_secrets(value: Any, inside_headers: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if inside_headers and _SECRET.search(name) else _without_secrets(one, name == "headers")
            for name, one in value.items()
        }
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value
