"""Each rule of validity on evidence that just keeps and just breaks it, and on real deltas."""

from typing import Any

import pytest

from loadgen.core.judge.validity import figure, judge, quality, tightest_bound
from loadgen.model.plan import Plan
from loadgen.model.report import Validity
from loadgen.model.wire import Delta
from unit.loadgen.deltas import a_cell, a_delta, a_tally, micros
from unit.loadgen.plans import a_plan, opened

PLAN = a_plan(opened(10, 20))


def a_run(seconds: int = 20, shards: int = 1, **pulse: Any) -> list[Delta]:
    return [
        a_delta(at, a_cell(at, ms=[10] * 10), shard=shard, **pulse) for at in range(seconds) for shard in range(shards)
    ]


def judged(*deltas: Delta, plan: Plan = PLAN, cores: float = 1.0, **more: Any) -> Validity:
    return judge(plan, a_tally(plan, *deltas), allowed_cores=cores, **more)


def test_a_calm_generator_is_valid() -> None:
    quiet = judged(*a_run(cpu_microseconds=300_000, loop_lag=micros([0.1]), schedule_lag=micros([0.05])))
    assert (quiet.level, quiet.reasons) == ("Valid", ())
    assert (quiet.cpu_percent, quiet.throttled_percent, quiet.dropped_percent) == (30, 0, 0)
    assert (quiet.loop_lag_p99, quiet.schedule_lag_p99) == (0.1, 0.05)


@pytest.mark.parametrize(
    ("cores", "shards", "used", "level"),
    [
        (1.0, 1, 790_000, "Valid"),
        (1.0, 1, 810_000, "GeneratorLimited"),
        (4.0, 1, 810_000, "GeneratorLimited"),
        (1.0, 2, 410_000, "GeneratorLimited"),
        (2.0, 2, 410_000, "Valid"),
    ],
)
def test_cpu_is_judged_against_what_a_shard_may_use(cores: float, shards: int, used: int, level: str) -> None:
    assert judged(*a_run(shards=shards, cpu_microseconds=used), cores=cores).level == level


def test_a_short_peak_of_cpu_is_no_limit() -> None:
    peak = [a_delta(at, cpu_microseconds=1_000_000) for at in range(5)]
    assert judged(*peak, *a_run()).level == "Valid"


def test_the_reason_names_the_shard_and_the_remedy() -> None:
    (reason,) = judged(*a_run(cpu_microseconds=960_000)).reasons
    assert reason == (
        "shard 0 of worker 0 used 0.96 of the 1.00 cores it may use for 10 s (96 %, at most 80 % is sound): "
        "use 2 workers instead of 1, or give workers more CPU"
    )


@pytest.mark.parametrize(("throttled", "level"), [(40_000, "Valid"), (60_000, "GeneratorLimited")])
def test_throttling_for_a_twentieth_of_the_time_is_too_much(throttled: int, level: str) -> None:
    assert judged(*a_run(throttled_microseconds=throttled)).level == level


@pytest.mark.parametrize(("late", "level"), [(0, "Valid"), (20, "GeneratorLimited")])
def test_drops_are_the_generators_fault_only_where_they_came_too_late(late: int, level: str) -> None:
    """A full in-flight cap while the generator is well is the target's."""
    assert judged(a_delta(0, a_cell(0, ms=[10] * 200, dropped=20, late=late))).level == level


@pytest.mark.parametrize(("lag", "level"), [(90, "Degraded"), (150, "GeneratorLimited")])
def test_time_outs_may_be_of_the_generators_own_making(lag: float, level: str) -> None:
    """An answer that lies unread while the loop stands still is timed out: a tenth of the shortest time-out is too much."""
    plan = a_plan(
        opened(10, 20), requests=[{"name": "g", "http": {}, "timeoutSeconds": 9, "firstByteTimeoutSeconds": 1}]
    )
    found = judged(*a_run(loop_lag=micros([lag])), plan=plan)
    assert found.level == level
    assert any("time-outs may be of its own making" in reason for reason in found.reasons) is (level != "Degraded")


@pytest.mark.parametrize(
    ("ceilings", "level"),
    [({}, "Valid"), ({0: 100}, "Valid"), ({0: 100, 1: 500}, "GeneratorLimited"), ({0: 200, 1: 500}, "Valid")],
)
def test_the_plan_must_stay_below_the_ceiling(ceilings: dict[int, int], level: str) -> None:
    plan = a_plan(opened(150), workers=2)
    validity = judged(a_delta(0), plan=plan, ceilings=ceilings)
    assert validity.level == level
    if level != "Valid":
        assert "75 % of the 200 requests/s that 2 workers reach" in validity.reasons[0]
        assert "use 3 workers instead of 2" in validity.reasons[0]


@pytest.mark.parametrize(
    ("bound", "lag", "level"), [(None, 4, "Valid"), (None, 6, "Degraded"), (20, 1.5, "Valid"), (20, 2.5, "Degraded")]
)
@pytest.mark.parametrize("kind", ["schedule_lag", "loop_lag"])
def test_lag_blurs_latencies(kind: str, bound: int | None, lag: float, level: str) -> None:
    requests = [{"name": "g", "http": {}, **({"slo": {"responseTimeMilliseconds": bound}} if bound else {})}]
    plan = a_plan(opened(10, 20), requests=requests)
    assert judged(*a_run(**{kind: micros([lag])}), plan=plan).level == level


def test_more_workers_are_no_advice_where_others_have_the_cpu() -> None:
    late = {"loop_lag": micros([200]), "schedule_lag": micros([200])}
    cell = a_cell(0, ms=[10] * 200, dropped=5, late=5)
    starved = judged(a_delta(0, cell, cpu_microseconds=100_000, **late), *a_run(cpu_microseconds=100_000, **late)[1:])
    busy = judged(a_delta(0, cell, cpu_microseconds=700_000, **late), *a_run(cpu_microseconds=700_000, **late)[1:])

    assert len(starved.reasons) == len(busy.reasons) == 3
    assert not any("instead of" in reason for reason in starved.reasons)
    assert ["give workers CPU of their own" in reason for reason in starved.reasons] == [True, False, False]
    assert all("use 2 workers instead of 1" in reason for reason in busy.reasons)


def test_a_short_load_has_a_limit_too() -> None:
    """Ten seconds are the longest stretch that CPU is averaged over, not the shortest that counts."""
    plan = a_plan(opened(10, 3))
    (reason,) = judged(*a_run(3, cpu_microseconds=960_000), plan=plan).reasons
    assert "for 3 s (96 %" in reason
    assert judged(*a_run(3, cpu_microseconds=700_000), plan=plan).level == "Valid"


HOUR = a_plan(opened(10, 3570, name="calm"), opened(10, 30, name="peak"))


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"throttled_microseconds": 900_000}, "throttled"),
        ({"cpu_microseconds": 990_000}, "used 0.99 of the 1.00 cores"),
    ],
)
def test_an_hour_of_calm_does_not_outweigh_the_stage_that_matters(trouble: dict[str, int], words: str) -> None:
    """Each stage is judged by its own seconds."""
    calm = [a_delta(at, a_cell(at, 0, ms=[10])) for at in range(0, 3570, 30)]
    peak = [a_delta(at, a_cell(at, 1, ms=[10]), **trouble) for at in range(3570, 3600)]
    found = quality(HOUR, a_tally(HOUR, *calm, *peak), allowed_cores=1.0)
    assert (found.validity.level, found.validity.limited_stages, found.validity.whole) == (
        "GeneratorLimited",
        ("peak",),
        False,
    )
    assert set(found.limited) == {1}
    assert found.validity.reasons[0].startswith("stage peak: ")
    assert words in found.validity.reasons[0]


def test_a_lag_in_the_stage_that_matters_is_told() -> None:
    calm = [a_delta(at, a_cell(at, 0, ms=[10]), loop_lag=micros([0.1] * 50)) for at in range(3570)]
    peak = [a_delta(at, a_cell(at, 1, ms=[10]), loop_lag=micros([300] * 50)) for at in range(3570, 3600)]
    found = quality(HOUR, a_tally(HOUR, *calm, *peak), allowed_cores=1.0).validity
    assert found.level == "Degraded"
    assert found.reasons[0].startswith("stage peak: the event loop was 300 ms late at P99")


def test_lag_in_the_warmup_does_not_count() -> None:
    plan = a_plan(opened(10, 10, warmup=True), opened(10, 10))
    assert judged(a_delta(3, loop_lag=micros([50])), a_delta(12, loop_lag=micros([1])), plan=plan).level == "Valid"


def test_the_tightest_bound_is_of_slos_and_thresholds() -> None:
    threshold = {"name": "t", "metric": "ResponseTime", "statistic": "P95", "operator": "LessThan", "value": "12.5"}
    slo = {"name": "g", "http": {}, "slo": {"ttftMilliseconds": 20, "responseTimeMilliseconds": 90}}
    assert tightest_bound(a_plan(requests=[slo])) == 20
    assert tightest_bound(a_plan(requests=[slo], thresholds=[threshold])) == 12.5
    assert tightest_bound(a_plan(thresholds=[{**threshold, "operator": "GreaterThan"}])) is None


def test_nothing_measured_is_not_an_error_of_the_generator() -> None:
    assert judged().level == "Valid"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (110, "110"),
        (1234567, "1234567"),
        (9.96, "10"),
        (3.21, "3.2"),
        (5, "5"),
        (0.5, "0.5"),
        (0.00341, "0.0034"),
        (0, "0"),
    ],
)
def test_figures_are_for_people(value: float, text: str) -> None:
    assert figure(value) == text
