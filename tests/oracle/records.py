"""What is played: plans, and every request that was really made under them. Hypothesis draws the shapes, a seed of its own the details."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from loadgen.model.plan import Criterion, Plan

PAGE = {"name": "page", "timeoutSeconds": 20, "http": {"path": "/"}, "slo": {"responseTimeMilliseconds": 200}}
CHAT = {
    "name": "chat",
    "timeoutSeconds": 20,
    "openAIChat": {"model": "m", "prompt": {"text": "hi"}},
    "slo": {"ttftMilliseconds": 300, "responseTimeMilliseconds": 1000},
}
FAILURES = ("Http500", "Http503", "ConnectionLost", "TotalTimeout", "FirstByteTimeout")
TIMEOUTS = ("TotalTimeout", "FirstByteTimeout")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as it truly was; times are microseconds."""

    second: int
    """When it was meant to start."""
    stage: int
    kind: int
    outcome: str
    """`ok`, `dropped`, `open` (no answer by the end) or a class of failures."""
    response: int = 0
    """From the intended start to the end; of a time-out, to when it was given up."""
    first: int | None = None
    """From the intended start to the first token, of streams."""
    ended: int = 0
    """The second of the outcome."""
    late: int = 0
    """By how much more the generator measured it, for its loop was busy."""


@dataclass(frozen=True)
class Played:
    """A plan and what happened."""

    plan: Plan
    attempts: list[Attempt] = field(repr=False)
    faults: tuple[range, ...] = ()
    """Seconds in which something was broken on purpose: out of every threshold's scope."""
    bounds: tuple[tuple[range, Criterion], ...] = ()
    """What was asked of such seconds."""
    lag: int = 0
    """Microseconds by which the event loop was late at most."""


@dataclass(frozen=True)
class Weather:
    """How the target behaves in a stage towards one kind of request."""

    median: float
    """Milliseconds."""
    spread: float
    slow_share: float
    """Of requests that take ten times as long."""
    failing: float
    failure: str
    dropped: float
    hanging: float
    """Of the requests of the stage's last fifth, how many never get an answer."""
    gusts: bool
    """Whether trouble comes seconds together instead of request by request."""


SHARES = st.sampled_from([0.0, 0.0, 0.0, 0.005, 0.02, 0.06, 0.3])
weathers = st.builds(
    Weather,
    median=st.sampled_from([20.0, 90.0, 180.0, 400.0]),
    spread=st.sampled_from([0.0, 0.2, 0.7]),
    slow_share=st.sampled_from([0.0, 0.0, 0.01, 0.04, 0.08, 0.3]),
    failing=SHARES,
    failure=st.sampled_from(FAILURES),
    dropped=SHARES,
    hanging=st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.6]),
    gusts=st.booleans(),
)
LATENCIES = ("P50", "P75", "P90", "P95", "P99", "Mean", "Max")


@st.composite
def criteria(draw: st.DrawFn, stages: list[str], kinds: list[str]) -> dict[str, Any]:
    """One threshold, without a name."""
    metric = draw(
        st.sampled_from(
            [
                "ResponseTime",
                "ResponseTime",
                "TimeToFirstToken",
                "ErrorPercent",
                "DroppedPercent",
                "RejectedPercent",
                "SloAttainmentPercent",
                "RequestsPerSecond",
                "Goodput",
            ]
        )
    )
    asked: dict[str, Any] = {"metric": metric, "decision": draw(st.sampled_from(["Confident", "Confident", "Point"]))}
    if metric == "TimeToFirstToken" and "chat" not in kinds:
        asked["metric"] = metric = "ResponseTime"
    if metric in ("ResponseTime", "TimeToFirstToken"):
        asked |= {
            "statistic": draw(st.sampled_from(LATENCIES)),
            "value": draw(st.sampled_from([25, 100, 200, 450, 900, 3000])),
        }
        asked["operator"] = draw(st.sampled_from(["LessThan", "LessThanOrEqual", "LessThan", "GreaterThan"]))
    elif metric.endswith("Percent"):
        upper = metric != "SloAttainmentPercent"
        asked["value"] = draw(
            st.sampled_from(["0", "1", "2.5", "5", "20"] if upper else ["50", "90", "95", "99", "100"])
        )
        asked["operator"] = "LessThanOrEqual" if upper else "GreaterThanOrEqual"
    else:
        asked |= {
            "operator": draw(st.sampled_from(["GreaterThan", "GreaterThanOrEqual"])),
            "value": draw(st.sampled_from([1, 3, 9, 20])),
        }
    if draw(st.booleans()) and metric not in ("DroppedPercent",):
        asked["request"] = draw(st.sampled_from(kinds if metric != "TimeToFirstToken" else ["chat"]))
    if stages and draw(st.booleans()):
        asked["stages"] = draw(st.lists(st.sampled_from(stages), min_size=1, max_size=2, unique=True))
    return asked


@st.composite
def played(draw: st.DrawFn) -> Played:
    """A plan of open stages with a uniform rate, and its requests."""
    names = ["warm", "steady", "peak"][: draw(st.integers(1, 3))]
    kinds = draw(st.sampled_from([[PAGE], [CHAT], [PAGE, CHAT]]))
    stages = [
        {
            "name": name,
            "durationSeconds": draw(st.sampled_from([4, 10, 30, 60])),
            "arrivalRate": draw(st.sampled_from([1, 4, 10, 30])),
        }
        for name in names
    ]
    if len(names) == 3 and draw(st.booleans()):
        stages[0]["warmup"] = True
    wanted = draw(
        st.lists(
            criteria([one["name"] for one in stages if "warmup" not in one], [one["name"] for one in kinds]), max_size=4
        )
    )
    plan = Plan.model_validate(
        {
            "requests": kinds,
            "load": {"arrival": "Uniform", "stages": stages, "gracefulStopSeconds": 5},
            "thresholds": [{"name": f"t{number}"} | one for number, one in enumerate(wanted)],
        }
    )
    weather = [[draw(weathers) for _ in kinds] for _ in stages]
    lag = draw(st.sampled_from([0, 0, 0, 2_000, 30_000]))
    faults = draw(windows(plan.load.duration_seconds))
    bounds = tuple(
        (window, Criterion.model_validate({k: v for k, v in draw(criteria([], ["page"])).items() if k in BOUND}))
        for window in faults
        if draw(st.booleans())
    )
    return Played(plan, attempts(plan, weather, lag, Random(draw(st.integers(0, 2**32 - 1)))), faults, bounds, lag)


BOUND = ("metric", "statistic", "operator", "value")


@st.composite
def windows(draw: st.DrawFn, duration: int) -> tuple[range, ...]:
    """None, one or two faults, which may adjoin or overlap."""
    begins = draw(st.lists(st.integers(0, duration - 1), max_size=2)) if draw(st.booleans()) else []
    return tuple(range(begin, min(duration, begin + draw(st.sampled_from([1, 3, 10])))) for begin in begins)


def attempts(plan: Plan, weather: list[list[Weather]], lag: int, draw: Random) -> list[Attempt]:
    """Every request of the plan in this weather."""
    made: list[Attempt] = []
    second, end = 0, plan.load.duration_seconds + plan.load.graceful_stop_seconds
    for stage, one in enumerate(plan.load.stages):
        for at in range(one.duration_seconds):
            late = at >= one.duration_seconds * 4 // 5
            gust = draw.random()
            for _ in range(int(one.arrival_rate or 0)):
                kind = draw.randrange(len(plan.requests))
                meant = Attempt(second, stage, kind, "ok", late=draw.randint(0, lag))
                made.append(_attempt(meant, plan.requests[kind].streams, weather[stage][kind], draw, (late, gust, end)))
            second += 1
    return made


def _attempt(meant: Attempt, streams: bool, weather: Weather, draw: Random, when: tuple[bool, float, int]) -> Attempt:
    late, gust, end = when
    chance = gust if weather.gusts else draw.random()
    if late and draw.random() < weather.hanging:
        return replace(meant, outcome="open")
    if chance < weather.dropped:
        return replace(meant, outcome="dropped", ended=meant.second)
    if chance < weather.dropped + weather.failing:
        micros = 20_000_000 if weather.failure in TIMEOUTS else 5_000
        return _ending(replace(meant, outcome=weather.failure, response=micros), end)
    slow = 10 if (gust if weather.gusts else draw.random()) > 1 - weather.slow_share else 1
    # Whole milliseconds and a half, so that no value sits at a bound where three digits could not tell.
    micros = int(weather.median * draw.lognormvariate(0, weather.spread) * slow) * 1000 + 500
    return _ending(replace(meant, response=micros, first=int(micros * 0.4) if streams else None), end)


def _ending(made: Attempt, end: int) -> Attempt:
    """With the second in which it ended; without an outcome where that is after the run."""
    ended = made.second + made.response // 1_000_000
    return replace(made, outcome="open") if ended >= end else replace(made, ended=ended)
