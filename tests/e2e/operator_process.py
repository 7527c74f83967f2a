"""The operator as a child process of the tests: started, killed with SIGKILL, started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

CHILD = Path(__file__).with_name("crashing_operator.py")
POINTS = "CRASH_POINTS"
SPENT = "CRASH_SPENT"
CALLS = "CALLS"


class OperatorProcess:
    """One operator; its log and the points at which it has crashed are in a folder."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Of the living process."""
        assert self._child is not None
        return self._child.pid

    @property
    def log(self) -> str:
        """What all its lives have said."""
        path = self.folder / "operator.log"
        return path.read_text() if path.exists() else ""

    @property
    def crashes(self) -> list[str]:
        """The points at which it has crashed, in order."""
        path = self.folder / "crashes"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def calls(self) -> Counter[str]:
        """API calls of this life so far: `GET pods` → number."""
        path = self.folder / "calls"
        return Counter(json.loads(path.read_text()) if path.exists() else {})

    def start(self, crash_at: str = "") -> None:
        """Start it, with fresh ports. `crash_at` is a pattern of points (see crashing_operator), each good for one."""
        assert not self.alive, "it runs already"
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "KUBECONFIG", "PYTHONPATH") if key in os.environ},
            "PYTHONUNBUFFERED": "1",
            "LOADTEST_METRICS_PORT": str(free_port()),
            "LOADTEST_PROBE_PORT": str(free_port()),
            **self.settings,
            POINTS: crash_at,
            SPENT: str(self.folder / "crashes"),
            CALLS: str(self.folder / "calls"),
        }
        self.metrics_port = int(environment["LOADTEST_METRICS_PORT"])
        with (self.folder / "operator.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, str(CHILD)], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL, as a node that loses its power."""
        self._end(signal.SIGKILL, 10)

    def stop(self) -> int:
        """SIGTERM, as Kubernetes does; its exit code."""
        return self._end(signal.SIGTERM, 30)

    def close(self) -> None:
        """However it is, afterwards it is dead."""
        if self.alive:
            self.kill()

    def _end(self, how: signal.Signals, seconds: float) -> int:
        assert self._child is not None
        self._child.send_signal(how)
        return self._child.wait(seconds)

    def wait_dead(self, seconds: float) -> None:
        """Until it has crashed by itself."""
        deadline = time.monotonic() + seconds
        while self.alive:
            assert time.monotonic() < deadline, f"it still runs after {seconds} s"
            time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
