"""What a run looks like while it runs: a table that moves on a terminal, one line a second elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadgen.core.stats import samples
from loadgen.core.stats.histogram import Histogram
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric, Plan, Statistic
from loadgen.model.wire import WorkerState

SHOWN = (Statistic.P50, Statistic.P95, Statistic.P99)
RECENT = 5
"""Seconds that rates and percentiles of the live view look back on."""
Observe = Callable[[Tally, WorkerState], None]


class Snapshot:
    """The newest seconds in numbers."""

    def __init__(self, plan: Plan, tally: Tally, state: WorkerState) -> None:
        self.plan, self.state = plan, state
        self.second = tally.last_second
        span = range(max(0, self.second - RECENT + 1), self.second + 1)
        self.width = max(1, len(span))
        recent = tally.select(seconds=span)
        self.planned = recent.counts.planned / self.width
        self.succeeded = tally.ended(span).succeeded / self.width
        self.response = recent.histogram(Metric.RESPONSE_TIME)
        self.first_token = recent.histogram(Metric.TIME_TO_FIRST_TOKEN)
        beats = list(tally.pulses(span))
        self.in_flight = sum(beat.in_flight_microseconds for beat in beats) / 1e6 / self.width
        self.tokens = sum(beat.output_tokens for beat in beats) / self.width
        self.total = tally.select().counts

    @property
    def stage(self) -> str:
        """The stage under way."""
        end = 0
        for stage in self.plan.load.stages:
            end += stage.duration_seconds
            if self.second < end:
                return stage.name
        return "draining"

    def line(self) -> str:
        """One line for logs."""
        parts = [
            f"{self.second + 1:4d} s",
            self.stage,
            f"{self.planned:.0f}/s offered",
            f"{self.succeeded:.0f}/s done",
            f"{self.in_flight:.0f} in flight",
            f"p50 {_milliseconds(self.response, Statistic.P50)}",
            f"p99 {_milliseconds(self.response, Statistic.P99)}",
        ]
        if self.first_token.count:
            parts.append(f"ttft p50 {_milliseconds(self.first_token, Statistic.P50)}")
        if self.total.failed or self.total.dropped:
            parts.append(_errors(self))
        return "  ".join(parts)


def _milliseconds(histogram: Histogram, statistic: Statistic) -> str:
    """Nothing that the sample is too small for."""
    if samples.missing(statistic, histogram.count):
        return "–"
    value = samples.milliseconds(histogram, statistic)
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def _errors(snapshot: Snapshot) -> str:
    worst = sorted(snapshot.total.errors.items(), key=lambda item: -item[1])[:4]
    dropped = [("dropped", snapshot.total.dropped)] if snapshot.total.dropped else []
    return "errors " + ", ".join(f"{name} {count}" for name, count in [*worst, *dropped])


def picture(snapshot: Snapshot) -> RenderableType:
    """The table for terminals."""
    duration = snapshot.plan.load.duration_seconds
    table = Table.grid(padding=(0, 2))
    table.add_row("stage", Text(snapshot.stage, style="bold"), f"{snapshot.second + 1} of {duration} s")
    table.add_row("offered", f"{snapshot.planned:.1f}/s", "done", f"{snapshot.succeeded:.1f}/s")
    table.add_row("in flight", f"{snapshot.in_flight:.1f}", "tokens", f"{snapshot.tokens:.0f}/s")
    for name, histogram in (("response time", snapshot.response), ("first token", snapshot.first_token)):
        if histogram.count:
            table.add_row(name, *(f"{one.lower()} {_milliseconds(histogram, one)}" for one in SHOWN))
    if snapshot.total.failed or snapshot.total.dropped:
        table.add_row("", Text(_errors(snapshot), style="red"))
    return Group(ProgressBar(total=duration, completed=min(duration, snapshot.second + 1), width=60), table)


@contextmanager
def watching(console: Console, plan: Plan) -> Iterator[Observe]:
    """An observer that shows every new second."""
    seen = -1
    with Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else _Nothing() as view:

        def observe(tally: Tally, state: WorkerState) -> None:
            nonlocal seen
            if tally.last_second <= seen:
                return
            seen = tally.last_second
            snapshot = Snapshot(plan, tally, state)
            if isinstance(view, Live):
                view.update(picture(snapshot), refresh=True)
            else:
                console.print(snapshot.line(), markup=False, highlight=False, soft_wrap=True)

        yield observe


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
