"""What the figures were measured on: enough to judge them, nothing that names the machine or its owner."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import sleep

TICKS = os.sysconf("SC_CLK_TCK")
PAUSE = 0.5


def describe() -> dict[str, str]:
    """Name → value, in the order shown."""
    processor = _first("/proc/cpuinfo", r"model name\s*:\s*(.+)")
    kibibytes = int(_first("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0)
    return {
        "CPU": f"{processor}, {len(os.sched_getaffinity(0))} usable",
        "Virtual": _first("/proc/cpuinfo", r"\b(hypervisor)\b") or "no hypervisor seen",
        "Memory": f"{kibibytes / 2**20:.0f} GiB",
        "Kernel": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "Packages": ", ".join(_package(name) for name in ("uvloop", "httptools", "msgspec", "numpy", "aiohttp")),
        "wrk": _tool(["wrk", "-v"], r"wrk \S+"),
        "nginx": _tool(["/usr/sbin/nginx", "-v"], r"nginx/\S+"),
    }


class Busy:
    """How much of the machine others took since this was made: all CPU time but ours, our servers' and the idle."""

    def __init__(self) -> None:
        self._begin = self._read()

    @staticmethod
    def _read() -> tuple[float, float, float]:
        """All, idle and our own CPU seconds so far."""
        ticks = [int(value) for value in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return sum(ticks) / TICKS, (ticks[3] + ticks[4]) / TICKS, own + _children()

    def percent(self) -> float:
        total, idle, own = (after - before for after, before in zip(self._read(), self._begin, strict=True))
        return max(0.0, 100 * (total - idle - own) / total) if total else 0.0


class Patience:
    """Waits for quiet moments, for so many seconds altogether."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def settle(self, percent: float) -> None:
        """Return once others took less than this for half a second, or when patience is at its end."""
        while self._left > 0:
            busy = Busy()
            sleep(PAUSE)
            self._left -= PAUSE
            if busy.percent() < percent:
                return


def _children() -> float:
    """CPU seconds of our living descendants."""
    seconds: dict[int, float] = {}
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        seconds[int(stat.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(seconds[pid] for pid in ours - {os.getpid()})


def _first(path: str, pattern: str) -> str:
    found = re.search(pattern, Path(path).read_text())
    return found[1].strip() if found else ""


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name}: none"


def _tool(command: list[str], pattern: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "none"
    found = re.search(pattern, done.stdout + done.stderr)
    return found[0] if found else "?"
