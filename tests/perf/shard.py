"""Plays a plan with the generator's own shard code, in one process that the caller pins to a core, and prints figures.

    python tests/perf/shard.py plan.json URL [--stamps] [--skip SECONDS]

The same objects as in a worker's shard process (`loadgen.runtime.pacing.run.Run`), without the supervisor beside it, so that a
core's worth of load is all that is measured. The first `skip` seconds and what comes after the stages are left out.

With --stamps the body pieces are kept as they were handed to the protocol with the generator's own time stamp, and
compared afterwards with the send times that the simulator wrote into them.
"""

import argparse
import json
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from loadgen.core.schedule.segment import Segment
from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Plan
from loadgen.model.wire import Delta
from loadgen.runtime.clock import MILLISECOND, monotonic_ns
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.target import Target
from loadgen.runtime.pacing.run import Run

STAMP = re.compile(rb'"content":"(\d{20})"')
Kept = list[tuple[bytes, int]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("plan", type=Path)
    parser.add_argument("url")
    parser.add_argument("--stamps", action="store_true")
    parser.add_argument("--skip", type=int, default=1)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plan = Plan.model_validate_json(options.plan.read_bytes())
    kept: Kept | None = [] if options.stamps else None
    deltas = uvloop.run(play(plan, options.url, kept))
    seconds = range(options.skip, plan.load.duration_seconds)
    print(json.dumps(figures(plan, deltas, seconds) | ({"stampError": stamp_error(kept)} if kept else {})))


async def play(plan: Plan, url: str, kept: Kept | None) -> list[Delta]:
    """One whole run of one shard."""
    deltas: list[Delta] = []
    run = Run(plan, Segment.of(0, 1, 0, 1), 0, 0, Target.parse(url))
    if kept is not None:
        keep_pieces(run, kept)
    await run.play(monotonic_ns() + 300 * MILLISECOND, deltas.append, lambda: None)
    return deltas


def keep_pieces(run: Run, kept: Kept) -> None:
    """Remember what the protocol is given, and when the generator says it came."""
    kind: Any = run._executor._kinds[0]
    consume = kind.consume

    def keep(exchange: Exchange, body: bytes, stamp: int) -> bool:
        kept.append((body, stamp))
        over: bool = consume(exchange, body, stamp)
        return over

    kind.consume = keep


def stamp_error(kept: Kept) -> dict[str, float]:
    """How much later than sent the generator says that events came, microseconds; the later two thirds of the run."""
    late = kept[len(kept) // 3 :]
    errors = [stamp - int(sent) for body, stamp in late for sent in STAMP.findall(body)]
    return percentiles(np.array(errors) / 1000)


def percentiles(values: "np.ndarray[Any, Any]") -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return {"count": len(values), "p50": float(p50), "p99": float(p99), "max": float(values.max())}


def figures(plan: Plan, deltas: list[Delta], seconds: range) -> dict[str, Any]:
    """What the run gave in these seconds; microseconds."""
    tally = Tally(plan)
    for delta in deltas:
        tally.add(delta)
    pulses = [delta.pulse for delta in deltas if delta.second in seconds]
    whole = tally.select()
    return {
        "seconds": len(seconds),
        "requests": sum(pulse.completions for pulse in pulses),
        "events": sum(pulse.output_events for pulse in pulses),
        "reads": sum(pulse.reads for pulse in pulses),
        "cpu": sum(pulse.cpu_microseconds for pulse in pulses),
        "peakInFlight": max(pulse.peak_in_flight for pulse in pulses),
        "residentBytes": max(pulse.resident_bytes for pulse in pulses),
        "failed": whole.counts.failed,
        "dropped": whole.counts.dropped,
        "errors": whole.counts.errors,
        "scheduleLag": summary(tally.schedule_lag(seconds)),
        "loopLag": summary(tally.loop_lag(seconds)),
        "latencies": {str(metric): summary(histogram) for metric, histogram in whole.histograms.items()},
    }


def summary(histogram: Histogram) -> dict[str, float]:
    if not histogram.count:
        return {}
    return {
        "count": histogram.count,
        "mean": histogram.mean,
        "p50": histogram.percentile(50),
        "p99": histogram.percentile(99),
    }


if __name__ == "__main__":
    main()
