"""What a worker that nobody collects says last: counts and percentiles per stage, one line of JSON.

It is made of totals that have been added up all along: after an hour it costs no more than after a second.
"""

from typing import Any

import msgspec

from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.tally import Selection, Totals
from loadgen.model.plan import Statistic
from loadgen.runtime.worker.supervisor import Supervisor

SHOWN = (Statistic.P50, Statistic.P90, Statistic.P95, Statistic.P99)


def final_line(supervisor: Supervisor, totals: Totals) -> str:
    """The line."""
    state, stages = supervisor.state(), supervisor.assignment.plan.load.stages
    report = {
        "loadgenWorker": state.worker,
        "phase": state.phase,
        "message": state.message,
        "startAt": state.start_at,
        "stages": {stage.name: _numbers(totals.stage(index)) for index, stage in enumerate(stages)},
    }
    return msgspec.json.encode(report).decode()


def _numbers(selection: Selection) -> dict[str, Any]:
    counts = selection.counts
    names = ("planned", "sent", "succeeded", "failed", "dropped", "incomplete", "good", "errors")
    return {name: getattr(counts, name) for name in names} | {
        f"{metric}Milliseconds": {statistic.lower(): _shown(histogram, statistic) for statistic in SHOWN}
        for metric, histogram in selection.histograms.items()
    }


def _shown(histogram: Histogram, statistic: Statistic) -> float | None:
    """Nothing that the sample is too small for."""
    return None if samples.missing(statistic, histogram.count) else samples.milliseconds(histogram, statistic)
