"""Statuses and LoadTests for the tests of the plugin."""

from typing import Any

from builders import Object, a_load_test

FIGURES = {
    "requestsPerSecond": "9.8",
    "errorPercent": "2",
    "goodput": "9.1",
    "responseTimeMilliseconds": {"p50": "120", "p95": "480", "p99": "910"},
    "ttftMilliseconds": {"p50": "40", "p95": "210"},
}


def a_run(number: int = 1, phase: str = "Running", token: str = "1", **more: Any) -> Object:
    """A status about this run."""
    run = {
        "number": number,
        "token": token,
        "name": f"chat-{number}",
        "target": "http://web.demo:80",
        **more.pop("run", {}),
    }
    return {"phase": phase, "message": f"in {phase}", "run": run, **more}


def finished(number: int = 1, verdict: str = "Passed", token: str = "1", **more: Any) -> Object:
    """A status about a run that has ended."""
    times = {"startTime": "2026-01-01T12:00:00Z", "completionTime": "2026-01-01T12:05:03Z"}
    return a_run(
        number,
        "Finished",
        token,
        verdict=verdict,
        **{"message": f"it {verdict}", **more, "run": {**times, **more.pop("run", {})}},
    )


def past(number: int, verdict: str = "Passed", token: str = "1", **more: Any) -> Object:
    """A run in the history."""
    return {"number": number, "verdict": verdict, "token": token, "message": f"it {verdict}", **more}


def a_test(status: Object | None = None, token: str | None = None, **spec: Any) -> Object:
    """LoadTest chat as the API server has it."""
    body = a_load_test(name="chat", **spec, **({"runToken": token} if token else {}))
    return {**body, **({"status": status} if status else {})}
