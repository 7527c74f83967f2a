"""What the operator itself costs: many LoadTests applied at once, some runs among them, and finished ones.

    python tests/perf/bench_operator.py --loadtests 200 --runs 5      (make bench-operator)

On the cluster of KUBECONFIG, in a namespace of its own, with the operator as a process of this machine. Processor time
and memory are the kernel's figures; API calls are all HTTP requests to the API server, kopf's watches included. Writes
docs/benchmarks/operator-<date>.md.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "e2e")]

from cluster import ROOT, Object
from operator_process import OperatorProcess
from workplace import PatientCluster, loadtest, operator_for, service, workplace

NAMESPACE = "ldt-bench"
STEADY_SECONDS = 30
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """The operator at one moment."""

    clock: float
    cpu: float
    memory_mib: float
    calls: int
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
            look_milliseconds=1000 * (self.looking - before.looking) / looks if looks else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """The operator over some time."""

    seconds: float
    cpu: float
    memory_mib: float
    calls: int
    look_milliseconds: float

    def row(self, what: str) -> str:
        """A row of the report."""
        return (
            f"| {what} | {self.seconds:.0f} | {1000 * self.cpu / self.seconds:.0f} | {self.memory_mib:.0f} "
            f"| {self.calls} | {self.calls / self.seconds:.1f} | {self.look_milliseconds:.1f} |"
        )


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


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def steady(operator: OperatorProcess) -> Cost:
    """Half a minute in which nothing is asked for."""
    before = sampled(operator)
    time.sleep(STEADY_SECONDS)
    return sampled(operator).since(before)


def phases(cluster: PatientCluster) -> list[str]:
    """Of all LoadTests."""
    text = cluster.kubectl("get", "loadtests", "-o", "jsonpath={range .items[*]}{.status.phase}{'\\n'}{end}")
    return text.split()


def applied(cluster: PatientCluster, bodies: list[Object]) -> None:
    """All in one request of kubectl."""
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))


def measure(cluster: PatientCluster, operator: OperatorProcess, loadtests: int, runs: int) -> list[str]:
    """The rows of the report."""
    operator.start()
    cluster.until("the operator leads", lambda: "leads" in operator.log, 30)
    rows = [steady(operator).row("no LoadTest")]

    before = sampled(operator)
    applied(cluster, [loadtest(f"held-{number}", suspend=True) for number in range(loadtests)])
    cluster.until("all have a status", lambda: phases(cluster).count("Pending") == loadtests, 120)
    rows.append(sampled(operator).since(before).row(f"{loadtests} applied at once, until each has its status"))
    rows.append(steady(operator).row(f"{loadtests} held (suspend)"))

    names = [f"run-{number}" for number in range(runs)]
    applied(cluster, [service(name) for name in names])
    before = sampled(operator)
    applied(cluster, [loadtest(name, seconds=10) for name in names])
    cluster.until("all runs are finished", lambda: phases(cluster).count("Finished") == runs, 60 + 20 * runs)
    cost = sampled(operator).since(before)
    rows.append(cost.row(f"{runs} runs of 10 s at once, beside {loadtests} held"))
    print(f"verdicts: {[cluster.status(name)['verdict'] for name in names]}")

    before = sampled(operator)
    cluster.rm(*[f"held-{number}" for number in range(loadtests)])
    cluster.until("the held ones are gone", lambda: len(phases(cluster)) == runs, 120)
    rows.append(sampled(operator).since(before).row(f"{loadtests} deleted at once"))
    rows.append(steady(operator).row(f"{runs} finished, their Jobs waiting for the ttl"))
    return rows


def report(rows: list[str], arguments: argparse.Namespace) -> str:
    """The page."""
    cores = os.cpu_count()
    return "\n".join(
        [
            f"# What the operator costs, {datetime.now(UTC):%Y-%m-%d}",
            "",
            f"`make bench-operator` ({arguments.loadtests} LoadTests, {arguments.runs} runs) on the local cluster: "
            f"{cores} cores of {platform.machine()} shared by the API server, etcd, the kubelet, workers, target and "
            f"operator; load average {os.getloadavg()[1]:.1f}. One sample, no statistics: for orders of magnitude.",
            "",
            "| situation | seconds | CPU (millicores) | memory at the end (MiB) | API calls | calls/s | one look (ms) |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "A look is one reconcile of one LoadTest. API calls are all requests to the API server: kopf's, the lease's, "
            "the janitor's and the runs'.",
            "",
        ]
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadtests", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"operator-{datetime.now(UTC):%Y-%m-%d}.md"
    )
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="loadtest-bench-"))
    with workplace(NAMESPACE) as cluster:
        operator = operator_for(cluster, folder)
        try:
            rows = measure(cluster, operator, arguments.loadtests, arguments.runs)
        finally:
            operator.close()
    page = report(rows, arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
