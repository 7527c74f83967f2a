"""Telling a person what is being done, how long it usually takes, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Seen on two cores; the first number is a cold cache, where a cache matters.
USUAL = {
    "packages": "30–60 s the first time",
    "go": "20 s the first time",
    "binaries": "8–10 min the first time",
    "rootfs": "30–90 s the first time",
    "image": "20–90 s the first time, 10–20 s after a change",
    "load": "1–10 s",
    "prune": "1–3 s",
    "control plane": "5–15 s",
    "node": "5–15 s",
    "addons": "2–10 s",
    "clear": "1–3 s",
    "stop": "1–5 s",
}


@contextmanager
def step(command: str, what: str, usual: str) -> Iterator[None]:
    """Prints `[command] what (usually …) … 12 s` around the work."""
    print(f"[{command}] {what} (usually {USUAL[usual]}) …", end=" ", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def say(command: str, what: str) -> None:
    print(f"[{command}] {what}", flush=True)
