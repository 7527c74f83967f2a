"""Builders of plans."""

from typing import Any

from loadgen.model.plan import Plan

CHAT: dict[str, Any] = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "hello"}, "maxTokens": 8}}
WHOLE: dict[str, Any] = {"name": "whole", "openAIChat": {"model": "m", "prompt": {"text": "hello"}, "stream": False}}
PAGE: dict[str, Any] = {"name": "page", "http": {"path": "/"}}


def a_plan(request: dict[str, Any] | list[dict[str, Any]] = PAGE, *stages: dict[str, Any], **load: Any) -> Plan:
    """One request, one stage of a second, Uniform arrivals, unless told otherwise."""
    requests = request if isinstance(request, list) else [request]
    given = [{"name": f"stage-{index}", "durationSeconds": 1} | stage for index, stage in enumerate(stages)]
    document = {"requests": requests, "load": {"arrival": "Uniform", "gracefulStopSeconds": 5, "stages": given} | load}
    return Plan.model_validate(document)
