"""The real operator, wrapped: it kills itself with SIGKILL at chosen points of a run. The product knows nothing of it.

A point is a line such as `before Create Job`, `after write Running first` or `after StoreReport`: each action and each
write of a status, before and after. CRASH_POINTS is a pattern (fnmatch) of points; CRASH_SPENT is a file with the points
that have had their crash, so that the operator's next life gets past them. CALLS is a file for the numbers of its API calls.
"""

import fnmatch
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import kopf
from yarl import URL

from loadtest_operator import main
from loadtest_operator.core.actions import Action
from loadtest_operator.handlers import startup
from loadtest_operator.handlers.run import act, reconcile
from loadtest_operator.handlers.run.memory import Memory

FINALIZER = "loadtest.dev/operator-under-test"
"""Another one than the installed operator's: neither may take the other's for its own."""
REPEATED = ("SaveTimeline",)
"""Actions that happen at every look."""

Perform = Callable[..., Awaitable[None]]


class Reaper:
    """Kills this process at points that match and have not been spent."""

    def __init__(self, pattern: str, spent: Path) -> None:
        self._pattern, self._spent = pattern, spent
        self._known = set(spent.read_text().splitlines()) if spent.exists() else set()

    def at(self, point: str) -> None:
        """The end, perhaps."""
        if point in self._known or not fnmatch.fnmatch(point, self._pattern):
            return
        with self._spent.open("a") as file:
            file.write(point + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def wrap_actions(reaper: Reaper) -> None:
    """Around every action."""
    for kind, perform in list(act.PERFORMERS.items()):
        act.PERFORMERS[kind] = _wrapped(reaper, perform)


def _wrapped(reaper: Reaper, perform: Perform) -> Perform:
    async def performed(context: Any, observed: Any, run: Any, action: Action) -> None:
        point = _point(action)
        reaper.at(f"before {point}")
        await perform(context, observed, run, action)
        reaper.at(f"after {point}")

    return performed


def _point(action: Action) -> str:
    kind = getattr(action, "kind", None)
    detail = kind.kind if kind is not None else getattr(action, "reason", "")
    return f"{type(action).__name__} {detail}".strip()


def wrap_writes(reaper: Reaper) -> None:
    """Around every write that brings the status to another phase, stage or target."""
    write = reconcile.write

    async def written(context: Any, observed: Any, memory: Memory, status: Any) -> None:
        words = [status.phase, status.run.current_stage or "", "target" if status.run.target else ""]
        point = " ".join(["write", *(word for word in words if word)])
        reaper.at(f"before {point}")
        await write(context, observed, memory, status)
        reaper.at(f"after {point}")

    reconcile.write = written


def with_own_finalizer() -> None:
    """Replaces the finalizer of kopf's settings."""
    settings = startup.operator_settings

    def changed(**arguments: Any) -> kopf.OperatorSettings:
        chosen = settings(**arguments)
        chosen.persistence.finalizer = FINALIZER
        return chosen

    startup.operator_settings = changed


class Calls:
    """HTTP requests to the API server, kopf's too, as `GET pods` → number in a file, written ten times a second."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, 0.0
        self._numbers: Counter[str] = Counter()

    def note(self, method: str, path: str) -> None:
        """A request."""
        if not path.startswith(("/api/v1/", "/apis/")):
            return
        self._numbers[f"{method.upper()} {resource(path)}"] += 1
        if time.monotonic() - self._written > 0.1:
            self._written = time.monotonic()
            self._path.with_suffix(".new").write_text(json.dumps(self._numbers))
            self._path.with_suffix(".new").replace(self._path)


def resource(path: str) -> str:
    """What kind of thing a path of the API is about, with its subresource: `loadtests/status`."""
    parts = path.split("/")[3 if path.startswith("/api/") else 4 :] or ["discovery"]
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return "/".join([parts[0], *parts[2:]])


def count_calls(calls: Calls) -> None:
    """Of every aiohttp session."""
    request = aiohttp.ClientSession._request

    async def counted(self: Any, method: str, url: Any, **options: Any) -> Any:
        calls.note(method, URL(url).path)
        return await request(self, method, url, **options)

    aiohttp.ClientSession._request = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    with_own_finalizer()
    if calls := os.environ.pop("CALLS", ""):
        count_calls(Calls(Path(calls)))
    if pattern := os.environ.pop("CRASH_POINTS", ""):
        reaper = Reaper(pattern, Path(os.environ["CRASH_SPENT"]))
        wrap_actions(reaper)
        wrap_writes(reaper)
    sys.exit(main.main())
