"""The parts of the page: a list of named functions, each from a report to a section or to nothing. Figures are worded by the
terminal's own functions, so that both views say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.model.plan import Metric, Severity
from loadgen.model.report import ValidityLevel
from loadgen.report import terminal
from loadgen.report.html import charts, plans
from loadgen.report.html.charts import Axis, Line, Percentile
from loadgen.report.html.markup import Element, el, table
from loadgen.report.html.surroundings import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from loadgen.model.report import Distribution, Report, Second, Window
    from loadgen.report.html.surroundings import Surroundings, Table

PERCENTS = {"p50": 50.0, "p75": 75.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
RESPONSE_TIMES = {"response time P50": "response_time_p50", "response time P99": "response_time_p99"}
FIRST_TOKENS = {"first token P50": "ttft_p50", "first token P99": "ttft_p99"}
NO_SERIES = (
    "There are no figures by the second: the run ended before its load began, or its report was too long to keep them."
)


def thresholds(report: Report, _around: Surroundings) -> Element | None:
    """What was asked for, and the answers."""
    if not report.thresholds:
        return _section("Thresholds", el("p", "No threshold was judged."))
    rows = (
        (
            el("span", str(found.result), class_=str(found.result)),
            f"{found.name}{' (warning)' if found.severity is Severity.WARNING else ''}",
            found.observed,
            found.wanted,
            found.window,
            found.message,
        )
        for found in report.thresholds
    )
    headers = ("result", "name", "observed", "wanted", "in", "in words")
    return _section("Thresholds", table("What was asked for, and what was seen", headers, rows, text_columns=6))


def requests(report: Report, _around: Surroundings) -> Element:
    """Counts and rates of the run, its stages, its kinds of requests."""
    rows = [
        terminal.request_row("run", report.total),
        *(terminal.request_row(f"stage {_staged(window)}", window) for window in report.stages),
        *(terminal.request_row(f"request {window.name}", window) for window in report.requests),
    ]
    caption = "Requests; the run is all stages that are not warmup"
    return _section("Requests", table(caption, ("", *terminal.COLUMNS), rows))


def over_time(report: Report, around: Surroundings) -> Element:
    """Rates, latency, requests in flight and replicas over one axis."""
    axis = Axis(_length(report, around), _stages(report), around.faults)
    measured = list(_charts(report, axis)) if report.series else [el("p", NO_SERIES)]
    replicas = [Line(steps.name, steps.points, stepped=True) for steps in around.replicas]
    seen = [charts.timeline("Replicas of the target", "pods", replicas, axis)] if replicas else []
    return _section("Over time", *_regions(around), *measured, *seen)


def scale_ups(report: Report, around: Surroundings) -> Element | None:
    """What users waited for, step by step, over the axis of the other charts."""
    if not around.episodes:
        return None
    axis = Axis(_length(report, around), _stages(report), around.faults)
    return _section("Scale-ups over time", charts.episodes("From the load's rise to traffic", around.episodes, axis))


def latency(report: Report, _around: Surroundings) -> Element:
    """Every distribution, and its curve."""
    windows = [("run", report.total), *((f"stage {_staged(window)}", window) for window in report.stages)]
    windows += [(f"request {window.name}", window) for window in report.requests]
    found = [(label, metric, one) for label, window in windows for metric, one in window.latencies.items()]
    if not found:
        return _section("Latency", el("p", "No latency was measured."))
    rows = ((label, *terminal.latency_row(str(metric), one)) for label, metric, one in found)
    small = terminal.too_small(report.total)
    return _section(
        "Latency",
        _curves(report.total),
        table("Latency, milliseconds", ("in", "metric", *terminal.LATENCY_COLUMNS[1:]), rows, text_columns=2),
        el("p", small, class_="soft") if small else None,
    )


def failures(report: Report, _around: Surroundings) -> Element:
    """Failures by class: of the run, and of each stage and kind of request that had some."""
    windows = [("run", report.total), *((f"stage {_staged(window)}", window) for window in report.stages)]
    windows += [(f"request {window.name}", window) for window in report.requests]
    rows = [(label, error.failure, str(error.count)) for label, window in windows for error in window.errors]
    if not rows:
        return _section("Failures", el("p", "None." if report.total.counts.sent else "No request was sent."))
    return _section("Failures", table("Failed requests by class", ("in", "class", "requests"), rows, text_columns=2))


def measurement(report: Report, _around: Surroundings) -> Element:
    """How well the generator measured."""
    validity = report.validity
    figures = ", ".join(terminal.figures(validity)) or "Nothing is known of the generator."
    style = None if validity.level is ValidityLevel.VALID else "Unknown"
    reasons = el("ul", *(el("li", reason) for reason in validity.reasons)) if validity.reasons else None
    level = el("p", el("strong", str(validity.level), class_=style))
    return _section("Measurement", level, el("p", figures), reasons, _little(report.total), _workers(report))


def plan(report: Report, _around: Surroundings) -> Element:
    """What was run."""
    facts = (
        ("target", plans.address(report.target)),
        ("load began", report.start_time),
        ("length", f"{report.plan.load.duration_seconds} s in {len(report.plan.load.stages)} stages"),
        ("seed", str(report.plan.load.seed)),
        ("plan", report.plan_hash),
        ("report by", f"{report.generator}, schema {report.schema_version}"),
    )
    listed = el("dl", *(el(tag, text) for fact in facts for tag, text in zip(("dt", "dd"), fact, strict=True)))
    return _section("Plan and environment", listed, el("pre", plans.text(report.plan), tabindex="0"))


BEFORE_SURROUNDINGS: tuple[Callable[[Report, Surroundings], Element | None], ...] = (
    *(thresholds, over_time, scale_ups, requests, latency, failures),
)
AFTER_SURROUNDINGS: tuple[Callable[[Report, Surroundings], Element | None], ...] = (measurement, plan)


def surrounding(found: Table) -> Element:
    """A table that a cluster adds."""
    notes = (el("p", note) for note in found.notes)
    rows = table(found.title, found.headers, found.rows, text_columns=len(found.headers)) if found.rows else None
    return _section(found.title, rows, *notes)


def _section(title: str, *parts: Element | None) -> Element:
    name = title.lower().replace(" ", "-")
    return el("section", el("h2", title, id=name), *parts, aria_labelledby=name)


def _staged(window: Window) -> str:
    return f"{window.name} (warmup)" if window.warmup else window.name


def _stages(report: Report) -> Sequence[Span]:
    spans, start = [], 0
    for stage in report.plan.load.stages:
        spans.append(Span(stage.name, start, start + stage.duration_seconds))
        start += stage.duration_seconds
    return spans


def _length(report: Report, around: Surroundings) -> float:
    """The stages, and what was seen of replicas and faults after them."""
    seen = [at for steps in around.replicas for at, _ in steps.points]
    seen += [step.end for episode in around.episodes for step in episode.steps]
    return max([report.plan.load.duration_seconds, *seen, *(fault.end for fault in around.faults)])


def _regions(around: Surroundings) -> Iterable[Element]:
    yield el("p", "Stages are marked above each chart and shaded in turns.", class_="soft")
    if around.faults:
        spans = ", ".join(f"{fault.name} ({fault.start:.0f} to {fault.end:.0f} s)" for fault in around.faults)
        yield el("p", f"Shaded in colour, faults in force: {spans}.")


def _charts(report: Report, axis: Axis) -> Iterator[Element]:
    series = report.series
    rates = {"planned": "planned", "succeeded": "succeeded"}
    yield charts.timeline("Requests by their intended start", "per second", _lines(series, rates), axis)
    yield _failures_over_time(series, axis)
    times = [lines for fields in (RESPONSE_TIMES, FIRST_TOKENS) if _any(lines := _lines(series, fields))]
    if times:
        lines = [line for pair in times for line in pair]
        yield charts.timeline("Latency", "milliseconds", lines, axis, logarithmic=True)
    else:
        yield el("p", "No second had enough answers for a percentile of its own.")
    yield charts.timeline("In flight", "requests", _lines(series, {"in flight": "in_flight"}), axis)
    if any(second.output_tokens for second in series):
        yield charts.timeline("Output tokens", "per second", _lines(series, {"tokens": "output_tokens"}), axis)


def _failures_over_time(series: Sequence[Second], axis: Axis) -> Element:
    if not any(second.failed or second.dropped for second in series):
        return el("p", f"In none of the {len(series)} seconds did a request fail, nor was one dropped.")
    lines = _lines(series, {"failed": "failed", "dropped": "dropped"})
    return charts.timeline("Failures by their intended start", "per second", lines, axis)


def _any(lines: Sequence[Line]) -> bool:
    return any(value is not None for line in lines for _, value in line.points)


def _lines(series: Sequence[Second], fields: dict[str, str]) -> list[Line]:
    return [
        Line(name, [(second.second, getattr(second, field)) for second in series]) for name, field in fields.items()
    ]


def _curves(window: Window) -> Element | None:
    main = (Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN, Metric.TIME_PER_OUTPUT_TOKEN)
    found = [(str(metric), _curve(window.latencies[metric])) for metric in main if metric in window.latencies]
    known = [(name, points) for name, points in found if points]
    return charts.percentiles("Latency by percentile over the run", "milliseconds", known) if known else None


def _curve(found: Distribution) -> list[Percentile]:
    """The percentiles that the sample is large enough for, with their bounds."""
    values = ((name, percent, getattr(found, name)) for name, percent in PERCENTS.items())
    return [
        Percentile(percent, value, found.bounds.get(name.upper()))
        for name, percent, value in values
        if value is not None
    ]


def _little(window: Window) -> Element | None:
    error = window.little_law_error_percent
    if error is None or error <= 5:
        return None
    return el(
        "p", f"Little's law is off by {error:.0f} %: requests in flight do not fit rate × latency.", class_="Unknown"
    )


def _workers(report: Report) -> Element | None:
    rows = (
        (str(one.worker), str(one.shards), str(one.requests), terminal.number(one.started_late_milliseconds))
        for one in report.workers
    )
    return table("Workers", ("worker", "shards", "requests", "started late, ms"), rows) if report.workers else None
