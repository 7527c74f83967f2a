"""What a metrics API's answer holds, in the shadow's terms. Values in thousandths, times in seconds since 1970.

Raises of all: ValueError, KeyError, TypeError, AttributeError where the answer is none.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from loadtest_operator.core.scaling.shadow.orders import Steering, milli
from loadtest_operator.core.scaling.shadow.sight import Pod, Usage

Object = Mapping[str, Any]
UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seen(steering: Steering, answer: Object) -> dict[str, Any]:
    """What the answer adds to what one sync sees."""
    return SEEN[steering.kind](steering, list(answer.get("items") or ()))


def pod_of(pod: Object) -> Pod:
    """A pod as the controller looks at it."""
    status = pod.get("status") or {}
    ready: Object = next((found for found in status.get("conditions") or () if found["type"] == "Ready"), {})
    return Pod(
        name=pod["metadata"]["name"],
        phase=status.get("phase", ""),
        deleting="deletionTimestamp" in pod["metadata"],
        started=_second(status.get("startTime")),
        ready=ready["status"] == "True" if ready else None,
        since=_second(ready.get("lastTransitionTime")),
        requests={
            container["name"]: _requests(container) for container in (pod.get("spec") or {}).get("containers") or ()
        },
    )


def _usages(_steering: Steering, items: list[Object]) -> dict[str, Any]:
    return {"usage": {found["metadata"]["name"]: _usage(found) for found in items}}


def _by_pod(steering: Steering, items: list[Object]) -> dict[str, Any]:
    return {"served": {steering.name: {found["describedObject"]["name"]: milli(found["value"]) for found in items}}}


def _of_object(steering: Steering, items: list[Object]) -> dict[str, Any]:
    if len(items) != 1:
        raise ValueError(f"{len(items)} values, and it is about one object")
    return {"served": {steering.name: milli(items[0]["value"])}}


def _sum(steering: Steering, items: list[Object]) -> dict[str, Any]:
    if not items:
        raise ValueError("no series")
    return {"served": {steering.name: sum(milli(found["value"]) for found in items)}}


SEEN: Final[dict[str, Callable[[Steering, list[Object]], dict[str, Any]]]] = {
    "Resource": _usages,
    "ContainerResource": _usages,
    "Pods": _by_pod,
    "Object": _of_object,
    "External": _sum,
}


def _usage(found: Object) -> Usage:
    containers = {
        container["name"]: {resource: milli(value) for resource, value in container["usage"].items()}
        for container in found["containers"]
    }
    return Usage(datetime.fromisoformat(found["timestamp"]).timestamp(), _duration(found["window"]), containers)


def _duration(text: str) -> float:
    """Seconds of what Go writes as 1m10.5s."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)([a-zµ]+)", text))


def _requests(container: Object) -> dict[str, int]:
    wanted = (container.get("resources") or {}).get("requests") or {}
    return {resource: milli(str(value)) for resource, value in wanted.items()}


def _second(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
