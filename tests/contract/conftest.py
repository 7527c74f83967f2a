"""A real API server to ask: the one of KUBECONFIG, else the repository's local cluster.

It gets a copy of our CRDs in a group of its own, so that no operator sees the objects of these tests and a cluster's
own CRDs stay as they are.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from contract.objects import ROOT, Object

LOCAL = ROOT / ".localcluster"
CRDS = sorted((ROOT / "crds").glob("*.yaml"))


class Server:
    """kubectl in a namespace and with a group of its own."""

    def __init__(self, kubectl: str, environment: dict[str, str]) -> None:
        self.namespace = f"contract-{os.getpid()}"
        self.group = f"{self.namespace}.loadtest.dev"
        self._command = [kubectl, "-n", self.namespace]
        self._environment = environment

    def run(self, *arguments: str, body: Object | None = None) -> str:
        """What kubectl says, whether it worked or not; "loadtest" is our copy of the kind."""
        text = None if body is None else json.dumps(body).replace('"loadtest.dev/v1alpha1"', f'"{self.group}/v1alpha1"')
        names = [f"contractloadtests.{self.group}" if name == "loadtest" else name for name in arguments]
        done = subprocess.run(
            [*self._command, *names],
            input=text,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    def own(self, crd: Object) -> Object:
        """The CRD as ours: another group, and names that nobody types by accident."""
        names = {**crd["spec"]["names"], "shortNames": [], "categories": []}
        names |= {"plural": "contract" + names["plural"], "singular": "contract" + names["singular"]}
        spec = {**crd["spec"], "group": self.group, "names": names}
        return {**crd, "metadata": {"name": f"{names['plural']}.{self.group}"}, "spec": spec}


@contextmanager
def prepared() -> Iterator[Server]:
    """The API server with our CRDs, and a namespace that goes afterwards. An error where there is none."""
    local = LOCAL / "bin" / "kubectl"
    kubectl = str(local) if local.exists() else shutil.which("kubectl")
    assert kubectl, "kubectl is needed: make cluster-up"
    server = Server(kubectl, {"KUBECONFIG": str(LOCAL / "kubeconfig"), **os.environ})
    crds = [server.own(yaml.safe_load(path.read_text())) for path in CRDS]
    names = [f"customresourcedefinition/{crd['metadata']['name']}" for crd in crds]
    said = server.run("create", "-f", "-", body={"apiVersion": "v1", "kind": "List", "items": crds})
    assert said.count(" created") == len(CRDS), said
    said = server.run("wait", "--for=condition=Established", "--timeout=30s", *names)
    assert said.count("condition met") == len(CRDS), said
    assert "created" in (said := server.run("create", "namespace", server.namespace)), said
    yield server
    server.run("delete", *names, "--wait=false")
    server.run("delete", "namespace", server.namespace, "--wait=false")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The same for all tests."""
    with prepared() as server:
        yield server
