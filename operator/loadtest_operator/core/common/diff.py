"""The difference of two JSON objects as a merge patch (RFC 7386): small writes, and removed fields really go."""

from collections.abc import Mapping
from typing import Any


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What turns `old` into `new`; empty when they are equal. Lists are replaced whole."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch


def is_urgent(patch: Mapping[str, Any], patient: Mapping[str, frozenset[str] | None]) -> bool:
    """Whether something changed that must be written now. `patient` has the fields that may wait, or for a field the
    members that may (None: all of them)."""
    for key, value in patch.items():
        if key not in patient:
            return True
        members = patient[key]
        if members is not None and (not isinstance(value, Mapping) or set(value) - members):
            return True
    return False
