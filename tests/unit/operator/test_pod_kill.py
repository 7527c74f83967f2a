"""Who may be killed, how many, and what is said of it from the pods' identities and times."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import a_stage, a_valid_spec
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.faults import pod_kill
from loadtest_operator.core.faults.pod_kill import Kill, Victim
from loadtest_operator.core.faults.view import Reading
from loadtest_operator.core.run import guard
from loadtest_operator.core.scaling.target import TargetPod
from unit.operator.world import NOON


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def a_pod(name: str, ready: float | None = -60, **changes: Any) -> TargetPod:
    since = None if ready is None else at(ready)
    return TargetPod(name=name, created=at(-90), scheduled=at(-90), ready=since, uid=f"uid-{name}", **changes)


A, B, C = a_pod("a"), a_pod("b"), a_pod("c")
KILL = Kill(at(10), 3, (Victim("a", "uid-a"), Victim("b", "uid-b")), "app=chat")
"""Two of three that were ready, at second 10."""
FELT = Reading(since=at(10), effects=2, note="killed a, b")
PODS: dict[str, tuple[list[TargetPod], Reading]] = {
    "nobody has gone": ([A, B, C], Reading()),
    "both are gone": ([C], FELT),
    "both are on their way": ([replace(A, deleting=at(11)), replace(B, deleting=at(11)), C], FELT),
    "one is back": ([C, a_pod("d", 20), a_pod("e", None)], FELT),
    "as many as before": ([C, a_pod("d", 20), a_pod("e", 31)], replace(FELT, gone=at(31))),
    "more than before: the last that was needed": (
        [C, a_pod("f", 40), a_pod("d", 20), a_pod("e", 31)], replace(FELT, gone=at(31)),
    ),
    "pods of the same names, and others": ([C, replace(A, uid="new", ready=at(20)), replace(B, uid="x", ready=at(25))],
                                           replace(FELT, gone=at(25))),
    "one would not go": ([A, C], Reading(since=at(10), effects=1, not_covered="a would not go", note="killed b")),
}  # fmt: skip


@pytest.mark.parametrize(("pods", "expected"), PODS.values(), ids=PODS)
def test_what_became_of_it(pods: list[TargetPod], expected: Reading) -> None:
    """By identities and the API's own times alone: an operator that comes later reads the same."""
    assert pod_kill.reading(KILL, pods) == expected


def test_what_is_written_down_is_read_again() -> None:
    assert pod_kill.read(pod_kill.written(KILL)) == KILL


COUNTS = {
    "as many as asked for": ({"count": 2, "percent": None}, 4, 2, True),
    "a share, rounded down": ({"count": None, "percent": 40}, 4, 1, True),
    "a share, one at least": ({"count": None, "percent": 1}, 4, 1, True),
    "more than the administrator allows": ({"count": 3, "percent": None}, 4, 3, False),
    "the only one": ({"count": 1, "percent": None}, 1, 1, False),
    "nobody is ready": ({"count": 1, "percent": None}, 0, 1, False),
}


@pytest.mark.parametrize(("asked", "ready", "count", "allowed"), COUNTS.values(), ids=COUNTS)
def test_never_more_than_the_share_of_ready_pods(asked: dict[str, Any], ready: int, count: int, allowed: bool) -> None:
    """Half of them here; the refusal says how many would do."""
    found, why_not = pod_kill.too_many({**asked, "mostPercent": 50}, ready)
    assert (found, not why_not) == (count, allowed)
    assert allowed or f"{count} of {ready} ready pods are more than the 50 % that the administrator allows" in why_not


@pytest.mark.parametrize(
    ("labels", "consents"),
    [({"loadtest.dev/faults": "allowed"}, True), ({"loadtest.dev/faults": "no"}, False), ({}, False)],
)
def test_the_namespace_consents_by_its_label(labels: dict[str, str], consents: bool) -> None:
    said = pod_kill.dissent({"metadata": {"labels": labels}}, "demo")
    assert (not said) is consents
    assert consents or "kubectl label namespace demo loadtest.dev/faults=allowed" in said


def test_a_namespace_that_cannot_be_seen_does_not_consent() -> None:
    assert "does not consent" in pod_kill.dissent(None, "demo")


KILLS = {"name": "kill", "startInStage": "peak", "durationSeconds": 5, "podKill": {"count": 1}}
SPEC = a_valid_spec(a_stage(durationSeconds=20), faults=[KILLS])


def test_the_administrator_consents_by_a_setting() -> None:
    """Refused before anything is begun, with what to ask for."""
    (said,) = guard.refusals(SPEC, "demo", Settings())
    assert "spec.faults[kill].podKill is not allowed" in said
    assert "faults.podKill.enabled" in said
    assert guard.refusals(SPEC, "demo", Settings(pod_kill_enabled=True)) == ()


def test_pods_of_another_namespace_are_never_killed() -> None:
    """Whoever may load them may not kill them."""
    target = SPEC.target.model_copy(
        update={"service_ref": SPEC.target.service_ref.model_copy(update={"namespace": "other"})}  # type: ignore[union-attr]
    )
    settings = Settings(pod_kill_enabled=True, allowed_target_namespaces=("other",))
    (said,) = guard.refusals(SPEC.model_copy(update={"target": target}), "demo", settings)
    assert "pods are only killed in the LoadTest's own" in said
