"""Short runs, one after another, while the operator, the workers and the API server are killed at random moments.

    python tests/soak/soak.py --runs 100 --seed 1                 (make soak)
    python tests/soak/soak.py --runs 1 --seed 1 --first 37        (run 37 of it again)

What must come out: every verdict follows from what was done to the run (Inconclusive where a worker was killed in
mid-load, else what its thresholds say), every planned request was sent once, and nothing is left: no Job, pod, Secret,
ConfigMap but the reports, finalizer, held lease or process.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder: it is the package `soak`
sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))

from cluster import Object
from operator_process import OperatorProcess
from workplace import (
    LOCAL,
    OBJECTS,
    PatientCluster,
    component,
    loadtest,
    operator_for,
    worker_processes,
    workplace,
)

from soak.fates import WORKER, Fate, fate

NAMESPACE = "ldt-soak"
LOAD_SECONDS = {WORKER: 8}
SHORT_SECONDS = 4
"""Of load; the kinds above need more, so that a worker's blow falls within it."""
PATIENCE_SECONDS = 120
"""For one run, however it is disturbed."""
RECOVERY_SECONDS = 120
"""From one kill of the API server to the next. Killed more often, Kubernetes itself looks away for up to a minute each time (its
clients wait longer after each failure and forget that after two minutes), takes its node for dead, and the target is
really gone: not what is tested here."""
DEATH_SECONDS = 2
"""From a pod's deletion until its worker is dead, at most. A blow that fell nearer to the load's end than this may have
come too late, and then the run may have either verdict."""
TTL_SECONDS = 5
OURS = "app.kubernetes.io/managed-by=loadtest-operator"
IMPOSSIBLE = {
    "name": "impossible",
    "metric": "RequestsPerSecond",
    "operator": "GreaterThan",
    "value": 1000,
    "decision": "Point",
}
"""As observed: four seconds of load are too short to tell how much a rate varies."""


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
            f"{how:<20} expected {wanted:<25} got {got:<13} {number:>4}"
            for (how, wanted, got), number in sorted(self.outcomes.items())
        ]
        kills = ", ".join(f"{what} {number}" for what, number in sorted(self.kills.items())) or "none"
        total = sum(self.outcomes.values())
        lines += [f"{total} verdicts in {self.seconds:.0f} s, {len(self.wrong)} wrong; kills: {kills}"]
        lines += [f"wrong: {line}" for line in self.wrong]
        lines += ["left: " + (", ".join(self.left) or "nothing")]
        return "\n".join(lines)


@dataclass(slots=True)
class Soak:
    """One workplace, one operator."""

    cluster: PatientCluster
    operator: OperatorProcess
    tally: Tally = field(default_factory=Tally)
    kept: list[str] = field(default_factory=list)
    recovered: float = 0.0
    """When the API server may be killed again."""

    def run(self, fate: Fate) -> str:
        """One LoadTest from apply to verdict; the verdict."""
        name = f"soak-{fate.number}"
        if fate.api_server is not None:
            time.sleep(max(0.0, self.recovered - time.monotonic()))
        self.cluster.apply(_loadtest(name, fate))
        status, killed_at = self._struck(name, fate)
        wanted = expected(fate, status, killed_at)
        got = str(status.get("verdict", status.get("phase", "nothing")))
        self.tally.outcomes[fate.kind, " or ".join(wanted), got] += 1
        if got not in wanted:
            self._wrong(fate, f"{got} instead of {' or '.join(wanted)}: {status.get('message', '')}")
        elif got != "Inconclusive":
            self._check_once(fate, name, status)
        if fate.kept:
            self.kept.append(name)
        else:
            self.cluster.rm(name)
        return got

    def _struck(self, name: str, fate: Fate) -> tuple[Object, float | None]:
        """Its last status, after all blows that its life was long enough for, and when its worker was killed."""
        begun, killed_at = time.monotonic(), None
        blows = sorted([*((moment, "operator") for moment in fate.operator), *_api_blow(fate)], reverse=True)
        while time.monotonic() < begun + PATIENCE_SECONDS:
            status = self.cluster.status(name)
            if status.get("phase") == "Finished":
                return status, killed_at
            if blows and time.monotonic() >= begun + blows[-1][0]:
                self._strike(blows.pop()[1], fate)
            elif fate.worker is not None and killed_at is None and "currentStage" in status.get("run", {}):
                killed_at = self._kill_worker(name, fate, fate.worker)
            time.sleep(0.2)
        return self.cluster.status(name), killed_at

    def _strike(self, what: str, fate: Fate) -> None:
        if what == "operator":
            self.operator.kill()
            self.operator.start()
        else:
            component("stop", "apiserver")
            time.sleep(fate.downtime)
            component("start", "apiserver")
            self.recovered = time.monotonic() + RECOVERY_SECONDS
        self.tally.kills[what] += 1

    def _kill_worker(self, name: str, fate: Fate, after: float) -> float:
        """In mid-load; when it was done, as seconds since the epoch."""
        time.sleep(after)
        at_once = ["--force", "--grace-period=0"] if fate.at_once else []
        for pod in self.cluster.pods(name):
            self.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false", *at_once)
        self.tally.kills["worker"] += 1
        return time.time()

    def _check_once(self, fate: Fate, name: str, status: Object) -> None:
        """The target heard each planned request once; the probe, from the operator, comes before."""
        workers = {pod["status"].get("podIP") for pod in self.cluster.pods(name)}
        heard = sum(count for client, count in self.cluster.counted(name).items() if client in workers)
        planned = status["summary"]["requests"]["planned"]
        # A kept run's pods go after its ttl, and then nobody knows their addresses.
        if heard != planned and workers:
            self._wrong(fate, f"{planned} requests planned, the target heard {heard}")

    def _wrong(self, fate: Fate, why: str) -> None:
        """Noted with all that can be seen of the run now."""
        name = f"soak-{fate.number}"
        self.tally.wrong.append(f"{name} ({fate.text()}): {why}")
        evidence = self.operator.folder / f"{name}.json"
        evidence.write_text(json.dumps([self.cluster.get("loadtest", name), *self.cluster.pods(name)], indent=1))
        print(f"[soak] WRONG {name}: {why}; see {evidence}", flush=True)

    def look_around(self) -> None:
        """First what finished runs that were kept still have, then what is there when all LoadTests are deleted."""
        self._settle("with its LoadTest kept", self._beside_reports)
        for name in self.kept:
            if self.cluster.get("loadtest", name)["metadata"].get("finalizers"):
                self.tally.left.append(f"a finalizer on {name}, which is finished")
        self.cluster.kubectl("delete", "loadtests", "--all", "--wait=false")
        self._settle("after the delete", self._there)
        if self.operator.stop() != 0:
            self.tally.left.append("the operator did not end well on SIGTERM")
        leases = self.cluster.kubectl("get", "leases", "-o", "jsonpath={.items[*].spec.holderIdentity}").split()
        self.tally.left += [f"a lease held by {lease}" for lease in leases]
        self.tally.left += [f"process {process}" for process in worker_processes(NAMESPACE)]

    def _settle(self, when: str, there: Callable[[], list[str]]) -> None:
        """Everything that is still there after a minute, and should not be."""
        deadline = time.monotonic() + 60
        while (found := there()) and time.monotonic() < deadline:
            time.sleep(1)
        self.tally.left += [f"{thing} ({when})" for thing in found]

    def _beside_reports(self) -> list[str]:
        """What finished runs own beside their reports, and unfinished LoadTests."""
        owned = self.cluster.kubectl("get", OBJECTS, "-l", OURS, "-o", "name").split()
        path = "{range .items[?(@.status.phase!='Finished')]}{.metadata.name}{'\\n'}{end}"
        unfinished = self.cluster.kubectl("get", "loadtests", "-o", f"jsonpath={path}").split()
        return [thing for thing in owned if not _is_report(thing)] + unfinished

    def _there(self) -> list[str]:
        """LoadTests (a finalizer would hold them), what they owned, pods of anybody else than the target."""
        loadtests = self.cluster.kubectl("get", "loadtests", "-o", "name").split()
        owned = self.cluster.kubectl("get", OBJECTS, "-l", OURS, "-o", "name").split()
        strangers = self.cluster.kubectl(
            "get", "pods", "-l", f"app!=target,{OURS.replace('=', '!=')}", "-o", "name"
        ).split()
        return loadtests + owned + strangers


def _loadtest(name: str, fate: Fate) -> Object:
    seconds = LOAD_SECONDS.get(fate.kind, SHORT_SECONDS)
    thresholds = {"thresholds": [IMPOSSIBLE]} if fate.strict else {}
    ttl = {"ttlSecondsAfterFinished": TTL_SECONDS} if fate.kept else {}
    return loadtest(name, service="target", seconds=seconds, **thresholds, **ttl)


def _api_blow(fate: Fate) -> list[tuple[float, str]]:
    return [] if fate.api_server is None else [(fate.api_server, "API server")]


def expected(fate: Fate, status: Object, killed_at: float | None) -> tuple[str, ...]:
    """The verdicts that may follow from what was done to the run."""
    undisturbed = "Failed" if fate.strict else "Passed"
    if killed_at is None:
        return (undisturbed,)
    start = datetime.fromisoformat(status["run"]["loadStartTime"]).timestamp()
    left = start + LOAD_SECONDS.get(fate.kind, SHORT_SECONDS) - killed_at
    return ("Inconclusive",) if left > DEATH_SECONDS else ("Inconclusive", undisturbed)


def _is_report(thing: str) -> bool:
    return thing.startswith("configmap/") and thing.endswith("-report")


@contextmanager
def prepared(folder: Path) -> Iterator[Soak]:
    """The workplace and the operator."""
    with workplace(NAMESPACE) as cluster:
        operator = operator_for(cluster, folder)
        operator.start()
        try:
            yield Soak(cluster, operator)
        finally:
            operator.close()


def soak(folder: Path, runs: int, seed: int, longest_seconds: float, first: int = 1) -> Tally:
    """The whole; ends early, and says so, when its time is over."""
    begun = time.monotonic()
    with prepared(folder) as place:
        for number in range(first, first + runs):
            started = time.monotonic()
            if started - begun > longest_seconds:
                place.tally.wrong.append(f"only {number - first} of {runs} runs in {longest_seconds:.0f} s")
                break
            drawn = fate(seed, number, local=LOCAL)
            got = place.run(drawn)
            print(f"[soak] {number} {drawn.text()}: {got} after {time.monotonic() - started:.0f} s", flush=True)
        place.look_around()
        place.tally.seconds = time.monotonic() - begun
        return place.tally


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="number of the first run, to repeat some of them")
    parser.add_argument("--seed", type=int, default=1, help="of the kills; the same seed kills at the same moments")
    parser.add_argument("--minutes", type=float, default=60, help="after so many minutes no further run begins")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="loadtest-soak-"))
    print(f"[soak] {arguments.runs} runs, seed {arguments.seed}; usually 20 s each; the operator's log is in {folder}")
    tally = soak(folder, arguments.runs, arguments.seed, arguments.minutes * 60, arguments.first)
    print(tally.text())
    return 0 if tally.right else 1


if __name__ == "__main__":
    sys.exit(main())
