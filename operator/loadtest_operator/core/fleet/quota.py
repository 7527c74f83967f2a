"""Is a quota's no a matter of time? What others use comes free; what could never fit does not.

Read from the API server's words, for there is nothing else: `exceeded quota: NAME, requested: pods=1,limits.cpu=2, used:
pods=6,…, limited: pods=6,…` (k8s.io/apiserver, plugin/resourcequota). Words that cannot be read mean: wait.
"""

import re
from decimal import Decimal

FULL = "exceeded quota"
AMOUNTS = re.compile(r"(requested|limited): ([^\s,]+=[^\s,]+(?:,[^\s,]+=[^\s,]+)*)")
QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|[KMGTPE]i?)?$")
SUFFIXES: dict[str | None, Decimal] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("KMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def amount(text: str) -> Decimal | None:
    """A quantity such as 500m or 2Gi as a number; nothing where it is none."""
    found = QUANTITY.match(text)
    return Decimal(found[1]) * SUFFIXES[found[2]] if found else None


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
