"""Every figure of a report beside the truth: naive arithmetic on the server's own times, by the definitions of metrics.md."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

MILLISECOND = 1e6
RESOLUTION = 0.001
"""Of a histogram: three significant digits."""
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "mean": fmean,
    "p50": lambda values: _ranked(values, 50),
    "p75": lambda values: _ranked(values, 75),
    "p90": lambda values: _ranked(values, 90),
    "p95": lambda values: _ranked(values, 95),
    "p99": lambda values: _ranked(values, 99),
    "max": max,
}


@dataclass(frozen=True)
class Figure:
    """One reported figure: what it says, what is true, and how far off it says that it may be."""

    name: str
    reported: float
    true: float
    stated: float

    @property
    def error(self) -> float:
        return abs(self.reported - self.true)

    @property
    def holds(self) -> bool:
        return self.error <= self.stated


def _ranked(values: list[float], percent: int) -> float:
    """The value at rank ceil(p n), 1-based."""
    return sorted(values)[max(0, -(-percent * len(values) // 100) - 1)]


def _gaps(truth: dict[str, Any]) -> list[float]:
    events = truth["events"]
    return [(later - earlier) / MILLISECOND for earlier, later in itertools.pairwise(events)]


def latencies(requests: list[dict[str, Any]], *, closed: bool) -> dict[str, list[float]]:
    """Metric → the true values, milliseconds. What counts from the intended start is known here for closed stages only."""
    good = [truth for truth in requests if not truth["failure"]]
    streams = [truth for truth in good if truth["events"]]
    known = {
        "E2eLatency": [(truth["ended"] - truth["read"]) / MILLISECOND for truth in good],
        "TimeToFirstByte": [(truth["headers"] - truth["read"]) / MILLISECOND for truth in good],
        "TimeToFirstTokenFromSend": [(truth["events"][0] - truth["read"]) / MILLISECOND for truth in streams],
        "TimePerOutputToken": [
            (truth["events"][-1] - truth["events"][0]) / MILLISECOND / (truth["tokens"] - 1) for truth in streams
        ],
        "InterChunkLatency": [gap for truth in streams for gap in _gaps(truth)],
        "MaxStall": [max(gaps) for truth in streams if (gaps := _gaps(truth))],
    }
    if closed:
        known["ResponseTime"] = known["E2eLatency"]
        known["TimeToFirstToken"] = known["TimeToFirstTokenFromSend"]
    return known


def compared(report: dict[str, Any], truth: dict[str, Any], *, closed: bool) -> Iterator[Figure]:
    """Everything that can be compared. The first request is the probe's, before the load."""
    requests = truth["requests"][1:]
    known = latencies(requests, closed=closed)
    for metric, found in report["total"]["latencies"].items():
        if values := known.get(metric):
            yield from _distribution(metric, found, values)
    yield from _counts(report, requests)
    yield from _rates(report, truth, requests)


def _distribution(metric: str, found: dict[str, Any], values: list[float]) -> Iterator[Figure]:
    yield Figure(f"{metric} count", found["count"], len(values), 0)
    for name, of in STATISTICS.items():
        if name in found:
            true = of(values)
            stated = found["maxUncertainty" if name == "max" else "uncertainty"]
            yield Figure(f"{metric} {name}", found[name], true, stated + RESOLUTION * true)


def _counts(report: dict[str, Any], requests: list[dict[str, Any]]) -> Iterator[Figure]:
    counts = report["total"]["counts"]
    failures = Counter(truth["failure"] for truth in requests if truth["failure"])
    yield Figure("planned", counts["planned"], len(requests), 0)
    yield Figure("succeeded", counts["succeeded"], len(requests) - failures.total(), 0)
    yield Figure("failed", counts["failed"], failures.total(), 0)
    told = {error["failure"]: error["count"] for error in report["total"].get("errors", ())}
    for failure in sorted(failures.keys() | told.keys()):
        yield Figure(failure, told.get(failure, 0), failures[failure], 0)


def _rates(report: dict[str, Any], truth: dict[str, Any], requests: list[dict[str, Any]]) -> Iterator[Figure]:
    """Rates over the load's seconds; unsure by what happened within the stated uncertainty (at least a millisecond) of their end."""
    began = datetime.fromisoformat(report["startTime"]).timestamp() * 1e9
    end = began + truth["monotonic"] - truth["wall"] + report["plan"]["load"]["stages"][0]["durationSeconds"] * 1e9
    seconds = report["plan"]["load"]["stages"][0]["durationSeconds"]
    doubt = max(2.0, report["validity"].get("loopLagP99", 0)) * MILLISECOND
    ends = [truth["done"] for truth in requests if not truth["failure"]]
    yield _rate("RequestsPerSecond", report["total"]["requestsPerSecond"], ends, end, doubt, seconds)
    tokens = [
        moment
        for truth in requests
        for moment in truth["events"]
        for _ in range(truth["tokens"] // len(truth["events"]))
    ]
    if tokens and (
        name := next(
            (name for name in ("outputTokenThroughput", "outputTokensPerSecond") if name in report["total"]), ""
        )
    ):
        yield _rate("output tokens/s", report["total"][name], tokens, end, doubt, seconds)


def _rate(name: str, reported: float, moments: list[float], end: float, doubt: float, seconds: int) -> Figure:
    inside = sum(moment <= end for moment in moments)
    unsure = sum(abs(moment - end) <= doubt for moment in moments)
    return Figure(name, reported, inside / seconds, (unsure + 0.5) / seconds)
