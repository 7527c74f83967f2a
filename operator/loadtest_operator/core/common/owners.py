"""Whose an object is, by its owner references: a name or a label may be anybody's."""

from collections.abc import Mapping
from typing import Any


def is_owned(body: Mapping[str, Any], uid: str) -> bool:
    """Whether the object belongs to the one with this uid."""
    return any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences") or ())
