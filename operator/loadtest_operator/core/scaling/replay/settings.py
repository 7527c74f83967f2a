"""`--set NAME=VALUE`: an autoscaler's orders with other numbers. Each name is an entry of a table."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from loadtest_operator.core.scaling.shadow.orders import DOWN, UP, Behavior, Orders, Policy, Rules, Steering, milli


class SettingError(ValueError):
    """A setting that is none; names it, its value and what would be right."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What is played."""

    orders: Orders
    cold_start: float | None = None
    """Seconds; nothing: as measured."""


def changed(orders: Orders, settings: Iterable[str]) -> Changed:
    """The orders with these settings, each `NAME=VALUE`. Raises SettingError."""
    found = Changed(orders)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not value:
            raise SettingError(f"{setting!r} is no setting: write NAME=VALUE, such as max=6")
        found = _setter(name)(found, name, value)
    least, most = found.orders.minimum, found.orders.maximum
    if least > most:
        raise SettingError(f"min={least} is above max={most}: set the other one too")
    return found


def _setter(name: str) -> Callable[[Changed, str, str], Changed]:
    key = "target" if name.startswith("target.") else name
    if key not in SETTERS:
        raise SettingError(f"{name!r} cannot be set: what can be is {', '.join(SETTERS)}, target.METRIC")
    return SETTERS[key]


def _number(name: str, value: str, least: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not least <= number <= 1_000_000:
        raise SettingError(f"{name}={value}: write a number from {least:g} on")
    return number


def _whole(name: str, value: str, least: int) -> int:
    number = _number(name, value, least)
    if number != int(number):
        raise SettingError(f"{name}={value}: write a whole number")
    return int(number)


def _minimum(found: Changed, name: str, value: str) -> Changed:
    return replace(found, orders=replace(found.orders, minimum=_whole(name, value, 1)))


def _maximum(found: Changed, name: str, value: str) -> Changed:
    return replace(found, orders=replace(found.orders, maximum=_whole(name, value, 1)))


def _target(found: Changed, name: str, value: str) -> Changed:
    metrics, metric = found.orders.metrics, name.removeprefix("target").removeprefix(".")
    names = [steering.name for steering in metrics]
    if (metric and metric not in names) or (not metric and len(names) != 1):
        wanted = " or ".join(f"target.{known}" for known in names)
        raise SettingError(f"{name}={value}: the autoscaler steers by {', '.join(names)}; write {wanted}")
    place = names.index(metric) if metric else 0
    steering = replace(metrics[place], target=_value(name, value, metrics[place]))
    return replace(found, orders=replace(found.orders, metrics=(*metrics[:place], steering, *metrics[place + 1 :])))


def _value(name: str, value: str, steering: Steering) -> int:
    if steering.to == "Utilization":
        return _whole(name, value.removesuffix("%"), 1)
    try:
        number = milli(value)
    except ValueError as error:
        raise SettingError(f"{name}={value}: {error}") from error
    if number < 1:
        raise SettingError(f"{name}={value}: write a quantity above 0")
    return number


def _tolerance(found: Changed, name: str, value: str) -> Changed:
    share = _number(name, value, 0)
    both = _behavior(found.orders)
    behavior = Behavior(replace(both.up, tolerance=share), replace(both.down, tolerance=share))
    return replace(found, orders=replace(found.orders, behavior=behavior))


def _behavior(orders: Orders) -> Behavior:
    """Its own, or what the API server would fill in."""
    return orders.behavior or Behavior(Rules(0, UP), Rules(orders.flags.stabilization, DOWN))


def _ruled(found: Changed, way: str, change: Callable[[Rules], Rules]) -> Changed:
    both = _behavior(found.orders)
    behavior = replace(both, **{way: change(getattr(both, way))})
    return replace(found, orders=replace(found.orders, behavior=behavior))


def _window(way: str) -> Callable[[Changed, str, str], Changed]:
    def set_window(found: Changed, name: str, value: str) -> Changed:
        seconds = _whole(name, value, 0)
        return _ruled(found, way, lambda rules: replace(rules, window=seconds))

    return set_window


POLICY: Final = re.compile(r"([1-9][0-9]{0,5})(Pods|Percent)/([1-9][0-9]{0,3})s")


def _policies(way: str) -> Callable[[Changed, str, str], Changed]:
    def set_policies(found: Changed, name: str, value: str) -> Changed:
        parts = [POLICY.fullmatch(part) for part in value.split(",")]
        if not all(parts):
            raise SettingError(f"{name}={value}: write policies as 4Pods/15s or 100Percent/60s, several with commas")
        policies = tuple(Policy(part[2], int(part[1]), int(part[3])) for part in parts if part)
        return _ruled(found, way, lambda rules: replace(rules, policies=policies))

    return set_policies


def _cold_start(found: Changed, name: str, value: str) -> Changed:
    return replace(found, cold_start=_number(name, value, 0))


SETTERS: Final[dict[str, Callable[[Changed, str, str], Changed]]] = {
    "min": _minimum,
    "max": _maximum,
    "target": _target,
    "tolerance": _tolerance,
    "stabilizationWindowSeconds": _window("down"),
    "scaleUp.stabilizationWindowSeconds": _window("up"),
    "scaleUp.policies": _policies("up"),
    "scaleDown.policies": _policies("down"),
    "coldStartSeconds": _cold_start,
}
"""`stabilizationWindowSeconds` is that of the way down, as in an autoscaler's behavior it is the one that differs."""
