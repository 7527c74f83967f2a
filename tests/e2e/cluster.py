"""A user's view of the cluster: kubectl, YAML files, and patience with a deadline."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "deploy" / "samples"
NAMESPACE = "loadtest-demo"
SYSTEM = "loadtest-system"

Object = dict[str, Any]


class Cluster:
    """kubectl in one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl; the caller looks at the exit code."""
        command = ["kubectl", "-n", self.namespace, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; its standard output. Fails the test with kubectl's own words."""
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def get(self, kind: str, name: str) -> Object | None:
        """An object, or None where there is none."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, selector: str) -> list[Object]:
        """Objects with a label."""
        items: list[Object] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return items

    def apply(self, manifest: Object | str) -> None:
        """Apply YAML text or an object."""
        self.kubectl("apply", "-f", "-", stdin=manifest if isinstance(manifest, str) else json.dumps(manifest))

    def delete(self, name: str) -> None:
        """Delete a LoadTest and wait until it is gone."""
        self.kubectl("delete", "loadtest", name, "--ignore-not-found", "--wait=true", "--timeout=90s")

    def status(self, name: str) -> Object:
        """Status of a LoadTest; empty while there is none."""
        found = self.get("loadtest", name)
        assert found is not None, f"LoadTest {name} is gone"
        status: Object = found.get("status") or {}
        return status

    def wait(self, name: str, condition: Callable[[Object], bool], seconds: float) -> Object:
        """The first status that fulfils the condition."""
        deadline = time.monotonic() + seconds
        status = self.status(name)
        while not condition(status):
            assert time.monotonic() < deadline, (
                f"not within {seconds} s; status of {name}: {json.dumps(status, indent=1)}"
            )
            time.sleep(0.5)
            status = self.status(name)
        return status

    def finished(self, name: str, seconds: float) -> Object:
        """The status after the run's end."""
        return self.wait(name, lambda status: status.get("phase") == "Finished", seconds)

    def run_sample(self, name: str, seconds: float) -> Object:
        """Apply a sample as a user would, afresh, and return its final status."""
        self.delete(name)
        self.apply((SAMPLES / f"{name}.yaml").read_text())
        return self.finished(name, seconds)

    def wait_gone(self, kinds: str, selector: str, seconds: float) -> None:
        """Nothing of those kinds with that label is left."""
        deadline = time.monotonic() + seconds
        while left := self.kubectl("get", kinds, "-l", selector, "-o", "name").split():
            assert time.monotonic() < deadline, f"still there after {seconds} s: {left}"
            time.sleep(0.5)

    def require_ready(self) -> None:
        """The operator and the model must be there: `make e2e` puts them there."""
        self.kubectl("-n", SYSTEM, "rollout", "status", "deployment/loadtest-operator", "--timeout=60s")
        self.kubectl("rollout", "status", "deployment/llm", "--timeout=120s")

    def settle(self, deployment: str, replicas: int, seconds: float) -> None:
        """Wait until a Deployment is back at its resting size, so that one test's load is not the next one's start."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get("deployment", deployment)
            assert found is not None
            status = found["status"]
            if found["spec"]["replicas"] == replicas == status.get("readyReplicas", 0) == status.get("replicas", 0):
                return
            assert time.monotonic() < deadline, f"{deployment} still has {status}"
            time.sleep(1)


def condition(status: Object, kind: str) -> Object:
    """One condition of a status."""
    return next(found for found in status["conditions"] if found["type"] == kind)


def threshold(status: Object, name: str) -> Object:
    """One threshold's result."""
    return next(found for found in status["thresholds"] if found["name"] == name)


def stage(status: Object, name: str) -> Object:
    """One stage's summary."""
    return next(found for found in status["summary"]["stages"] if found["name"] == name)
