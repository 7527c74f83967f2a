"""What makes faults and belongs to no run that goes on: nobody would take it back.

An operator that was killed, or a status that could not be written, may leave it. A label alone is no proof that a thing is
ours: its owner must be, or have been, a LoadTest. Things are listed before the LoadTests are: a run's number is
written before anything of it is made, so what was there before the LoadTests were read and is in none of their runs
is nobody's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest_operator.api.status import UNDER_WAY
from loadtest_operator.core.common import names
from loadtest_operator.core.common.kinds import LOAD_TEST, Kind

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing that is nobody's."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    run: str
    owner: Object | None
    """The LoadTest that it was made for, where that is still there."""

    @property
    def undone(self) -> str:
        """What there is to say once it has gone."""
        return f"{self._it} was left behind and has been removed"

    def stays(self, why: str) -> str:
        """What there is to do where it would not go."""
        where = f"kubectl delete {self.kind.plural} {self.name} -n {self.namespace}"
        return f"{self._it} was left behind and could not be removed ({why}): {where}"

    @property
    def _it(self) -> str:
        return f"{self.kind.kind} {self.name}, which made faults for run {self.run or 'of no number'},"


def orphans(things: Iterable[tuple[Kind, Object]], load_tests: Iterable[Object]) -> tuple[Orphan, ...]:
    """Of these things, what belongs to no run that goes on and is not on its way already."""
    owners = {body["metadata"]["uid"]: body for body in load_tests}
    return tuple(
        orphan
        for kind, thing in things
        if (orphan := _orphan(kind, thing, owners)) is not None and "deletionTimestamp" not in thing["metadata"]
    )


def _orphan(kind: Kind, thing: Object, owners: Mapping[str, Object]) -> Orphan | None:
    metadata = thing["metadata"]
    run = (metadata.get("labels") or {}).get(names.RUN_LABEL, "")
    uids = [one["uid"] for one in metadata.get("ownerReferences") or () if one.get("kind") == LOAD_TEST.kind]
    if not uids:
        return None
    owner = next((owners[uid] for uid in uids if uid in owners), None)
    if owner is not None and _goes_on(owner, run):
        return None
    return Orphan(kind, metadata["namespace"], metadata["name"], metadata["uid"], run, owner)


def _goes_on(load_test: Object, run: str) -> bool:
    status = load_test.get("status") or {}
    return status.get("phase") in UNDER_WAY and str((status.get("run") or {}).get("number")) == run
