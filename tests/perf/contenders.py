"""Who is measured: each contender runs one load for some seconds, pinned to one core, and says what it did.

`Sample.units` are requests or output events; `cpu` is the CPU time that the contender's processes took for them, which
still tells the cost of a unit where others disturbed the machine. A contender that is not here raises `MissingError`.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = HERE / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "loadtest-operator"
CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = CORES[0], CORES[-1]
PRIVILEGED = os.geteuid() == 0
REALTIME = ("chrt", "--fifo", "1")
SPIN = ("chrt", "--idle", "0", sys.executable, "-c", "while True: pass")
_priority: tuple[str, ...] = ()


class MissingError(Exception):
    """This contender is not installed, or did not work here."""


@dataclass(frozen=True)
class Sample:
    """One run of one contender."""

    units: float
    seconds: float
    cpu: float = 0.0
    """Seconds of CPU time for these units; 0 where unknown."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.units / self.seconds

    @property
    def microseconds(self) -> float:
        """CPU time of a unit."""
        return self.cpu / self.units * 1e6 if self.units else 0.0


Contender = Callable[[], Sample]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Clients and servers started meanwhile are kept waiting by nothing ordinary, nor by a host that gives them no core.

    A virtual core that has nothing to do halts, and its host may take milliseconds to run it again: with nobody else on
    the machine arrivals are later than on a busy one. So something that gives way to everything keeps the cores running.
    Only root may do that; for others nothing changes.
    """
    global _priority  # noqa: PLW0603
    if not PRIVILEGED:
        yield
        return
    _priority = REALTIME
    spinners = [subprocess.Popen(["taskset", "-c", str(core), *SPIN]) for core in (CLIENT_CORE, SERVER_CORE)]
    try:
        yield
    finally:
        _priority = ()
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def on_server_core() -> tuple[str, ...]:
    """What to put before a server's command."""
    return ("taskset", "-c", str(SERVER_CORE), *_priority)


def execute(command: list[str], *, timeout: float, text: str = "") -> tuple[str, float]:
    """Run pinned to the client's core; return standard output and the CPU seconds of it and its children."""
    before = os.times()
    try:
        done = subprocess.run(
            ["taskset", "-c", str(CLIENT_CORE), *_priority, *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"did not end within {timeout:.0f} s") from error
    after = os.times()
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise MissingError(f"ended with {done.returncode}: {lines[-1][:200]}")
    return done.stdout, after.children_user + after.children_system - before.children_user - before.children_system


def tool(name: str) -> str:
    """Path of a peer: on PATH, or in the peers' cache."""
    places = [str(CACHE / "peers/bin"), str(CACHE / "bin"), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise MissingError("not installed; `bench.py --install-peers` installs Locust and vegeta")
    return found


def plan(request: dict[str, Any], stages: list[dict[str, Any]], **load: Any) -> dict[str, Any]:
    """A plan for the generator."""
    return {
        "requests": [{"name": "load", "timeoutSeconds": 600} | request],
        "load": {"stages": stages, "gracefulStopSeconds": 0, "maxInFlight": 100_000} | load,
    }


def closed(concurrency: int, seconds: int, ramp: int = 0) -> list[dict[str, Any]]:
    """One closed stage."""
    return [{"name": "load", "durationSeconds": seconds, "concurrency": concurrency, "rampSeconds": ramp}]


@contextmanager
def earlier(commit: str) -> Iterator[Path]:
    """The generator and its shard's script as they were at a commit, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["git", "-C", str(ROOT), "archive", commit, "loadgen", "tests/perf/shard.py"]
        packed = subprocess.run(command, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def generator(
    what: dict[str, Any], url: str, *, skip: int = 1, stamps: bool = False, tree: Path = ROOT
) -> dict[str, Any]:
    """Our own, or that of another tree: one shard playing a plan; its figures."""
    seconds = sum(stage["durationSeconds"] for stage in what["load"]["stages"])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(what, file)
        file.flush()
        flags = ["--skip", str(skip), *(["--stamps"] if stamps else [])]
        path = f"PYTHONPATH={tree / 'loadgen'}"
        command = ["env", path, sys.executable, str(tree / "tests/perf/shard.py"), file.name, url, *flags]
        out, _ = execute(command, timeout=seconds + 60)
    figures: dict[str, Any] = json.loads(out)
    return figures


def generator_requests(tree: Path, url: str, connections: int, seconds: int, path: str = "/health") -> Sample:
    what = plan({"http": {"path": path}}, closed(connections, seconds + 1))
    return _generator_sample(generator(what, url, tree=tree), "requests")


def generator_events(tree: Path, url: str, streams: int, seconds: int) -> Sample:
    chat = {"model": "simulator", "prompt": {"text": "one two three"}}
    what = plan({"openAIChat": chat}, closed(streams, seconds + 1))
    return _generator_sample(generator(what, url, tree=tree), "events")


def generator_open(tree: Path, url: str, rate: int, seconds: int) -> Sample:
    stage = {"name": "load", "durationSeconds": seconds + 1, "arrivalRate": rate}
    return _generator_sample(generator(plan({"http": {"path": "/health"}}, [stage]), url, tree=tree), "requests")


def generator_stamps(tree: Path, url: str, streams: int, seconds: int) -> Sample:
    chat = {"model": "simulator", "prompt": {"text": "one two three"}, "maxTokens": 2000}
    what = plan({"openAIChat": chat}, closed(streams, seconds + 2, ramp=2))
    return _generator_sample(generator(what, url, skip=2, stamps=True, tree=tree), "events")


def product(url: str, rate: int, seconds: int) -> dict[str, Any]:
    """The whole product on this core at an arrival rate: calibration, supervisor, one shard; its own report."""
    what = plan({"http": {"path": "/id"}}, [{"name": "load", "durationSeconds": seconds, "arrivalRate": rate}])
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "plan.json"), Path(folder, "report.json")
        file.write_text(json.dumps(what))
        run = [sys.executable, "-m", "loadgen", "run", str(file), "--url", url, "--workers", "1", "--out", str(out)]
        # The exit code is the verdict's; what counts here is what the report says of the measurement.
        execute(["sh", "-c", '"$@" || test -s "$0"', str(out), *run], timeout=seconds + 60)
        report: dict[str, Any] = json.loads(out.read_text())
    return report


def _generator_sample(figures: dict[str, Any], unit: str) -> Sample:
    return Sample(figures[unit], figures["seconds"], figures["cpu"] / 1e6, figures)


def wrk(url: str, connections: int, seconds: int, path: str = "/health") -> Sample:
    command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url + path]
    out, cpu = execute(command, timeout=seconds + 30)
    return _wrk_sample(out, cpu, 1)


def wrk_stream(url: str, streams: int, seconds: int, tokens: int) -> Sample:
    script = str(PEERS / "stream.lua")
    command = [tool("wrk"), "-t1", f"-c{streams}", f"-d{seconds}s", "-s", script, url + "/v1/chat/completions"]
    out, cpu = execute(command, timeout=seconds + 30)
    return _wrk_sample(out, cpu, tokens)


def _wrk_sample(out: str, cpu: float, units: int) -> Sample:
    found = re.search(r"(\d+) requests in", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if found is None or rate is None:
        raise MissingError(f"said {out[-200:]!r}")
    return Sample(int(found[1]) * units, int(found[1]) / float(rate[1]), cpu)


def vegeta(url: str, connections: int, seconds: int) -> Sample:
    command = [tool("vegeta"), "-cpus=1", "attack", "-rate=0", f"-max-workers={connections}", f"-workers={connections}"]
    command += [f"-connections={connections}", f"-duration={seconds}s"]
    with tempfile.NamedTemporaryFile() as file:
        _, cpu = execute([*command, f"-output={file.name}"], timeout=seconds + 30, text=f"GET {url}/health\n")
        out, _ = execute([tool("vegeta"), "report", "-type=json", file.name], timeout=60)
    report = json.loads(out)
    return Sample(report["requests"], report["duration"] / 1e9, cpu)


def locust(url: str, connections: int, seconds: int) -> Sample:
    command = [tool("locust"), "-f", str(PEERS / "locustfile.py"), "--headless", "--json", "--loglevel=ERROR"]
    command += [f"--users={connections}", f"--spawn-rate={connections}", f"--run-time={seconds + 1}s", f"--host={url}"]
    out, cpu = execute(command, timeout=seconds + 60)
    row = json.loads(out[out.index("[") :])[0]
    return Sample(row["num_requests"], row["last_request_timestamp"] - row["start_time"], cpu)


def aiohttp(url: str, connections: int, seconds: int) -> Sample:
    command = [sys.executable, str(PEERS / "aiohttp_plain.py"), url + "/health", str(connections), str(seconds)]
    return _script_sample(command, seconds)


def aiohttp_open(url: str, rate: int, seconds: int) -> Sample:
    command = [sys.executable, str(PEERS / "aiohttp_open.py"), url + "/health", str(rate), str(seconds)]
    out, _ = execute(command, timeout=seconds * 6 + 30)
    return Sample(rate * seconds, seconds, details={"scheduleLag": json.loads(out)})


def aiohttp_stream(url: str, streams: int, seconds: int, ramp: float = 0.0) -> Sample:
    command = [sys.executable, str(PEERS / "aiohttp_stream.py"), url + "/v1/chat/completions", str(streams)]
    return _script_sample([*command, str(seconds), str(ramp)], seconds + ramp)


def _script_sample(command: list[str], seconds: float) -> Sample:
    out, _ = execute(command, timeout=seconds + 60)
    said = json.loads(out)
    return Sample(said["count"], said["seconds"], said["cpu"], said)
