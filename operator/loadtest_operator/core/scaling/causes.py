"""Why an expectation was not met: a closed list, each cause a named function over the samples of the scope.

A rule answers with its evidence, and the table adds the remedy. Several may hold; the first in causal order is named:
what switches the autoscaler off comes before what it sees, that before what it may do, that before what became of the
pods. `Unknown` is an honest answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from loadgen.model.report import Result
from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling.autoscaler import SYNC_SECONDS
from loadtest_operator.core.scaling.spans import Span
from loadtest_operator.core.scaling.timeline import PodLife, Sample
from loadtest_operator.core.scaling.view import BLINK_SECONDS, Finding, View, described

PERSISTS_SECONDS = 15.0
"""What lasts shorter is how things move, not why they stand."""
TWO_DECISIONS = timedelta(seconds=2 * SYNC_SECONDS)


class Direction(Enum):
    """Which way it should have gone."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at: an expectation's scope."""

    view: View
    finding: Finding
    direction: Direction
    goal: int | None
    """The replicas that were to be reached, if the expectation names them."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.view.samples(self.finding.start, self.finding.end)

    @property
    def last(self) -> Sample | None:
        """What held at the deadline."""
        return self.samples[-1] if self.samples else None

    @property
    def wanted(self) -> int:
        """The most that the autoscaler asked for."""
        return max((sample.wanted or 0 for sample in self.samples), default=0)

    @property
    def pods(self) -> tuple[PodLife, ...]:
        """Alive in the scope."""
        start, end = self.finding.start, self.finding.end
        return tuple(
            pod
            for pod in self.view.timeline.pods
            if (pod.created is None or pod.created <= end) and (pod.deleting is None or pod.deleting >= start)
        )

    @property
    def satisfied(self) -> bool:
        """The autoscaler asked for what was wanted of it; what followed is not its doing."""
        if self.direction is Direction.DOWN:
            return self.goal is not None and any(_asks_at_most(sample, self.goal) for sample in self.samples[1:])
        if self.goal is None:
            return any(up.reaction and up.step and up.decided >= self.finding.start for up in self.view.scale_ups)
        return self.wanted >= self.goal


@dataclass(frozen=True, slots=True)
class Rule:
    """Its evidence, or nothing; and what to do about it."""

    evidence: Callable[[Case], str]
    remedy: str


@dataclass(frozen=True, slots=True)
class Found:
    """A cause, with evidence and remedy as a sentence."""

    cause: Cause
    says: str


def of(case: Case) -> Found | None:
    """The cause of what was not met; of what is not known, where that has one. Nothing for what may still be met."""
    finding = case.finding
    if case.view.started is None or finding.open or finding.result is Result.PASSED:
        return None
    if finding.result is Result.FAILED:
        return first(case)
    cause = finding.cause or Cause.UNKNOWN
    return Found(cause, f"{cause}: {remedy}" if (remedy := RULES[cause].remedy) else "")


def first(case: Case) -> Found:
    """The first cause that holds."""
    for cause, rule in RULES.items():
        if evidence := rule.evidence(case):
            return Found(cause, f"{cause}: {evidence}; {rule.remedy}" if rule.remedy else "")
    raise AssertionError("the last rule always holds")


def scaling_disabled(case: Case) -> str:
    """The autoscaler is switched off: the workload has no replicas, or its behavior forbids the direction."""
    scalers = [sample.scaler for sample in case.samples if sample.scaler]
    if any("ScalingDisabled" in scaler.inactive_because and not scaler.active for scaler in scalers):
        return f"the workload has 0 replicas, so autoscaler {scalers[0].name} is switched off"
    way = {Direction.UP: "scaleUp", Direction.DOWN: "scaleDown"}.get(case.direction)
    ways = [scaler.up if way == "scaleUp" else scaler.down for scaler in scalers]
    return f"behavior.{way}.selectPolicy is Disabled" if way and any(found.disabled for found in ways) else ""


def metric_unavailable(case: Case) -> str:
    """The autoscaler had no metric, or could not scale, for longer than a blink."""
    blind = _outage(case)
    if not blind or case.direction is Direction.NONE:
        return ""
    reasons = (sample.scaler.blind_because for sample in case.samples if sample.scaler)
    why = next((found for found in reasons if found), "there was none")
    return described(blind, case.view, f"the autoscaler could not act ({why})")


def replica_limit(case: Case) -> str:
    """minReplicas or maxReplicas is in the way."""
    scaler = case.last.scaler if case.last else None
    if scaler is None:
        return ""
    if case.direction is Direction.UP and (case.goal or 0) > scaler.maximum:
        return f"maxReplicas is {scaler.maximum}"
    if (
        case.direction is Direction.UP
        and case.goal is None
        and (case.last and (case.last.wanted or 0) >= scaler.maximum)
    ):
        return f"the autoscaler was at its maximum of {scaler.maximum}"
    if case.direction is Direction.DOWN and case.goal is not None and case.goal < scaler.minimum:
        return f"minReplicas is {scaler.minimum}"
    return ""


def replicas_owned_elsewhere(case: Case) -> str:
    """Something else writes the workload's replicas."""
    apart = [sample for sample in case.samples if None not in (sample.wanted, sample.replicas)]
    apart = [sample for sample in apart if sample.wanted != sample.replicas and sample.scaler and sample.scaler.active]
    writers = [sample.writer for sample in case.samples if sample.writer]
    if not apart or _lasting(case, apart) < PERSISTS_SECONDS:
        return ""
    one = apart[-1]
    who = f", {writers[-1]} wrote it" if writers else ""
    return f"the autoscaler wanted {one.wanted} and spec.replicas of the workload was {one.replicas}{who}"


def rollout_in_progress(case: Case) -> str:
    """The workload was replacing its pods."""
    rolling = [sample for sample in case.samples if sample.rollout]
    if not rolling or _lasting(case, rolling) < PERSISTS_SECONDS:
        return ""
    begin = case.view.second(rolling[0].time)
    return f"a rollout of the workload was under way, from second {begin:.0f} on"


def within_tolerance(case: Case) -> str:
    """Each value of its metrics that was seen asked for no change. Where the time was shorter than two decisions of the
    controller, what it saw at the next ones counts too: until then it shows what was before the load rose."""
    scaler = case.last.scaler if case.last else None
    until = max(case.finding.end, case.finding.start + TWO_DECISIONS)
    ratios = [
        (metric, metric.ratio)
        for sample in case.view.samples(case.finding.start, until)
        if sample.scaler
        for metric in sample.scaler.metrics
        if metric.ratio is not None
    ]
    if scaler is None or not ratios or case.satisfied or _outage(case):
        return ""
    if case.direction is Direction.UP:
        metric, ratio = max(ratios, key=lambda pair: pair[1])
        held = ratio <= 1 + scaler.up.tolerance
        return f"{metric.name} was {metric} at most, within the tolerance of {scaler.up.tolerance:.0%}" if held else ""
    metric, ratio = min(ratios, key=lambda pair: pair[1])
    held = case.direction is Direction.DOWN and 1 - scaler.down.tolerance <= ratio <= 1 + scaler.up.tolerance
    return f"{metric.name} was {metric} at least, within the tolerance of {scaler.down.tolerance:.0%}" if held else ""


def stabilized(case: Case) -> str:
    """The autoscaler waits: its stabilization window was not over at the deadline."""
    scaler = case.last.scaler if case.last else None
    if scaler is None or case.direction is Direction.NONE:
        return ""
    way, word = (
        ("scaleUp", "ScaleUpStabilized") if case.direction is Direction.UP else ("scaleDown", "ScaleDownStabilized")
    )
    window = (scaler.up if way == "scaleUp" else scaler.down).stabilization
    scope = (case.finding.end - case.finding.start).total_seconds()
    if not window or not (scaler.doing == word or scope <= window):
        return ""
    return f"behavior.{way}.stabilizationWindowSeconds is {window}, the expectation gave {scope:.0f} s"


def blocked_by_unready(case: Case) -> str:
    """The autoscaler counts a pod that is not ready as one that uses nothing, so it asks for no more."""
    if case.satisfied or case.direction is not Direction.UP:
        return ""
    unready = [pod for pod in case.pods if pod.scheduled and _unready_for(case, pod) >= PERSISTS_SECONDS]
    return (
        f"pod {unready[0].name} was not ready: the autoscaler counts it as idle and asks for no more" if unready else ""
    )


def unschedulable(case: Case) -> str:
    """A new pod found no node in time."""
    if case.direction is not Direction.UP:
        return ""
    waiting = [pod for pod in case.pods if not _placed(case, pod)]
    said = next((pod for pod in waiting if pod.waiting_for), None)
    return f"pod {said.name} found no node: {said.waiting_for}" if said else ""


def slow_start(case: Case) -> str:
    """The autoscaler asked in time, and a new pod took too long from its node to being ready."""
    if not case.satisfied or case.direction is not Direction.UP:
        return ""
    slow = [pod for pod in case.pods if pod.created and pod.created >= case.finding.start and _missed(case, pod)]
    if not slow:
        return ""
    pod = slow[0]
    scheduled = pod.scheduled or pod.created or case.finding.start
    if pod.ready is None:
        return f"pod {pod.name} had a node in second {case.view.second(scheduled):.0f} and never became ready"
    took = (pod.ready - scheduled).total_seconds()
    return f"pod {pod.name} took {took:.0f} s from having a node to being ready, in second {case.view.second(pod.ready):.0f}"


def unknown(_case: Case) -> str:
    """Nothing that was seen explains it."""
    return "nothing that was seen explains it"


RULES: Final[dict[Cause, Rule]] = {
    Cause.SCALING_DISABLED: Rule(scaling_disabled, "scale the workload to 1 or more, and allow the direction"),
    Cause.METRIC_UNAVAILABLE: Rule(
        metric_unavailable, "see kubectl describe hpa, and whether the metrics API serves it"
    ),
    Cause.REPLICA_LIMIT: Rule(replica_limit, "change the limit, or expect what it allows"),
    Cause.REPLICAS_OWNED_ELSEWHERE: Rule(replicas_owned_elsewhere, "leave spec.replicas out of what is applied"),
    Cause.ROLLOUT_IN_PROGRESS: Rule(rollout_in_progress, "run it when no rollout is under way"),
    Cause.WITHIN_TOLERANCE: Rule(within_tolerance, "move the load or the target value farther apart"),
    Cause.STABILIZED: Rule(stabilized, "give it more time than that, or shorten the window"),
    Cause.BLOCKED_BY_UNREADY: Rule(blocked_by_unready, "see why that pod does not become ready"),
    Cause.UNSCHEDULABLE: Rule(unschedulable, "make room for it: nodes, quota, or smaller requests"),
    Cause.SLOW_START: Rule(slow_start, "shorten the start (image, weights, warm-up), or give it more time"),
    Cause.UNKNOWN: Rule(unknown, ""),
}
"""In causal order: the first that has evidence is named. A cause without a rule is an error when this is imported."""

if missing := set(Cause) ^ RULES.keys():
    raise TypeError(f"causes without a rule: {sorted(missing)}")


def _lasting(case: Case, found: list[Sample]) -> float:
    """How long samples of this kind held in the scope, in seconds, together."""
    samples, end = case.samples, min(case.finding.end, case.view.until)
    ends = [*(sample.time for sample in samples[1:]), end]
    kept = [
        stop - max(sample.time, case.finding.start)
        for sample, stop in zip(samples, ends, strict=True)
        if sample in found
    ]
    return sum(length.total_seconds() for length in kept)


def _unready_for(case: Case, pod: PodLife) -> float:
    end = min(pod.ready or case.finding.end, pod.deleting or case.finding.end, case.finding.end)
    begin = max(pod.scheduled or case.finding.start, case.finding.start)
    return (end - begin).total_seconds()


def _placed(case: Case, pod: PodLife) -> bool:
    """It had a node at the deadline."""
    return pod.scheduled is not None and pod.scheduled <= case.finding.end


def _missed(case: Case, pod: PodLife) -> bool:
    """It had a node and was not ready at the deadline."""
    return _placed(case, pod) and (pod.ready is None or pod.ready > case.finding.end)


def _outage(case: Case) -> tuple[Span, ...]:
    """When the autoscaler could not act, if that was more than a blink."""
    blind = case.view.blindness(case.finding.start, case.finding.end)
    return blind if sum(span.seconds for span in blind) > BLINK_SECONDS else ()


def _asks_at_most(sample: Sample, goal: int) -> bool:
    return sample.wanted is not None and sample.wanted <= goal
