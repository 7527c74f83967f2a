"""Who leads, as arithmetic on a Lease (coordination.k8s.io): may we take it, do we still hold it?

The holder renews; whoever sees a lease that was not renewed for its whole duration may take it. Times of other
machines are not trusted: a lease counts as expired only after *we* have seen it unchanged for its duration. A
write carries the resourceVersion that was read, so of two that try at once one gets a conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from loadtest_operator.core.common import times

DURATION_SECONDS = 15
RENEW_SECONDS = 4
GIVE_UP_SECONDS = 10
"""A leader that could not renew for so long stops before anybody else may start."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """The lease as we last saw it change."""

    version: str = ""
    since: datetime | None = None


def seen(before: Sighting, lease: Object | None, now: datetime) -> Sighting:
    """Notes a change."""
    version = lease["metadata"]["resourceVersion"] if lease else ""
    return before if version == before.version and before.since else replace(before, version=version, since=now)


def may_take(lease: Object | None, sighting: Sighting, identity: str, now: datetime) -> bool:
    """Nobody has it, we have it, or its holder has been silent for too long."""
    if lease is None:
        return True
    spec = lease.get("spec") or {}
    if spec.get("holderIdentity") in (None, "", identity):
        return True
    duration = timedelta(seconds=spec.get("leaseDurationSeconds") or DURATION_SECONDS)
    return sighting.since is not None and now - sighting.since > duration


def claimed(lease: Object | None, name: str, namespace: str, identity: str, now: datetime) -> dict[str, Any]:
    """The lease with us as its holder."""
    spec = dict((lease or {}).get("spec") or {})
    fresh = spec.get("holderIdentity") != identity
    moment = times.text(now.replace(microsecond=now.microsecond or 1))
    spec |= {
        "holderIdentity": identity,
        "leaseDurationSeconds": DURATION_SECONDS,
        "renewTime": moment,
        "acquireTime": moment if fresh else spec.get("acquireTime", moment),
        "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (1 if fresh and lease else 0),
    }
    metadata = dict((lease or {}).get("metadata") or {"name": name, "namespace": namespace})
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def released(lease: Object) -> dict[str, Any]:
    """The lease without a holder, for a quick handover at a graceful end."""
    spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
    return {**lease, "spec": spec}
