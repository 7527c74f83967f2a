"""What a recording keeps of the API's objects: little, times in seconds since the scenario began. Pure."""

import re
from datetime import datetime
from typing import Any, Final

from recordings.scenarios import Object

UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def second(text: str | None, origin: float) -> float | None:
    """A time of the API's on the recording's clock; the API cuts it to whole seconds."""
    return None if text is None else round(datetime.fromisoformat(text).timestamp() - origin, 2)


def short(name: str) -> str:
    """A pod's name without its Deployment's."""
    return name.rsplit("-", 1)[-1]


def autoscaler(hpa: Object, origin: float) -> Object:
    status = hpa.get("status") or {}
    return {
        "desired": status.get("desiredReplicas"),
        "current": status.get("currentReplicas"),
        "scaled": second(status.get("lastScaleTime"), origin),
        "metrics": status.get("currentMetrics") or [],
        "conditions": {found["type"]: [found["status"], found["reason"]] for found in status.get("conditions") or []},
    }


def scale(deployment: Object) -> list[int]:
    """What its spec asks for, and how many pods it counts."""
    return [deployment["spec"]["replicas"], deployment["status"].get("replicas", 0)]


def pod(thing: Object, origin: float) -> list[Any]:
    """Phase, whether it goes, when it started, and whether it is ready since when."""
    status = thing["status"]
    conditions = {found["type"]: found for found in status.get("conditions") or []}
    ready = conditions.get("Ready")
    return [
        status["phase"],
        "deletionTimestamp" in thing["metadata"],
        second(status.get("startTime"), origin),
        [ready["status"], second(ready["lastTransitionTime"], origin)] if ready else None,
    ]


def usage(metrics: Object, origin: float, resources: tuple[str, ...]) -> list[Any]:
    """When it was measured, over how many seconds, and how much of what by container."""
    containers = {
        found["name"]: {name: found["usage"][name] for name in resources if name in found["usage"]}
        for found in metrics["containers"]
    }
    return [second(metrics["timestamp"], origin), duration(metrics["window"]), containers]


def duration(text: str) -> float:
    """Seconds of what Go writes as 1m10.5s or 875ms."""
    parts = re.findall(r"([0-9.]+)([a-zµ]+)", text)
    return round(sum(float(number) * UNITS[unit] for number, unit in parts), 3)
