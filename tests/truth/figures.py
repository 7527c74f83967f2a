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
START_DIGIT = 1.0
"""Milliseconds: a report's start is told in whole ones."""
CLOSED_AFTER = 2.0
"""Milliseconds after a second's end at which a shard closes it (`run.py: _EMIT_AFTER_NS`), as late as its loop is."""
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "mean": fmean,
    "p50": lambda values: _ranked(values, 50),
    "p75": lambda values: _ranked(values, 75),
    "p90": lambda values: _ranked(values, 90),
    "p95": lambda values: _ranked(values, 95),
    "p99": lambda values: _ranked(values, 99),
    "max": max,
}


Between = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One reported figure: what it says, what is true, and how far off it says that it may be."""

    name: str
    reported: float
    true: Between
    """As far as it can be known: between these."""
    stated: float

    @property
    def error(self) -> float:
        low, high = self.true
        return max(low - self.reported, self.reported - high, 0.0)

    @property
    def holds(self) -> bool:
        return self.error <= self.stated


def _ranked(values: list[float], percent: int) -> float:
    """The value at rank ceil(p n), 1-based."""
    return sorted(values)[max(0, -(-percent * len(values) // 100) - 1)]


def _apart(earlier: Between, later: Between) -> Between:
    """Milliseconds between two moments, each known to lie between two."""
    return (later[0] - earlier[1]) / MILLISECOND, (later[1] - earlier[0]) / MILLISECOND


def _gaps(truth: dict[str, Any]) -> list[Between]:
    """Events that left in one write have none between them."""
    pairs = itertools.pairwise(truth["events"])
    return [(0.0, 0.0) if earlier == later else _apart(earlier, later) for earlier, later in pairs]


def _pace(truth: dict[str, Any]) -> Between:
    low, high = _apart(truth["events"][0], truth["events"][-1])
    return low / (truth["tokens"] - 1), high / (truth["tokens"] - 1)


def _longest(gaps: list[Between]) -> Between:
    return max(low for low, _ in gaps), max(high for _, high in gaps)


def latencies(requests: list[dict[str, Any]], *, closed: bool) -> dict[str, list[Between]]:
    """Metric → the true values, milliseconds. What counts from the intended start is known here for closed stages only."""
    good = [truth for truth in requests if not truth["failure"]]
    streams = [truth for truth in good if truth["events"]]
    first = [_apart((truth["read"],) * 2, truth["events"][0]) for truth in streams]
    known = {
        "E2eLatency": [_apart((truth["read"],) * 2, truth["ended"]) for truth in good],
        "TimeToFirstByte": [_apart((truth["read"],) * 2, truth["headers"]) for truth in good],
        "TimeToFirstTokenFromSend": first,
        "TimePerOutputToken": [_pace(truth) for truth in streams],
        "InterChunkLatency": [gap for truth in streams for gap in _gaps(truth)],
        "MaxStall": [_longest(gaps) for truth in streams if (gaps := _gaps(truth))],
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


def _distribution(metric: str, found: dict[str, Any], values: list[Between]) -> Iterator[Figure]:
    yield _exact(f"{metric} count", found["count"], len(values))
    lows, highs = ([value[side] for value in values] for side in (0, 1))
    for name, of in STATISTICS.items():
        if found.get(name) is not None:
            true = of(lows), of(highs)
            yield Figure(f"{metric} {name}", found[name], true, _stated(name, found) + RESOLUTION * true[1])


def _stated(name: str, found: dict[str, Any]) -> float:
    """What stands beside a statistic."""
    if name == "max":
        return float(found["maxUncertainty"])
    return float(found["uncertainties"].get(name.upper(), found["uncertainty"]))


def _exact(name: str, reported: float, true: float) -> Figure:
    return Figure(name, reported, (true, true), 0)


def _counts(report: dict[str, Any], requests: list[dict[str, Any]]) -> Iterator[Figure]:
    counts = report["total"]["counts"]
    failures = Counter(truth["failure"] for truth in requests if truth["failure"])
    yield _exact("planned", counts["planned"], len(requests))
    yield _exact("succeeded", counts["succeeded"], len(requests) - failures.total())
    yield _exact("failed", counts["failed"], failures.total())
    told = {error["failure"]: error["count"] for error in report["total"].get("errors", ())}
    for failure in sorted(failures.keys() | told.keys()):
        yield _exact(failure, told.get(failure, 0), failures[failure])


def _rates(report: dict[str, Any], truth: dict[str, Any], requests: list[dict[str, Any]]) -> Iterator[Figure]:
    """Rates over the load's seconds; unsure by what happened so near their end that it may count on either side."""
    began = datetime.fromisoformat(report["startTime"]).timestamp() * 1e9
    end = began + truth["monotonic"] - truth["wall"] + report["plan"]["load"]["stages"][0]["durationSeconds"] * 1e9
    seconds = report["plan"]["load"]["stages"][0]["durationSeconds"]
    late = max((one["maxUncertainty"] for one in report["total"]["latencies"].values()), default=0.0)
    doubt = (START_DIGIT + CLOSED_AFTER + late) * MILLISECOND
    ends = [truth["done"][1] for truth in requests if not truth["failure"]]
    yield _rate("RequestsPerSecond", report["total"]["requestsPerSecond"], ends, end, doubt, seconds)
    tokens = [
        moment[1]
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
    return Figure(name, reported, (inside / seconds,) * 2, (unsure + 0.5) / seconds)
