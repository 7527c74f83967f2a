"""Kubernetes Events about our objects, and which of them say what a plan cannot tell."""

from datetime import datetime
from typing import Any

from loadgen.core.judge.advice import undecidable, undecidable_within
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common import times
from loadtest_operator.core.common.kinds import Kind

LONGEST_NAME = 200


def event(kind: Kind, namespace: str, name: str, uid: str, emit: Emit, now: datetime) -> dict[str, Any]:
    """About this object. Its name differs from that of any other moment's."""
    moment = times.whole(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:LONGEST_NAME]}.{times.nanoseconds(now):x}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": name,
            "namespace": namespace,
            "uid": uid,
        },
        "type": emit.type,
        "reason": emit.reason,
        "message": emit.message[:1000],
        "source": {"component": "loadtest-operator"},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def undecided_before(spec: LoadTestSpec) -> tuple[Emit, ...]:
    """A warning at the start about bounds that this plan cannot decide even in the best case."""
    plan, windows = spec.plan, [spec.fault_window(fault) for fault in spec.occurrences]
    found = undecidable(plan, windows)
    for fault, window in zip(spec.occurrences, windows, strict=True):
        reasons = (undecidable_within(bound, plan, window) for bound in fault.tolerate)
        found += [f"faults[{fault.name}].tolerate: {reason}" for reason in reasons if reason]
    return (Emit("Warning", "ThresholdUndecidable", "; ".join(found)),) if found else ()
