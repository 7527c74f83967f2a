"""The three places a demo can run: the local cluster of this repository, kind, or the current kubeconfig context."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shell import DemoError, call, output

ROOT = Path(__file__).resolve().parents[2]
IMAGES = {
    "loadtest-operator": "deploy/images/operator.Dockerfile",
    "loadtest-worker": "deploy/images/worker.Dockerfile",
    "loadtest-llm": "deploy/samples/targets/llm/Dockerfile",
}


class Cluster(Protocol):
    """Where the demo runs."""

    description: str
    image_prefix: str
    """Images are `<prefix>/<name>:dev`."""
    pull_policy: str

    @property
    def kubeconfig(self) -> str:
        """Path of the kubeconfig, or an empty string for kubectl's own default."""

    def up(self) -> None:
        """Make sure the cluster is there."""

    def images(self) -> None:
        """Make sure its nodes can run the images."""

    def operator_content(self) -> str:
        """Something that changes when the operator's image does, although its tag stays."""


class Local:
    """A real one-node Kubernetes in a network namespace of this machine, built from Go modules."""

    description = "the local cluster (deploy/localcluster): its own network namespace, its own processes"
    image_prefix = "localhost"
    pull_policy = "Never"
    kubeconfig = str(ROOT / ".localcluster" / "kubeconfig")

    def up(self) -> None:
        """Build what is missing and start what is not running."""
        self._localcluster("up")

    def images(self) -> None:
        """Build and load the images that changed."""
        self._localcluster("images", *(name.removeprefix("loadtest-") for name in IMAGES))

    def operator_content(self) -> str:
        """The name of the loaded archive, which has the hash of what it was built from."""
        loaded: dict[str, str] = json.loads((ROOT / ".localcluster" / "images.json").read_text())
        return loaded["localhost/loadtest-operator:dev"]

    @staticmethod
    def _localcluster(*command: str) -> None:
        call([sys.executable, str(ROOT / "deploy" / "localcluster"), *command])


class Kind:
    """A kind cluster named `loadtest`, on a Docker engine."""

    description = "a kind cluster named `loadtest` (needs kind and a Docker engine)"
    image_prefix = "localhost"
    pull_policy = "Never"
    kubeconfig = str(ROOT / ".localcluster-kind.kubeconfig")

    def up(self) -> None:
        """Create the cluster unless it exists, with a metrics-server that the HPA can read."""
        require("kind", "install it from https://kind.sigs.k8s.io, or use CLUSTER=local or CLUSTER=current")
        require("docker", "kind needs a Docker engine; CLUSTER=local needs none")
        if "loadtest" not in output(["kind", "get", "clusters"]).split():
            call(["kind", "create", "cluster", "--name", "loadtest", "--kubeconfig", self.kubeconfig, "--wait", "120s"])
        require_metrics(self)

    def images(self) -> None:
        """Build with Docker and load into the kind node."""
        for name in docker_build(self.image_prefix):
            call(["kind", "load", "docker-image", name, "--name", "loadtest"])

    def operator_content(self) -> str:
        """Docker's id of the image."""
        return docker_id(f"{self.image_prefix}/loadtest-operator:dev")


class Current:
    """The cluster that kubectl talks to now; its nodes pull the images from a registry that you name."""

    description = "the cluster of the current kubeconfig context"
    pull_policy = "IfNotPresent"
    kubeconfig = os.environ.get("KUBECONFIG", "")

    @property
    def image_prefix(self) -> str:
        """The registry to push to, from REGISTRY."""
        registry = os.environ.get("REGISTRY", "")
        if not registry:
            raise DemoError(
                "CLUSTER=current needs REGISTRY=<registry/path> that you can push to and the nodes can pull from"
            )
        return registry

    def up(self) -> None:
        """Only checks that the cluster answers and serves resource metrics."""
        require("kubectl", "install kubectl")
        call(["kubectl", "version", "--output=name"], environment=environment(self), quiet=True)
        require_metrics(self)

    def images(self) -> None:
        """Build with Docker and push."""
        require("docker", "building the images for another cluster needs Docker")
        for name in docker_build(self.image_prefix):
            call(["docker", "push", name])

    def operator_content(self) -> str:
        """Docker's id of the image."""
        return docker_id(f"{self.image_prefix}/loadtest-operator:dev")


CLUSTERS: dict[str, type[Local] | type[Kind] | type[Current]] = {"local": Local, "kind": Kind, "current": Current}


def docker_build(prefix: str) -> Sequence[str]:
    """Build every image with Docker; returns their names."""
    names = []
    for image, dockerfile in IMAGES.items():
        names.append(f"{prefix}/{image}:dev")
        call(["docker", "build", "-f", str(ROOT / dockerfile), "-t", names[-1], str(ROOT)])
    return names


def docker_id(name: str) -> str:
    """Docker's id of an image, fit for a Helm value."""
    return output(["docker", "image", "inspect", "--format", "{{.Id}}", name]).strip().removeprefix("sha256:")[:12]


def require(program: str, remedy: str) -> None:
    """Raise DemoError unless the program is on the PATH."""
    if shutil.which(program) is None:
        raise DemoError(f"{program} is not installed: {remedy}")


def require_metrics(cluster: Cluster) -> None:
    """Raise DemoError unless the HPA can read CPU metrics there."""
    try:
        call(
            ["kubectl", "get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"],
            environment=environment(cluster),
            quiet=True,
        )
    except (DemoError, subprocess.SubprocessError) as error:
        raise DemoError("the cluster serves no resource metrics: install metrics-server, the HPA needs it") from error


def environment(cluster: Cluster) -> dict[str, str]:
    """Variables for kubectl and helm of that cluster."""
    tools = str(ROOT / ".localcluster" / "bin")
    variables = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    if cluster.kubeconfig:
        variables["KUBECONFIG"] = cluster.kubeconfig
    return variables
