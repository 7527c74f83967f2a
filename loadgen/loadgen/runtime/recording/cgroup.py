"""What the container may use and what it used: CPU quota, throttling, memory; cgroup v2 and v1."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60
"""What cgroup v1 says where there is no limit is larger."""
_V1_FOLDERS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The CPU controller's files of this container. Inside a container its own group is the root of the mount."""

    root: Path = ROOT

    def cores(self) -> float:
        """CPU cores that may be used: the quota, or the affinity where there is none."""
        available = float(len(os.sched_getaffinity(0)))
        return min(available, self._quota() or available)

    def _quota(self) -> float | None:
        whole = _read(self.root / "cpu.max").split()
        if len(whole) == 2 and whole[0] != "max":
            return int(whole[0]) / int(whole[1])
        for folder in _V1_FOLDERS:
            quota = _read(self.root / folder / "cpu.cfs_quota_us")
            if quota and int(quota) > 0:
                return int(quota) / int(_read(self.root / folder / "cpu.cfs_period_us") or 100_000)
        return None

    def memory_bytes(self) -> int | None:
        """The limit; None where there is none."""
        limits = (_read(self.root / name) for name in ("memory.max", "memory/memory.limit_in_bytes"))
        limit = next((int(text) for text in limits if text.isdigit()), _UNLIMITED)
        return limit if limit < _UNLIMITED else None

    def throttled_microseconds(self) -> int:
        """Time since the container's start in which it was ready to run and not allowed to."""
        for path, unit in (
            (self.root / "cpu.stat", 1),
            *((self.root / name / "cpu.stat", 1000) for name in _V1_FOLDERS),
        ):
            fields = dict(line.split(maxsplit=1) for line in _read(path).splitlines() if " " in line)
            if "throttled_usec" in fields:
                return int(fields["throttled_usec"])
            if "throttled_time" in fields:
                return int(fields["throttled_time"]) // unit
        return 0


def resident_bytes() -> int:
    """Memory of this process."""
    fields = _read(Path("/proc/self/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
