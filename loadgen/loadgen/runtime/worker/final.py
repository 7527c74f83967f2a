"""What a worker that nobody collects says last: counts and percentiles per stage, one line of JSON.

It is made of totals that have been added up all along: after an hour it costs no more than after a second.
"""

from typing import Any

import msgspec

from loadgen.core.stats.tally import Selection, Totals
from loadgen.runtime.worker.supervisor import Supervisor

PERCENTS = (50.0, 90.0, 95.0, 99.0)


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
        f"{metric}Milliseconds": {f"p{percent:g}": histogram.percentile(percent) / 1000 for percent in PERCENTS}
        for metric, histogram in selection.histograms.items()
    }
