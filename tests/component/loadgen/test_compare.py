"""`loadgen compare` as a user calls it, on reports of runs against loopback servers whose answers take a known time."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from servers import serving, slowly

PLAN = """
requests:
- {name: page, http: {path: /}}
load:
  arrival: Uniform
  stages: [{name: steady, durationSeconds: 5, arrivalRate: 60}]
"""


async def loadgen(*arguments: str) -> subprocess.CompletedProcess[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadgen", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), err.decode())


async def a_report(folder: Path, name: str, seconds: float) -> str:
    """A run against a server that answers after so long."""
    (folder / "plan.yaml").write_text(PLAN)
    file = str(folder / f"{name}.json")
    async with serving(slowly(seconds)) as url:
        done = await loadgen("run", str(folder / "plan.yaml"), "--url", url, "--workers", "1", "--out", file)
    assert done.returncode == 0, done.stdout + done.stderr
    return file


async def test_worse_is_told_from_the_same(tmp_path: Path) -> None:
    """200 ms against 100 ms is Worse, in the other direction not believed; the same file twice is Undecided."""
    fast, slow = await a_report(tmp_path, "fast", 0.1), await a_report(tmp_path, "slow", 0.2)

    worse = await loadgen("compare", fast, "--", slow)
    assert (worse.returncode, worse.stdout.split()[0]) == (1, "Worse"), worse.stdout + worse.stderr
    assert "ResponseTime P50 of steady · page went from" in worse.stdout.replace("\n", " ")

    better = await loadgen("compare", "--margin", "5", slow, "--", fast)
    assert (better.returncode, better.stdout.split()[0]) == (3, "Undecided")

    same = await loadgen("compare", fast, "--", fast)
    assert same.returncode == 3
    assert "was given twice" in same.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.json", "b.json"), "one `--` stands between"),
        (("a.json", "--"), "there is no file after the `--`"),
        (("a.json", "--", "b.json", "--margin"), "--margin comes after a file"),
        (("a.json", "--", "b.json"), "No such file"),
        ((__file__, "--", __file__), "is not JSON"),
    ],
)
async def test_bad_input_is_named(arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2."""
    done = await loadgen("compare", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
