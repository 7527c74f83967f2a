"""Windows and reports: every aggregate of the definitions on records small enough to count by hand."""

from typing import Any

import pytest

from loadgen.core.judge.thresholds import evaluate
from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric, Plan
from loadgen.model.report import Report, Validity, ValidityLevel, Verdict
from loadgen.report import documents, terminal
from unit.loadgen.deltas import a_cell, a_delta, a_tally, micros, steady
from unit.loadgen.plans import a_plan, closed, opened

WARM = a_plan(opened(10, 2, name="warm", warmup=True), opened(10, 4, name="peak"))
CHAT = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "x"}}}
GET = {"name": "get", "http": {}}


def test_percentages_are_of_what_was_planned() -> None:
    cell = a_cell(0, ms=[5] * 6, errors={"Http503": 2}, dropped=1, incomplete=1, good=4)
    window = summary.total(a_plan(), a_tally(a_plan(), a_delta(0, cell)))
    assert window.error_percent == pytest.approx(30)
    assert window.slo_attainment_percent == pytest.approx(40)
    assert window.counts.model_dump() == {
        **{"planned": 10, "sent": 9, "succeeded": 6, "failed": 2, "dropped": 1, "incomplete": 1, "good": 4, "unsure": 0}
    }


def test_nothing_planned_has_no_percentages() -> None:
    window = summary.total(a_plan(), a_tally(a_plan()))
    assert (window.error_percent, window.slo_attainment_percent, window.latencies) == (None, None, {})
    assert window.requests_per_second == 0


def test_warmup_is_reported_and_left_out_of_the_run() -> None:
    tally = steady(WARM)
    run, (warm, peak) = summary.total(WARM, tally), summary.stage_windows(WARM, tally)
    assert (run.counts.planned, warm.counts.planned, peak.counts.planned) == (40, 20, 40)
    assert (run.start_second, run.end_second, warm.warmup, peak.warmup) == (2, 6, True, False)


def test_a_rate_counts_what_ended_in_the_window() -> None:
    plan = a_plan(opened(1, 4), opened(1, 4))
    tally = a_tally(plan, a_delta(3, a_cell(3, planned=4)), a_delta(5, a_cell(3, planned=0, ms=[2000] * 4)), a_delta(8))
    first, second = summary.stage_windows(plan, tally)
    assert (first.counts.succeeded, first.requests_per_second, second.requests_per_second) == (4, 0, 1)
    assert (first.goodput, first.offered_per_second) == (1, 1)


def test_rates_of_one_kind_count_that_kind() -> None:
    plan = a_plan(opened(1, 2), requests=[GET, {**GET, "name": "other"}])
    tally = a_tally(plan, a_delta(1, a_cell(1, request=0, ms=[1] * 4), a_cell(1, request=1, ms=[1] * 2)))
    assert [window.requests_per_second for window in summary.request_windows(plan, tally)] == [2, 1]


def test_a_run_that_stopped_early_is_measured_over_the_time_it_ran() -> None:
    assert summary.total(a_plan(opened(10, 600)), steady(a_plan(opened(10, 600)), seconds=6)).requests_per_second == 10


def test_tokens_count_in_the_second_of_their_arrival() -> None:
    """Of each kind; more tokens than events, or fewer, are put right when the server tells."""
    plan = a_plan(opened(1, 2), opened(1, 2), requests=[CHAT, GET, {**CHAT, "name": "other"}])
    tally = a_tally(
        plan,
        a_delta(1, a_cell(0, output_tokens=10), a_cell(1, request=2, output_tokens=4)),
        a_delta(2, a_cell(0, output_tokens=30)),
        a_delta(3, a_cell(0, output_tokens=-4)),
    )
    first, second = summary.stage_windows(plan, tally)
    assert (first.output_token_throughput, second.output_token_throughput) == (7, 13)
    kinds = summary.request_windows(plan, tally)
    assert [window.output_token_throughput for window in kinds] == [9, None, 1]
    assert [row.output_tokens for row in summary.series(plan, tally)] == [0, 14, 30, 0]


def test_concurrency_comes_from_the_pulses() -> None:
    plan = a_plan(opened(1, 2), requests=[CHAT, GET])
    tally = a_tally(
        plan,
        a_delta(0, in_flight_microseconds=3_000_000, peak_in_flight=4),
        a_delta(1, a_cell(1, ms=[5]), in_flight_microseconds=1_000_000, peak_in_flight=2),
    )
    run, (chat, _) = summary.total(plan, tally), summary.request_windows(plan, tally)
    assert (run.concurrency_mean, run.concurrency_peak) == (2, 4)
    assert (chat.concurrency_mean, chat.concurrency_peak) == (None, None)


def in_flight(per_second: int) -> Tally:
    plan = a_plan(closed(5, 20))
    cells = (a_delta(at, a_cell(at, ms=[100] * 50), in_flight_microseconds=per_second) for at in range(20))
    return a_tally(plan, *cells)


@pytest.mark.parametrize(("per_second", "error"), [(5_000_000, 0), (10_000_000, 50)])
def test_littles_law_is_checked(per_second: int, error: float) -> None:
    window = summary.total(a_plan(closed(5, 20)), in_flight(per_second))
    assert window.little_law_error_percent == pytest.approx(error, abs=0.1)


@pytest.mark.parametrize(("in_flight", "error"), [(1.0, 0), (1.5, 0), (2.5, 20), (0.8, 25)])
def test_opening_connections_is_in_flight_too(in_flight: float, error: float) -> None:
    """Ten a second, 100 ms from sending, and as much for the connection before it: between one and two are in flight."""
    plan = a_plan(opened(10, 20))
    times = {Metric.RESPONSE_TIME: [200] * 10, Metric.E2E_LATENCY: [100] * 10}
    flying = {"in_flight_microseconds": round(1e6 * in_flight), "connections_opened": 10}
    tally = a_tally(plan, *(a_delta(at, a_cell(at, ms=[1] * 10, metrics=times), **flying) for at in range(20)))
    assert summary.total(plan, tally).little_law_error_percent == pytest.approx(error, abs=0.1)


def test_littles_law_says_nothing_of_streams_whose_usage_comes_late() -> None:
    """The stream is in flight until its usage has come, its latency ends with the last output: 45 % off, and all is well."""
    plan = a_plan(closed(5, 20), requests=[CHAT])
    cells = (a_delta(at, a_cell(at, ms=[100] * 50), in_flight_microseconds=9_000_000) for at in range(20))
    assert summary.total(plan, a_tally(plan, *cells)).little_law_error_percent is None


def test_a_window_says_whence_its_tokens_are_known() -> None:
    plan = a_plan(opened(1, 3), requests=[CHAT])
    cells = [a_cell(0, told=2), a_cell(1, untold=1), a_cell(2)]
    sources = [
        summary.total(plan, a_tally(plan, a_delta(0, *some))).output_token_source
        for some in (cells[:1], cells[1:], cells, [])
    ]
    assert sources == ["Usage", "Events", "Mixed", None]


def test_a_small_sample_says_what_it_lacks() -> None:
    latency = summary.total(a_plan(), steady(a_plan(), ms=[100] * 10)).latencies[Metric.RESPONSE_TIME]
    assert (latency.count, latency.p90, latency.p95, latency.p99) == (100, 100, None, None)
    assert latency.missing == {"P95": "n/a (n < 130)", "P99": "n/a (n < 662)", "P999": "n/a (n < 6636)"}
    assert latency.bounds["P50"] == (100, 100)


def test_latencies_carry_the_generators_uncertainty() -> None:
    plan = a_plan()
    tally = a_tally(plan, a_delta(0, a_cell(0, ms=[1]), loop_lag=micros([0.5] * 1000)))
    assert summary.total(plan, tally).latencies[Metric.RESPONSE_TIME].uncertainty == pytest.approx(0.5, rel=0.01)


def test_the_series_has_a_row_for_every_second() -> None:
    rows = summary.series(WARM, steady(WARM, ms=[100] * 11))
    assert [(row.second, row.stage, row.planned) for row in rows][:3] == [
        (0, "warm", 11),
        (1, "warm", 11),
        (2, "peak", 11),
    ]
    assert len(rows) == 6
    assert (rows[0].response_time_p50, rows[0].response_time_p99) == (100, None)


def test_equal_plans_have_equal_hashes() -> None:
    one, same, other = a_plan(opened("1.50")), a_plan(opened("1.5")), a_plan(opened(2))
    assert summary.plan_hash(one) == summary.plan_hash(same) != summary.plan_hash(other)


def a_report(plan: Plan, tally: Tally, **more: Any) -> Report:
    told: dict[str, Any] = {
        "validity": Validity(level=ValidityLevel.VALID),
        "verdict": Verdict.PASSED,
        "message": "all well",
        **more,
    }
    workers = summary.workers(tally, {0: 1.5})
    return summary.report(plan, tally, target="http://x", start_time="2026-01-01T00:00:00Z", workers=workers, **told)


def test_a_report_survives_json() -> None:
    report = a_report(WARM, steady(WARM, errors={"Http503": 1}))
    assert documents.load(documents.dump(report)) == report
    assert report.workers[0].started_late_milliseconds == 1.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no", "x is not JSON"),
        ("[]", "x has schemaVersion None"),
        ('{"schemaVersion": "9"}', "x has schemaVersion '9'; this version of loadgen reads '1' and '2'"),
        ('{"schemaVersion": "1"}', "x is not a report"),
    ],
)
def test_what_is_no_report_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(documents.ReportError, match=said):
        documents.load(text, "x")


def test_the_terminal_shows_verdict_figures_and_what_is_missing() -> None:
    shown = terminal.text(a_report(WARM, steady(WARM, errors={"Http503": 1}), message="it holds"))
    for part in ("Passed  it holds", "stage warm (warmup)", "ResponseTime", "Http503 4", "P99 n/a (n < 662)", "Valid"):
        assert part in shown
    assert max(len(line) for line in shown.splitlines()) <= 120


def test_the_terminal_says_what_is_not_known() -> None:
    """In the same sentence as everywhere."""
    plan = a_plan(thresholds=[{"name": "t", "metric": "ErrorPercent", "operator": "LessThan", "value": 1}])
    tally = steady(plan)
    (result,) = evaluate(plan.thresholds, plan, tally)
    shown = " ".join(terminal.text(a_report(plan, tally, thresholds=[result])).split())
    assert result.result == "Unknown"
    assert result.message in shown
