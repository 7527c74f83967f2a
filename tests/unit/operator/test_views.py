"""What people and programs are shown of a run: Events, workers, figures, the stored report. Values and sentences as they are read."""

import base64
import functools
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from builders import a_stage, a_valid_spec
from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.report import (
    Counts,
    Distribution,
    ErrorCount,
    Report,
    Result,
    ThresholdResult,
    Validity,
    ValidityLevel,
    Window,
)
from loadgen.model.wire import WIRE_VERSION, Cell, Delta, WorkerPhase, WorkerState
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common.kinds import LOAD_TEST
from loadtest_operator.core.evidence import events, figures, report, status, verdict
from loadtest_operator.core.fleet.pods import WorkerPod
from loadtest_operator.core.observed import Observed, WorkerView
from unit.operator.world import World

MOMENT = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def an_event(name: str = "test", message: str = "it began") -> dict[str, Any]:
    return events.event(LOAD_TEST, "demo", name, "uid-of-test", Emit("Normal", "Started", message), MOMENT)


def test_an_event_is_one_of_the_core_api() -> None:
    """As `kubectl describe` and `kubectl get events` read it: whole seconds, the object by its uid."""
    assert an_event() == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "test.1886999c45883280", "namespace": "demo"},
        "involvedObject": {
            "apiVersion": "loadtest.dev/v1alpha1",
            "kind": "LoadTest",
            "name": "test",
            "namespace": "demo",
            "uid": "uid-of-test",
        },
        "type": "Normal",
        "reason": "Started",
        "message": "it began",
        "source": {"component": "loadtest-operator"},
        "firstTimestamp": "2026-01-01T12:00:00Z",
        "lastTimestamp": "2026-01-01T12:00:00Z",
        "count": 1,
    }


def test_an_event_fits_what_the_api_server_takes() -> None:
    """253 characters of a name, 1 024 bytes of a message; the object's own name is never cut."""
    found = an_event("n" * 253, "m" * 5000)
    assert len(found["metadata"]["name"]) == 200 + len(".1886999c45883280")
    assert len(found["involvedObject"]["name"]) == 253
    assert found["message"] == "m" * 1000


def a_worker(index: int, phase: WorkerPhase = WorkerPhase.RUNNING, **more: Any) -> WorkerView:
    """One that answers; `late`, `start_at`, `last` and `shards` are its state's."""
    state = WorkerState(
        version=WIRE_VERSION,
        worker=index,
        workers=8,
        shards=more.pop("shards", 1),
        phase=phase,
        now=0,
        last=more.pop("last", 0),
        start_at=more.pop("start_at", None),
        started_late_microseconds=more.pop("late", 0),
        ceiling_requests_per_second=more.pop("ceiling", 0),
    )
    return WorkerView(index, state=state, **more)


def a_fleet(*workers: WorkerView, pods: tuple[WorkerPod, ...] | None = None, **spec: Any) -> Observed:
    """So many workers are wanted; each has a pod that runs, if nothing else is said."""
    world = World(a_valid_spec(a_stage(), load={"workers": max(len(workers), 1)}, **spec))
    alive = tuple(WorkerPod(worker.index, f"w-{worker.index}", phase="Running") for worker in workers)
    return replace(world.look(), workers=workers, pods=alive if pods is None else pods)


def test_workers_are_counted_by_how_far_they_are() -> None:
    """Whoever is armed was ready; whoever has finished is armed no more."""
    phases = list(WorkerPhase)
    seen = status.workers(a_fleet(*(a_worker(index, phase) for index, phase in enumerate(phases)), WorkerView(99)))
    assert seen.desired == len(phases) + 1
    ready = {"Ready", "Armed", "Running", "Draining", "Finished"}
    assert seen.ready == sum(phase in ready for phase in phases)
    assert (seen.armed, seen.finished, seen.failed) == (3, 1, 1)


@pytest.mark.parametrize(
    ("pods", "failed"),
    [
        ((), 2),
        ((WorkerPod(0, "a", phase="Running"),), 1),
        ((WorkerPod(0, "a", phase="Running"), WorkerPod(1, "b", phase="Failed")), 1),
        ((WorkerPod(0, "a", phase="Failed"),), 2),
        ((WorkerPod(0, "a", phase="Succeeded"), WorkerPod(1, "b", phase="Succeeded")), 0),
    ],
)
def test_a_worker_without_a_pod_that_runs_is_lost(pods: tuple[WorkerPod, ...], failed: int) -> None:
    assert status.workers(a_fleet(a_worker(0), a_worker(1), pods=pods)).failed == failed


def test_a_pod_that_went_after_its_worker_had_told_everything_is_no_loss() -> None:
    told = a_worker(0, WorkerPhase.FINISHED, last=7, collected=7)
    untold = a_worker(1, WorkerPhase.FINISHED, last=7, collected=6)
    assert status.workers(a_fleet(told, pods=())).failed == 0
    assert status.workers(a_fleet(told, untold, pods=())).failed == 1


def test_a_worker_that_failed_in_a_lost_pod_is_one() -> None:
    """Its pod ended and it said so itself."""
    pods = (WorkerPod(0, "a", phase="Failed"), WorkerPod(1, "b", phase="Running"))
    assert status.workers(a_fleet(a_worker(0, WorkerPhase.FAILED), a_worker(1), pods=pods)).failed == 1


def test_skews_are_told_on_one_clock() -> None:
    """A clock that is 3 s ahead and a start 2 ms late: nobody began 3 s later."""
    here = a_worker(0, start_at=1_000_000_000, samples=3)
    ahead = a_worker(1, start_at=4_000_000_000, late=2_000, offset=3_000_000_000, samples=1)
    behind = a_worker(2, start_at=1_000_000_000, offset=-5_000_000, samples=1)
    seen = status.workers(a_fleet(here, ahead, behind))
    assert (seen.start_skew_milliseconds, seen.clock_skew_milliseconds) == (5, 3000)
    assert status.workers(a_fleet(here, behind)).clock_skew_milliseconds == 5


def test_a_skew_that_nobody_measured_is_not_shown() -> None:
    seen = status.workers(a_fleet(a_worker(0, WorkerPhase.READY, offset=9_000_000), WorkerView(1)))
    assert (seen.start_skew_milliseconds, seen.clock_skew_milliseconds) == (None, None)


def test_progress_is_that_of_a_run_under_load() -> None:
    """The stage by its name while it is offered, and none while the autoscaler is watched."""
    world = World(a_valid_spec(a_stage("warm", warmup=True), a_stage(), scaling={"settleSeconds": 30}))
    assert status.run_fields(world.look()) == {}
    world.run_to_second(12)
    seen = world.look()
    assert status.run_fields(seen)["current_stage"] == "peak"
    assert status.run_fields(seen)["progress_percent"] == int(100 * seen.second / 20)
    settling = replace(seen, status=seen.status.model_copy(update={"phase": Phase.SETTLING}))
    assert status.run_fields(settling)["current_stage"] is None
    assert status.run_fields(settling)["progress_percent"] == status.run_fields(seen)["progress_percent"]


def test_sections_are_those_that_there_is_something_to_say_of() -> None:
    world = World(a_valid_spec(a_stage()))
    assert status.sections(world.look()) == {}
    world.run_to_second(5)
    seen = world.look()
    found = status.sections(seen)
    assert set(found) == {"workers", "summary", "scaling"}
    assert found["summary"].requests.planned == 40 * min(worker.collected for worker in seen.workers)
    assert found["scaling"].workload == "Deployment/web"
    judging = replace(seen, status=seen.status.model_copy(update={"phase": Phase.EVALUATING}))
    assert status.sections(judging) == {}
    assert "workers" in status.sections(replace(seen, workers=()))
    assert "workers" in status.sections(replace(seen, pods=()))


def a_window(name: str = "run", **more: Any) -> Window:
    rates = {"offered_per_second": 11.0, "sent_per_second": 10.5, "requests_per_second": 10.0, "goodput": 9.0}
    return Window(name=name, start_second=0, end_second=10, **{"counts": Counts(planned=110), **rates, **more})


def a_distribution(**more: Any) -> Distribution:
    return Distribution(**{"count": 900, "mean": 5.0, "p50": 4.0, "p90": 8.0, "p95": 9.5, "max": 12.25, **more})


def test_a_summary_has_the_windows_figures() -> None:
    latencies = {
        "ResponseTime": a_distribution(p99=11.0),
        "TimeToFirstToken": a_distribution(),
        "TimePerOutputToken": a_distribution(p90=None, p95=None),
    }
    window = a_window(
        latencies=latencies,
        error_percent=2.5,
        output_token_throughput=321.0,
        slo_attainment_percent=98.5,
        output_token_source="Usage",
    )
    shown = figures.summarised(window, [a_window("peak", requests_per_second=3.0)], None)
    assert (shown.requests_per_second, shown.goodput, shown.error_percent) == ("10", "9", "2.5")
    assert (shown.output_token_throughput, shown.output_token_source) == ("321", "Usage")
    assert (shown.slo_attainment_percent, shown.requests.planned, shown.validity) == ("98.5", 110, None)
    response, ttft, tpot = shown.response_time_milliseconds, shown.ttft_milliseconds, shown.tpot_milliseconds
    assert response is not None
    assert (response.p50, response.p90, response.p95, response.p99) == ("4", "8", "9.5", "11")
    assert (response.max, response.highest) == ("12.25", "P99 11")
    assert ttft is not None
    assert (ttft.p99, ttft.highest) == (None, "P95 9.5")
    assert tpot is not None
    assert tpot.highest == "P50 4"
    (stage,) = shown.stages
    assert (stage.name, stage.requests_per_second, stage.response_time_milliseconds) == ("peak", "3", None)


def test_a_sample_too_small_for_any_percentile_says_so() -> None:
    few = a_window(latencies={"ResponseTime": a_distribution(count=3, p50=None, p90=None, p95=None)})
    none = a_window(latencies={"ResponseTime": a_distribution(count=0)})
    shown = figures.summarised(few, [], None).response_time_milliseconds
    assert shown is not None
    assert (shown.max, shown.highest) == ("12.25", "n/a")
    assert figures.summarised(none, [], None).response_time_milliseconds is None


def test_the_most_frequent_failures_come_first() -> None:
    errors = [ErrorCount(failure=f"Http50{place}", count=count) for place, count in enumerate((3, 9, 1, 7, 5, 2))]
    shown = figures.summarised(a_window(errors=errors), [], None).errors
    assert [(one.failure, one.count) for one in shown] == [
        ("Http501", 9),
        ("Http503", 7),
        ("Http504", 5),
        ("Http500", 3),
        ("Http505", 2),
    ]


def test_validity_is_shown_with_as_many_reasons_as_there_is_room_for() -> None:
    reasons = tuple(f"reason {place}" for place in range(9))
    given = Validity(level=ValidityLevel.DEGRADED, reasons=reasons, schedule_lag_p99=7.5)
    shown = figures.summarised(a_window(), [], given).validity
    assert shown is not None
    assert (shown.level, shown.reasons, shown.schedule_lag_p99_milliseconds) == ("Degraded", reasons[:8], "7.5")


def test_thresholds_are_shown_as_they_were_judged() -> None:
    said = {"observed": "1 ms", "wanted": "< 1 ms", "window": "run", "message": "t: as it is", "doubt": "TooFew"}
    result = ThresholdResult(name="t", result=Result.UNKNOWN, severity="Warning", decision="Point", **said)
    (shown,) = figures.threshold_statuses((result,))
    assert (shown.name, shown.result, shown.severity, shown.decision) == ("t", "Unknown", "Warning", "Point")
    assert {name: getattr(shown, name) for name in said} == said
    assert len(figures.threshold_statuses((result,) * 99)) == 68


def test_a_status_has_no_figures_of_a_load_that_never_came() -> None:
    """Even where a worker told of its seconds."""
    seen, tally = ended()
    unplanned = replace(seen, tally=Tally(seen.plan), stored=None)
    assert set(figures.judged(unplanned, verdict.judge(unplanned))) == {"verdict", "thresholds", "faults", "scaling"}
    assert figures.judged(seen, verdict.judge(seen))["summary"] == figures.summarised(
        summary.total(seen.plan, tally), figures.begun(seen.plan, tally), verdict.judge(seen).validity
    )


def test_a_stage_that_nothing_was_planned_in_has_not_begun() -> None:
    spec = a_valid_spec(a_stage("first"), a_stage("second"))
    tally = Tally(spec.plan)
    tally.add(Delta(worker=0, shard=0, second=0, cells=[Cell(second=0, stage=0, request=0, planned=5, sent=5)]))
    assert [stage.name for stage in figures.live(spec.plan, tally).stages] == ["first"]


def opened(artifact: report.Artifact) -> dict[str, Any]:
    packed = artifact.body["binaryData"]["report.json.gz"]
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return found


@functools.cache
def ended() -> tuple[Observed, Tally]:
    world = World(a_valid_spec(a_stage()))
    world.run(Phase.EVALUATING)
    seen = world.look()
    assert seen.tally is not None
    return seen, seen.tally


def test_a_report_is_a_config_map_of_the_run() -> None:
    """The hash and the size are of the bytes that are stored, and the same report has the same hash."""
    seen, tally = ended()
    artifact, again = report.build(seen, tally), report.build(seen, tally)
    assert (artifact.name, artifact.body["apiVersion"], artifact.body["kind"]) == ("test-1-report", "v1", "ConfigMap")
    assert artifact.body["metadata"]["name"] == "test-1-report"
    assert artifact.body["metadata"]["ownerReferences"][0]["uid"] == "uid-of-test"
    assert artifact.sha256 == again.sha256
    assert artifact.body["metadata"]["labels"]["loadtest.dev/component"] == "report"
    time_stamp = base64.b64decode(artifact.body["binaryData"]["report.json.gz"])[4:8]
    assert time_stamp == bytes(4), "a time stamp would be another hash"
    assert artifact.size == len(base64.b64decode(artifact.body["binaryData"]["report.json.gz"]))


def test_a_report_says_when_the_load_began_and_how_late_each_worker_was() -> None:
    seen, tally = ended()
    first, second = seen.workers
    assert first.state is not None
    late = replace(first, state=msgspec.structs.replace(first.state, started_late_microseconds=1500))
    found = opened(report.build(replace(seen, workers=(late, second)), tally))["report"]
    assert found["startTime"] == seen.status.model_dump(mode="json")["run"]["loadStartTime"]
    assert [one["startedLateMilliseconds"] for one in found["workers"]] == [1.5, 0]
    assert found["target"] == seen.status.run.target == "http://web.demo.svc:80"
    assert (found["verdict"], found["validity"]["level"]) == ("Passed", "Valid")


def test_a_report_has_what_the_platform_saw_beside_it() -> None:
    seen, tally = ended()
    found = opened(report.build(seen, tally))
    assert set(found) == {"report", "timeline", "faultProviders", "scaling", "workers", "faults"}
    assert found["workers"]["desired"] == 2
    assert "series" in found["report"]


def sized(one: Report, most: int) -> bytes:
    """As if the record and the series were a third of the whole each."""
    parts = (b"report", b"record" if one.record else b"", b"series" if one.series else b"")
    return b"".join(part.ljust(most // 3) for part in parts if part)


def lost(data: bytes) -> set[bytes]:
    return {b"record", b"series"} - set(data.split())


@pytest.mark.parametrize(("most", "gone"), [(1, set()), (1.5, {b"series"}), (3, {b"series", b"record"})])
def test_a_report_that_is_too_large_loses_its_series_first_and_then_its_record(most: float, gone: set[bytes]) -> None:
    """What just fits is kept as it is."""
    made = Report.model_validate(opened(report.build(*ended()))["report"])
    assert made.record
    data = report.fitted(made, lambda one: sized(one, int(most * report.MOST_BYTES)))
    assert (len(data), lost(data)) == (report.MOST_BYTES, gone)


def test_a_report_that_cannot_be_stored_says_how_large_it_is() -> None:
    made = Report.model_validate(opened(report.build(*ended()))["report"])
    with pytest.raises(ValueError, match=r"^the report has 1000000 bytes compressed; a ConfigMap takes 921600$"):
        report.fitted(made, lambda _: bytes(1_000_000))
