"""NetworkPolicies where they are enforced: the chart's and a run's, by connections tried in both directions.

Each pair is tried twice, before the policies are enforced (everything is let through, so a refusal is theirs) and while they
are. The run goes on all the while, through the delay proxy, and passes.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from cluster import ROOT, SYSTEM, Object
from workplace import LOCAL, PatientCluster, deployment, loadtest, service

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(400)]

NAMESPACE = "ldt-policies"
CONTROL, DATA, METRICS, TARGET, OPERATORS_METRICS, OPERATORS_PROBE = 8090, 8091, 8092, 8000, 9090, 8080
OPEN, SHUT = True, False
MATRIX = {
    ("operator", "worker", CONTROL): OPEN,
    ("operator", "proxy", CONTROL): OPEN,
    ("operator", "target", TARGET): OPEN,
    ("worker", "target", TARGET): OPEN,
    ("worker", "proxy", DATA): OPEN,
    ("proxy", "target", TARGET): OPEN,
    ("worker", "sibling", CONTROL): SHUT,
    ("worker", "sibling", METRICS): SHUT,
    ("worker", "proxy", CONTROL): SHUT,
    ("proxy", "worker", CONTROL): SHUT,
    ("worker", "other", TARGET): SHUT,
    ("proxy", "other", TARGET): SHUT,
    ("worker", "operator", OPERATORS_PROBE): SHUT,
    ("worker", "operator", OPERATORS_METRICS): SHUT,
    ("stranger", "worker", CONTROL): SHUT,
    ("stranger", "proxy", CONTROL): SHUT,
    ("stranger", "proxy", DATA): SHUT,
    ("stranger", "worker", METRICS): OPEN,
    ("stranger", "operator", OPERATORS_METRICS): SHUT,
    ("stranger", "operator", OPERATORS_PROBE): OPEN,
    ("scraper", "worker", METRICS): OPEN,
    ("scraper", "worker", CONTROL): SHUT,
    ("scraper", "operator", OPERATORS_METRICS): OPEN,
    ("target", "worker", CONTROL): SHUT,
    ("stranger", "target", TARGET): OPEN,
    ("stranger", "other", TARGET): OPEN,
}
"""Who may reach whom, and on which port. A scraper is a pod that networkPolicy.metricsFrom names."""
TRY = """
import asyncio, json, sys
async def one(host, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 3)
    except (OSError, TimeoutError, asyncio.TimeoutError):
        return False
    writer.close()
    return True
async def main():
    return await asyncio.gather(*(one(*each) for each in json.loads(sys.argv[1])))
print(json.dumps(asyncio.run(main())))
"""
Matrix = dict[tuple[str, str, int], bool]


@dataclass
class Scene:
    """The pods, by their parts."""

    cluster: PatientCluster
    pods: dict[str, Object] = field(default_factory=dict)

    def tried(self) -> Matrix:
        """What opens, of everything in the table; all that one pod tries at the same time."""
        found: Matrix = {}
        for who in dict.fromkeys(who for who, _, _ in MATRIX):
            rows = [row for row in MATRIX if row[0] == who]
            found |= zip(rows, self._tries(who, [(self._address(whom), port) for _, whom, port in rows]), strict=True)
        return found

    def opens(self, who: str, whom: str, port: int) -> bool:
        """One row."""
        return self._tries(who, [(self._address(whom), port)])[0]

    def _address(self, whom: str) -> str:
        address: str = self.pods[whom]["status"]["podIP"]
        return address

    def _tries(self, who: str, ends: list[tuple[str, int]]) -> list[bool]:
        metadata = self.pods[who]["metadata"]
        where = ("-n", metadata["namespace"], "exec", metadata["name"], "--")
        answers: list[bool] = json.loads(self.cluster.kubectl(*where, "python", "-c", TRY, json.dumps(ends)))
        return answers


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatientCluster]:
    """A namespace of the installed operator's, for only a pod can be named in a policy."""
    cluster = PatientCluster(NAMESPACE)
    cluster.run("delete", "namespace", NAMESPACE, "--wait=true", "--timeout=90s")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    try:
        yield cluster
    finally:
        cluster.run("-n", SYSTEM, "delete", "networkpolicy", "ldt-scraping", "--ignore-not-found")
        cluster.run("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def scene(cluster: PatientCluster) -> Scene:
    """A run under way, and everybody who tries."""
    script = {"tiny_target.py": (ROOT / "tests" / "e2e" / "tiny_target.py").read_text()}
    people = [deployment(name) for name in ("target", "other", "stranger", "scraper")]
    cluster.apply({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "target"}, "data": script},
        *people, service("target"),
    ]})  # fmt: skip
    PatientCluster(SYSTEM).apply({**scraping(), "metadata": {"name": "ldt-scraping"}})
    for name in ("target", "other", "stranger", "scraper"):
        cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    slow = {"name": "slow", "startInStage": "second", "durationSeconds": 5, "networkDelay": {"latencyMilliseconds": 50}}
    cluster.apply(loadtest("guarded", seconds=90, workers=2, service="target", faults=[slow]))
    cluster.offering("guarded")
    scene = Scene(cluster)
    scene.pods = {name: cluster.list("pods", f"app={name}")[0] for name in ("target", "other", "stranger", "scraper")}
    scene.pods["worker"], scene.pods["sibling"] = cluster.pods("guarded")
    (scene.pods["proxy"],) = cluster.list("pods", "loadtest.dev/name=guarded,loadtest.dev/component=proxy")
    (scene.pods["operator"],) = PatientCluster(SYSTEM).list("pods", "app.kubernetes.io/name=loadtest-operator")
    return scene


def scraping() -> Object:
    """The chart's own policy, with somebody named who may scrape: added to the installed one."""
    peer = "networkPolicy.metricsFrom[0]"
    values = (f"{peer}.namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name={NAMESPACE}",
              f"{peer}.podSelector.matchLabels.app=scraper")  # fmt: skip
    flags = [flag for value in values for flag in ("--set", value)]
    chart = str(ROOT / "charts" / "loadtest-operator")
    show = ("--show-only", "templates/networkpolicy.yaml", "-n", SYSTEM)
    done = subprocess.run(["helm", "template", "loadtest-operator", chart, *show, *flags],
                          capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
    made: Object = json.loads(
        PatientCluster(SYSTEM).kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=done.stdout)
    )
    return made


@pytest.fixture(scope="module")
def unguarded(scene: Scene) -> Matrix:
    """While nothing is enforced."""
    return scene.tried()


def guard(action: str) -> None:
    """The local cluster's component. Any other cluster's network enforces policies by itself, or this test fails there."""
    if LOCAL:
        command = ["python3", str(ROOT / "deploy" / "localcluster"), action, "network-policies"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def guarded(scene: Scene, unguarded: Matrix) -> Iterator[Matrix]:
    """While policies are enforced."""
    guard("start")
    try:
        scene.cluster.until("policies are enforced", lambda: not scene.opens("stranger", "worker", CONTROL), 30)
        yield scene.tried()
    finally:
        guard("stop")


@pytest.mark.skipif(not LOCAL, reason="other clusters enforce policies all the time")
def test_without_policies_everything_is_open(unguarded: Matrix) -> None:
    """Else a refusal would prove nothing."""
    assert [row for row, opened in unguarded.items() if not opened] == []


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} to {row[1]}:{row[2]}")
def test_who_reaches_whom(guarded: Matrix, row: tuple[str, str, int]) -> None:
    assert guarded[row] is MATRIX[row]


def test_the_run_under_policies_passes(scene: Scene, guarded: Matrix) -> None:
    """The operator, the workers, the proxy and the target hear each other; new connections are opened all the time."""
    status = scene.cluster.finished("guarded", seconds=150)
    assert status["verdict"] == "Passed", status["message"]
    assert status["faults"][0]["result"] == "Recovered"
