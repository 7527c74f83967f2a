"""Tables that the live view and the ending share, each from a status; nothing where there is nothing to show."""

from collections.abc import Iterable
from dataclasses import dataclass

from loadgen.model.plan import Severity
from loadgen.model.report import Result
from loadgen.report.columns import Columns
from loadgen.report.terminal import ABSENT, SIGNS
from loadtest_operator.api.outcome import FaultStatus, ScalingStatus
from loadtest_operator.api.status import Figures, LoadTestStatus, Percentiles

FIGURES = ("ok/s", "good/s", "errors", "tokens/s", "P50", "P95", "P99", "TTFT P50", "TTFT P95", "TTFT P99")
LEAST_FIGURES = ("tokens/s", "good/s", "TTFT P99", "P95", "TTFT P50", "P50", "TTFT P95", "P99")
ORDER = (Result.FAILED, Result.UNKNOWN, Result.PASSED)
NOTHING = Percentiles()


def figures(status: LoadTestStatus, newest: int | None = None) -> Columns | None:
    """The run and its stages, or the newest of them; response times and times to the first token in milliseconds."""
    summary = status.summary
    if summary is None:
        return None
    table = Columns(("", *FIGURES), LEAST_FIGURES)
    table.add(("run", *_figures(summary)), style="bold")
    for stage in summary.stages[-(newest or len(summary.stages)) :]:
        table.add((f"stage {stage.name}", *_figures(stage)))
    return table


def _figures(found: Figures) -> Iterable[str]:
    first, whole = found.ttft_milliseconds or NOTHING, found.response_time_milliseconds or NOTHING
    errors = f"{found.error_percent}%" if found.error_percent is not None else None
    values = (
        *(found.requests_per_second, found.goodput, errors, found.output_token_throughput),
        *(whole.p50, whole.p95, whole.p99, first.p50, first.p95, first.p99),
    )
    return (ABSENT if value is None else value for value in values)


@dataclass(frozen=True, slots=True)
class Judged:
    """Something that was asked for, and its answer."""

    name: str
    result: Result
    observed: str
    wanted: str
    window: str
    message: str


def asked(status: LoadTestStatus) -> list[Judged]:
    """Thresholds, expectations and bounds over faults, those that do not hold first."""
    found = [
        Judged(
            f"{one.name}{' (warning)' if one.severity is Severity.WARNING else ''}",
            *(one.result, one.observed, one.wanted, one.window, one.message),
        )
        for one in status.thresholds
    ]
    found += [
        Judged(one.name, one.result, one.observed, one.wanted, "", one.message)
        for one in (status.scaling.expectations if status.scaling else ())
    ]
    found += [
        Judged(f"{fault.name}: {bound.metric}", bound.result, bound.observed, bound.wanted, "fault", bound.message)
        for fault in status.faults
        for bound in fault.tolerate
    ]
    return sorted(found, key=lambda one: ORDER.index(one.result))


def judged(status: LoadTestStatus) -> Columns | None:
    """What was asked for, a row each."""
    rows = asked(status)
    table = Columns(("", "result", "observed", "wanted", "in"), ("in", "wanted", "observed"))
    for one in rows:
        sign, style = SIGNS[one.result]
        table.add((one.name, sign, one.observed or ABSENT, one.wanted or ABSENT, one.window), style=style)
    return table if rows else None


def unsaid(status: LoadTestStatus) -> list[str]:
    """Sentences of what does not hold, or is not known, that the run's own message leaves out."""
    said = status.message or ""
    return [one.message for one in asked(status) if one.result is not Result.PASSED and one.message not in said]


def scale_ups(scaling: ScalingStatus | None) -> Columns | None:
    """Each scale-up, in seconds since its load step."""
    if scaling is None or not scaling.scale_ups:
        return None
    table = Columns(("scale-up", "decided", "scheduled", "ready", "serving"), ("scheduled", "ready", "decided"))
    for one in scaling.scale_ups:
        steps = (one.seconds.decided, one.seconds.pod_scheduled, one.seconds.pod_ready, one.seconds.serving)
        cells = (ABSENT if value is None else f"+{value} s" for value in steps)
        table.add((f"{one.from_replicas} → {one.to_replicas}", *cells))
    return table


def replicas(scaling: ScalingStatus | None) -> str:
    """`replicas: 3 now, 1 at the start, 3 at most`; empty where none were seen."""
    if scaling is None:
        return ""
    found = scaling.replicas
    parts = (
        (found.current if found.final is None else None, "now"),
        (found.initial, "at the start"),
        (found.peak, "at most"),
        (found.final, "at the end"),
    )
    said = ", ".join(f"{count} {when}" for count, when in parts if count is not None)
    return f"replicas: {said}" if said else ""


def fault(found: FaultStatus) -> str:
    """`fault slow: Recovered, in force from 12:00:05 to 12:00:35`; times in UTC, those that are known."""
    begun, gone, planned = found.injected_time, found.recovered_time, found.planned_time
    if begun is not None:
        when = f", in force from {begun:%H:%M:%S}{f' to {gone:%H:%M:%S}' if gone else ''}"
    else:
        when = f", planned for {planned:%H:%M:%S}" if planned else ""
    return f"fault {found.name}: {found.result}{when}{f' ({found.message})' if found.message else ''}"


def requests(status: LoadTestStatus) -> str:
    """`197 of 197 requests ok, 0 failed, 0 dropped, 0 cut off`."""
    if status.summary is None:
        return ""
    found = status.summary.requests
    counts = f"{found.failed} failed, {found.dropped} dropped, {found.incomplete} cut off"
    errors = " · ".join(f"{one.failure} {one.count}" for one in status.summary.errors)
    return f"{found.succeeded} of {found.planned} requests ok, {counts}{f': {errors}' if errors else ''}"
