"""Starting and stopping the cluster's own processes, and no others.

A process is known by its id together with its start time and the boot it belongs to, so a re-used id is never taken
for ours. Where the record is lost (a crash between start and record), the working folder tells: everything that this
tool starts, and every container shim, works inside the state folder.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster import layout

GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: str
    boot: str


def identify(pid: int) -> Process:
    return Process(pid, start_time(pid), boot())


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat; empty when the process is gone or a zombie. Not before its last thread is gone: a killed
    process shows a zombie while other threads of it still hold its ports.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return ""
    return "" if fields[0] in "ZX" and threads < 2 else fields[19]


def alive(process: Process | None) -> bool:
    return process is not None and process.boot == boot() and start_time(process.pid) == process.started != ""


class Records:
    """One small file per component in the state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "run"

    def read(self, name: str) -> Process | None:
        try:
            return Process(**json.loads((self._folder / f"{name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, name: str, process: Process) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.json").write_text(json.dumps(asdict(process)))

    def forget(self, name: str) -> None:
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def alive(self, name: str) -> bool:
        return alive(self.read(name))

    def died(self, name: str) -> bool:
        """It was started, nobody stopped it, and it is dead."""
        found = self.read(name)
        return found is not None and not alive(found)


def start(name: str, command: Sequence[str], state: Path) -> None:
    """Starts it inside the cluster's network namespace, detached from this terminal."""
    inside = ["nsenter", f"--net={layout.NETNS_PATH}", *command]
    with (state / "log" / f"{name}.log").open("ab") as log:
        nowhere = subprocess.DEVNULL
        child = subprocess.Popen(inside, cwd=state, stdin=nowhere, stdout=log, stderr=log, start_new_session=True)
    Records(state).write(name, identify(child.pid))


def stop(processes: Iterable[Process], grace: float = GRACE) -> None:
    """Asks first, then kills what is still there after the grace time (0: kills at once)."""
    mine = [process for process in processes if alive(process)]
    if grace:
        _signal(mine, signal.SIGTERM)
        _wait(mine, grace)
    _signal(mine, signal.SIGKILL)
    _wait(mine, 5.0)


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        if alive(process):
            os.kill(process.pid, number)


def _wait(processes: Sequence[Process], seconds: float) -> None:
    wait_for(lambda: not any(alive(process) for process in processes), seconds)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds


def working_in(folder: Path) -> list[Process]:
    """All processes of another network namespace than ours that work in the state folder: never somebody's shell."""
    host = _inode(Path("/proc/self/ns/net"))
    inside = (pid for pid, cwd in _folders() if cwd == str(folder) or cwd.startswith(f"{folder}/"))
    return [identify(pid) for pid in inside if _inode(Path(f"/proc/{pid}/ns/net")) not in (host, 0)]


def folders_in_namespace() -> dict[int, str]:
    """Process id → working folder of everything that lives in the cluster's network namespace."""
    inode = _inode(layout.NETNS_PATH)
    return {pid: cwd for pid, cwd in _folders() if inode and _inode(Path(f"/proc/{pid}/ns/net")) == inode}


def _folders() -> Iterator[tuple[int, str]]:
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            yield int(entry), os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
