"""The chart's life: installed into a namespace of its own, and taken out again in the middle of what it does."""

import json
import subprocess
import time
from collections.abc import Iterator

import pytest
from cluster import ROOT, Object
from workplace import WORKER_IMAGE, PatientCluster, loadtest, workplace

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(400)]

NAMESPACE, RELEASE = "ldt-install", "loadtest-operator-of-test"
OPERATOR_IMAGE = WORKER_IMAGE.replace("worker", "operator")
NAMESPACE_SECONDS = 60
FAULT = {"name": "slow", "startInStage": "first", "startAfterSeconds": 3, "durationSeconds": 100}
DELAY: Object = {**FAULT, "networkDelay": {"latencyMilliseconds": 100}}


def helm(*arguments: str) -> str:
    """What it prints; the test fails with its own words."""
    command = ["helm", "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def image(prefix: str, name: str) -> list[str]:
    repository, _, tag = name.rpartition(":")
    values = {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
    return [f"--set={prefix}image.{key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def installed() -> Iterator[PatientCluster]:
    """The release watches its own namespace alone, and the operator that is there for everybody leaves that one to it."""
    with workplace(NAMESPACE) as cluster:
        values = [f"--set=watchNamespaces={{{NAMESPACE}}}", *image("", OPERATOR_IMAGE), *image("worker.", WORKER_IMAGE)]
        helm("install", RELEASE, str(ROOT / "charts" / "loadtest-operator"), "--wait", "--timeout=120s", *values)
        cluster.kubectl("rollout", "status", f"deployment/{RELEASE}", "--timeout=60s")
        try:
            yield cluster
        finally:
            subprocess.run(
                ["helm", "-n", NAMESPACE, "uninstall", RELEASE, "--no-hooks"], capture_output=True, check=False
            )
            # While it lives it holds what the workplace lets go.
            cluster.run("wait", "--for=delete", "pod", "-l", f"app.kubernetes.io/instance={RELEASE}", "--timeout=60s")


def in_force(status: Object) -> bool:
    return [fault.get("result") for fault in status.get("faults", [])] == ["InForce"]


def finalizers(cluster: PatientCluster) -> list[list[str]]:
    found = json.loads(cluster.kubectl("get", "loadtests,loadtestschedules,loadtestsweeps", "-o", "json"))["items"]
    return [each["metadata"].get("finalizers", []) for each in found]


def test_the_charts_own_test_is_a_real_run(installed: PatientCluster) -> None:
    """`helm test`: its log ends with the verdict, and nothing of it is left but the pod that has the log."""
    said = helm("test", RELEASE, "--logs", "--timeout=180s")

    assert "verdict: Passed" in said, said
    assert installed.get("loadtest", f"{RELEASE}-test") is None
    installed.gone(f"{RELEASE}-test")


def test_taken_out_in_the_middle_of_a_run_with_a_fault_in_force(installed: PatientCluster) -> None:
    """The load and the fault end, what the user asked for stays, and nothing keeps the namespace."""
    installed.apply(loadtest("run", seconds=240, service="target", faults=[DELAY]))
    schedule = {"schedule": "0 3 * * *", "loadTestTemplate": {"spec": loadtest("nightly", service="target")["spec"]}}
    kind = {"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTestSchedule"}
    installed.apply({**kind, "metadata": {"name": "nightly"}, "spec": schedule})
    installed.wait("run", in_force, 90)
    assert all(finalizers(installed)), "the operator holds what it looks after"
    begun = time.monotonic()

    helm("uninstall", RELEASE, "--timeout=120s")

    print(f"uninstalled in {time.monotonic() - begun:.0f} s")
    status = installed.status("run")
    assert (status["phase"], status["verdict"]) == ("Finished", "Inconclusive")
    assert "uninstalled in the middle of the run" in status["message"]
    assert finalizers(installed) == [[], []]
    assert [each for each in installed.left("run") if not each.startswith("loadtest.")] == []
    before = installed.counted("run")
    time.sleep(2)
    assert installed.counted("run") == before, "load is offered by nobody's order"
    assert helm("list", "--short") == ""

    begun = time.monotonic()
    installed.kubectl("delete", "namespace", NAMESPACE, f"--timeout={NAMESPACE_SECONDS}s")
    print(f"the namespace went in {time.monotonic() - begun:.0f} s")
