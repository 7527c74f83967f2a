"""What keeps a judgement from being one: nothing that it asked for was put to the test, or nobody can say by whom.

A guard looks at a finding and says in a sentence why it proves nothing; the first one that does makes it Unknown. Some
speak against Passed only (vacuous: it would have been so without any load), some against Failed only (it might have
been met, had the autoscaler been able to act), some against both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import Expectation, ScaleDown
from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling import load, spans
from loadtest_operator.core.scaling.autoscaler import SYNC_SECONDS, Autoscaler
from loadtest_operator.core.scaling.timeline import Sample
from loadtest_operator.core.scaling.view import BLINK_SECONDS, Finding, View, described

PASSED, FAILED = (Result.PASSED,), (Result.FAILED,)
BOTH = (Result.PASSED, Result.FAILED)


@dataclass(frozen=True, slots=True)
class Tested:
    """A finding, and the expectation's own member (its numbers)."""

    view: View
    finding: Finding
    asked: Any

    @property
    def first(self) -> Sample | None:
        """What held when its scope began."""
        return self.view.sample_at(self.finding.start)

    @property
    def met(self) -> tuple[Sample, ...]:
        """From the beginning of its scope until it was met."""
        return self.view.samples(self.finding.start, self.finding.met or self.finding.end)


@dataclass(frozen=True, slots=True)
class Guard:
    """A named function, and the results that it speaks against."""

    against: tuple[Result, ...]
    says: Callable[[Tested], str]
    cause: Cause = Cause.UNKNOWN


def guarded(field: str, expectation: Expectation, finding: Finding, view: View) -> Finding:
    """The finding, or Unknown with the first guard's sentence."""
    tested = Tested(view, finding, getattr(expectation, field))
    if why := _no_autoscaler(tested):
        return replace(finding, result=Result.UNKNOWN, why=why)
    for guard in GUARDS[field]:
        if finding.result in guard.against and (why := guard.says(tested)):
            return replace(finding, result=Result.UNKNOWN, why=why, cause=guard.cause)
    return finding


def _no_autoscaler(tested: Tested) -> str:
    timeline = tested.view.timeline
    if timeline.since is None:
        return "the target was not observed"
    if timeline.blind and not timeline.autoscaler:
        return f"the operator could not look: {timeline.blind}"
    return (
        "" if timeline.autoscaler else "no autoscaler scales the target: make one, or name it in scaling.autoscalerRef"
    )


def never_could_act(tested: Tested) -> str:
    """The autoscaler had no metric all the time: replicas that moved were moved by another hand."""
    view, finding = tested.view, tested.finding
    acts = spans.spans(view.timeline, _acts, spans.seen_in)
    inner = spans.within(acts, finding.start, finding.met or finding.end)
    if any(span.value for span in inner):
        return ""
    return f"the autoscaler never had a metric: {_why_blind(tested)}"


def could_not_act(tested: Tested) -> str:
    """It was missed by less than the autoscaler was blind for."""
    view, finding = tested.view, tested.finding
    blind = view.blindness(finding.start, max(finding.end, view.until))
    if not blind or finding.late > sum(span.seconds for span in blind) + SYNC_SECONDS + _window(tested):
        return ""
    return described(blind, view, f"the autoscaler could not act ({_why_blind(tested)})")


def _window(tested: Tested) -> int:
    """What it has to wait for again before it shrinks, once it sees."""
    scaler = tested.view.scaler
    return scaler.down.stabilization if scaler is not None and isinstance(tested.asked, ScaleDown) else 0


def switched_off(tested: Tested) -> str:
    """The workload was at 0 replicas, so the autoscaler was not asked."""
    return could_not_act(tested) if "ScalingDisabled" in _why_blind(tested) else ""


def blind_meanwhile(tested: Tested) -> str:
    """The autoscaler could not act for more than half a minute: one that cannot act does not swing."""
    view, finding = tested.view, tested.finding
    blind = view.blindness(finding.start, finding.end)
    if sum(span.seconds for span in blind) <= BLINK_SECONDS:
        return ""
    return described(blind, view, f"the autoscaler could not act ({_why_blind(tested)})")


def was_gone(tested: Tested) -> str:
    """There was no autoscaler for a while: deleted, or another one took its place."""
    view, finding = tested.view, tested.finding
    found = spans.within(spans.spans(view.timeline, _is_gone), finding.start, finding.met or finding.end)
    gone = [span for span in found if span.value and span.seconds]
    return described(gone, view, "the target had no autoscaler") if gone else ""


def edited(tested: Tested) -> str:
    """Somebody edited the autoscaler meanwhile: there is no one thing that was judged."""
    view, finding = tested.view, tested.finding
    seen = [sample for sample in view.samples(finding.start, finding.met or finding.end) if sample.scaler]
    pair = next(((a.scaler, b.scaler, b) for a, b in pairwise(seen) if _orders(a) != _orders(b)), None)
    if pair is None or pair[0] is None or pair[1] is None:
        return ""
    return f"the autoscaler was edited in second {view.second(pair[2].time):.0f} ({_edit(pair[0], pair[1])})"


def already_asked_for(tested: Tested) -> str:
    """The replicas were ordered before the load rose; they only became ready after it."""
    view, finding, first = tested.view, tested.finding, tested.first
    found = spans.spans(view.timeline, lambda sample: _fewer(sample, tested.asked.to_at_least), spans.scaled_in)
    inner = spans.within(found, finding.start, finding.met or finding.end)
    if any(span.value for span in inner):
        return ""
    if (doubt := next((span for span in inner if span.value is None), None)) is not None:
        return f"nobody knows whether the workload had been scaled before the load rose: {view.describe(doubt)}"
    scaler = first.scaler if first else None
    count = max(first.levels, default=0) if first else 0
    where = f", the maximum of {scaler.name}," if scaler is not None and count >= scaler.maximum else ""
    return f"the workload had been scaled to {count}{where} before the load rose: not caused by the load"


def _fewer(sample: Sample, count: int) -> bool | None:
    level = sample.wanted if sample.replicas is None else sample.replicas
    return None if level is None else level < count


def minimum_asks(tested: Tested) -> str:
    """minReplicas asks for as many: it would be so without any load."""
    last = tested.met[-1].scaler if tested.met else None
    if last is None or last.minimum < tested.asked.to_at_least:
        return ""
    return f"minReplicas is {last.minimum}: it would be so without any load. Lower it, or expect more"


def by_another_hand(tested: Tested) -> str:
    """Replicas rose, and the autoscaler never wanted so many."""
    wishes = _wishes(tested)
    if not wishes or max(wishes) >= tested.asked.to_at_least:
        return ""
    writer = next((sample.writer for sample in reversed(tested.met) if sample.writer), "")
    who = f" ({writer} wrote spec.replicas)" if writer else ""
    return (
        f"the autoscaler wanted {max(wishes)} at most: another hand scaled the workload, or a rollout added pods{who}"
    )


def shrunk_by_another_hand(tested: Tested) -> str:
    """The replicas went, and the autoscaler had never wanted them."""
    wishes = _wishes(tested)
    if not wishes or max(wishes) > tested.asked.to_at_most:
        return ""
    return f"the autoscaler wanted {max(wishes)} at most all the time: another hand had scaled the workload"


def nobody_wanted_more(tested: Tested) -> str:
    """The replicas came, and the autoscaler had not asked for them."""
    wishes = _wishes(tested)
    if not wishes or any(later > earlier for earlier, later in pairwise(wishes)):
        return ""
    return f"the autoscaler went on wanting {wishes[0]}: another hand scaled the workload"


def _wishes(tested: Tested) -> list[int]:
    """What the autoscaler wanted, from the beginning of the scope until it was met. It is read whenever the replicas change."""
    until = tested.finding.met or tested.finding.end
    return [sample.wanted for sample in _certain(tested.view, tested.finding.start, until) if sample.wanted is not None]


def _certain(view: View, start: datetime, end: datetime) -> tuple[Sample, ...]:
    """Samples that are certain to have held in a scope: what changed as it began may have changed before."""
    seen = view.samples(start, end)
    return seen[1:] if len(seen) > 1 and seen[1].before < start else seen


def no_load_step(tested: Tested) -> str:
    """The stage has no more load than the one before: nothing asks for replicas."""
    stage = tested.asked.from_stage
    if load.step_to(tested.view.spec, stage) is not None:
        return ""
    return f"stage {stage} has less load than the one before: name the stage in which the load rises"


def cannot_move(tested: Tested) -> str:
    """minReplicas is maxReplicas: the autoscaler cannot do anything."""
    scaler = tested.view.scaler
    if scaler is None or scaler.minimum < scaler.maximum:
        return ""
    return f"minReplicas and maxReplicas are both {scaler.minimum}: the autoscaler cannot do anything"


def left_by_earlier_load(tested: Tested) -> str:
    """It came down from replicas that were there before this run's load, and that this run never added to."""
    view, most = tested.view, tested.asked.to_at_most
    certain = _certain(view, view.start, tested.finding.met or tested.finding.end)
    seen = view.samples(view.start, tested.finding.met or tested.finding.end)
    begun = seen[: len(seen) - len(certain) + 1]
    high = max((level for sample in begun for level in sample.levels), default=0)
    if high <= most or max((level for sample in certain for level in sample.levels), default=0) > high:
        return ""
    return (
        f"it came down from {high} replicas that were there before the load: what an earlier run left. Start when the "
        "autoscaler is at rest"
    )


def shorter_than_stabilization(tested: Tested) -> str:
    """It was watched for less than the scale-down stabilization window: what may not shrink cannot swing."""
    view, scaler = tested.view, tested.view.scaler
    window = scaler.down.stabilization if scaler else 0
    watched = view.second(view.until)
    if watched >= window:
        return ""
    return (
        f"it was watched for {watched:.0f} s, and the autoscaler may not shrink before {window} s "
        f"(behavior.scaleDown.stabilizationWindowSeconds): raise scaling.settleSeconds by {window - watched:.0f}"
    )


GUARDS: Final[dict[str, tuple[Guard, ...]]] = {
    "scale_up": (
        Guard(BOTH, no_load_step),
        Guard(PASSED, cannot_move, Cause.REPLICA_LIMIT),
        Guard(PASSED, never_could_act, Cause.METRIC_UNAVAILABLE),
        Guard(BOTH, was_gone),
        Guard(BOTH, edited),
        Guard(PASSED, minimum_asks, Cause.REPLICA_LIMIT),
        Guard(PASSED, already_asked_for),
        Guard(PASSED, by_another_hand, Cause.REPLICAS_OWNED_ELSEWHERE),
        Guard(FAILED, switched_off, Cause.SCALING_DISABLED),
        Guard(FAILED, could_not_act, Cause.METRIC_UNAVAILABLE),
    ),
    "scale_down": (
        Guard(PASSED, cannot_move, Cause.REPLICA_LIMIT),
        Guard(PASSED, never_could_act, Cause.METRIC_UNAVAILABLE),
        Guard(BOTH, was_gone),
        Guard(BOTH, edited),
        Guard(PASSED, left_by_earlier_load),
        Guard(PASSED, shrunk_by_another_hand, Cause.REPLICAS_OWNED_ELSEWHERE),
        Guard(FAILED, switched_off, Cause.SCALING_DISABLED),
        Guard(FAILED, could_not_act, Cause.METRIC_UNAVAILABLE),
    ),
    "reaction_time": (
        Guard(BOTH, cannot_move, Cause.REPLICA_LIMIT),
        Guard(PASSED, never_could_act, Cause.METRIC_UNAVAILABLE),
        Guard(BOTH, was_gone),
        Guard(BOTH, edited),
        Guard(PASSED, nobody_wanted_more, Cause.REPLICAS_OWNED_ELSEWHERE),
        Guard(FAILED, switched_off, Cause.SCALING_DISABLED),
        Guard(FAILED, could_not_act, Cause.METRIC_UNAVAILABLE),
    ),
    "flapping": (
        Guard(PASSED, cannot_move, Cause.REPLICA_LIMIT),
        Guard(PASSED, never_could_act, Cause.METRIC_UNAVAILABLE),
        Guard(PASSED, blind_meanwhile, Cause.METRIC_UNAVAILABLE),
        Guard(PASSED, was_gone),
        Guard(PASSED, edited),
        Guard(PASSED, shorter_than_stabilization),
    ),
}
"""In order; the first sentence counts."""


def _acts(sample: Sample) -> bool:
    """It can grow: with several metrics one is enough."""
    scaler = sample.scaler
    if scaler is None or not (scaler.active and scaler.able):
        return False
    return not scaler.metrics or any(not metric.missing for metric in scaler.metrics)


def _is_gone(sample: Sample) -> bool:
    """Not there, as opposed to not to be looked at."""
    return sample.scaler is None and not sample.blind


def _why_blind(tested: Tested) -> str:
    seen = tested.view.samples(tested.finding.start, max(tested.finding.end, tested.view.until))
    because = (sample.scaler.blind_because if sample.scaler else sample.blind or "it was not there" for sample in seen)
    return next((found for found in because if found), "no reason was given")


def _orders(sample: Sample) -> tuple[object, ...]:
    return (sample.scaler.name, *sample.scaler.orders) if sample.scaler else ()


def _edit(before: Autoscaler, after: Autoscaler) -> str:
    if before.name != after.name:
        return f"{after.name} took the place of {before.name}"
    for name, old, new in (
        ("minReplicas", before.minimum, after.minimum),
        ("maxReplicas", before.maximum, after.maximum),
    ):
        if old != new:
            return f"{name} {old} → {new}"
    return "metrics" if before.up == after.up and before.down == after.down else "behavior"
