"""What can be known before any load: expectations that this autoscaler, or this plan, cannot meet or cannot show.

`impossible` is certain from the autoscaler's own limits: no load is offered for it. `doubtful` is what may end without
an answer: it is said, and the load goes on.
"""

from collections.abc import Callable, Iterator
from typing import Final

from loadtest_operator.api.loadtest import Expectation, LoadTestSpec
from loadtest_operator.core.scaling import load
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.target import TargetView

Doubt = Callable[[Expectation, LoadTestSpec, Autoscaler], str]


def impossible(spec: LoadTestSpec, view: TargetView) -> tuple[str, ...]:
    """A sentence for each expectation that cannot be met whatever happens."""
    scaler = view.autoscaler
    return tuple(_said(CERTAIN, spec, scaler)) if scaler else ()


def doubtful(spec: LoadTestSpec, view: TargetView) -> tuple[str, ...]:
    """A sentence for whatever may keep an expectation from being judged, or from being met."""
    expectations = spec.scaling.expectations if spec.scaling else ()
    if not expectations:
        return ()
    if view.autoscaler is None:
        return (view.blind or "no autoscaler scales the target: make one, or name it in scaling.autoscalerRef",)
    return (*_state(view, view.autoscaler), *_said(POSSIBLE, spec, view.autoscaler))


def _said(rules: tuple[Doubt, ...], spec: LoadTestSpec, scaler: Autoscaler) -> Iterator[str]:
    for expectation in spec.scaling.expectations if spec.scaling else ():
        why = next((why for rule in rules if (why := rule(expectation, spec, scaler))), "")
        if why:
            yield f"{expectation.name}: {why}"


def _state(view: TargetView, scaler: Autoscaler) -> Iterator[str]:
    """What is the matter with the autoscaler before anything is asked of it."""
    if view.desired == 0:
        yield f"the workload has 0 replicas, so autoscaler {scaler.name} is switched off: scale it to 1 or more"
    elif scaler.blind_because:
        yield f"autoscaler {scaler.name} cannot act now ({scaler.blind_because}): see kubectl describe hpa {scaler.name}"
    if view.rollout:
        yield f"a rollout of {view.workload} is under way: wait until it is done"


def _beyond_maximum(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    up = expectation.scale_up
    if up is None or up.to_at_least <= scaler.maximum:
        return ""
    return f"toAtLeast {up.to_at_least} is beyond maxReplicas {scaler.maximum} of {scaler.name}: raise that, or expect less"


def _below_minimum(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    down = expectation.scale_down
    if down is None or down.to_at_most >= scaler.minimum:
        return ""
    return (
        f"toAtMost {down.to_at_most} is below minReplicas {scaler.minimum} of {scaler.name}: lower that, or expect more"
    )


def _cannot_move(_expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    if scaler.minimum < scaler.maximum:
        return ""
    return f"minReplicas and maxReplicas of {scaler.name} are both {scaler.minimum}, so it cannot do anything: raise maxReplicas"


def _within_minimum(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    up = expectation.scale_up
    if up is None or up.to_at_least > scaler.minimum:
        return ""
    return f"toAtLeast {up.to_at_least} is met by minReplicas {scaler.minimum} without any load: expect more"


def _switched_off(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    up, down = expectation.scale_up or expectation.reaction_time, expectation.scale_down
    for wanted, way, field in ((up, scaler.up, "scaleUp"), (down, scaler.down, "scaleDown")):
        if wanted is not None and way.disabled:
            return f"behavior.{field}.selectPolicy of {scaler.name} is Disabled: allow the direction"
    return ""


def _at_maximum(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    grows = expectation.scale_up or expectation.reaction_time
    if grows is None or (scaler.desired or 0) < scaler.maximum:
        return ""
    return f"autoscaler {scaler.name} is at its maximum of {scaler.maximum} before any load: wait until it has shrunk"


def _above_minimum(expectation: Expectation, _spec: LoadTestSpec, scaler: Autoscaler) -> str:
    up = expectation.scale_up
    if up is None or (scaler.desired or 0) < up.to_at_least:
        return ""
    return f"autoscaler {scaler.name} wants {scaler.desired} replicas before any load: wait until it is at rest"


def _no_step(expectation: Expectation, spec: LoadTestSpec, _scaler: Autoscaler) -> str:
    up = expectation.scale_up
    if up is None or load.step_to(spec, up.from_stage) is not None:
        return ""
    return f"stage {up.from_stage} has less load than the one before: name the stage in which the load rises"


def _cut(expectation: Expectation, spec: LoadTestSpec, _scaler: Autoscaler) -> str:
    """Watching ends before its time is over."""
    scale = expectation.scale_up or expectation.scale_down
    watched = spec.load.duration_seconds + (spec.scaling.settle_seconds if spec.scaling else 0)
    late = spec.stage_start(scale.from_stage) + scale.within_seconds - watched if scale else 0
    if late <= 0:
        return ""
    return f"its time ends {late} s after watching does: if it is not met before, nobody knows. Raise settleSeconds by {late}"


def _too_early(expectation: Expectation, spec: LoadTestSpec, scaler: Autoscaler) -> str:
    """A scale-down before the stabilization window is over since the load fell."""
    down, window = expectation.scale_down, scaler.down.stabilization
    if down is None or not window:
        return ""
    begin = spec.stage_start(down.from_stage)
    fall = _fall_for(spec, begin)
    if begin + down.within_seconds >= fall + window:
        return ""
    return (
        f"the load falls in second {fall}, and {scaler.name} shrinks {window} s after that at the earliest "
        f"(behavior.scaleDown.stabilizationWindowSeconds): give withinSeconds {fall + window + 30 - begin}, or shorten the window"
    )


def _too_short_to_swing(expectation: Expectation, spec: LoadTestSpec, scaler: Autoscaler) -> str:
    watched = spec.load.duration_seconds + (spec.scaling.settle_seconds if spec.scaling else 0)
    window = scaler.down.stabilization
    if expectation.flapping is None or watched >= window:
        return ""
    return (
        f"it is watched for {watched} s, and {scaler.name} does not shrink before {window} s "
        f"(behavior.scaleDown.stabilizationWindowSeconds): raise settleSeconds by {window - watched}"
    )


def _fall_for(spec: LoadTestSpec, begin: int) -> int:
    """When the load fell last before the stage, or falls next: a stage with less load begins with it."""
    rises = [step.second for step in load.steps(spec) if step.second <= begin]
    before = [second for second in load.falls(spec) if second <= begin and second >= max(rises, default=0)]
    return before[0] if before else next(second for second in load.falls(spec) if second >= begin)


CERTAIN: Final[tuple[Doubt, ...]] = (_cannot_move, _beyond_maximum, _below_minimum, _within_minimum, _switched_off)
POSSIBLE: Final[tuple[Doubt, ...]] = (_at_maximum, _above_minimum, _no_step, _too_early, _too_short_to_swing, _cut)
