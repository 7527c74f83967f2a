"""Every series that Prometheus can read of us, from the code that makes it, and docs/reference/metrics.md about them.

An operator and a worker that have seen one of everything are asked for their pages; a family without a sample raises, for
its labels could not be told. `PYTHONPATH=tests python -m contract.series` writes the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.metrics_core import Metric as Family

from builders import a_plan, a_request, a_stage
from contract.objects import ROOT
from loadgen.core.stats.tally import Totals
from loadgen.model.plan import DISTRIBUTIONS
from loadgen.model.wire import WorkerPhase
from loadgen.runtime.worker.exporter import Exporter
from loadgen.runtime.worker.supervisor import Supervisor
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.metrics.schedules import ScheduleMetrics
from loadtest_operator.api.outcome import FaultResult
from loadtest_operator.api.schedule import LoadTestScheduleStatus
from loadtest_operator.api.status import LoadTestStatus
from unit.loadgen.deltas import a_cell, a_delta

PAGE = ROOT / "docs" / "reference" / "metrics.md"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
OPERATOR, WORKER = "operator", "worker"

UNITS = {
    "seconds": "seconds",
    "ratio": "0 to 1",
    "bytes": "bytes",
    "second": "per second",
    "info": "1",
    "verdict": "0 or 1",
    "phase": "0 or 1",
    "ready": "0 or 1",
    "missed": "0 or 1",
    "leading": "0 or 1",
    **{
        noun: noun
        for noun in (
            "requests", "tokens", "workers", "replicas", "faults", "runs", "starts", "errors", "conflicts", "orphans",
        )
    },
    "opened": "connections",
}  # fmt: skip
"""The last word of a name, and the unit that it stands for. Base units only: no milliseconds, no percent."""

LABELS = {
    "namespace": "the LoadTest's or schedule's namespace (of the operator's own series: that of its pod, added by Prometheus)",
    "loadtest": "name of the LoadTest",
    "run": "number of the run; only the newest of a LoadTest is shown",
    "schedule": "name of the LoadTestSchedule",
    "phase": "a phase of a run or of a worker, as in the API",
    "verdict": "`Passed`, `Failed`, `Inconclusive`, `Error`, `Aborted`",
    "stage": "a stage of the plan (64 at most); empty for the whole run",
    "request": "a kind of request of the plan (16 at most)",
    "outcome": "`Succeeded`, `Dropped`, `Incomplete`, or the class of a failure, such as `Http503` or `ConnectTimeout`",
    "statistic": "`P50`, `P90`, `P95`, `P99`",
    "state": "`desired`, `ready`, `armed`, `finished`, `failed`",
    "kind": "of replicas: `desired`, `ready`; of errors: `Bug`, `TimeoutError`, or a class of `adapters/errors.py`",
    "result": ", ".join(f"`{result}`" for result in FaultResult),
    "scale_up": "a scale-up of the run by its number, 16 at most",
    "step": "`decided` by the autoscaler; of the first new pod `scheduled`, `ready`, `serving`",
    "reason": "why the start was missed, as in [schedules](../schedules.md#when-a-start-is-missed)",
}
"""Each label, and what bounds its values. Nothing that a target or a user could multiply."""


@dataclass(frozen=True, slots=True)
class Series:
    """One name with its meaning."""

    source: str
    name: str
    type: str
    labels: tuple[str, ...]
    help: str

    @property
    def unit(self) -> str:
        """By the last word of the name; KeyError for one that is in no table."""
        return UNITS[self.name.removesuffix("_total").rpartition("_")[2]]


def operator() -> Metrics:
    """An operator that has seen one of everything."""
    metrics = Metrics()
    schedules = ScheduleMetrics(metrics.registry)
    metrics.show("demo", "chat", LoadTestStatus.model_validate(STATUS))
    schedules.show("demo", "nightly", LoadTestScheduleStatus.model_validate(SCHEDULE))
    metrics.failures.labels("Bug").inc()
    metrics.ticks.observe(0.1)
    return metrics


def worker() -> Exporter:
    """A worker in the middle of a load."""
    plan = a_plan(a_stage(), requests=[a_request("chat")])
    totals = Totals()
    latencies = dict.fromkeys(DISTRIBUTIONS, (20.0,))
    totals.add(a_delta(0, a_cell(ms=(20.0,), metrics=latencies, errors={"Http503": 1})))
    supervisor = SimpleNamespace(phase=WorkerPhase.RUNNING, assignment=SimpleNamespace(plan=plan))
    return Exporter(cast(Supervisor, supervisor), totals)


def every() -> list[Series]:
    """All series, by source and name."""
    families: Iterable[tuple[str, Family]] = (
        *((OPERATOR, family) for family in operator().registry.collect()),
        *((WORKER, family) for family in worker().collect()),
    )
    return sorted((_series(source, family) for source, family in families), key=lambda one: (one.source, one.name))


def _series(source: str, family: Family) -> Series:
    if not family.samples:
        raise LookupError(f"{source}: {family.name} has no sample here: let contract/series.py show one")
    labels = tuple(name for name in max((each.labels for each in family.samples), key=len) if name != "le")
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Series(source, name, family.type, labels, family.documentation)


def page() -> str:
    """The reference page."""
    parts = [INTRODUCTION]
    for source, words in ABOUT.items():
        rows = (
            f"| `{one.name}` | {one.type} | {', '.join(one.labels)} | {one.unit} | {one.help.rstrip('.')} |"
            for one in every()
            if one.source == source
        )
        parts += [words, "| series | type | labels | unit | meaning |\n|---|---|---|---|---|", *rows]
    parts += [
        LABEL_WORDS,
        "| label | values |\n|---|---|",
        *(f"| `{name}` | {text} |" for name, text in LABELS.items()),
    ]
    return "\n".join(parts) + "\n"


INTRODUCTION = """\
<!-- Generated by `PYTHONPATH=tests python -m contract.series` from the code. Do not edit. -->
# Series for Prometheus

Base units (seconds, bytes, ratios of 0 to 1); what is not known has no sample. Alerts on them: [alerts](../alerts.md).
"""
ABOUT = {
    OPERATOR: """## The operator, port `metrics` (9090)

Its counters and histograms also have `_created`, the time at which the process made them.
""",
    WORKER: """
## Each worker of a run, port `metrics` (8092)

Histograms also have `_bucket`, `_sum` and `_count`. Add them up over workers; exact percentiles are in the report, for
these buckets are coarse.
""",
}
LABEL_WORDS = "\n## Labels\n"

STATUS: dict[str, Any] = {
    "phase": "Finished",
    "verdict": "Passed",
    "run": {"number": 1, "currentStage": "peak", "progressPercent": 100},
    "summary": {
        "requestsPerSecond": "9.8",
        "errorPercent": "0.5",
        "responseTimeMilliseconds": {"p50": "12", "p99": "40"},
        "ttftMilliseconds": {"p50": "10"},
        "stages": [{"name": "peak", "requestsPerSecond": "9.8"}],
    },
    "scaling": {
        "changes": [{"time": NOON, "desired": 2, "ready": 1}],
        "scaleUps": [{"fromReplicas": 1, "toReplicas": 2, "seconds": {"decided": "12.5", "serving": "31"}}],
    },
    "faults": [{"name": "slow", "result": "Recovered"}],
}
SCHEDULE: dict[str, Any] = {
    "nextScheduleTime": NOON,
    "recent": [{"name": "nightly-1", "verdict": "Passed"}],
    "conditions": [
        {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": NOON}
        for kind, reason in (("Ready", "Scheduled"), ("StartMissed", "StillRunning"))
    ],
}


if __name__ == "__main__":
    PAGE.write_text(page())
