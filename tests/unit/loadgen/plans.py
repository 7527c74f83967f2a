"""Small plans for the tests of this folder."""

from typing import Any

from loadgen.model.plan import Plan

GET = {"name": "get", "http": {"path": "/"}}


def a_plan(*stages: dict[str, Any], requests: list[dict[str, Any]] | None = None, **more: Any) -> Plan:
    """A plan with these stages (named s0, s1, … unless they have a name) and one plain request by default."""
    named = [{"name": f"s{index}", "durationSeconds": 10, **stage} for index, stage in enumerate(stages)]
    thresholds = more.pop("thresholds", [])
    load = {"stages": named or [{"name": "s0", "durationSeconds": 10, "arrivalRate": 10}], **more}
    return Plan.model_validate({"requests": requests or [GET], "load": load, "thresholds": thresholds})


def opened(rate: float | str, seconds: int = 10, **more: Any) -> dict[str, Any]:
    return {"arrivalRate": rate, "durationSeconds": seconds, **more}


def closed(slots: int, seconds: int = 10, **more: Any) -> dict[str, Any]:
    return {"concurrency": slots, "durationSeconds": seconds, **more}
