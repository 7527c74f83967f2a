"""What the operator itself costs: many LoadTests applied at once, runs, one run of many workers, and finished ones.

    python tests/perf/bench_operator.py --loadtests 200 --runs 5 --workers 50 --finished 100      (make bench-operator)

On the cluster of KUBECONFIG, in a namespace of its own, with the operator as a process of this machine. Processor time
and memory are the kernel's figures; API calls are all HTTP requests to the API server, kopf's watches included. Writes
docs/benchmarks/operator-<date>.md.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "e2e")]

from cluster import ROOT, Object
from operator_process import OperatorProcess
from workplace import PatientCluster, loadtest, operator_for, service, workplace

from perf.machine import describe

NAMESPACE = "ldt-bench"
STEADY_SECONDS = 30
BATCH = 20
"""So many runs at once, to come by finished ones."""
TICKS = os.sysconf("SC_CLK_TCK")
STATUS_WRITES = "PATCH loadtests/status"
SMALL = {"resources": {"requests": {"cpu": "10m", "memory": "96Mi"}}}
"""Workers of which many fit one node."""
COLUMNS = (
    *("situation", "seconds", "CPU (millicores)", "memory at the end (MiB)", "API calls", "calls/min"),
    *("status writes", "looks", "one look (ms)"),
)
UNIMPORTANT = ("wrk", "nginx")
"""Of the machine's description."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The operator at one moment."""

    clock: float
    cpu: float
    memory_mib: float
    calls: Counter[str]
    looks: float
    looking: float

    def since(self, before: "Sample") -> "Cost":
        """What happened in between."""
        looks = self.looks - before.looks
        return Cost(
            seconds=self.clock - before.clock,
            cpu=self.cpu - before.cpu,
            memory_mib=self.memory_mib,
            calls=self.calls - before.calls,
            looks=int(looks),
            look_milliseconds=1000 * (self.looking - before.looking) / looks if looks else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """The operator over some time."""

    seconds: float
    cpu: float
    memory_mib: float
    calls: Counter[str]
    looks: int
    look_milliseconds: float

    def row(self, what: str) -> str:
        """A row of the report."""
        calls, writes = self.calls.total(), self.calls[STATUS_WRITES]
        figures = (self.seconds, 1000 * self.cpu / self.seconds, self.memory_mib, calls, 60 * calls / self.seconds)
        cells = [f"{figure:.0f}" for figure in (*figures, writes, self.looks)]
        return _row((what, *cells, f"{self.look_milliseconds:.1f}"))


@dataclass(slots=True)
class Bench:
    """What was measured so far: rows of the table, and sentences."""

    cluster: PatientCluster
    operator: OperatorProcess
    rows: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def measured(self, what: str) -> Iterator[list[Cost]]:
        """A row for what is done meanwhile; the cost is in the list afterwards."""
        print(f"[bench-operator] {what} …", file=sys.stderr, flush=True)
        found: list[Cost] = []
        before = sampled(self.operator)
        yield found
        found.append(sampled(self.operator).since(before))
        self.rows.append(found[0].row(what))
        print(self.rows[-1], file=sys.stderr, flush=True)

    def steady(self, what: str) -> Cost:
        """Half a minute in which nothing is asked for."""
        with self.measured(what) as cost:
            time.sleep(STEADY_SECONDS)
        return cost[0]

    def applied(self, bodies: list[Object]) -> None:
        """All in one request of kubectl."""
        self.cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))

    def phases(self) -> Counter[str]:
        """Of all LoadTests."""
        path = "{range .items[*]}{.status.phase}{'\\n'}{end}"
        return Counter(self.cluster.kubectl("get", "loadtests", "-o", f"jsonpath={path}").splitlines())

    def until_phase(self, phase: str, number: int, seconds: float) -> None:
        self.cluster.until(f"{number} are {phase}", lambda: self.phases()[phase] == number, seconds)

    def verdicts(self, names: list[str]) -> str:
        """How many of each."""
        found = Counter(self.cluster.status(name).get("verdict", "none") for name in names)
        return ", ".join(f"{number} {verdict}" for verdict, number in sorted(found.items()))

    def cleared(self) -> None:
        """No LoadTest is left."""
        self.cluster.kubectl("delete", "loadtests", "--all", "--wait=false")
        self.cluster.until("all LoadTests are gone", lambda: not self.phases(), 120)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def sampled(operator: OperatorProcess) -> Sample:
    """From /proc, the operator's own metrics and the counter of its wrapper."""
    fields = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{operator.pid}/status").read_text()
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.metrics_port}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    memory = re.search(r"VmRSS:\s+(\d+)", status)
    return Sample(
        clock=time.monotonic(),
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
        memory_mib=int(memory[1]) / 1024 if memory else 0.0,
        calls=operator.calls,
        looks=_metric(metrics, "loadtest_operator_reconcile_seconds_count"),
        looking=_metric(metrics, "loadtest_operator_reconcile_seconds_sum"),
    )


def shows(operator: OperatorProcess) -> bool:
    """Whether its metrics can be read."""
    try:
        return "leads" in operator.log and sampled(operator).clock > 0
    except OSError:
        return False


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def held(bench: Bench, loadtests: int) -> None:
    """Many LoadTests that only wait."""
    bench.steady("no LoadTest")
    with bench.measured(f"{loadtests} applied at once, until each has its status"):
        bench.applied([loadtest(f"held-{number}", suspend=True) for number in range(loadtests)])
        bench.until_phase("Pending", loadtests, 120)
    bench.steady(f"{loadtests} held (suspend)")


def beside(bench: Bench, loadtests: int, runs: int) -> None:
    """Runs while the held ones are there."""
    names = [f"run-{number}" for number in range(runs)]
    bench.applied([service(name) for name in names])
    with bench.measured(f"{runs} runs of 10 s at once, beside {loadtests} held"):
        bench.applied([loadtest(name, seconds=10) for name in names])
        bench.until_phase("Finished", runs, 60 + 20 * runs)
    bench.notes.append(f"The {runs} runs at once: {bench.verdicts(names)}.")
    with bench.measured(f"{loadtests} held and {runs} finished deleted at once"):
        bench.cleared()


def alone(bench: Bench) -> None:
    """One run, for its API calls."""
    bench.applied([service("alone")])
    with bench.measured("one run of 30 s alone") as cost:
        bench.applied([loadtest("alone", seconds=30)])
        status = bench.cluster.finished("alone", seconds=90)
    calls = ", ".join(f"{what} {number}" for what, number in cost[0].calls.most_common(8))
    bench.notes.append(
        f"One run of 30 s alone ({status['verdict']}, {cost[0].seconds:.0f} s from apply to verdict): "
        f"{cost[0].calls.total()} API calls, {cost[0].calls[STATUS_WRITES]} of them writes of its status. The most: {calls}."
    )
    bench.cleared()


def many_workers(bench: Bench, workers: int) -> None:
    """One run on many small pods."""
    stages = [{"name": "only", "durationSeconds": 30, "arrivalRate": workers}]
    load = {"workers": workers, "seed": 7, "gracefulStopSeconds": 10, "stages": stages}
    bench.applied([service("wide")])
    with bench.measured(f"one run of 30 s with {workers} workers") as cost:
        bench.applied([loadtest("wide", load=load, workerTemplate=SMALL)])
        status = bench.cluster.finished("wide", seconds=360)
    found, run = status["workers"], status["run"]
    started = _seconds(run["startTime"], run["loadStartTime"]) if "loadStartTime" in run else "never"
    bench.notes.append(
        f"{workers} workers in one run: {status['verdict']} ({status['message']}); load began {started} s after the run "
        f"did (its pods share this machine's cores), starts {found.get('startSkewMilliseconds', '?')} ms apart, clocks "
        f"{found.get('clockSkewMilliseconds', '?')} ms apart, {cost[0].calls[STATUS_WRITES]} writes of its status."
    )
    bench.cleared()


def finished(bench: Bench, number: int) -> None:
    """What finished LoadTests cost whose Jobs wait for their ttl."""
    names = [f"done-{index}" for index in range(number)]
    bench.applied([service(name) for name in names])
    with bench.measured(f"{number} runs of 2 s, {min(BATCH, number)} at a time"):
        for first in range(0, number, BATCH):
            batch = names[first : first + BATCH]
            bench.applied([loadtest(name, seconds=2, workerTemplate=SMALL) for name in batch])
            bench.until_phase("Finished", first + len(batch), 180)
    bench.notes.append(f"The {number} runs of 2 s: {bench.verdicts(names)}.")
    cost = bench.steady(f"{number} finished, their Jobs waiting for the ttl")
    calls = ", ".join(f"{what} {count}" for what, count in cost.calls.most_common(4))
    bench.notes.append(
        f"{number} finished LoadTests cost {60 * cost.calls.total() / cost.seconds:.0f} API calls a minute "
        f"(in {cost.seconds:.0f} s: {calls})."
    )
    with bench.measured(f"{number} finished deleted at once"):
        bench.cleared()


def _seconds(begin: str, end: str) -> str:
    passed = datetime.fromisoformat(end) - datetime.fromisoformat(begin)
    return f"{passed.total_seconds():.0f}"


def measure(cluster: PatientCluster, operator: OperatorProcess, arguments: argparse.Namespace) -> Bench:
    """Everything, in order."""
    bench = Bench(cluster, operator)
    operator.start()
    cluster.until("the operator leads and shows its metrics", lambda: shows(operator), 30)
    held(bench, arguments.loadtests)
    beside(bench, arguments.loadtests, arguments.runs)
    alone(bench)
    if arguments.workers:
        many_workers(bench, arguments.workers)
    if arguments.finished:
        finished(bench, arguments.finished)
    return bench


def report(bench: Bench, machine: dict[str, str], seconds: float) -> str:
    """The page."""
    lines = [
        f"# What the operator costs, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"`make bench-operator`, {seconds / 60:.0f} minutes, on the local cluster: the cores are shared by the API server, "
        f"etcd, the kubelet, workers, target and operator (load average {os.getloadavg()[2]:.1f}). One sample, no "
        "statistics: for orders of magnitude.",
        "",
        "| Machine | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in machine.items() if name not in UNIMPORTANT),
        "",
        _row(COLUMNS),
        "|---|" + "---:|" * (len(COLUMNS) - 1),
        *bench.rows,
        "",
        *(f"- {note}" for note in bench.notes),
        "",
        "A look is one reconcile of one LoadTest. API calls are all requests to the API server: kopf's, the lease's, "
        "the janitor's and the runs'; workers are asked directly and do not count.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadtests", type=int, default=200, help="that only wait")
    parser.add_argument("--runs", type=int, default=5, help="at once")
    parser.add_argument("--workers", type=int, default=50, help="of one run; 0 leaves that out")
    parser.add_argument("--finished", type=int, default=100, help="runs that are over; 0 leaves them out")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"operator-{datetime.now(UTC):%Y-%m-%d}.md"
    )
    arguments = parser.parse_args()
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="loadtest-bench-"))
    with workplace(NAMESPACE) as cluster:
        operator = operator_for(cluster, folder)
        try:
            bench = measure(cluster, operator, arguments)
        finally:
            operator.close()
    page = report(bench, describe(), time.monotonic() - begun)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
