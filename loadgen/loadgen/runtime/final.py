"""What a worker that nobody collected says last: counts and percentiles per stage, one line of JSON."""

from typing import Any

import msgspec

from loadgen.core.tally import Selection, Tally
from loadgen.model.wire import Delta
from loadgen.runtime.supervisor import Supervisor

PERCENTS = (50.0, 90.0, 95.0, 99.0)
_decode = msgspec.msgpack.Decoder(Delta).decode


def final_line(supervisor: Supervisor) -> str:
    """The line."""
    plan = supervisor.assignment.plan
    tally = Tally(plan)
    for packed in supervisor.deltas.after(0):
        tally.add(_decode(packed))
    state = supervisor.state()
    report = {
        "loadgenWorker": state.worker,
        "phase": state.phase,
        "message": state.message,
        "startAt": state.start_at,
        "stages": {stage.name: _numbers(tally.select(stages={index})) for index, stage in enumerate(plan.load.stages)},
    }
    return msgspec.json.encode(report).decode()


def _numbers(selection: Selection) -> dict[str, Any]:
    counts = selection.counts
    names = ("planned", "sent", "succeeded", "failed", "dropped", "incomplete", "good", "errors")
    return {name: getattr(counts, name) for name in names} | {
        f"{metric}Milliseconds": {f"p{percent:g}": histogram.percentile(percent) / 1000 for percent in PERCENTS}
        for metric, histogram in selection.histograms.items()
    }
