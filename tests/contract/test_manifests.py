"""The plain manifests are the chart's, and kustomize builds them with the CRDs."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from contract.objects import ROOT, Object

pytestmark = pytest.mark.e2e
"""Needs no cluster, but the tools that come with one."""

MANIFESTS = ROOT / "deploy" / "manifests"
OVERLAY = """\
resources: [{base}]
images:
- {{name: localhost/loadtest-operator, newName: registry.example/you/loadtest-operator, newTag: "1"}}
patches:
- target: {{kind: Deployment, name: loadtest-operator}}
  patch: |
    - {{op: replace, path: /spec/template/spec/containers/0/env/0/value, value: "registry.example/you/loadtest-worker:1"}}
"""
"""As docs/install.md shows it."""


def tool(name: str) -> str:
    """The local cluster's, or the machine's."""
    local = ROOT / ".localcluster" / "bin" / name
    found = str(local) if local.exists() else shutil.which(name)
    assert found, f"no {name} here: make cluster-up builds one"
    return found


def built(folder: str) -> list[Object]:
    """What kustomize makes of a folder."""
    done = subprocess.run(
        [tool("kubectl"), "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def test_they_are_the_charts() -> None:
    command = ["sh", str(MANIFESTS / "render.sh")]
    done = subprocess.run(
        command, env={"HELM": tool("helm"), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert (MANIFESTS / "operator.yaml").read_text() == done.stdout, "make manifests"


def test_they_are_whole() -> None:
    """With CRDs and a namespace that is there before what is in it; nothing says that Helm looks after it."""
    found = built(str(MANIFESTS))
    kinds = [body["kind"] for body in found]
    assert kinds[0] == "Namespace"
    assert {"CustomResourceDefinition", "Deployment", "ClusterRole", "Role", "ServiceAccount", "NetworkPolicy"} <= set(
        kinds
    )
    placed = {body["metadata"].get("namespace", "loadtest-system") for body in found}
    assert placed == {"loadtest-system"}
    assert not [
        body for body in found if (body["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm"
    ]


def test_every_crd_is_among_them() -> None:
    listed = yaml.safe_load((ROOT / "crds" / "Kustomization").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in (ROOT / "crds").glob("*.yaml"))


def test_an_overlay_as_the_docs_show_it_has_other_images(tmp_path: Path) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "deploy" / "manifests")
    shutil.copytree(ROOT / "crds", tmp_path / "crds")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(OVERLAY.format(base="../deploy/manifests"))
    (deployment,) = [body for body in built(str(tmp_path / "mine")) if body["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/you/loadtest-operator:1"
    assert container["env"][0] == {"name": "LOADTEST_WORKER_IMAGE", "value": "registry.example/you/loadtest-worker:1"}
    assert OVERLAY.format(base="path/to/deploy/manifests") in (ROOT / "docs" / "install.md").read_text()
