"""What was seen of the target over time: samples, gaps, pods, and how they are kept."""

import gzip
from dataclasses import replace

import msgspec
import pytest

from loadtest_operator.core.scaling import timeline
from loadtest_operator.core.scaling.metrics.readings import Reading
from loadtest_operator.core.scaling.target import (
    Endpoint,
    TargetPod,
    endpoints_of,
    is_rolling_out,
    other_writer,
    target_pod,
)
from loadtest_operator.core.scaling.timeline import NOBODY, NOT_KEPT, OTHER_RELEASE, Timeline
from unit.operator.film import BUSY, HPA, IDLE, a_pod, a_view, at, grown, watched


def test_nothing_new_is_no_sample() -> None:
    seen = watched({0: a_view(1)}, 90)

    assert len(seen.samples) == 1
    assert (seen.since, seen.until) == (at(0), at(90))


def test_a_change_lies_between_two_looks() -> None:
    """It became so after the look before began to read, and before this one was done."""
    seen = timeline.extended(Timeline(), replace(a_view(1), read=at(9.2)), at(10))
    seen = timeline.extended(seen, replace(a_view(2), read=at(10.2)), at(11))

    assert (seen.samples[1].before, seen.samples[1].time) == (at(9.2), at(11))


def test_what_the_autoscaler_sees_is_a_change() -> None:
    views = {0: a_view(1, scaler=replace(HPA, metrics=(IDLE,))), 5: a_view(1, scaler=replace(HPA, metrics=(BUSY,)))}

    assert [sample.scaler.metric for sample in watched(views, 9).samples if sample.scaler] == ["20%/60%", "95%/60%"]


def test_where_nobody_looked_is_a_gap() -> None:
    """Also where everything was as before afterwards."""
    seen = watched({0: a_view(1)}, 90, away=[(30, 50)])

    (gap,) = seen.gaps
    assert (gap.start, gap.end, gap.because) == (at(30), at(50), NOBODY)


def test_a_gap_says_why_nobody_saw() -> None:
    seen = timeline.missed(timeline.missed(watched({0: a_view(1)}, 10), "the API server said 503"), "time-out")
    seen = timeline.extended(seen, a_view(1), at(20))

    assert [gap.because for gap in seen.gaps] == ["the API server said 503"]
    assert not timeline.extended(timeline.missed(seen, "time-out"), a_view(1), at(22)).gaps[1:]


def test_all_of_it_survives_the_operator() -> None:
    """A thousand changes: nothing is cut while judging."""
    seen = watched({second: a_view(second % 2 + 1) for second in range(1000)}, 999)

    assert len(seen.samples) == 1000
    assert timeline.loaded(timeline.stored(seen)) == seen


def test_what_cannot_be_kept_leaves_a_gap() -> None:
    seen = watched({second: a_view(second % 2 + 1) for second in range(1000)}, 999)

    kept = timeline.loaded(timeline.stored(seen, most=len(timeline.stored(seen)) // 2))

    assert 1 < len(kept.samples) < 1000
    assert (kept.gaps[0].start, kept.gaps[0].because) == (at(0), NOT_KEPT)
    assert kept.samples[-1] == seen.samples[-1]


def test_a_report_gets_what_fits() -> None:
    """Values that change at every look are many."""
    values = [Reading("External", "depth", str(second), "10", second / 10) for second in range(1000)]
    seen = watched({second: a_view(1, metrics=(values[second],)) for second in range(1000)}, 999)
    whole = len(gzip.compress(msgspec.json.encode(seen)))

    kept = timeline.fitting(seen, whole // 3)

    assert len(gzip.compress(msgspec.json.encode(kept))) <= whole // 3
    assert (kept.samples[-1], kept.gaps[0].because) == (seen.samples[-1], NOT_KEPT)
    assert timeline.fitting(seen, whole * 2) == seen


def test_a_timeline_of_another_release_is_a_gap_and_no_error() -> None:
    kept = timeline.loaded("e30=")
    seen = timeline.extended(kept, a_view(1), at(5))

    assert [gap.because for gap in seen.gaps] == [OTHER_RELEASE]


def test_a_pod_that_comes_back_under_its_name_is_another() -> None:
    """A StatefulSet's web-1, scaled away and back."""
    first, second = a_pod("web-1", 10, 15, uid="a"), a_pod("web-1", 60, 65, uid="b")
    views = {
        0: a_view(1, a_pod("web-0")),
        20: a_view(2, a_pod("web-0"), first),
        40: a_view(1, a_pod("web-0")),
        70: a_view(2, a_pod("web-0"), second),
    }

    lives = watched(views, 80).pods

    assert [(life.identity, life.created) for life in lives[1:]] == [("a", at(10)), ("b", at(60))]


def test_ended_pods_are_no_replicas() -> None:
    """A failed pod stays in the list of the Service's pods."""
    failed = target_pod({"metadata": {"name": "web-9"}, "status": {"phase": "Failed"}})
    seen = watched({0: a_view(2, *grown(2, ready=-50), failed)}, 1)

    assert [sample.pods for sample in seen.samples] == [2]


PORT = [{"name": "http", "port": 80}]


def a_slice(*addresses: str, pod: str = "web-1", ready: bool = True) -> dict[str, object]:
    endpoint = {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}}
    return {"ports": PORT, "endpoints": [{**endpoint, "addresses": [address]} for address in addresses]}


SLICES = {
    "two families": ([a_slice("2001:db8::1"), a_slice("203.0.113.1")], ("203.0.113.1",)),
    "two slices hold it while it moves": ([a_slice("10.0.0.1"), a_slice("10.0.0.1")], ("10.0.0.1",)),
    "two pods": ([a_slice("10.0.0.1"), a_slice("10.0.0.2", pod="web-2")], ("10.0.0.1", "10.0.0.2")),
    "one is not ready": ([a_slice("10.0.0.1"), a_slice("10.0.0.2", pod="web-2", ready=False)], ("10.0.0.1",)),
    "no pods, two addresses": ([a_slice("10.0.0.1", "10.0.0.2", pod="")], ("10.0.0.1", "10.0.0.2")),
}


@pytest.mark.parametrize(("slices", "addresses"), SLICES.values(), ids=SLICES)
def test_a_pod_is_counted_once(slices: list[dict[str, object]], addresses: tuple[str, ...]) -> None:
    assert tuple(endpoint.address for endpoint in endpoints_of(slices, "http")) == addresses


def test_a_view_counts_pods_not_addresses() -> None:
    twice = (Endpoint("10.0.0.1", 80, "web-1"), Endpoint("fd00::1", 80, "web-1"))

    assert replace(a_view(1, TargetPod("web-1")), endpoints=twice).ready == 1


ROLLOUTS = {
    "a Deployment replaces its pods": ({"updatedReplicas": 1, "replicas": 3}, True),
    "a Deployment is done": ({"updatedReplicas": 3, "replicas": 3}, False),
    "a StatefulSet replaces its pods": ({"currentRevision": "a", "updateRevision": "b"}, True),
    "a StatefulSet is done": ({"currentRevision": "a", "updateRevision": "a"}, False),
    "its controller has not seen the change yet": (
        {"observedGeneration": 1, "updatedReplicas": 3, "replicas": 3},
        True,
    ),
    "another kind says nothing": ({}, False),
}


@pytest.mark.parametrize(("status", "expected"), ROLLOUTS.values(), ids=ROLLOUTS)
def test_rollouts(status: dict[str, object], *, expected: bool) -> None:
    assert is_rolling_out({"metadata": {"generation": 2}, "status": status}) is expected


def test_who_wrote_the_replicas() -> None:
    field = {"f:spec": {"f:replicas": {}}}
    hpa = {
        "manager": "kube-controller-manager",
        "subresource": "scale",
        "time": "2026-01-01T12:00:05Z",
        "fieldsV1": field,
    }
    script = {"manager": "kubectl-client-side-apply", "time": "2026-01-01T12:00:09Z", "fieldsV1": field}

    assert other_writer({"metadata": {"managedFields": [hpa]}}) == ""
    assert other_writer({"metadata": {"managedFields": [script, hpa]}}) == "kubectl-client-side-apply"
