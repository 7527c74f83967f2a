"""From what was seen of the target to what the autoscaler did."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from builders import a_stage, a_valid_spec
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.outcome import ScaleUpStatus
from loadtest_operator.core.scaling import figures as scaling
from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.target import Endpoint, TargetPod, TargetView
from loadtest_operator.core.scaling.timeline import Timeline

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def a_view(replicas: int, *pods: TargetPod, ready: int | None = None, **scaler: Any) -> TargetView:
    serving = tuple(Endpoint(f"10.0.0.{place}", 80, pod.name) for place, pod in enumerate(pods) if pod.ready)
    return TargetView(
        url="http://web.demo.svc:80",
        desired=replicas,
        pods=pods,
        endpoints=serving if ready is None else serving[:ready],
        autoscaler=Autoscaler("web", **scaler),
    )


def ups_of(spec: LoadTestSpec, seen: Timeline) -> tuple[ScaleUpStatus, ...]:
    return scaling.status_of(spec, seen, START, at(1000), workload="Deployment/web", ended=True).scale_ups


OLD = TargetPod("old", created=at(-60), scheduled=at(-60), ready=at(-50))
NEW = TargetPod("new", created=at(23), scheduled=at(24))
SPEC = a_valid_spec(a_stage("base"), a_stage("peak", durationSeconds=60, arrivalRate=50))


def a_timeline() -> Timeline:
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, NEW, last_scale_time=at(22)), at(25))
    return timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(30)), last_scale_time=at(22)), at(31))


def test_a_scale_up_is_taken_apart() -> None:
    (up,) = ups_of(SPEC, a_timeline())

    assert (up.from_replicas, up.to_replicas) == (1, 2)
    assert [up.load_step_time, up.decided_time, up.pod_scheduled_time, up.pod_ready_time, up.serving_time] == [
        at(10), at(22), at(24), at(30), at(31),
    ]  # fmt: skip
    assert (up.seconds.decided, up.seconds.serving) == ("12.0", "21.0")


def a_timeline_in_two_goes() -> Timeline:
    """1 → 2 replicas 24 s after the step of second 10, 2 → 3 after 66 s; a third step follows at second 70."""
    late = TargetPod("late", created=at(71), scheduled=at(72), ready=at(75))
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(33)), last_scale_time=at(22)), at(34))
    return timeline.extended(seen, a_view(3, OLD, replace(NEW, ready=at(33)), late, last_scale_time=at(69)), at(76))


def test_only_the_first_scale_up_after_a_step_is_a_reaction() -> None:
    ups = ups_of(SPEC, a_timeline_in_two_goes())

    assert [(up.to_replicas, up.reaction, up.load_step_time) for up in ups] == [(2, True, at(10)), (3, False, at(10))]
    assert [up.seconds.serving for up in ups] == ["24.0", "66.0"]


def test_every_step_has_its_own_reaction() -> None:
    stages = (a_stage("base"), a_stage("peak", durationSeconds=50, arrivalRate=50), a_stage("crowd", arrivalRate=90))
    spec = a_valid_spec(*stages)

    ups = ups_of(spec, a_timeline_in_two_goes())

    assert [(up.reaction, up.load_step_time) for up in ups] == [(True, at(10)), (True, at(60))]


def test_a_scale_up_while_we_were_away_is_found_by_the_apis_times() -> None:
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, replace(NEW, ready=at(30)), last_scale_time=at(22)), at(58))

    (up,) = ups_of(SPEC, seen)

    assert (up.decided_time, up.pod_ready_time, up.serving_time) == (at(22), at(30), at(58))


def test_effects_never_come_before_their_causes() -> None:
    cut = replace(NEW, created=at(21), scheduled=at(21), ready=at(21))
    seen = timeline.extended(Timeline(), a_view(1, OLD), at(-5))
    seen = timeline.extended(seen, a_view(2, OLD, cut, last_scale_time=at(22)), at(25))

    (up,) = ups_of(SPEC, seen)

    steps = [up.load_step_time, up.decided_time, up.pod_scheduled_time, up.pod_ready_time, up.serving_time]
    assert steps == sorted(step for step in steps if step)
