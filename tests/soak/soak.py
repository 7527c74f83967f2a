"""Short runs, one after another, while the operator, the workers and the API server are killed at random moments.

    python tests/soak/soak.py --runs 100 --seed 1      (make soak)

What must come out: every verdict as expected (Passed; Inconclusive where a worker was killed in mid-load), every planned
request sent once, and nothing left: no Job, pod, Secret, ConfigMap, finalizer, held lease or process.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "e2e")]

from cluster import Object
from operator_process import OperatorProcess
from workplace import LOCAL, OBJECTS, PatientCluster, component, loadtest, operator_for, workplace

NAMESPACE = "ldt-soak"
LOAD_SECONDS = 4
PATIENCE_SECONDS = 90
"""For one run, however it is disturbed."""
QUIET, OPERATOR, WORKER, API_SERVER = "quiet", "operator killed", "worker killed", "API server killed"
ROUND = (OPERATOR, WORKER, OPERATOR, QUIET, API_SERVER, OPERATOR, WORKER, OPERATOR, OPERATOR, QUIET)
"""Of ten runs; each round in another order."""
OURS = "app.kubernetes.io/managed-by=loadtest-operator"


@dataclass(slots=True)
class Tally:
    """What was expected and what came."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Every verdict as expected and nothing left."""
        return not self.wrong and not self.left

    def text(self) -> str:
        """For people."""
        lines = [
            f"{how:<20} expected {wanted:<13} got {got:<13} {number:>4}"
            for (how, wanted, got), number in sorted(self.outcomes.items())
        ]
        kills = ", ".join(f"{what} {number}" for what, number in sorted(self.kills.items())) or "none"
        total = sum(self.outcomes.values())
        lines += [f"{total} runs in {self.seconds:.0f} s; kills: {kills}"]
        lines += [f"wrong: {line}" for line in self.wrong]
        lines += ["left: " + (", ".join(self.left) or "nothing")]
        return "\n".join(lines)


@dataclass(slots=True)
class Soak:
    """One workplace, one operator, one source of chance."""

    cluster: PatientCluster
    operator: OperatorProcess
    chance: random.Random
    tally: Tally = field(default_factory=Tally)

    def run(self, number: int, how: str) -> None:
        """One LoadTest from apply to delete."""
        name = f"soak-{number}"
        body = loadtest(name, service="target", seconds=LOAD_SECONDS)
        self.cluster.apply(body)
        self._disturb(name, how)
        status = self._finished(name)
        wanted = "Inconclusive" if how == WORKER else "Passed"
        got = status.get("verdict", status.get("phase", "nothing"))
        self.tally.outcomes[how, wanted, got] += 1
        if got != wanted:
            self.tally.wrong.append(f"{name} ({how}): {got}: {status.get('message', '')}")
        if got == "Passed":
            self._check_once(name, status)
        self.cluster.rm(name)

    def _disturb(self, name: str, how: str) -> None:
        if how == WORKER:
            self._kill_worker(name)
        elif how == OPERATOR:
            for _ in range(self.chance.randint(1, 3)):
                self._somewhen(6)
                self._kill_operator()
        elif how == API_SERVER:
            self._somewhen(8)
            component("restart", "apiserver")
            self.tally.kills["API server"] += 1

    def _somewhen(self, longest: float) -> None:
        time.sleep(self.chance.uniform(0, longest))

    def _kill_operator(self) -> None:
        self.operator.kill()
        self.operator.start()
        self.tally.kills["operator"] += 1

    def _kill_worker(self, name: str) -> None:
        """In mid-load, with a word of warning or without."""
        self.cluster.offering(name, PATIENCE_SECONDS)
        at_once = ["--force", "--grace-period=0"] if self.chance.random() < 0.5 else []
        for pod in self.cluster.pods(name):
            self.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false", *at_once)
        self.tally.kills["worker"] += 1
        if self.chance.random() < 0.3:
            self._kill_operator()

    def _finished(self, name: str) -> Object:
        deadline = time.monotonic() + PATIENCE_SECONDS
        status = self.cluster.status(name)
        while status.get("phase") != "Finished" and time.monotonic() < deadline:
            time.sleep(0.25)
            status = self.cluster.status(name)
        return status

    def _check_once(self, name: str, status: Object) -> None:
        """The target heard each planned request once; the probe, from the operator, comes before."""
        workers = {pod["status"].get("podIP") for pod in self.cluster.pods(name)}
        heard = sum(count for client, count in self.cluster.counted(name).items() if client in workers)
        planned = status["summary"]["requests"]["planned"]
        if heard != planned:
            self.tally.wrong.append(f"{name}: {planned} requests planned, the target heard {heard}")

    def look_around(self) -> None:
        """Everything that is still there a minute after the last LoadTest was deleted, and should not be."""
        cluster, left = self.cluster, self.tally.left
        deadline = time.monotonic() + 60
        while (there := self._there()) and time.monotonic() < deadline:
            time.sleep(1)
        left += there
        if self.operator.stop() != 0:
            left.append("the operator did not end well on SIGTERM")
        for lease in cluster.kubectl("get", "leases", "-o", "jsonpath={.items[*].spec.holderIdentity}").split():
            left.append(f"a lease held by {lease}")

    def _there(self) -> list[str]:
        """LoadTests (a finalizer would hold them), what they owned, pods of anybody else than the target."""
        loadtests = self.cluster.kubectl("get", "loadtests", "-o", "name").split()
        owned = self.cluster.kubectl("get", OBJECTS, "-l", OURS, "-o", "name").split()
        strangers = self.cluster.kubectl(
            "get", "pods", "-l", f"app!=target,{OURS.replace('=', '!=')}", "-o", "name"
        ).split()
        return loadtests + owned + strangers


def plan(runs: int, chance: random.Random) -> Iterator[str]:
    """What happens to each run."""
    kinds: list[str] = []
    for _ in range(runs):
        if not kinds:
            kinds = [how for how in ROUND if LOCAL or how != API_SERVER]
            chance.shuffle(kinds)
        yield kinds.pop()


@contextmanager
def prepared(folder: Path, seed: int) -> Iterator[Soak]:
    """The workplace and the operator."""
    with workplace(NAMESPACE) as cluster:
        operator = operator_for(cluster, folder)
        operator.start()
        try:
            yield Soak(cluster, operator, random.Random(seed))
        finally:
            operator.close()


def soak(folder: Path, runs: int, seed: int, longest_seconds: float) -> Tally:
    """The whole; ends early, and says so, when its time is over."""
    begun = time.monotonic()
    with prepared(folder, seed) as place:
        for number, how in enumerate(plan(runs, random.Random(seed)), 1):
            if time.monotonic() - begun > longest_seconds:
                place.tally.wrong.append(f"only {number - 1} of {runs} runs in {longest_seconds:.0f} s")
                break
            started = time.monotonic()
            place.run(number, how)
            print(f"[soak] {number}/{runs} {how}: {time.monotonic() - started:.0f} s", flush=True)
        place.look_around()
        place.tally.seconds = time.monotonic() - begun
        return place.tally


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the kills; the same seed kills at the same moments")
    parser.add_argument("--minutes", type=float, default=60, help="after so many minutes no further run begins")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="loadtest-soak-"))
    print(f"[soak] {arguments.runs} runs, seed {arguments.seed}; usually 20 s each; the operator's log is in {folder}")
    tally = soak(folder, arguments.runs, arguments.seed, arguments.minutes * 60)
    print(tally.text())
    return 0 if tally.right else 1


if __name__ == "__main__":
    sys.exit(main())
