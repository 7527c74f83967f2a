"""A target in virtual time: what was true from which second on goes in, what looks saw of it comes out."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.autoscaler import Autoscaler, Metric
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from loadtest_operator.core.scaling.timeline import Timeline

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
HPA = Autoscaler("web", desired=1, minimum=1, maximum=5)
BUSY, IDLE = Metric("cpu", "95%", "60%", 95 / 60), Metric("cpu", "20%", "60%", 20 / 60)


def at(second: float) -> datetime:
    """Seconds since the load's start."""
    return START + timedelta(seconds=second)


def a_pod(name: str, created: float = -60, ready: float | None = -50, **changes: Any) -> TargetPod:
    """A pod with a node, a second after it was created."""
    moment = None if ready is None else at(ready)
    return TargetPod(name, created=at(created), scheduled=at(created + 1), ready=moment, **changes)


def a_view(replicas: int, *pods: TargetPod, scaler: Autoscaler | None = HPA, **changes: Any) -> TargetView:
    """The autoscaler wants what the workload has, unless told otherwise; pods that are ready serve."""
    pods = pods or tuple(a_pod(f"web-{number}") for number in range(replicas))
    wanted = changes.pop("wanted", replicas)
    return TargetView(
        url="http://web.demo.svc:80",
        workload="Deployment/web",
        desired=replicas,
        pods=pods,
        endpoints=tuple(Endpoint(f"10.0.0.{place}", 80, pod.name) for place, pod in enumerate(pods) if pod.ready),
        autoscaler=replace(scaler, desired=wanted) if scaler else None,
        **changes,
    )


def grown(count: int, *, ready: float | None, created: float = 21) -> tuple[TargetPod, ...]:
    """The first pod, and new ones."""
    return a_pod("web-0"), *(a_pod(f"web-{number}", created, ready) for number in range(1, count))


def watched(
    views: Mapping[float, TargetView], until: float, *, away: Iterable[tuple[float, float]] = (), every: float = 1.0
) -> Timeline:
    """A look a second from the first view on; nobody looks while the operator is away (after, before)."""
    seen, second = Timeline(), min(views)
    while second <= until:
        if not any(begin < second < end for begin, end in away):
            begun = max(moment for moment in views if moment <= second)
            seen = timeline.extended(seen, views[begun], at(second))
        second += every
    return seen
