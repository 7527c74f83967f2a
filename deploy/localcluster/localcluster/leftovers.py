"""What a killed cluster leaves behind, and how it is cleared: processes, mounts, pod namespaces, cgroups, links.

Only things with our own name are touched: processes that work in the state folder, mounts below it, the namespaces that
the CNI results of our network name, the cgroup `localcluster`, the network namespace `loadtest`.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from localcluster import layout, network, processes
from localcluster.errors import Refusal
from localcluster.layout import Layout
from localcluster.shell import quietly

CGROUPS = Path("/sys/fs/cgroup")
STATE = "/.localcluster"
CNI_RESULTS = Path("/var/lib/cni/results")


def clear(at: Layout) -> None:
    """Everything but the state folder's records and database: what is needed to start again stays."""
    processes.stop(processes.working_in(at.state), grace=0)
    _kill_containers()
    _unmount(at.state)
    _delete_pod_namespaces()
    network.remove()
    _remove_cgroups()
    for folder in ("ipam", "containerd/state", "run"):
        shutil.rmtree(at.state / folder, ignore_errors=True)


def refuse_foreign(at: Layout) -> None:
    """A living cluster of another clone holds the addresses; one whose clone was deleted is cleared instead."""
    others = {pid: cwd for pid, cwd in processes.folders_in_namespace().items() if not _below(at.state, cwd)}
    states = {cwd.partition(STATE)[0] for cwd in others.values() if STATE in cwd}
    for clone in sorted(states):
        if (Path(clone) / "deploy" / "localcluster" / "__main__.py").exists():
            remedy = f"stop it with `python3 {clone}/deploy/localcluster down`"
            raise Refusal(f"the cluster of {clone} is up and holds the addresses; {remedy}")
    processes.stop([processes.identify(pid) for pid, cwd in others.items() if STATE in cwd], grace=0)
    for clone in states:
        _unmount(Path(clone + STATE))


def _below(folder: Path, cwd: str) -> bool:
    return cwd == str(folder) or cwd.startswith(f"{folder}/")


def cgroups() -> list[Path]:
    """Our cgroup in every hierarchy (one on cgroup v2, one per controller on v1)."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / layout.CGROUP]
    return [root / layout.CGROUP for root in CGROUPS.iterdir() if root.is_dir() and not root.is_symlink()]


def make_cgroups() -> None:
    """The kubelet wants its root cgroup to exist; a cpuset of v1 must name its processors before anything can join."""
    for path in cgroups():
        path.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            _inherit(path, name)


def _inherit(path: Path, name: str) -> None:
    own, parent = path / name, path.parent / name
    if own.exists() and parent.exists() and not own.read_text().strip():
        own.write_text(parent.read_text())


def _kill_containers() -> None:
    for pid in {pid for path in cgroups() for pid in _members(path)}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _members(path: Path) -> Iterator[int]:
    for procs in path.rglob("cgroup.procs"):
        try:
            yield from (int(line) for line in procs.read_text().split())
        except OSError:
            continue


def _remove_cgroups() -> None:
    for path in cgroups():
        for folder, _, _ in os.walk(path, topdown=False):
            _remove_cgroup(Path(folder))


def _remove_cgroup(path: Path) -> None:
    """A killed process leaves its cgroup a moment later."""
    processes.wait_for(lambda: _removed(path), 2.0)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _unmount(state: Path) -> None:
    points = [line.split()[1].replace("\\040", " ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted((point for point in points if _below(state, point)), reverse=True):
        quietly("umount", "-l", point)


def _delete_pod_namespaces() -> None:
    for result in CNI_RESULTS.glob(f"{layout.CNI_NETWORK}-*"):
        with suppress(OSError, ValueError, KeyError):
            network.delete_namespace(Path(json.loads(result.read_text())["netns"]))
        result.unlink(missing_ok=True)
