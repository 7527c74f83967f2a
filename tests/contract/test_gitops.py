"""What the examples ask of kubectl works in a real one."""

import json
import shutil
import subprocess

import pytest
import yaml

from contract.objects import ROOT

pytestmark = pytest.mark.e2e
"""Needs no cluster, but the kubectl that comes with one."""

GATE = ROOT / "deploy" / "gitops" / "gate"


def kubectl(*arguments: str) -> str:
    """Without any cluster to ask."""
    local = ROOT / ".localcluster" / "bin" / "kubectl"
    found = str(local) if local.exists() else shutil.which("kubectl")
    assert found, "kubectl is needed: make cluster-up builds one"
    done = subprocess.run(
        [found, *arguments], env={"KUBECONFIG": "/dev/null"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_run_token_is_put_into_the_file_of_a_gate() -> None:
    """As gate.sh does it; everything else stays."""
    patch = ["--type=merge", "-p", '{"spec":{"runToken":"abc"}}', "-o", "json"]
    made = json.loads(kubectl("patch", "--local", "-f", str(GATE / "loadtest.yaml"), *patch))
    written = yaml.safe_load((GATE / "loadtest.yaml").read_text())
    assert made["spec"].pop("runToken") == "abc"
    assert made["spec"] == written["spec"]
    assert made["metadata"]["name"] == written["metadata"]["name"]


def test_the_gate_is_applied_with_its_script() -> None:
    objects = list(yaml.safe_load_all(kubectl("kustomize", str(GATE))))
    assert [body["kind"] for body in objects] == ["ServiceAccount", "Role", "RoleBinding", "ConfigMap"]
    script = objects[-1]["data"]["gate.sh"]
    assert script == (GATE / "gate.sh").read_text()
