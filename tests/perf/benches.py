"""What is measured. Each bench returns a table; contenders take turns (A B C A B C …) on the same server.

Ratios are medians of the ratios within a round, never ratios of medians: what disturbs the machine for a while disturbs
both sides of a round. A round waits for a quiet moment, within limits; one in which others took more than a tenth of the
machine is played again, twice at most; then the least disturbed ones count, whatever they say.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from fakes import real, simulators
from perf import contenders, machine, merging
from perf.contenders import Contender, MissingError, Sample

TOKENS = 256
QUIET_PERCENT = 10.0
OCCASIONAL = frozenset({"vegeta", "aiohttp loop", "Locust"})
"""Contenders whose figure needs less precision."""


@dataclass(frozen=True)
class Scale:
    """How long and how often."""

    seconds: int
    rounds: int
    streams: int

    patience: machine.Patience
    trees: dict[str, Path] = field(default_factory=lambda: {"loadgen": contenders.ROOT})
    """The generator by name: this one first, then that of an earlier commit where it is set against one."""

    @property
    def most(self) -> int:
        """Rounds that may be played to get enough quiet ones."""
        return self.rounds + 2 if self.rounds > 1 else 1

    @classmethod
    def of(cls, *, quick: bool, patience: float) -> "Scale":
        return cls(3, 1, 2_000, machine.Patience(0)) if quick else cls(4, 4, 10_000, machine.Patience(patience))

    def generators(self, run: Callable[..., Sample], *args: Any) -> dict[str, Contender]:
        """The same with each generator."""
        return {name: partial(run, tree, *args) for name, tree in self.trees.items()}


@dataclass
class Table:
    """One section of the page."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    """What the JSON has: all samples."""


@dataclass
class Turns:
    """What came out of some rounds."""

    rounds: list[dict[str, Sample]]
    """By contender."""
    missing: dict[str, str]
    """Why a contender has none."""
    disturbed: list[float]
    """Percent of the machine that others took, round by round."""

    def of(self, name: str) -> list[Sample]:
        return [taken[name] for taken in self.rounds if name in taken]

    def ratio(self, name: str, to: str) -> float:
        """Median of the ratios of the rates within a round."""
        pairs = [
            taken[name].per_second / taken[to].per_second for taken in self.rounds if name in taken and to in taken
        ]
        return median(pairs) if pairs else 0.0

    def note(self, table: "Table", what: str = "the rounds that count") -> None:
        table.notes += [f"{name}: not measured: {reason}" for name, reason in self.missing.items()]
        shares = ", ".join(f"{share:.0f}" for share in self.disturbed)
        table.notes.append(f"Others took {shares} % of the machine in {what}")

    def data(self) -> dict[str, Any]:
        rounds = [{name: _plain(sample) for name, sample in taken.items()} for taken in self.rounds]
        return {"rounds": rounds, "missing": self.missing, "othersPercent": self.disturbed}


def turns(rivals: dict[str, Contender], scale: Scale) -> Turns:
    """Everyone once a round (occasional ones every other round), until there are enough quiet rounds."""
    missing: dict[str, str] = {}
    played: list[tuple[float, dict[str, Sample]]] = []
    while len(played) < scale.most and sum(share <= QUIET_PERCENT for share, _ in played) < scale.rounds:
        scale.patience.settle(QUIET_PERCENT)
        asked = {name: run for name, run in rivals.items() if name not in OCCASIONAL or len(played) % 2 == 0}
        busy = machine.Busy()
        taken = {name: sample for name, run in asked.items() if (sample := _turn(name, run, missing)) is not None}
        played.append((busy.percent(), taken))
    best = sorted(played, key=lambda one: one[0])[: scale.rounds]
    return Turns([taken for _, taken in best], missing, [share for share, _ in best])


def _turn(name: str, run: Contender, missing: dict[str, str]) -> Sample | None:
    if name in missing:
        return None
    try:
        return run()
    except MissingError as reason:
        missing[name] = str(reason)
        return None


def compare(title: str, unit: str, rivals: dict[str, Contender], scale: Scale) -> Table:
    """Units per second and CPU time per unit; the first contender is what the others are set against."""
    found = turns(rivals, scale)
    first = next(iter(rivals))
    table = Table(
        title, ("", f"{unit}/s, one core", f"× {first}", f"CPU µs/{unit}", f"{unit}/CPU s", "range of rounds")
    )
    for name in rivals:
        rows = found.of(name)
        if not rows:
            continue
        rates, cost = [row.per_second for row in rows], median(row.microseconds for row in rows)
        per_cpu = f"{1e6 / cost:,.0f}" if cost else ""
        spread = f"{min(rates):,.0f} – {max(rates):,.0f}"
        ratio = f"{found.ratio(name, first):.2f}"
        table.rows.append((name, f"{median(rates):,.0f}", ratio, f"{cost:.1f}", per_cpu, spread))
    found.note(table)
    table.notes += [_against(found, name) for name in scale.trees if name != "loadgen"]
    table.data = found.data()
    return table


def _against(found: Turns, name: str) -> str:
    return f"loadgen × {name}: {found.ratio('loadgen', name):.2f}"


def _plain(sample: Sample) -> dict[str, Any]:
    return {"perSecond": sample.per_second, "microseconds": sample.microseconds, "details": sample.details}


def requests(scale: Scale) -> list[Table]:
    """Plain requests against nginx."""
    tables = []
    with real.nginx(prefix=contenders.on_server_core()) as url:
        for connections in (50, 500):
            asked = url, connections, scale.seconds
            rivals: dict[str, Contender] = {
                "wrk": partial(contenders.wrk, *asked),
                **scale.generators(contenders.generator_requests, *asked),
                "vegeta": partial(contenders.vegeta, *asked),
                "aiohttp loop": partial(contenders.aiohttp, *asked),
                "Locust": partial(contenders.locust, *asked),
            }
            title = f"Requests per second, nginx, {connections} connections"
            tables.append(compare(title, "request", rivals, scale))
    return tables


def varied(scale: Scale) -> list[Table]:
    """Plain requests whose answers all differ, as those of an API with request ids do."""
    with real.nginx(prefix=contenders.on_server_core()) as url:
        rivals: dict[str, Contender] = {
            "wrk": lambda: contenders.wrk(url, 50, scale.seconds, "/id"),
            **scale.generators(contenders.generator_requests, url, 50, scale.seconds, "/id"),
        }
        return [compare("Requests per second, another id in each answer, 50 connections", "request", rivals, scale)]


def usable(scale: Scale) -> list[Table]:
    """The arrival rate up to which the whole product calls its own measurement valid."""
    low, high = 0, 64_000
    tried: dict[str, Any] = {}
    with contenders.undisturbed(), real.nginx(prefix=contenders.on_server_core()) as url:
        while high - low > max(250, high // 16):
            rate = (low + high) // 2
            tried[str(rate)] = validity = contenders.product(url, rate, scale.seconds + 4)["validity"]
            low, high = (rate, high) if validity["level"] == "Valid" else (low, rate)
    table = Table("Usable rate: arrivals/s with one shard and another id in each answer", ("arrivals/s", "measurement"))
    for rate, found in sorted(tried.items(), key=lambda one: int(one[0])):
        table.rows.append((f"{int(rate):,}", "; ".join([found["level"], *found.get("reasons", ())])))
    table.notes.append(f"Valid up to {low:,} arrivals/s, no longer at {high:,}, by halving")
    table.data = tried
    return [table]


def events(scale: Scale) -> list[Table]:
    """Server-sent events as fast as they come."""
    flags = ("--ttft-ms=0", "--tpot-ms=0", f"--tokens={TOKENS}")
    streams = 16
    with simulators.running(*flags, prefix=contenders.on_server_core()) as target:
        rivals: dict[str, Contender] = {
            "wrk (parses no events)": lambda: contenders.wrk_stream(target.url, streams, scale.seconds, TOKENS),
            **scale.generators(contenders.generator_events, target.url, streams, scale.seconds),
            "vLLM-style aiohttp": lambda: contenders.aiohttp_stream(target.url, streams, scale.seconds),
        }
        title = f"Server-sent events per second, simulator, {streams} streams of {TOKENS} tokens without a pace"
        table = compare(title, "event", rivals, scale)
    table.notes.append("guidellm: not measured: its environment is 5.6 GB and it wants a tokenizer from a model hub")
    return [table]


def _simulator(flags: tuple[str, ...]) -> AbstractContextManager[simulators.Simulator]:
    return simulators.running(*flags, prefix=contenders.on_server_core())


def lag(scale: Scale) -> list[Table]:
    """How late arrivals are sent."""
    names = (*scale.trees, "aiohttp and asyncio.sleep")
    columns = ("arrivals/s", *(column for name in names for column in (f"{name} P50 µs", "P99 µs")))
    table = Table("Schedule lag, Poisson arrivals, GET on nginx", columns)
    with contenders.undisturbed(), real.nginx(prefix=contenders.on_server_core()) as url:
        for rate in (200, 1000, 5000):
            rivals: dict[str, Contender] = {
                **scale.generators(contenders.generator_open, url, rate, scale.seconds),
                "aiohttp": partial(contenders.aiohttp_open, url, rate, scale.seconds),
            }
            found = turns(rivals, scale)
            cells = [cell for name in rivals for cell in _cells(found.of(name), "scheduleLag")]
            table.rows.append((f"{rate:,}", *cells))
            found.note(table, f"the rounds at {rate:,}/s")
            table.data[str(rate)] = found.data()
    table.notes.append("wrk, vegeta, Locust: not measured: they do not say how late they are")
    return [table]


def _cells(samples: list[Sample], detail: str) -> tuple[str, str]:
    """Medians of P50 and of P99."""
    values = [sample.details[detail] for sample in samples if sample.details.get(detail)]
    if not values:
        return "", ""
    p50, p99 = (median(value[key] for value in values) for key in ("p50", "p99"))
    return f"{p50:,.0f}", f"{p99:,.0f}"


def stamps(scale: Scale) -> list[Table]:
    """How wrong time stamps of events are."""
    columns = ("", "events/s", "P50 µs", "P99 µs", "CPU % of a core")
    table = Table("Error of time stamps, against send times that the simulator writes into each event", columns)
    for streams, pause in ((50, 50), (400, 20)):
        flags = ("--ttft-ms=50", f"--tpot-ms={pause}", "--tokens=2000", "--stamp", "--jitter=1")
        with contenders.undisturbed(), _simulator(flags) as target:
            found = turns(_stampers(target.url, streams, scale), scale)
        for name in (*scale.trees, "vLLM-style aiohttp"):
            rows = found.of(name)
            if not rows:
                continue
            rate, busy = median(row.per_second for row in rows), median(row.cpu / row.seconds for row in rows)
            title = f"{name}, {streams} streams × {1000 // pause}/s"
            table.rows.append((title, f"{rate:,.0f}", *_cells(rows, "stampError"), f"{100 * busy:.0f}"))
        found.note(table, f"the rounds with {streams} streams")
        table.data[f"{streams} streams"] = found.data()
    return [table]


def _stampers(url: str, streams: int, scale: Scale) -> dict[str, Contender]:
    return {
        **scale.generators(contenders.generator_stamps, url, streams, scale.seconds),
        "vLLM-style aiohttp": lambda: contenders.aiohttp_stream(url, streams, scale.seconds, 2),
    }


def slow(scale: Scale) -> list[Table]:
    """Very many slow streams in one shard."""
    columns = ("streams", "events/s", "CPU % of a core", "memory MiB", "KiB a stream", "loop lag P99 µs", "failed")
    table = Table("Concurrent slow streams in one worker (one token a second each)", columns)
    flags = ("--ttft-ms=1000", "--tpot-ms=1000", "--tokens=600")
    chat = {"model": "simulator", "prompt": {"text": "one two three"}, "maxTokens": 600}
    for streams in (scale.streams // 10, scale.streams):
        with contenders.undisturbed(), _simulator(flags) as target:
            what = contenders.plan({"openAIChat": chat}, contenders.closed(streams, 16, ramp=8))
            found = contenders.generator(what, target.url, skip=10)
        table.data[str(streams)] = found
        table.rows.append(_slow_row(found, table))
    return [table]


def _slow_row(found: dict[str, Any], table: Table) -> tuple[str, ...]:
    busy = found["cpu"] / found["seconds"] / 1e4
    each = ""
    if len(table.data) > 1:
        fewer = next(iter(table.data.values()))
        more = found["peakInFlight"] - fewer["peakInFlight"]
        each = f"{(found['residentBytes'] - fewer['residentBytes']) / max(1, more) / 1024:.1f}"
    return (
        f"{found['peakInFlight']:,}",
        f"{found['events'] / found['seconds']:,.0f}",
        f"{busy:.0f}",
        f"{found['residentBytes'] / 2**20:.0f}",
        each,
        f"{found['loopLag']['p99']:,.0f}",
        f"{found['failed']:,}",
    )


def merge(scale: Scale) -> list[Table]:
    """What the collecting side pays."""
    workers, seconds = (50, 60) if scale.rounds == 1 else (50, 600)
    begin = monotonic()
    cost = merging.measure(workers, seconds)
    columns = (
        "workers × seconds",
        "deltas",
        "MB on the wire",
        "decode and add",
        "µs a delta",
        "percentiles of the run",
    )
    row = (
        f"{workers} × {seconds}",
        f"{cost.deltas:,}",
        f"{cost.wire_bytes / 1e6:.0f}",
        f"{cost.add_seconds:.2f} s",
        f"{cost.add_seconds / cost.deltas * 1e6:.0f}",
        f"{cost.select_seconds * 1000:.0f} ms",
    )
    table = Table("Merge of all workers' deltas (two kinds of request, four latencies each)", columns, [row])
    table.data = {"cost": vars(cost), "wallSeconds": monotonic() - begin}
    return [table]


BENCHES: dict[str, Callable[[Scale], list[Table]]] = {
    "requests": requests,
    "varied": varied,
    "usable": usable,
    "events": events,
    "lag": lag,
    "stamps": stamps,
    "slow": slow,
    "merge": merge,
}
