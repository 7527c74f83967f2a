"""Running other programs: one place that decides what is shown when one of them fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcluster.errors import Refusal

TAIL = 15


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """The program's output; a Refusal with the last lines it said when it fails."""
    words = [str(word) for word in command]
    try:
        done = _run(words, _environment(env), cwd)
    except FileNotFoundError:
        raise Refusal(f"{words[0]} is not installed; run `python3 deploy/localcluster build` first") from None
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode:
        raise Refusal(_failure(words, done, log))
    return done.stdout


def _run(words: list[str], env: dict[str, str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    out, err, nowhere = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
    return subprocess.run(words, stdout=out, stderr=err, stdin=nowhere, text=True, env=env, cwd=cwd, check=False)


def quietly(*command: str | Path) -> bool:
    """Whether the program succeeded; for things that may already be so."""
    words, nowhere = [str(word) for word in command], subprocess.DEVNULL
    try:
        return subprocess.run(words, stdout=nowhere, stderr=nowhere, stdin=nowhere, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(extra or {})}


def _failure(words: Sequence[str], done: subprocess.CompletedProcess[str], log: Path | None) -> str:
    tail = "\n  ".join(done.stdout.strip().splitlines()[-TAIL:])
    where = f" (all of it in {log})" if log else ""
    return f"`{' '.join(words[:4])} …` failed with exit code {done.returncode}{where}; it ended with:\n  {tail}"
