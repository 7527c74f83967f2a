"""The product's container images: which there are, when one is current, how they get into the cluster's containerd.

An image's key covers its Dockerfile, everything that it copies and the base, so what has the key is the image.
"""

import json
import subprocess
from pathlib import Path

from localcluster import builds, cache
from localcluster.buildah import Buildah
from localcluster.errors import Refusal
from localcluster.layout import Layout
from localcluster.progress import say, step
from localcluster.shell import run
from localcluster.store import Store

DOCKERFILES = {
    "operator": "deploy/images/operator.Dockerfile",
    "worker": "deploy/images/worker.Dockerfile",
    "llm": "deploy/samples/targets/llm/Dockerfile",
    "simulator": "deploy/samples/targets/simulator/Dockerfile",
}
PAUSE = 'FROM scratch\nCOPY {file} /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n'
PAUSE_REFERENCE = "localhost/pause:1"
BASE = 'FROM scratch\nADD {file} /\nCMD ["python3"]\n'
DOWN = "the cluster is down; bring it up with `python3 deploy/localcluster up`"


def reference(name: str) -> str:
    return f"localhost/loadtest-{name}:dev"


def base_reference() -> str:
    return f"localhost/python-base:{builds.rootfs_key()}"


class Images:
    def __init__(self, at: Layout) -> None:
        self._at = at
        self._buildah = Buildah(at)
        self._store = Store(at.cache / "images")
        self._record = at.state / "images.json"
        self._changed = False

    def load(self, archive: Path) -> None:
        """Anybody's image archive (docker or OCI)."""
        if not archive.is_file():
            raise Refusal(f"there is no image archive {archive}")
        if not self._at.socket.exists():
            raise Refusal(DOWN)
        run([*self._ctr(), "images", "import", archive])

    def load_pause(self) -> None:
        self._load(PAUSE_REFERENCE, self._pause())

    def build_and_load(self, names: list[str]) -> None:
        built = {name: self._built(name) for name in names}
        if self._changed:
            self._prune()
        if not self._at.socket.exists():
            say("images", f"built, not loaded: {DOWN}")
            return
        for name, key in built.items():
            if self._loaded().get(reference(name)) == key:
                say("images", f"{reference(name)} is current")
                continue
            with step("images", f"loading {reference(name)}", "load"):
                self._load(reference(name), key)

    # -- into the cluster --------------------------------------------------------------------------------------------

    def _load(self, ref: str, key: str) -> None:
        if self._loaded().get(ref) == key:
            return
        present = run([*self._ctr(), "content", "ls", "--quiet"]).split()
        self._import(self._store.archive(key, ref, set(present)))
        self._record.write_text(json.dumps({**self._loaded(), ref: key}, indent=1))

    def _import(self, archive: bytes) -> None:
        done = subprocess.run([*self._ctr(), "images", "import", "-"], input=archive, capture_output=True, check=False)
        if done.returncode:
            raise Refusal(f"containerd did not take the image: {done.stderr.decode().strip()}")

    def _loaded(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _ctr(self) -> list[str]:
        return ["ctr", f"--address={self._at.socket}", "--namespace=k8s.io"]

    # -- building ----------------------------------------------------------------------------------------------------

    def _built(self, name: str) -> str:
        dockerfile = self._at.repository / DOCKERFILES[name]
        if not dockerfile.exists():
            raise Refusal(f"there is no {DOCKERFILES[name]} in this clone")
        key = f"{name}-{self._key(dockerfile)}"
        if not self._store.has(key):
            base = self._base()
            with step("images", f"building {reference(name)} from {DOCKERFILES[name]}", "image"):
                argument = f"--build-arg=PYTHON_IMAGE={base}"
                self._buildah.build(reference(name), dockerfile, self._at.repository, [argument])
                self._keep(reference(name), key)
                self._changed = True
        return key

    def _key(self, dockerfile: Path) -> str:
        root, text = self._at.repository, dockerfile.read_text()
        return cache.key(builds.rootfs_key(), text, *(root / part for part in cache.copied(text)), root=root)

    def _base(self) -> str:
        """The local stand-in for python:…-slim."""
        ref = base_reference()
        if not self._buildah.has(ref):
            archive = builds.rootfs(self._at)
            with step("images", "base image", "load"):
                self._buildah.build_from_file(ref, BASE, archive)
        return ref

    def _pause(self) -> str:
        binary = builds.binaries(self._at) / "pause"
        key = f"pause-{cache.key(PAUSE, binary, root=binary.parent)}"
        if not self._store.has(key):
            self._buildah.build_from_file(PAUSE_REFERENCE, PAUSE, binary)
            self._keep(PAUSE_REFERENCE, key)
        return key

    def _prune(self) -> None:
        """Every build leaves the steps of the one before without a name."""
        with step("images", "removing what earlier builds left behind", "prune"):
            self._buildah.prune({PAUSE_REFERENCE, base_reference(), *map(reference, DOCKERFILES)})

    def _keep(self, ref: str, key: str) -> None:
        self._buildah.push(ref, self._store.folder, key)
        self._store.prune()
