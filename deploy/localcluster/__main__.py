"""python3 deploy/localcluster COMMAND. Standard library only; it runs before anything is installed."""

import argparse
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import builds
from localcluster.cluster import Cluster
from localcluster.errors import Refusal
from localcluster.images import DOCKERFILES, Images
from localcluster.layout import Layout, discover
from localcluster.progress import say

UNLOCKED = ("env", "kubeconfig", "status")


def main() -> int:
    arguments = parser().parse_args()
    at = discover(Path(__file__).parent)
    try:
        return run(arguments, at)
    except Refusal as refusal:
        print(f"localcluster: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("localcluster: interrupted; the same command takes it up again", file=sys.stderr)
        return 130


def run(arguments: argparse.Namespace, at: Layout) -> int:
    if arguments.command in ("env", "kubeconfig"):
        print(at.kubeconfig)
        return 0
    if os.geteuid() != 0:
        raise Refusal("needs root (network namespaces, mounts, cgroups); run it with sudo, or use CLUSTER=kind")
    if arguments.command in UNLOCKED:
        return 0 if Cluster(at).status() else 1
    with lock(at):
        commands(arguments, at)[arguments.command]()
    return 0


def commands(arguments: argparse.Namespace, at: Layout) -> dict[str, Callable[[], None]]:
    cluster = Cluster(at)
    return {
        "build": lambda: build(at),
        "up": cluster.up,
        "down": cluster.down,
        "load": lambda: load(at, arguments.archives),
        "images": lambda: Images(at).build_and_load(arguments.names or list(DOCKERFILES)),
        "start": lambda: cluster.start(arguments.component),
        "stop": lambda: cluster.stop(arguments.component, kill=arguments.kill),
        "restart": lambda: restart(cluster, arguments),
    }


def build(at: Layout) -> None:
    builds.ensure(at)
    builds.rootfs(at)
    say("build", "everything is built")


def load(at: Layout, archives: list[Path]) -> None:
    for archive in archives:
        Images(at).load(archive)


def restart(cluster: Cluster, arguments: argparse.Namespace) -> None:
    cluster.stop(arguments.component, kill=arguments.kill)
    cluster.start(arguments.component)


@contextmanager
def lock(at: Layout) -> Iterator[None]:
    """One command at a time, of all clones of this user: they share the cache and the addresses."""
    at.cache.mkdir(parents=True, exist_ok=True)
    with at.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("lock", "waiting for another localcluster command to finish")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="localcluster", description="A real one-node Kubernetes without Docker.")
    add = root.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser
    add("build", help="Debian packages, binaries, base root file system")
    add("up", help="bring it up (builds first what is missing)")
    add("down", help="remove it with everything in it")
    add("status", help="say what runs")
    add("load", help="import image archives").add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE")
    add("images", help="build and load the product's images").add_argument("names", nargs="*", metavar="NAME")
    add("env", help="print the KUBECONFIG path")
    add("kubeconfig", help="print the KUBECONFIG path")
    for name, text in (("start", "start"), ("stop", "stop"), ("restart", "stop, start and await")):
        component = add(name, help=f"{text} one component")
        component.add_argument("component")
        component.add_argument("--kill", action="store_true", help="SIGKILL instead of SIGTERM")
    return root


if __name__ == "__main__":
    sys.exit(main())
