"""Images at rest: one OCI image layout in the user's cache, whose images share their layers.

Knows the layout's files, and how to make an archive of just those blobs that a receiver lacks; a change of source then
moves a few hundred kilobytes instead of the whole image.
"""

import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

Json = dict[str, Any]
NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
KEPT = 2


class Store:
    """Images are named `NAME-KEY`, by what they are built from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        return any(entry["annotations"].get(NAME) == name for entry in self._index()["manifests"])

    def archive(self, name: str, reference: str, present: Collection[str]) -> bytes:
        """A tar of the image under its reference, without the blobs that are present already."""
        entry = next(entry for entry in self._index()["manifests"] if entry["annotations"].get(NAME) == name)
        named = {**entry, "annotations": {NAME: reference, CONTAINERD_NAME: reference}}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
            _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [named]}).encode())
            for digest in self._blobs(entry):
                if digest not in present:
                    tar.add(self._path(digest), f"blobs/{digest.replace(':', '/')}")
        return buffer.getvalue()

    def prune(self) -> None:
        """Keeps the last few images of each name, and the blobs that they use."""
        index = self._index()
        entries = index["manifests"]  # the newest stand last
        kept = [entry for place, entry in enumerate(entries) if _later(entry, entries[place + 1 :]) < KEPT]
        self._index_path.write_text(json.dumps({**index, "manifests": kept}))
        used = {self._path(digest) for entry in kept for digest in self._blobs(entry)}
        for blob in (self.folder / "blobs" / "sha256").iterdir():
            if blob not in used:
                blob.unlink()

    @property
    def _index_path(self) -> Path:
        return self.folder / "index.json"

    def _index(self) -> Json:
        return _read(self._index_path) if self._index_path.exists() else {"manifests": []}

    def _blobs(self, entry: Json) -> list[str]:
        manifest = _read(self._path(entry["digest"]))
        return [entry["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]

    def _path(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")


def _later(entry: Json, others: list[Json]) -> int:
    """How many of the others are of the same name."""
    return sum(_stem(other) == _stem(entry) for other in others)


def _stem(entry: Json) -> str:
    return str(entry["annotations"].get(NAME, "")).rpartition("-")[0]


def _read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
