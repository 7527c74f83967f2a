"""The report in a terminal: the verdict first, then rates, latencies, thresholds, and how well it was all measured.

Columns are those that wrk and `vllm bench` print, so that the numbers can be laid side by side. Nothing is shown that
the sample is too small for. Colour is an extra: every mark is a word or a sign as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loadgen.model.plan import Metric, Severity, Statistic
from loadgen.model.record import SteadyState
from loadgen.model.report import Result, ValidityLevel, Verdict
from loadgen.report.columns import Columns
from loadgen.report.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from loadgen.model.report import Distribution, Report, ThresholdResult, Validity, Window

STYLES = {
    Verdict.PASSED: "bold green",
    Verdict.FAILED: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.ERROR: "bold red",
    Verdict.ABORTED: "bold red",
}
SIGNS = {Result.PASSED: ("ok", "green"), Result.FAILED: ("FAIL", "red"), Result.UNKNOWN: ("?", "yellow")}
SHOWN = ("p50", "p75", "p90", "p95", "p99", "p999")
COLUMNS = (
    *("planned", "ok", "failed", "dropped", "cut off", "errors", "req/s", "good/s", "SLO", "tokens/s"),
    *("in flight", "peak"),
)
LEAST_REQUESTS = ("cut off", "peak", "in flight", "tokens/s", "SLO", "good/s", "dropped", "planned", "req/s")
LATENCY_COLUMNS = ("", "count", "mean", "stddev", "±σ", *(name.upper() for name in SHOWN), "max", "±")
LEAST_LATENCIES = ("±σ", "stddev", "P75", "P999", "±", "mean", "P90", "max", "count")
"""What a narrow terminal does without, the least important first."""
TOP_ERRORS = 10
ABSENT = "–"


def render(report: Report) -> Group:
    """Everything, for a console."""
    parts: list[RenderableType] = [
        _headline(report),
        _section("Requests", _requests(report)),
        _section("Latency, milliseconds", _latencies(report)),
    ]
    if report.total.errors:
        parts.append(_section("Failures", _errors(report.total)))
    if report.thresholds:
        parts.append(_section("Thresholds", _thresholds(report.thresholds)))
    if any(window.steadiness for window in report.stages if not window.warmup):
        parts.append(_section("Steady state", _steadiness(report)))
    parts.append(_section(f"Measurement: {report.validity.level}", _measurement(report)))
    return Group(*parts)


def text(report: Report, width: int = 120) -> str:
    """The same without colour, for logs and files."""
    return plain(render(report), width)


def _headline(report: Report) -> Group:
    load = report.plan.load
    verdict = Text.assemble((str(report.verdict), STYLES[report.verdict]), "  ", report.message)
    shards = sum(worker.shards for worker in report.workers)
    detail = (
        f"{report.target} · {report.start_time} · {load.duration_seconds} s in {len(load.stages)} stages · "
        f"{load.workers} workers, {shards} shards · seed {load.seed} · plan {report.plan_hash[:12]}, {report.generator}"
    )
    return Group(verdict, Text(detail, style="dim"))


def _section(title: str, body: RenderableType) -> Group:
    return Group(Text(f"\n{title}", style="bold"), Padding(body, (0, 0, 0, 2)))


def _requests(report: Report) -> Columns:
    table = Columns(("", *COLUMNS), LEAST_REQUESTS)
    table.add(_request_row("run", report.total), style="bold")
    for window in report.stages:
        table.add(_request_row(f"stage {window.name}{' (warmup)' if window.warmup else ''}", window))
    for window in report.requests:
        table.add(_request_row(f"request {window.name}", window))
    return table


def _request_row(label: str, window: Window) -> Iterable[str]:
    counts = window.counts
    return (
        label,
        *(str(count) for count in (counts.planned, counts.succeeded, counts.failed, counts.dropped, counts.incomplete)),
        _percent(window.error_percent),
        _number(window.requests_per_second),
        _number(window.goodput),
        _percent(window.slo_attainment_percent),
        _number(window.output_token_throughput),
        _number(window.concurrency_mean),
        ABSENT if window.concurrency_peak is None else str(window.concurrency_peak),
    )


def _latencies(report: Report) -> RenderableType:
    windows = [("", report.total), *((f" · {window.name}", window) for window in _worth_showing(report))]
    rows = [(f"{metric}{suffix}", found) for suffix, window in windows for metric, found in window.latencies.items()]
    if not rows:
        return Text("nothing was measured")
    table = Columns(LATENCY_COLUMNS, LEAST_LATENCIES)
    for label, found in rows:
        table.add(_latency_row(label, found))
    return table


def _worth_showing(report: Report) -> Iterable[Window]:
    """Stages beside the run, where there are several, only with what thresholds are usually about."""
    counted = [window for window in report.stages if not window.warmup]
    main = (Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN)
    return (
        window.model_copy(update={"latencies": {m: d for m, d in window.latencies.items() if m in main}})
        for window in (counted if len(counted) > 1 else ())
    )


def _latency_row(label: str, found: Distribution) -> Iterable[str]:
    """± holds for each of the percentiles."""
    values = (getattr(found, name) for name in SHOWN)
    return (
        label,
        str(found.count),
        _number(found.mean),
        _number(found.stddev),
        _percent(found.within_one_stddev_percent),
        *(_number(value) for value in values),
        _number(found.max),
        _number(max(found.uncertainties.values(), default=found.uncertainty)),
    )


def _errors(window: Window) -> Text:
    shown = [f"{error.failure} {error.count}" for error in window.errors[:TOP_ERRORS]]
    more = len(window.errors) - len(shown)
    return Text(" · ".join([*shown, *([f"and {more} more classes"] if more > 0 else [])]))


def _thresholds(thresholds: Sequence[ThresholdResult]) -> Group:
    """A table, and a sentence for each that does not hold or is not known."""
    reasons = [Text(one.message, SIGNS[one.result][1]) for one in thresholds if one.result is not Result.PASSED]
    return Group(_threshold_table(thresholds), *reasons)


def _threshold_table(thresholds: Iterable[ThresholdResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in ("", "name", "observed", "wanted", "in"):
        table.add_column(header)
    for threshold in thresholds:
        sign, style = SIGNS[threshold.result]
        note = " (warning)" if threshold.severity is Severity.WARNING else ""
        name = f"{threshold.name}{note}"
        table.add_row(Text(sign, style=style), name, threshold.observed, threshold.wanted, threshold.window)
    return table


def _steadiness(report: Report) -> Group:
    """Stage by stage; what is no steady state stands out."""
    return Group(
        *(
            Text(
                f"{window.name}: {window.steadiness.state}: {window.steadiness.message}",
                style="" if window.steadiness.state is SteadyState.STEADY else "yellow",
            )
            for window in report.stages
            if window.steadiness and not window.warmup
        )
    )


def _measurement(report: Report) -> Group:
    validity = report.validity
    lines = [Text(", ".join(_figures(validity)) or "nothing is known of the generator")]
    style = "" if validity.level is ValidityLevel.VALID else "yellow"
    lines += [Text(reason, style=style) for reason in validity.reasons]
    little = report.total.little_law_error_percent
    if little is not None and little > 5:
        lines.append(
            Text(f"Little's law is off by {little:.0f} %: requests in flight do not fit rate × latency", "yellow")
        )
    short = _too_small(report.total)
    return Group(*lines, *([Text(short, style="dim")] if short else []))


def _figures(validity: Validity) -> Iterable[str]:
    figures = (
        ("schedule lag P50", validity.schedule_lag_p50, "ms"),
        ("P99", validity.schedule_lag_p99, "ms"),
        ("loop lag P99", validity.loop_lag_p99, "ms"),
        ("busiest shard", validity.cpu_percent, "% of a core"),
        ("throttled", validity.throttled_percent, "%"),
        ("dropped", validity.dropped_percent, "%"),
    )
    return (f"{name} {_number(value)} {unit}" for name, value, unit in figures if value is not None)


def _too_small(window: Window) -> str:
    """Which percentiles of the response time are left out, and why."""
    found = window.latencies.get(Metric.RESPONSE_TIME)
    if found is None or not found.missing:
        return ""
    left_out = ", ".join(
        f"{statistic} {why}" for statistic, why in found.missing.items() if statistic in set(Statistic)
    )
    return f"{ABSENT} stands where the sample is too small: {left_out}"


def _number(value: float | None) -> str:
    """Three significant digits, whole from 100 on."""
    if value is None:
        return ABSENT
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _percent(value: float | None) -> str:
    """Exact enough near 0 and near 100, and never rounded up to 100."""
    if value is None:
        return ABSENT
    return f"{min(value, 99.99):.2f}%" if 0 < value < 10 or 99 < value < 100 else f"{value:.0f}%"


number, percent, request_row, latency_row = _number, _percent, _request_row, _latency_row
figures, too_small = _figures, _too_small
"""The same words and roundings for the other views of a report."""
