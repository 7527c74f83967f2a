"""How long a user waits: from creation to the first request, from the load's end to the verdict, from an abort to its end.

    python tests/perf/bench_start.py --runs 10                                               (make bench-start)

On the cluster of KUBECONFIG, in a namespace of its own, with the operator as a process of this machine: all clocks are one.
What is waited for is read off watches, and the first request off the target. Prints tables; nothing is asserted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "e2e")]

from cluster import Object
from workplace import PatientCluster, loadtest, operating, worker_processes, workplace

from fakes.processes import stopped

NAMESPACE = "quick-start"
LOAD_SECONDS = 3
PROMISED = {"first request": 3.0, "verdict": 1.0, "abort": 2.0}
"""Seconds, median."""


@dataclass(slots=True)
class Watched:
    """What one watch has told, each with the moment it came (seconds since the epoch)."""

    told: list[tuple[float, Object]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, thing: Object) -> None:
        """The newest."""
        with self.news:
            self.told.append((time.time(), thing))
            self.news.notify_all()

    def first(self, holds: Callable[[Object], bool], seconds: float) -> tuple[float, Object]:
        """When something was first true, and what was told then."""
        deadline = time.monotonic() + seconds
        with self.news:
            while True:
                for moment, thing in self.told:
                    if holds(thing):
                        return moment, thing
                if not self.news.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"not within {seconds} s; the last told: {self.told[-1:]}")


@dataclass(frozen=True, slots=True)
class Api:
    """The API server, by `kubectl proxy`: requests without a process for each."""

    base: str

    def ask(self, method: str, path: str, body: Object | None = None, content: str = "application/json") -> Any:
        """The answer, as JSON."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={"Content-Type": content})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def watch(self, path: str) -> Watched:
        """From now on; its thread ends with the process."""
        watched = Watched()
        answer = urllib.request.urlopen(f"{self.base}{path}{'&' if '?' in path else '?'}watch=1", timeout=600)

        def listen() -> None:
            for line in answer:
                watched.tell(json.loads(line)["object"])

        threading.Thread(target=listen, daemon=True).start()
        return watched


@contextmanager
def proxied() -> Iterator[Api]:
    """`kubectl proxy` on a free port of loopback."""
    command = ["kubectl", "proxy", "--port=0", "--disable-filter=false"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Api(f"http://{process.stdout.readline().rsplit(' ', 1)[-1].strip()}")
    finally:
        process.terminate()
        process.wait(10)


@dataclass(slots=True)
class Bench:
    """A workplace with its operator."""

    cluster: PatientCluster
    api: Api
    number: int = 0

    @property
    def loadtests(self) -> str:
        return f"/apis/loadtest.dev/v1alpha1/namespaces/{self.cluster.namespace}/loadtests"

    def begin(self, **spec: Any) -> "Run":
        """A LoadTest, created now."""
        self.number += 1
        name = f"run-{self.number}"
        pods = f"/api/v1/namespaces/{self.cluster.namespace}/pods?labelSelector=loadtest.dev/name={name}"
        tests = self.api.watch(f"{self.loadtests}?fieldSelector=metadata.name={name}")
        workers = self.api.watch(pods)
        body = loadtest(name, service="target", **spec)
        sent = time.time()
        self.api.ask("POST", self.loadtests, body)
        return Run(self, name, sent, tests, workers)

    def times(self) -> dict[str, dict[str, list[float]]]:
        """Of the target: path → client → first and last request."""
        path = f"/api/v1/namespaces/{self.cluster.namespace}/services/target:http/proxy/times"
        found: dict[str, dict[str, list[float]]] = self.api.ask("GET", path)
        return found


@dataclass(slots=True)
class Run:
    """One LoadTest from its creation on."""

    bench: Bench
    name: str
    sent: float
    tests: Watched
    workers: Watched

    def phase(self, phase: str, seconds: float = 60) -> tuple[float, Object]:
        """When this phase was first told of."""
        moment, found = self.tests.first(lambda test: test.get("status", {}).get("phase") == phase, seconds)
        return moment, found["status"]

    def loading(self) -> None:
        """Until a stage is being offered."""
        self.tests.first(lambda test: "currentStage" in test.get("status", {}).get("run", {}), 60)

    def abort(self) -> float:
        """When it was asked for."""
        asked = time.time()
        body = {"spec": {"abort": True}}
        self.bench.api.ask("PATCH", f"{self.bench.loadtests}/{self.name}", body, "application/merge-patch+json")
        return asked

    def gone(self) -> None:
        self.bench.cluster.rm(self.name)
        self.bench.cluster.gone(self.name)

    def steps(self) -> dict[str, float]:
        """Seconds from creation to each step, of a run that has finished."""
        status = self.phase("Finished")[1]
        second_zero = datetime.fromisoformat(status["run"]["loadStartTime"]).timestamp()
        address = self.workers.first(lambda pod: bool(pod["status"].get("podIP")), 1)[1]["status"]["podIP"]
        moments = {
            "accepted": self.phase("Preparing")[0],
            "target ready": self.tests.first(lambda test: _true(test, "TargetReady"), 1)[0],
            "pod made": self.workers.first(lambda _: True, 1)[0],
            "pod runs": self.workers.first(lambda pod: pod["status"]["phase"] == "Running", 1)[0],
            "workers ready, start told": self.phase("Running")[0],
            "second 0": second_zero,
            "first request": self.bench.times()[f"/{self.name}"][address][0],
        }
        return {what: moment - self.sent for what, moment in moments.items()}


def _true(test: Object, kind: str) -> bool:
    conditions = test.get("status", {}).get("conditions", [])
    return any(found["type"] == kind and found["status"] == "True" for found in conditions)


def measure_starts(bench: Bench, runs: int) -> None:
    """Creation → first request, by step; load end → verdict."""
    starts, verdicts = [], []
    for _ in range(runs):
        run = bench.begin(seconds=LOAD_SECONDS)
        finished, status = run.phase("Finished", 90)
        steps = run.steps()
        last = run.sent + steps["second 0"] + LOAD_SECONDS
        starts.append(steps)
        verdicts.append(finished - last)
        words = ", ".join(f"{what} {seconds:.2f}" for what, seconds in steps.items())
        print(f"[bench-start] {run.name}: {status['verdict']}; {words}; verdict {verdicts[-1]:.2f}", flush=True)
        run.gone()
    _table("creation → first request", [(what, [start[what] for start in starts]) for what in starts[0]])
    _table("load end → verdict", [("verdict", verdicts)])


def measure_aborts(bench: Bench, runs: int) -> None:
    """Abort in mid-load → Finished, whatever is dead."""
    rows = []
    for what, struck in DEAD.items():
        rows.append((what, [_abort(bench, what, struck) for _ in range(runs)]))
    _table("abort → its end", rows)


def _abort(bench: Bench, what: str, struck: Callable[[Run], "Contextual"]) -> float:
    run = bench.begin(seconds=60, **({"faults": [FAULT]} if "proxy" in what else {}))
    run.loading()
    with struck(run):
        asked = run.abort()
        ended, status = run.phase("Finished", 120)
    print(f"[bench-start] {run.name} aborted, {what}: {status['verdict']} after {ended - asked:.2f} s", flush=True)
    run.gone()
    return ended - asked


FAULT = {
    "name": "slow",
    "startInStage": "first",
    "startAfterSeconds": 1,
    "durationSeconds": 50,
    "networkDelay": {"latencyMilliseconds": 50},
}
Contextual = Any
"""A context manager: dead inside."""


@contextmanager
def nothing(_run: Run) -> Iterator[None]:
    yield


@contextmanager
def worker_frozen(run: Run) -> Iterator[None]:
    """It does not answer any more."""
    frozen = worker_processes(run.bench.cluster.namespace, run.name)
    assert frozen, "no worker runs on this machine"
    with stopped(frozen):
        yield


@contextmanager
def worker_gone(run: Run) -> Iterator[None]:
    for pod in run.bench.cluster.pods(run.name):
        run.bench.cluster.kubectl(
            "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0", "--wait=false"
        )
    yield


@contextmanager
def target_gone(run: Run) -> Iterator[None]:
    cluster = run.bench.cluster
    cluster.kubectl("scale", "deployment/target", "--replicas=0")
    cluster.until("no target", lambda: not cluster.list("pods", "app=target"), 60)
    try:
        yield
    finally:
        cluster.kubectl("scale", "deployment/target", "--replicas=1")
        cluster.kubectl("rollout", "status", "deployment/target", "--timeout=60s")


@contextmanager
def proxy_frozen(run: Run) -> Iterator[None]:
    """With its fault in force."""
    run.tests.first(lambda test: any(_in_force(fault) for fault in test.get("status", {}).get("faults", [])), 30)
    selector = f"loadtest.dev/name={run.name},loadtest.dev/component=proxy"
    names = {pod["metadata"]["name"] for pod in run.bench.cluster.list("pods", selector)}
    frozen = [pid for pid in worker_processes(run.bench.cluster.namespace, run.name) if _hostname(pid) in names]
    assert frozen, "no proxy runs on this machine"
    with stopped(frozen):
        yield


def _in_force(fault: Object) -> bool:
    return "injectedTime" in fault


def _hostname(process: int) -> str:
    try:
        variables = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return next((line.partition("=")[2] for line in variables if line.startswith("HOSTNAME=")), "")


DEAD: dict[str, Callable[[Run], Contextual]] = {
    "all is well": nothing,
    "the worker is frozen": worker_frozen,
    "the worker's pod is gone": worker_gone,
    "the target is gone": target_gone,
    "the proxy is frozen": proxy_frozen,
}


def _table(title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> None:
    print(f"\n| {title} (s, {len(rows[0][1])} runs) | median | least | most |\n|---|---:|---:|---:|")
    for what, values in rows:
        print(f"| {what} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    print(flush=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--aborts", type=int, default=3, help="of each kind; 0 leaves them out")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="loadtest-start-"))
    with workplace(NAMESPACE) as cluster, operating(cluster, folder), proxied() as api:
        bench = Bench(cluster, api)
        if arguments.runs:
            measure_starts(bench, arguments.runs)
        if arguments.aborts:
            measure_aborts(bench, arguments.aborts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
