"""Starts our inference simulator (deploy/samples/targets/simulator) in a process of its own.

A process, so that it neither slows the code under test nor is slowed by it. `truth()` gives what it did to each
request in its own CLOCK_MONOTONIC nanoseconds, which is the same clock as ours on one machine.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

SCRIPT = Path(__file__).parents[2] / "deploy/samples/targets/simulator/simulator.py"


@dataclass(frozen=True)
class Truth:
    """What the simulator did to one request; times are its CLOCK_MONOTONIC nanoseconds, 0 where it never happened."""

    path: str
    outcome: str
    """`ok`, `failed`, `error-event`, `truncated` or `gone` (the client left)."""
    received: int
    """The request had been read."""
    admitted: int
    """It got a decode slot."""
    first: int
    """Just before the first token was written."""
    last: int
    """Just before the last token was written."""
    events: int
    tokens: int


@dataclass(frozen=True)
class Simulator:
    """A running simulator."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def truth(self) -> list[Truth]:
        """Every completion that has ended, in the order of its end."""
        return [Truth(**row) for row in self._get("/truth")["requests"]]

    def stalls(self) -> list[tuple[int, int]]:
        """Begin and end of each stall."""
        return [(begin, end) for begin, end in self._get("/truth")["stalls"]]

    def forget(self) -> None:
        """Forget the requests seen so far."""
        with urlopen(Request(self.url + "/truth", method="DELETE"), timeout=10):
            pass

    def stall(self, seconds: float) -> None:
        """Freeze the whole server for so long, now."""
        with urlopen(Request(f"{self.url}/stall?seconds={seconds}", method="POST"), timeout=10):
            pass

    def _get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=10) as response:
            return json.load(response)


@contextmanager
def running(*flags: str, prefix: tuple[str, ...] = (), python: str = sys.executable) -> Iterator[Simulator]:
    """Run `simulator.py` with these flags on a free loopback port; `prefix` is put before it, e.g. taskset."""
    command = [*prefix, python, str(SCRIPT), "--host=127.0.0.1", "--port=0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), f"the simulator said {line!r}"
        yield Simulator(port=int(line.rsplit(":", 1)[1]), pid=process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=10)
