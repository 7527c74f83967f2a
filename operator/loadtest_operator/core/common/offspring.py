"""LoadTests that another object of ours makes from its template: whose they are, what they look like, what their parent
says when it cannot go on.

Only what carries the parent's uid as its owner counts; a LoadTest of a namesake that was deleted, or one that a user made
under such a name, is not ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loadtest_operator.core.common import diff, times
from loadtest_operator.core.common.kinds import LOAD_TEST, Kind
from loadtest_operator.core.common.names import MANAGED_BY

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parent:
    """Who makes LoadTests."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    label: str
    """The label of its LoadTests, with its name as the value."""

    @property
    def selector(self) -> str:
        """Of its LoadTests."""
        return f"{self.label}={self.name}"


def is_finished(body: Object) -> bool:
    """Whether the LoadTest's run is over. One that was given a new runToken is on its way again."""
    status = body.get("status") or {}
    token = (status.get("run") or {}).get("token")
    return status.get("phase") == "Finished" and body["spec"].get("runToken", "1") == token


def manifest(parent: Parent, name: str, template: Object, spec: Object, **annotations: str) -> dict[str, Any]:
    """A LoadTest of the template, with this spec."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": LOAD_TEST.api_version,
        "kind": LOAD_TEST.kind,
        "metadata": {
            "name": name,
            "namespace": parent.namespace,
            "labels": {**(metadata.get("labels") or {}), **MANAGED_BY, parent.label: parent.name},
            "annotations": {**(metadata.get("annotations") or {}), **annotations},
            "ownerReferences": [_owner(parent)],
        },
        "spec": spec,
    }


def _owner(parent: Parent) -> Object:
    return {
        "apiVersion": parent.kind.api_version,
        "kind": parent.kind.kind,
        "name": parent.name,
        "uid": parent.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def stuck(body: Object, says: str, now: datetime) -> dict[str, Any]:
    """A merge patch of the parent's stored status where every look fails: Ready is False and says why. What is stored is taken
    as JSON, for it may be what cannot be read. Empty where it says so already."""
    stored, message = body.get("status") or {}, says[:1024]
    known = {each.get("type"): each for each in stored.get("conditions") or ()}
    old = known.get("Ready", {})
    ready = {
        "type": "Ready", "status": "False", "reason": "InternalError", "message": message,
        "lastTransitionTime": old.get("lastTransitionTime") if old.get("status") == "False" else times.whole(now),
        "observedGeneration": body["metadata"].get("generation", 0),
    }  # fmt: skip
    new = {**stored, "message": message, "conditions": list({**known, "Ready": ready}.values())}
    return diff.merge_patch(stored, new)
