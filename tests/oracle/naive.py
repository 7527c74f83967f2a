"""The oracle: `verdicts.md` read out loud, over lists of requests. No histograms, no merging, no cleverness; slow is fine.

It shares no code with what it judges. Bounds of Clopper and Pearson are found from the binomial sum itself; dependence by the variance of
at most twenty batches of seconds, as the definition has it.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from oracle.records import TIMEOUTS, Attempt, Played

HOLDS, VIOLATED, UNKNOWN = "Passed", "Failed", "Unknown"
PERCENT = {"P50": 50, "P75": 75, "P90": 90, "P95": 95, "P99": 99}


def judge(played: Played) -> dict[str, str]:
    """Each threshold's result, the defaults' too."""
    found = {threshold.name: _threshold(played, threshold) for threshold in played.plan.thresholds}
    counted = _scope(played, EVERYTHING)
    bad, open_ = (sum(map(of, counted)) for of in (_is_bad, _is_open))
    limit = float(played.plan.defaults.error_percent) / 100 * len(counted)
    found["errors-default"] = _both(bad <= limit, bad + open_ <= limit)
    succeeded = sum(one.outcome == "ok" for one in counted)
    found["any-success"] = HOLDS if succeeded else UNKNOWN if open_ or not counted else VIOLATED
    return found | {name: METRICS[str(asked.metric)](played, asked) for name, asked in bounds(played).items()}


@dataclass(frozen=True)
class Bound:
    """A bound over a fault's seconds, in the shape of a threshold."""

    metric: str
    statistic: str | None
    operator: str
    value: float
    window: range
    stages: None = None
    request: None = None
    decision: str = "Confident"


@dataclass(frozen=True)
class Everything:
    """What counts of a run."""

    stages: None = None
    request: None = None


def bounds(played: Played) -> dict[str, Bound]:
    return {
        f"bound {place}": Bound(
            str(one.metric), one.statistic and str(one.statistic), str(one.operator), float(one.value), window
        )
        for place, (window, one) in enumerate(played.bounds)
    }


def verdict(played: Played, found: dict[str, str]) -> str:
    """Failed before Inconclusive before Passed."""
    if not _scope(played, EVERYTHING):
        return "Inconclusive"
    if VIOLATED in found.values():
        return "Failed"
    return "Inconclusive" if UNKNOWN in found.values() else "Passed"


def _scope(played: Played, asked: Any) -> list[Attempt]:
    plan, seconds = played.plan, set(_seconds(played, asked))
    wanted = {
        i for i, one in enumerate(plan.load.stages) if (one.name in asked.stages if asked.stages else not one.warmup)
    }
    if isinstance(asked, Bound):
        wanted = set(range(len(plan.load.stages)))
    kinds = {i for i, one in enumerate(plan.requests) if asked.request in (None, one.name)}
    return [one for one in played.attempts if one.stage in wanted and one.kind in kinds and one.second in seconds]


def _seconds(played: Played, asked: Any) -> list[int]:
    if isinstance(asked, Bound):
        return list(asked.window)
    found, begin = [], 0
    for one in played.plan.load.stages:
        if one.name in asked.stages if asked.stages else not one.warmup:
            found += range(begin, begin + one.duration_seconds)
        begin += one.duration_seconds
    return [second for second in found if not any(second in fault for fault in played.faults)]


def _is_bad(one: Attempt) -> bool:
    return one.outcome not in ("ok", "open")


def _is_open(one: Attempt) -> bool:
    return one.outcome == "open"


def _both(best: bool, worst: bool) -> str:
    """The same answer whatever the unanswered would have been, or none."""
    if best != worst:
        return UNKNOWN
    return HOLDS if best else VIOLATED


def _threshold(played: Played, asked: Any) -> str:
    if not list(_scope(played, asked)):
        return UNKNOWN
    return METRICS[str(asked.metric)](played, asked)


def _latency(played: Played, asked: Any) -> str:
    streamed = str(asked.metric) == "TimeToFirstToken"
    attempts = [one for one in _scope(played, asked) if not streamed or played.plan.requests[one.kind].streams]
    if not attempts:
        return UNKNOWN
    statistic, upper = str(asked.statistic), "Less" in str(asked.operator)
    values = {id(one): (one.first if streamed else one.response) for one in attempts if one.outcome == "ok"}
    if statistic == "Max":
        return _max(attempts, values, asked, upper)
    if statistic == "Mean":
        return _mean(played, attempts, values, asked, streamed)
    share = PERCENT[statistic] / 100

    def against(one: Attempt) -> bool | None:
        """On the wrong side; None: not known."""
        if one.outcome == "open":
            return None
        if one.outcome != "ok":
            return True if upper else None
        return not _keeps(values[id(one)] / 1000, asked)

    return _share(played, attempts, against, (1 - share) if upper else share, strict=not upper, asked=asked)


def _keeps(value: float, asked: Any) -> bool:
    bound = float(asked.value)
    return {
        "LessThan": value < bound,
        "LessThanOrEqual": value <= bound,
        "GreaterThan": value > bound,
        "GreaterThanOrEqual": value >= bound,
    }[str(asked.operator)]


def _share(
    played: Played,
    attempts: list[Attempt],
    against: Callable[[Attempt], bool | None],
    limit: float,
    *,
    strict: bool,
    asked: Any,
) -> str:
    """At most `limit` of the attempts are against."""
    seconds = _seconds(played, asked)
    results = []
    for unknown_counts in (False, True):
        hits = [one for one in attempts if against(one) or (unknown_counts and against(one) is None)]
        results.append(_decided(seconds, attempts, hits, limit, strict=strict, point=str(asked.decision) == "Point"))
    return results[0] if results[0] == results[1] else UNKNOWN


def _decided(
    seconds: list[int], attempts: list[Attempt], hits: list[Attempt], limit: float, *, strict: bool, point: bool
) -> str:
    n, k = len(attempts), len(hits)
    if point or limit <= 0:
        kept = k < limit * n - 1e-9 if strict else k <= limit * n + 1e-9
        return HOLDS if kept else VIOLATED
    effect = _design_effect(seconds, attempts, hits)
    low, high = clopper_pearson(k / effect, n / effect)
    if high < limit:
        return HOLDS
    return VIOLATED if low > limit else UNKNOWN


def _per_second(seconds: list[int], chosen: Iterable[Attempt]) -> list[float]:
    counts = dict.fromkeys(seconds, 0.0)
    for one in chosen:
        counts[one.second] += 1
    return [counts[second] for second in seconds]


def _batches(values: list[float]) -> list[float]:
    """At most twenty stretches of about the same length."""
    number = min(20, len(values))
    edges = sorted({int(len(values) * place / number) for place in range(number + 1)})
    return [sum(values[begin:end]) for begin, end in itertools.pairwise(edges)]


def _design_effect(seconds: list[int], attempts: list[Attempt], hits: list[Attempt]) -> float:
    sizes, parts = _per_second(seconds, attempts), _per_second(seconds, hits)
    busy = [place for place, size in enumerate(sizes) if size]
    n, k = len(attempts), len(hits)
    if not 0 < k < n or len(busy) < 5:
        return 1.0
    rate = k / n
    batched = list(zip(_batches([parts[i] for i in busy]), _batches([sizes[i] for i in busy]), strict=True))
    spread = sum((part - rate * size) ** 2 for part, size in batched) * len(batched) / (len(batched) - 1)
    return max(1.0, spread / (n * rate * (1 - rate)))


def _ratio(parts: list[float], sizes: list[float]) -> tuple[float, float, float] | None:
    """The ratio of the sums and its 95 % bounds; the bounds are NaN where there is too little to see variance by."""
    busy = [place for place, size in enumerate(sizes) if size]
    if not busy:
        return None
    value = sum(parts) / sum(sizes)
    batched = list(zip(_batches([parts[i] for i in busy]), _batches([sizes[i] for i in busy]), strict=True))
    if len(batched) < 2:
        return value, math.nan, math.nan
    spread = sum((part - value * size) ** 2 for part, size in batched) * len(batched) / (len(batched) - 1)
    reach = student(len(batched) - 1) * math.sqrt(spread) / sum(sizes)
    return value, value - reach, value + reach


def _mean(played: Played, attempts: list[Attempt], values: dict[int, Any], asked: Any, streamed: bool) -> str:
    """Of answers; a time-out counts at its value, and may have been any longer."""
    seconds = _seconds(played, asked)
    places = {second: place for place, second in enumerate(seconds)}
    parts, sizes = [0.0] * len(seconds), [0.0] * len(seconds)
    for one in attempts:
        timed_out = one.outcome in TIMEOUTS
        if one.outcome == "ok" or timed_out:
            parts[places[one.second]] += (one.response if timed_out else values[id(one)]) / 1000
            sizes[places[one.second]] += 1
    found = _ratio(parts, sizes)
    if found is None:
        return UNKNOWN
    lost = any(one.outcome == "open" or one.outcome in TIMEOUTS for one in attempts)
    ends = {_mean_at(found, asked)} | ({_mean_at((math.inf,) * 3, asked)} if lost else set())
    return ends.pop() if len(ends) == 1 else UNKNOWN


def _mean_at(found: tuple[float, ...], asked: Any) -> str:
    value, low, high = found
    if str(asked.decision) == "Point":
        return HOLDS if _keeps(value, asked) else VIOLATED
    if math.isnan(low):
        return UNKNOWN
    return _both(_keeps(low, asked), _keeps(high, asked))


def _max(attempts: list[Attempt], values: dict[int, Any], asked: Any, upper: bool) -> str:
    """About these requests: no chance in it. What is open or timed out may have been larger."""
    known = [value / 1000 for value in values.values()] + [
        one.response / 1000 for one in attempts if one.outcome in TIMEOUTS
    ]
    if not known:
        return UNKNOWN
    kept = _keeps(max(known), asked)
    lost = any(one.outcome == "open" or one.outcome in TIMEOUTS for one in attempts)
    return UNKNOWN if lost and kept == upper else HOLDS if kept else VIOLATED


def _percent(counted: Callable[[Played, Attempt], bool | None]) -> Callable[[Played, Any], str]:
    """`counted`: in the percentage, not in it, or None: not known."""

    def decide(played: Played, asked: Any) -> str:
        attempts = _scope(played, asked)
        upper, bound = "Less" in str(asked.operator), float(asked.value) / 100

        def against(one: Attempt) -> bool | None:
            inside = counted(played, one)
            return None if inside is None else inside == upper

        strict = str(asked.operator) in ("LessThan", "GreaterThan")
        return _share(played, attempts, against, bound if upper else 1 - bound, strict=strict, asked=asked)

    return decide


def _error(_played: Played, one: Attempt) -> bool | None:
    return None if _is_open(one) else _is_bad(one)


def _drop(_played: Played, one: Attempt) -> bool | None:
    return one.outcome == "dropped"


def _rejected(_played: Played, one: Attempt) -> bool | None:
    return None if _is_open(one) or one.outcome == "dropped" else one.outcome in ("Http429", "Http503")


def is_good(played: Played, one: Attempt) -> bool | None:
    """By what was measured: a worker says of each request whether it was good."""
    if one.outcome != "ok":
        return None if _is_open(one) else False
    slo = played.plan.requests[one.kind].slo
    slow = slo.response_time_milliseconds and one.response + one.late > 1000 * slo.response_time_milliseconds
    late = slo.ttft_milliseconds and one.first is not None and one.first + one.late > 1000 * slo.ttft_milliseconds
    return not (slow or late)


def _rate(of: Callable[[Played, Attempt], bool | None], when: Callable[[Attempt], int]) -> Callable[[Played, Any], str]:
    def decide(played: Played, asked: Any) -> str:
        seconds = _seconds(played, asked)
        places = {second: place for place, second in enumerate(seconds)}
        chosen = [one for one in played.attempts if asked.request in (None, played.plan.requests[one.kind].name)]
        ends = set()
        for unknown in (False, True):
            parts = [0.0] * len(seconds)
            for one in chosen:
                counts = of(played, one)
                if (unknown if counts is None else counts) and when(one) in places:
                    parts[places[when(one)]] += 1
            found = _ratio(parts, [1.0] * len(seconds))
            if found is None:
                return UNKNOWN
            ends.add(_mean_at(found, asked))
        return ends.pop() if len(ends) == 1 else UNKNOWN

    return decide


EVERYTHING = Everything()
METRICS: dict[str, Callable[[Played, Any], str]] = {
    "ResponseTime": _latency,
    "TimeToFirstToken": _latency,
    "ErrorPercent": _percent(_error),
    "DroppedPercent": _percent(_drop),
    "RejectedPercent": _percent(_rejected),
    "SloAttainmentPercent": _percent(is_good),
    "RequestsPerSecond": _rate(lambda _played, one: one.outcome == "ok", lambda one: one.ended),
    "Goodput": _rate(is_good, lambda one: one.second),
}


@lru_cache(100_000)
def clopper_pearson(k: float, n: float) -> tuple[float, float]:
    """Each end one-sided at 95 %, from the tail of the binomial, or of its continuation to fractions (an integral)."""
    low = _root(lambda p: _at_least(k, n, p) - 0.05) if k > 0 else 0.0
    high = _root(lambda p: 0.05 - _at_most(k, n, p)) if k < n else 1.0
    return low, high


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _at_least(k: float, n: float, p: float) -> float:
    """P(X ≥ k), X binomial: the beta distribution function of (k, n − k + 1) at p."""
    return _beta(p, k, n - k + 1)


def _at_most(k: float, n: float, p: float) -> float:
    return 1 - _beta(p, k + 1, n - k)


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its series."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > a / (a + b):
        return 1 - _beta(1 - x, b, a)
    whole = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    # ∫₀ˣ t^(a−1)(1−t)^(b−1) dt = x^a (1−x)^b / a · ₂F₁(a+b, 1; a+1; x) (DLMF 8.17.8), whose terms are all positive.
    return min(1.0, math.exp(a * math.log(x) + b * math.log1p(-x) - whole) / a * _series(x, a, b))


def _series(x: float, a: float, b: float) -> float:
    """₂F₁(a + b, 1; a + 1; x): the sum of its terms."""
    term = total = 1.0
    for number in range(1, 1_000_000):
        term *= (a + b + number - 1) / (a + number) * x
        total += term
        if term < 1e-14 * total:
            break
    return total


@lru_cache(100)
def student(freedom: int) -> float:
    """t with P(T ≤ t) = 95 %, by the density's sum."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    step, at, below = 1e-4, 0.0, 0.5
    while below < 0.95:
        middle = at + step / 2
        below += step * scale * (1 + middle * middle / freedom) ** (-(freedom + 1) / 2)
        at += step
    return at
