"""What an HPA's spec tells the controller, and what the controller manager's flags tell it of all HPAs."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING
from typing import Any, Final

from loadtest_operator.core.scaling.autoscaler import name_of, quantity, source_of

Object = Mapping[str, Any]
DISABLED: Final = "Disabled"


@dataclass(frozen=True, slots=True)
class Flags:
    """Of the controller manager, by default. They cannot be read through the API; times in seconds."""

    sync: float = 15.0
    stabilization: float = 300.0
    """Before it scales down, where the HPA names no window."""
    cpu_initialization: float = 300.0
    """After a pod's start: CPU counts once the pod is ready and a whole window of it was measured since."""
    initial_readiness: float = 30.0
    """A pod that is unready since so soon after its start has never been ready."""
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class Steering:
    """One metric and the value to keep it at."""

    kind: str
    """Resource, ContainerResource, Pods, Object or External."""
    name: str
    to: str
    """Utilization (percent of the request), AverageValue or Value."""
    target: int
    """Percent, or thousandths."""
    container: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.to


@dataclass(frozen=True, slots=True)
class Policy:
    """So many Pods, or so much Percent, within a period of seconds."""

    kind: str
    value: int
    period: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How it may scale in one direction."""

    window: float
    """Seconds."""
    policies: tuple[Policy, ...]
    select: str = "Max"
    """Of several policies: Max (the most change), Min (the least), or Disabled."""
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Behavior:
    """`spec.behavior`."""

    up: Rules
    down: Rules


@dataclass(frozen=True, slots=True)
class Orders:
    """What steers one HPA."""

    minimum: int
    maximum: int
    metrics: tuple[Steering, ...]
    behavior: Behavior | None = None
    flags: Flags = Flags()

    @property
    def tolerances(self) -> tuple[float, float]:
        """Down and up, as shares."""
        rules = (self.behavior.down, self.behavior.up) if self.behavior else ()
        named = [rule.tolerance for rule in rules] or [None, None]
        down, up = (self.flags.tolerance if found is None else found for found in named)
        return down, up


UP: Final = (Policy("Pods", 4, 15), Policy("Percent", 100, 15))
DOWN: Final = (Policy("Percent", 100, 15),)
"""What the API server fills in where a behavior names no policies."""


def orders_of(spec: Object, flags: Flags) -> Orders:
    """From an HPA's spec (autoscaling/v2).

    Raises:
        ValueError: a metric has a target or a quantity that is none.
    """
    behavior = spec.get("behavior")
    return Orders(
        minimum=spec.get("minReplicas", 1),
        maximum=spec["maxReplicas"],
        metrics=tuple(_steering(metric) for metric in spec.get("metrics") or ()),
        behavior=_behavior(behavior, flags) if behavior else None,
        flags=flags,
    )


def readable(spec: Object) -> Orders | None:
    """The same with the controller manager's defaults; nothing where the spec is of an API that nobody here knows."""
    try:
        return orders_of(spec, Flags())
    except (ValueError, KeyError, TypeError):
        return None


def milli(text: str) -> int:
    """A quantity in thousandths, rounded up as the controller does.

    Raises:
        ValueError: it is no quantity.
    """
    found = quantity(text)
    if found is None:
        raise ValueError(f"{text!r} is no quantity; write it like 500m, 2 or 1Gi")
    return int((found * 1000).to_integral_value(ROUND_CEILING))


def _steering(metric: Object) -> Steering:
    source = source_of(metric)
    target = source["target"]
    to = target["type"]
    value = target["averageUtilization"] if to == "Utilization" else milli(str(target[to[0].lower() + to[1:]]))
    return Steering(metric["type"], name_of(metric), to, value, source.get("container", ""))


def _behavior(behavior: Object, flags: Flags) -> Behavior:
    return Behavior(
        up=_rules(behavior.get("scaleUp") or {}, 0, UP),
        down=_rules(behavior.get("scaleDown") or {}, flags.stabilization, DOWN),
    )


def _rules(rules: Object, window: float, usual: tuple[Policy, ...]) -> Rules:
    policies = tuple(
        Policy(found["type"], found["value"], found["periodSeconds"]) for found in rules.get("policies") or ()
    )
    tolerance = quantity(str(rules["tolerance"])) if rules.get("tolerance") is not None else None
    return Rules(
        window=rules.get("stabilizationWindowSeconds", window),
        policies=policies or usual,
        select=rules.get("selectPolicy", "Max"),
        tolerance=None if tolerance is None else float(tolerance),
    )
