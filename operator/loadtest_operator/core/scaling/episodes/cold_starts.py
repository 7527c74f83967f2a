"""The cold-start ledger: what each new pod's start was spent on, by the API's own times, phase by phase.

Those have whole seconds, so an effect can seem to come before its cause: each time is at least the one before it. A time that
the API does not tell joins its phase to the next one that is known. A pod that never got ready has an open last phase.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from loadtest_operator.api.outcome import ColdStartPhase, ColdStartStatus
from loadtest_operator.core.scaling.timeline import PodLife
from loadtest_operator.core.scaling.view import View

PHASES: Final = (
    ("Scheduling", "scheduled", "finding a node: make room before it is needed, or smaller requests"),
    ("Initializing", "initialized", "init containers: keep what they fetch on the node, or in the image"),
    (
        "Starting",
        "started",
        "pulling the image and starting the containers: a smaller image, or one that is there already",
    ),
    ("WarmingUp", "ready", "from the containers' start to ready: loading and warming up the model"),
    ("Joining", "serving", "from ready to the Service's endpoints"),
)
"""Name, the time that ends it, and what it is spent on."""


def cold_starts(view: View) -> list[ColdStartStatus]:
    """Of the pods made since the load began, in order."""
    new = [pod for pod in view.timeline.pods if pod.created is not None and pod.created >= view.start]
    return [ledger(pod, view.until) for pod in sorted(new, key=lambda pod: (pod.created or view.start, pod.name))]


def ledger(pod: PodLife, until: datetime) -> ColdStartStatus:
    """`until` is up to when it was watched."""
    spent = list(_spent(pod, until))
    whole = sum(seconds for _, seconds, _ in spent)
    phases = [
        ColdStartPhase(phase=name, seconds=seconds, share_percent=100 * seconds / whole if whole else None)
        for name, seconds, _ in spent
    ]
    return ColdStartStatus(
        pod=pod.name,
        seconds=whole,
        phases=tuple(phases),
        serving=pod.serving is not None,
        message=_largest(spent, whole, pod),
    )


def _spent(pod: PodLife, until: datetime) -> Iterator[tuple[str, float, str]]:
    """Phase, seconds, and what it is spent on; the last one may go on."""
    begun = pod.created or until
    for name, ends, what in PHASES:
        end: datetime | None = getattr(pod, ends)
        if end is None and not _reached(pod, ends):
            yield name, max(0.0, ((pod.deleting or until) - begun).total_seconds()), what
            return
        if end is not None:
            yield name, max(0.0, (end - begun).total_seconds()), what
            begun = max(begun, end)


def _reached(pod: PodLife, ends: str) -> bool:
    """A later time is known, so this one has passed, whenever that was."""
    order = [field for _, field, _ in PHASES]
    return any(getattr(pod, later) is not None for later in order[order.index(ends) + 1 :])


def _largest(spent: list[tuple[str, float, str]], whole: float, pod: PodLife) -> str:
    name, seconds, what = max(spent, key=lambda phase: phase[1])
    if pod.serving is None:
        return f"it never served: {spent[-1][0]} went on for {spent[-1][1]:.0f} s ({spent[-1][2]})"
    if not whole:
        return "it served within the second in which it was made"
    return f"{name} was {seconds / whole:.0%} of {whole:.0f} s, the largest part ({what})"
