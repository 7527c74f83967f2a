"""What windows, policies, minimum and maximum make of the number that the metrics ask for."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from loadtest_operator.core.scaling.shadow.orders import DISABLED, Orders, Policy, Rules

MOST_A_SYNC: Final = 2
LEAST_A_SYNC: Final = 4
"""Without a behavior it at most doubles at a sync, or goes to 4."""

Steps = tuple[tuple[float, int], ...]
"""When by how many replicas."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a controller remembers of one HPA. It is gone when the controller restarts."""

    recommendations: Steps = ()
    """What the metrics asked for, and when."""
    ups: Steps = ()
    downs: Steps = ()
    desired: int = 0
    """What it decided last; 0 before it decided anything, as the HPA's status says."""


def stabilized(orders: Orders, memory: Memory, current: int, wanted: int, now: float) -> int:
    """No lower than all within the window down, no higher than all within the window up."""
    if orders.behavior is None:
        cutoff = now - orders.flags.stabilization
        return max([wanted, *(number for at, number in memory.recommendations if at >= cutoff)])
    lowest = min([wanted, *_after(memory.recommendations, now - orders.behavior.up.window)])
    highest = max([wanted, *_after(memory.recommendations, now - orders.behavior.down.window)])
    return min(max(current, lowest), highest)


def limited(orders: Orders, memory: Memory, current: int, wanted: int, now: float) -> int:
    """By how fast it may go, and by minimum and maximum."""
    if orders.behavior is None:
        most = max(MOST_A_SYNC * current, LEAST_A_SYNC)
        return max(orders.minimum, min(wanted, orders.maximum, most))
    if wanted > current:
        fastest = max(current, _bound(orders.behavior.up, memory, current, now, _UP))
        return min(wanted, orders.maximum, fastest)
    if wanted < current:
        fastest = min(current, _bound(orders.behavior.down, memory, current, now, _DOWN))
        return max(wanted, orders.minimum, fastest)
    return wanted


def remembered(orders: Orders, memory: Memory, wanted: int, now: float) -> Memory:
    """With what the metrics asked for now; what no window reaches any more is forgotten."""
    rules = orders.behavior
    window = max(rules.up.window, rules.down.window) if rules else orders.flags.stabilization
    kept = tuple(found for found in memory.recommendations if found[0] >= now - window)
    return replace(memory, recommendations=(*kept, (now, wanted)))


def stepped(orders: Orders, memory: Memory, before: int, after: int, now: float) -> Memory:
    """With a step that was made."""
    if before == after or orders.behavior is None:
        return memory
    if after > before:
        return replace(memory, ups=(*_recent(memory.ups, orders.behavior.up, now), (now, after - before)))
    return replace(memory, downs=(*_recent(memory.downs, orders.behavior.down, now), (now, before - after)))


@dataclass(frozen=True, slots=True)
class _Way:
    """How policies bound one direction."""

    pods: Callable[[int, Policy], int]
    percent: Callable[[int, Policy], int]
    select: dict[str, Callable[[Iterable[int]], int]]


_UP: Final = _Way(
    pods=lambda start, policy: start + policy.value,
    percent=lambda start, policy: math.ceil(start * (1 + policy.value / 100)),
    select={"Max": max, "Min": min},
)
_DOWN: Final = _Way(
    pods=lambda start, policy: start - policy.value,
    percent=lambda start, policy: int(start * (1 - policy.value / 100)),
    select={"Max": min, "Min": max},
)


def _bound(rules: Rules, memory: Memory, current: int, now: float, way: _Way) -> int:
    """How far it may go now, by each policy from where its period began."""
    if rules.select == DISABLED:
        return current
    bounds = []
    for policy in rules.policies:
        after = now - policy.period
        start = current - sum(_after(memory.ups, after)) + sum(_after(memory.downs, after))
        bounds.append((way.pods if policy.kind == "Pods" else way.percent)(start, policy))
    return way.select[rules.select](bounds)


def _after(steps: Steps, moment: float) -> list[int]:
    return [number for at, number in steps if at > moment]


def _recent(steps: Steps, rules: Rules, now: float) -> Steps:
    longest = max(policy.period for policy in rules.policies)
    return tuple(found for found in steps if found[0] >= now - longest)
