"""`loadgen sweep` against a server whose capacity is known by construction: one request after the other, 25 ms each."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from servers import OK, Script, serving, wait
from test_compare import loadgen

from fakes.bad import request

CAPACITY = 40
SEARCH = """
apiVersion: loadtest.dev/v1alpha1
kind: LoadTestSweep
metadata: {name: knee}
spec:
  loadTestTemplate:
    spec:
      requests:
      - {name: page, http: {path: /}, slo: {responseTimeMilliseconds: 500}}
      load:
        arrival: Uniform
        gracefulStopSeconds: 10
        stages: [{name: hold, durationSeconds: 3, arrivalRate: 1}]
  search: {field: "load.stages[hold].arrivalRate", min: 20, max: 80, precisionPercent: 45, maxRuns: 7, holdSeconds: 5}
  repeats: 2
"""
GRID = """
loadTestTemplate:
  spec:
    requests: [{name: page, http: {path: /}}]
    load: {stages: [{name: hold, durationSeconds: 2, concurrency: 1}]}
vary: [{field: "load.stages[hold].concurrency", values: [1, 4]}]
repeats: 1
"""


def one_after_the_other() -> Script:
    """As long as anybody waits, the server works: 40 requests a second and no more."""
    turn = asyncio.Lock()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            async with turn:
                await wait(1 / CAPACITY)
            writer.write(OK)

    return script


async def swept(folder: Path, text: str) -> tuple[subprocess.CompletedProcess[str], str]:
    (folder / "sweep.yaml").write_text(text)
    out = str(folder / "out.json")
    async with serving(one_after_the_other()) as url:
        arguments = (str(folder / "sweep.yaml"), "--url", url, "--workers", "1", "--out", out)
        return await loadgen("sweep", *arguments), out


@pytest.mark.timeout(400)
async def test_the_knee_is_found_and_held(tmp_path: Path) -> None:
    """Between half and a little more than the capacity, with an interval; a busy machine may make it less, never more."""
    done, out = await swept(tmp_path, SEARCH)

    found = json.loads((tmp_path / "out.json").read_text())
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert found["knee"]["bound"] == "Known", done.stdout + done.stderr
    assert CAPACITY / 4 <= found["knee"]["low"] <= 1.15 * CAPACITY
    assert found["conclusion"] == ("Confirmed" if found["hold"]["held"] else "Unconfirmed")
    shown = await loadgen("report", out)
    assert shown.stdout.startswith(found["conclusion"])
    assert done.stdout.endswith(shown.stdout)
    assert "load.stages[hold].arrivalRate = 40" in shown.stdout
    assert len(found["runs"]) <= 7


async def test_a_grid_is_a_table_with_its_best_point(tmp_path: Path) -> None:
    """Four at once wait for each other: no more requests a second than the server can."""
    done, _ = await swept(tmp_path, GRID)

    found = json.loads((tmp_path / "out.json").read_text())
    assert (done.returncode, found["conclusion"]) == (0, "Measured"), done.stdout + done.stderr
    assert [level["point"]["load.stages[hold].concurrency"] for level in found["levels"]] == [1, 4]
    assert all(level["requestsPerSecond"] <= 1.1 * CAPACITY for level in found["levels"])
    assert "best: load.stages[hold].concurrency = " in done.stdout


async def test_a_grid_whose_every_level_misses_the_slo_has_failed(tmp_path: Path) -> None:
    """As on the cluster: a pipeline reads the exit code."""
    slow = "[{name: page, http: {path: /}, slo: {responseTimeMilliseconds: 1}}]"
    done, _ = await swept(tmp_path, GRID.replace("[{name: page, http: {path: /}}]", slow))

    assert done.returncode == 1, done.stdout + done.stderr
