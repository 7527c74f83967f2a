"""How Flux, and everything else that uses kstatus, reads an object: the generic rules and Flux' own expressions.

`computed` follows sigs.k8s.io/cli-utils/pkg/kstatus for kinds that it does not know; `evaluated` Flux' RFC 0009 (CEL).
"""

from pathlib import Path
from typing import Any

import cel

GITOPS = Path(__file__).parents[3] / "deploy" / "gitops"
Object = dict[str, Any]


def computed(body: Object) -> str:
    """Current, InProgress or Failed."""
    if _stale(body):
        return "InProgress"
    conditions = {each["type"]: each["status"] for each in body.get("status", {}).get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


def evaluated(body: Object, checks: Object) -> str:
    """By the expressions of a healthCheckExprs entry, in Flux' order; none that is true is InProgress, one that cannot be
    evaluated Unknown. Both are waited for."""
    if _stale(body):
        return "InProgress"
    order = {"InProgress": "inProgress", "Failed": "failed", "Current": "current"}
    try:
        found = (word for word, name in order.items() if name in checks and cel.evaluate(checks[name], body) is True)
        return next(found, "InProgress")
    except (RuntimeError, ValueError):
        return "Unknown"


def _stale(body: Object) -> bool:
    observed = body.get("status", {}).get("observedGeneration")
    return observed is not None and observed != body["metadata"]["generation"]
