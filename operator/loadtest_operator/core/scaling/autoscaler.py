"""A HorizontalPodAutoscaler as it shows itself: what it may do, what it wants, and whether it can see.

It *sees* while its condition ScalingActive is True, AbleToScale is not False and each of its metrics has a value. One
that does not see proves nothing about itself, whatever the replicas did meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from loadtest_operator.core.common import times

Object = Mapping[str, Any]
UNKNOWN: Final = "<unknown>"
TOLERANCE: Final = 0.1
"""Of the controller manager, where the HPA has none of its own."""
SYNC_SECONDS: Final = 15
"""Between two decisions of the controller, by default."""
STABILIZATION: Final = {"scaleUp": 0, "scaleDown": 300}
"""Seconds by which a direction waits, where the HPA says nothing."""
SUFFIXES: Final[dict[str, str | int]] = {
    "n": "1e-9", "u": "1e-6", "m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", "P": "1e15", "E": "1e18",
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the autoscaler: the value it sees and the one it steers for."""

    name: str
    value: str = UNKNOWN
    target: str = UNKNOWN
    ratio: float | None = None
    """Value over target; nothing where it has no value."""

    @property
    def missing(self) -> bool:
        return self.value == UNKNOWN

    def __str__(self) -> str:
        """As kubectl shows it."""
        return f"{self.value}/{self.target}"


@dataclass(frozen=True, slots=True)
class Direction:
    """How it may scale in one direction (spec.behavior)."""

    stabilization: int = 0
    """Seconds in which no step in this direction follows a moment that asked for the contrary."""
    tolerance: float = TOLERANCE
    policies: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler at one moment."""

    name: str
    desired: int | None = None
    """What it wants; nothing before its first decision."""
    minimum: int = 1
    maximum: int = 10
    metrics: tuple[Metric, ...] = ()
    active: bool = True
    """ScalingActive is True."""
    able: bool = True
    """AbleToScale is not False."""
    inactive_because: str = ""
    since: datetime | None = None
    """When its condition ScalingActive became what it is."""
    doing: str = ""
    """Reason of AbleToScale, such as ScaleDownStabilized."""
    up: Direction = Direction(STABILIZATION["scaleUp"])
    down: Direction = Direction(STABILIZATION["scaleDown"])
    last_scale_time: datetime | None = None

    @property
    def blind_because(self) -> str:
        """Why it cannot act; empty where it can."""
        if not (self.active and self.able):
            return self.inactive_because or "its conditions say that it cannot scale"
        missing = [metric.name for metric in self.metrics if metric.missing]
        return f"no value for metric {', '.join(missing)}" if missing else ""

    @property
    def orders(self) -> tuple[object, ...]:
        """Its spec, as far as it decides: another value means that somebody edited it."""
        targets = tuple((metric.name, metric.target) for metric in self.metrics)
        return self.minimum, self.maximum, targets, self.up, self.down

    @property
    def metric(self) -> str:
        """All of them, as kubectl shows them."""
        return ", ".join(str(metric) for metric in self.metrics)


def autoscaler_of(hpa: Object) -> Autoscaler:
    """From a HorizontalPodAutoscaler (autoscaling/v2)."""
    spec, status = hpa["spec"], hpa.get("status", {})
    conditions = {found["type"]: found for found in status.get("conditions") or ()}
    active, able = conditions.get("ScalingActive", {}), conditions.get("AbleToScale", {})
    is_able = able.get("status") != "False"
    return Autoscaler(
        name=hpa["metadata"]["name"],
        desired=status.get("desiredReplicas"),
        minimum=spec.get("minReplicas", 1),
        maximum=spec["maxReplicas"],
        metrics=_metrics(spec, status),
        active=active.get("status") == "True",
        able=is_able,
        inactive_because=_sentence(active if is_able else able),
        since=times.parse(active.get("lastTransitionTime")),
        doing=able.get("reason", ""),
        up=_direction(spec, "scaleUp"),
        down=_direction(spec, "scaleDown"),
        last_scale_time=times.parse(status.get("lastScaleTime")),
    )


def scales(hpa: Object, kind: str, name: str) -> bool:
    """Whether the HPA's target is this workload."""
    reference = hpa["spec"]["scaleTargetRef"]
    return bool(reference["kind"] == kind and reference["name"] == name)


def quantity(text: str) -> Decimal | None:
    """A Kubernetes quantity such as 500m or 2Gi as a number; nothing where it is none."""
    suffix = next((end for end in SUFFIXES if text.endswith(end)), "")
    try:
        return Decimal(text.removesuffix(suffix)) * Decimal(str(SUFFIXES.get(suffix, 1)))
    except InvalidOperation:
        return None


def _sentence(condition: Object) -> str:
    return f"{condition.get('reason', 'NoCondition')}: {condition.get('message', 'it has not synced yet')}"


def _direction(spec: Object, which: str) -> Direction:
    rules = (spec.get("behavior") or {}).get(which) or {}
    tolerance = quantity(str(rules["tolerance"])) if "tolerance" in rules else None
    policies = (
        f"{found['value']} {found['type']} in {found['periodSeconds']} s" for found in rules.get("policies") or ()
    )
    return Direction(
        stabilization=rules.get("stabilizationWindowSeconds", STABILIZATION[which]),
        tolerance=TOLERANCE if tolerance is None else float(tolerance),
        policies=tuple(policies),
        disabled=rules.get("selectPolicy") == "Disabled",
    )


def _metrics(spec: Object, status: Object) -> tuple[Metric, ...]:
    current = status.get("currentMetrics") or []
    return tuple(
        _metric(wanted, current[place] if place < len(current) else {})
        for place, wanted in enumerate(spec.get("metrics") or [])
    )


def _metric(wanted: Object, current: Object) -> Metric:
    target, value = _value(wanted, "target"), _value(current, "current", _field(wanted, "target"))
    over, under = quantity(value.removesuffix("%")), quantity(target.removesuffix("%"))
    ratio = float(over / under) if over is not None and under else None
    return Metric(name_of(wanted), value, target, ratio)


def source_of(metric: Object) -> Object:
    """What is said of a metric of a spec or status, under the name of its type."""
    kind = metric.get("type", "")
    return metric.get(kind[:1].lower() + kind[1:]) or {}


def name_of(metric: Object) -> str:
    """As its source or, for want of that, its type calls it."""
    source = source_of(metric)
    return str(source.get("name") or (source.get("metric") or {}).get("name") or metric.get("type", "?"))


def _field(metric: Object, side: str) -> str:
    values = source_of(metric).get(side) or {}
    return next((name for name in ("averageUtilization", "averageValue", "value") if values.get(name) is not None), "")


def _value(metric: Object, side: str, of: str = "") -> str:
    """In the unit that the target has: a current value comes in several."""
    values = source_of(metric).get(side) or {}
    name = of if values.get(of) is not None else _field(metric, side)
    if not name:
        return UNKNOWN
    return f"{values[name]}%" if name == "averageUtilization" else str(values[name])
