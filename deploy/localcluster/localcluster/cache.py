"""Names of things in the user's cache: a hash of all that they are built from, so that nothing is ever out of date.

Knows files and hashes; does not know what is built.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable
from pathlib import Path

LENGTH = 12
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def key(*parts: str | Path, root: Path) -> str:
    """Of strings, files and folders (all files below, with their names); a missing file counts as absent."""
    digest = hashlib.sha256()
    for part in parts:
        for name, content in _contents(part, root):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:LENGTH]


def _contents(part: str | Path, root: Path) -> Iterable[tuple[str, bytes]]:
    if isinstance(part, str):
        return [("", part.encode())]
    return [(str(path.relative_to(root)), path.read_bytes()) for path in files(part)]


def files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    return sorted(file for file in found if not IGNORED & set(file.parts) and file.suffix != ".pyc")


def copied(dockerfile: str) -> list[str]:
    """What a Dockerfile copies out of its build context (not out of another stage)."""
    words = [shlex.split(line) for line in _instructions(dockerfile)]
    copies = [line[1:] for line in words if line and line[0].upper() in ("COPY", "ADD")]
    plain = [line for line in copies if not any(word.startswith("--from") for word in line)]
    return [word for line in plain for word in line[:-1] if not word.startswith("--")]


def _instructions(dockerfile: str) -> list[str]:
    joined = dockerfile.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.split(" ")[0].upper() in ("COPY", "ADD")]
