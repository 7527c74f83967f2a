"""Running commands, with their failure translated once."""

import subprocess
import time
from collections.abc import Mapping, Sequence


class DemoError(Exception):
    """A sentence for the user."""


def call(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    quiet: bool = False,
    stdin: str | None = None,
) -> None:
    """Run a command to its end; its output goes to the terminal unless quiet."""
    result = subprocess.run(command, env=environment, capture_output=quiet, input=stdin, text=True, check=False)
    if result.returncode:
        detail = f": {result.stderr.strip()}" if quiet else ""
        raise DemoError(f"`{' '.join(command)}` failed with exit code {result.returncode}{detail}")


def output(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DemoError(f"`{' '.join(command)}` failed: {result.stderr.strip()}")
    return result.stdout


class Step:
    """Context manager that prints what is done, how long it usually takes and how long it took."""

    def __init__(self, text: str, usually: str) -> None:
        self.text = text
        self.usually = usually

    def __enter__(self) -> None:
        self.started = time.monotonic()
        print(f"[demo] {self.text} (usually {self.usually})", flush=True)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            print(f"[demo] … done in {time.monotonic() - self.started:.0f} s", flush=True)
