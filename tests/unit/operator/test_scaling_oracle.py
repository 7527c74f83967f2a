"""A second, naive judge that knows every true event, against the real one that sees looks with gaps.

Never Passed where the truth says no, or that nothing was put to the test; never Failed where the truth says yes. Where
nobody was away and nothing happened close to a border, both say the same.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_stage, a_valid_spec
from loadtest_operator.core.scaling import figures, timeline
from loadtest_operator.core.scaling.autoscaler import Autoscaler, Direction
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from loadtest_operator.core.scaling.timeline import Timeline, directions
from unit.operator.film import START, at

END, STEP, IDLE = 160, 10, 80
STAGES = (
    a_stage("base"),
    a_stage("peak", durationSeconds=IDLE - STEP, arrivalRate=50),
    a_stage("idle", arrivalRate=1, durationSeconds=80),
)
FOLLOWS = 0.3
"""Seconds from ready to the endpoints."""
SHORT = 3.2
"""Seconds that may pass between two looks, and in which nobody need see what comes and goes."""
CLOSE = 2.2
"""Seconds around a border within which looks may not tell what came first."""


@dataclass
class Pod:
    name: str
    created: float
    ready: float
    deleted: float = 1e9
    unready: list[tuple[float, float]] = field(default_factory=list)

    def ready_since(self, second: float) -> float | None:
        """Since when it has been ready, if it is."""
        if not self.ready <= second < self.deleted or any(begin <= second < end for begin, end in self.unready):
            return None
        return max([self.ready, *(end for _, end in self.unready if end <= second)])

    def serves(self, second: float) -> bool:
        since = self.ready_since(second)
        return since is not None and since + FOLLOWS <= second


@dataclass
class Truth:
    """A target whose every event is known."""

    wanted: list[tuple[float, int]] = field(default_factory=list)
    replicas: list[tuple[float, int]] = field(default_factory=list)
    able: list[tuple[float, bool]] = field(default_factory=lambda: [(-100.0, True)])
    decided: list[tuple[float, float]] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)

    def scale(self, second: float, count: int, delays: list[float], *, by_autoscaler: bool) -> None:
        if by_autoscaler:
            self.wanted.append((second, count))
            self.decided.append((second, second))
        self.replicas.append((second, count))
        alive = [pod for pod in self.pods if pod.deleted > second]
        for pod in alive[count:]:
            pod.deleted = second
            if second - SHORT < pod.ready < second:  # it would have served for less than a look
                pod.ready = second
        for number in range(len(alive), count):
            created = second + 0.1
            self.pods.append(Pod(f"p{len(self.pods)}", created, created + delays[number % len(delays)]))

    def serving(self, second: float) -> int:
        return sum(pod.serves(second) for pod in self.pods)

    @property
    def moments(self) -> list[float]:
        """Whenever anything changes."""
        found = [second for events in (self.wanted, self.replicas, self.able) for second, _ in events]
        for pod in self.pods:
            found += [
                pod.ready + FOLLOWS,
                pod.deleted,
                *(pair[0] for pair in pod.unready),
                *(pair[1] + FOLLOWS for pair in pod.unready),
            ]
        return sorted(found)

    def view(self, second: float) -> TargetView:
        alive = [pod for pod in self.pods if pod.created <= second < pod.deleted]
        return TargetView(
            url="http://web",
            desired=value(self.replicas, second),
            pods=tuple(_shown(pod, second) for pod in alive),
            endpoints=tuple(Endpoint(f"10.0.0.{pod.name[1:]}", 80, pod.name) for pod in alive if pod.serves(second)),
            autoscaler=Autoscaler(
                "web",
                desired=value(self.wanted, second),
                active=value(self.able, second),
                since=at(int(max(moment for moment, _ in self.able if moment <= second))),
                down=Direction(30),
                last_scale_time=at(int(value(self.decided, second))),
            ),
        )


def _shown(pod: Pod, second: float) -> TargetPod:
    """With the API's times: whole seconds."""
    since = pod.ready_since(second)
    created = at(int(pod.created))
    return TargetPod(pod.name, created=created, scheduled=created, ready=None if since is None else at(int(since)))


def value(events: list[tuple[float, Any]], second: float) -> Any:
    return events[bisect_right([moment for moment, _ in events], second) - 1][1]


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """An autoscaler that scales as it likes, another hand now and then, metrics that go, pods that turn unready."""
    truth = Truth()
    truth.scale(-90, draw(st.integers(1, 4)), [1.0], by_autoscaler=True)
    second = draw(st.floats(-20, 30))
    for _ in range(draw(st.integers(0, 6))):
        delays = draw(st.lists(st.floats(1, 40), min_size=1, max_size=3))
        what = draw(st.sampled_from(["scale", "scale", "scale", "scale", "hand", "blind", "unready"]))
        if what in ("scale", "hand"):
            truth.scale(second, draw(st.integers(1, 5)), delays, by_autoscaler=what == "scale")
        elif what == "blind":
            truth.able += [(second, False), (second + SHORT, True)]
        else:
            alive = [pod for pod in truth.pods if pod.ready < second - SHORT and second < pod.deleted]
            for pod in alive[: draw(st.integers(1, 3))]:
                pod.unready.append((second, second + SHORT))
        second += draw(st.floats(SHORT + 0.1, 40))
    return truth


@st.composite
def absences(draw: st.DrawFn) -> tuple[float, float, float]:
    """When the first look is, and between which two seconds the operator was away."""
    begin = draw(st.floats(-30, 150))
    return draw(st.floats(-40, -39)), begin, begin + (draw(st.floats(0, 70)) if draw(st.booleans()) else 0)


def looked(truth: Truth, second: float, gone: float, back: float) -> Timeline:
    """A look a second."""
    seen = Timeline()
    while second <= END:
        if not gone < second < back:
            seen = timeline.extended(seen, truth.view(second), at(second))
        second += 1.0
    return timeline.loaded(timeline.stored(seen))


def samples_of(truth: Truth, begin: float, end: float) -> list[float]:
    """Every moment of a scope in which something is different."""
    return [begin, *(moment for moment in truth.moments if begin < moment <= end)]


def crossed(
    truth: Truth, begin: float, end: float, low: Callable[[float], bool], high: Callable[[float], bool]
) -> float | bool | None:
    """When it became so; False where it did not; nothing where it was so all the time."""
    was_low = False
    for moment in samples_of(truth, begin, end):
        if was_low and high(moment):
            return moment
        was_low = was_low or low(moment)
    return False if was_low else None


def true_scale_up(truth: Truth, count: int, deadline: float) -> str:
    met = crossed(truth, STEP, deadline, lambda t: truth.serving(t) < count, lambda t: truth.serving(t) >= count)
    if met is None:
        return "vacuous"
    if met is False:
        return "no"
    moments = samples_of(truth, STEP, float(met))
    wished = max(value(truth.wanted, moment) for moment in moments) >= count
    ordered = any(value(truth.replicas, moment) < count for moment in moments)
    return "yes" if wished and ordered and any(value(truth.able, moment) for moment in moments) else "vacuous"


def true_scale_down(truth: Truth, count: int, deadline: float) -> str:
    met = crossed(
        truth, IDLE, deadline,
        lambda t: value(truth.replicas, t) > count,
        lambda t: value(truth.replicas, t) <= count and value(truth.wanted, t) <= count,
    )  # fmt: skip
    if met is None:
        return "vacuous"
    if met is False:
        return "no"
    high = value(truth.replicas, 0)
    grew = any(
        value(levels, moment) > high
        for moment in samples_of(truth, 0, float(met))
        for levels in (truth.replicas, truth.wanted)
    )
    wished = any(value(truth.wanted, moment) > count for moment in samples_of(truth, IDLE, float(met)))
    return "yes" if wished and (grew or high <= count) else "vacuous"


def true_flapping(truth: Truth, most: int, until: float) -> str:
    found = [
        [value(levels, moment) for moment in samples_of(truth, 0, until)] for levels in (truth.wanted, truth.replicas)
    ]
    if max(directions(levels) for levels in found) <= most:
        return "yes"
    return "no" if max(directions(_without_leftover(levels)) for levels in found) > most else "vacuous"


def _without_leftover(levels: list[int]) -> list[int]:
    """Without what earlier load had left and went first."""
    while len(levels) > 1 and levels[1] <= levels[0]:
        levels = levels[1:]
    return levels


def true_reaction(truth: Truth, most: float) -> str:
    """To the load step, and to the load's beginning where anything followed that."""
    rises = [
        moment for (_, before), (moment, after) in pairwise(truth.replicas) if moment > 0 and after > before
    ]  # fmt: skip
    early, late = [moment for moment in rises if moment < STEP], [moment for moment in rises if moment >= STEP]
    found = [_answered(truth, 0, early[0], most)] if early else []
    if late and late[0] <= STEP + most:
        found.append(_answered(truth, STEP, late[0], most))
    else:
        spare = value(truth.replicas, 0) > 1 and value(truth.replicas, STEP) <= value(truth.replicas, 0)
        found.append("vacuous" if spare else "no")
    return next(word for word in ("no", "vacuous", "yes") if word in found)


def _answered(truth: Truth, step: float, rise: float, most: float) -> str:
    """By the first rise after a step: whether its first new pod serves in time, and the autoscaler had asked for it."""
    new = [pod for pod in truth.pods if abs(pod.created - rise - 0.1) < 1e-6]
    served = [moment for pod in new for moment in samples_of(truth, step, step + most) if pod.serves(moment)]
    if not served:
        return "no"
    wishes = [value(truth.wanted, moment) for moment in samples_of(truth, step, min(served))]
    return "yes" if any(later > earlier for earlier, later in pairwise(wishes)) else "vacuous"


KINDS: dict[str, tuple[Callable[[int, int], dict[str, Any]], Callable[[Truth, int, int], str], Callable[[int], tuple[float, ...]]]] = {
    "scaleUp": (
        lambda count, within: {"toAtLeast": count + 1, "withinSeconds": within, "fromStage": "peak"},
        lambda truth, count, within: true_scale_up(truth, count + 1, STEP + within),
        lambda within: (STEP, STEP + within),
    ),
    "scaleDown": (
        lambda count, within: {"toAtMost": count, "withinSeconds": within, "fromStage": "idle"},
        lambda truth, count, within: true_scale_down(truth, count, IDLE + within),
        lambda within: (0, IDLE, IDLE + within),
    ),
    "flapping": (
        lambda count, _: {"maxDirectionChanges": count - 1},
        lambda truth, count, _: true_flapping(truth, count - 1, END),
        lambda _: (0, END),
    ),
    "reactionTime": (
        lambda _, within: {"maxSeconds": within},
        lambda truth, _, within: true_reaction(truth, within),
        lambda within: (0, STEP, STEP + within, IDLE),
    ),
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(KINDS)), st.integers(1, 3), st.integers(5, 70))
@settings(max_examples=200, deadline=None)
def test_never_against_the_truth(data: st.DataObject, kind: str, count: int, within: int) -> None:
    """Passed only where the truth says yes, Failed only where it says no."""
    asked, truly, borders = KINDS[kind]
    truth = data.draw(truths())
    seen = looked(truth, *data.draw(absences()))
    spec = a_valid_spec(*STAGES, scaling={"expectations": [{"name": "it", kind: asked(count, within)}]})
    (found,) = figures.judged(spec, seen, START, at(END), ended=True)
    says = truly(truth, count, within)

    if found.result == "Passed":
        assert says == "yes", found.message
    if found.result == "Failed":
        assert says != "yes", found.message
    close = any(abs(moment - border) < CLOSE for moment in truth.moments for border in borders(within))
    blind = len(truth.able) > 1
    watched = not seen.gaps and seen.until is not None and seen.until > at(END - 2)
    if watched and not close and not blind and says != "vacuous":
        assert found.result == {"yes": "Passed", "no": "Failed"}[says] or "load lasted only" in found.message, (
            found.message
        )
