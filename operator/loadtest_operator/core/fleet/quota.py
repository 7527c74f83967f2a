"""Is a quota's no a matter of time? What others use comes free; what could never fit does not.

Read from the API server's words, for there is nothing else: `exceeded quota: NAME, requested: pods=1,limits.cpu=2, used:
pods=6,…, limited: pods=6,…` (k8s.io/apiserver, plugin/resourcequota). Words that cannot be read mean: wait.
"""

import re

from loadtest_operator.api.worker import amount

FULL = "exceeded quota"
AMOUNTS = re.compile(r"(requested|limited): ([^\s,]+=[^\s,]+(?:,[^\s,]+=[^\s,]+)*)")


def is_full(message: str) -> bool:
    """Whether a quota said no, and not something that waiting cannot change."""
    return FULL in message


def impossible(message: str, times: int) -> str:
    """What `times` of this do not fit even into the empty quota; empty where they do, or nobody knows."""
    sides = {side: dict(pair.split("=", 1) for pair in pairs.split(",")) for side, pairs in AMOUNTS.findall(message)}
    for resource, wanted in sides.get("requested", {}).items():
        need, most = amount(wanted), amount(sides.get("limited", {}).get(resource, ""))
        if need is not None and most is not None and need * times > most:
            each = f"{times} x " if times > 1 else ""
            return f"{each}{resource} {wanted} can never fit into {sides['limited'][resource]}"
    return ""
