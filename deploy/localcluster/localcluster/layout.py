"""Where things live and which addresses the cluster uses.

Knows paths and numbers only; creates nothing and asks nobody. The state folder belongs to one clone of the repository,
the cache folder to the user, the addresses and the network namespace to the machine: one cluster can be up at a time.
All addresses are from 198.18.0.0/15, the range reserved for benchmarks, so that no load can leave the machine.
"""

import os
from dataclasses import dataclass
from pathlib import Path

NETNS = "loadtest"
NETNS_PATH = Path("/run/netns") / NETNS
HOST_LINK = "lt-host"
NODE_LINK = "lt-node"
BRIDGE = "lt0"
CNI_NETWORK = "localcluster"
CGROUP = "localcluster"
NODE = "node1"

POD_NET = "198.18.0.0/16"
NODE_IP = "198.18.0.1"
SERVICE_NET = "198.19.0.0/17"
KUBERNETES_SERVICE_IP = "198.19.0.1"
HOST_END = "198.19.255.1"
NODE_END = "198.19.255.2"
API_URL = f"https://{NODE_END}:6443"
PROMETHEUS_URL = f"http://{NODE_IP}:9090"

SOCKET_PATH_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one clone and of one user."""

    repository: Path
    cache: Path

    @property
    def source(self) -> Path:
        return self.repository / "deploy" / "localcluster"

    @property
    def state(self) -> Path:
        return self.repository / ".localcluster"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def targets(self) -> Path:
        """What Prometheus scrapes, written by the component `discovery`."""
        return self.state / "targets" / "pods.json"

    @property
    def guarding(self) -> Path:
        """Is there while NetworkPolicies are enforced."""
        return self.state / "network-policies.on"

    @property
    def lock(self) -> Path:
        return self.cache / "lock"


def discover(package: Path) -> Layout:
    """The layout of the clone that holds this package (deploy/localcluster)."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Layout(package.resolve().parents[1], cache_home / "loadtest-localcluster")
