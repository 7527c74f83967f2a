"""What a new pod's start was spent on: phases, shares, and what is not told."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadtest_operator.api.outcome import ColdStartStatus, ScalingStatus
from loadtest_operator.core.scaling import figures as scaling
from loadtest_operator.core.scaling.episodes.cold_starts import PHASES, ledger
from loadtest_operator.core.scaling.target import target_pod
from loadtest_operator.core.scaling.timeline import PodLife
from unit.operator.film import START, a_pod, a_view, at, watched

WHOLE = PodLife(
    "web-1", created=at(10), scheduled=at(12), initialized=at(32), started=at(60), ready=at(190), serving=at(191)
)


def spent(pod: PodLife) -> dict[str, str]:
    return {phase.phase: phase.seconds for phase in ledger(pod, at(300)).phases}


def test_a_start_is_taken_apart() -> None:
    found = ledger(WHOLE, at(300))

    assert spent(WHOLE) == {
        "Scheduling": "2",
        "Initializing": "20",
        "Starting": "28",
        "WarmingUp": "130",
        "Joining": "1",
    }
    assert (found.seconds, found.serving) == ("181", True)
    assert sum(float(phase.share_percent or 0) for phase in found.phases) == pytest.approx(100, abs=0.1)
    assert found.message is not None
    assert found.message.startswith("WarmingUp was 72% of 181 s, the largest part (from the containers' start to ready")


def test_a_time_that_is_not_told_joins_the_next_phase() -> None:
    """Nothing is lost: the whole stays the same."""
    assert spent(replace(WHOLE, initialized=None, started=None)) == {
        "Scheduling": "2",
        "WarmingUp": "178",
        "Joining": "1",
    }


def test_whole_seconds_never_make_a_phase_negative() -> None:
    """The endpoint was seen in the second before the API's ready."""
    found = spent(replace(WHOLE, ready=at(192)))

    assert found["Joining"] == "0"


@pytest.mark.parametrize(
    ("reached", "phase", "seconds"),
    [(0, "Scheduling", "290"), (1, "Initializing", "288"), (3, "WarmingUp", "240"), (4, "Joining", "110")],
)
def test_one_that_never_served_says_where_it_stood(reached: int, phase: str, seconds: str) -> None:
    stuck = replace(WHOLE, **{field: None for _, field, _ in PHASES[reached:]})
    found = ledger(stuck, at(300))

    assert (found.phases[-1].phase, found.phases[-1].seconds, found.serving) == (phase, seconds, False)
    assert f"it never served: {phase} went on for {seconds} s" in (found.message or "")


def status(*pods: Any) -> ScalingStatus:
    seen = watched({-5: a_view(1), 20: a_view(1 + len(pods), a_pod("web-0"), *pods)}, 60)
    spec = a_valid_spec(a_stage("base"), a_stage("peak", durationSeconds=60, arrivalRate=50))
    return scaling.status_of(spec, seen, START, at(60), workload="Deployment/web", ended=True)


def test_the_status_has_those_of_new_pods() -> None:
    new = a_pod("web-1", 12, 18, initialized=at(13), started=at(15))
    found: tuple[ColdStartStatus, ...] = status(new).cold_starts

    assert [one.pod for one in found] == ["web-1"]
    assert [phase.phase for phase in found[0].phases] == [name for name, _, _ in PHASES]


def test_more_than_the_status_holds_are_counted() -> None:
    found = status(*(a_pod(f"web-{number}", 12, 18) for number in range(1, 20)))

    assert (len(found.cold_starts), found.more_cold_starts) == (16, 3)


def running(*started: str | None) -> dict[str, Any]:
    containers = [{"state": {"running": {"startedAt": moment}} if moment else {"waiting": {}}} for moment in started]
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": containers}}


def test_a_pod_has_started_when_all_its_containers_have() -> None:
    early, late = "2026-01-01T12:00:05Z", "2026-01-01T12:00:09Z"

    assert target_pod(running(early, late)).started == at(9)
    assert target_pod(running(early, None)).started is None
    assert target_pod(running()).started is None
