"""Plays every scene through `loadgen run`, writes docs/truth.md, and fails where an error exceeds what is stated beside it.

python -m truth [--out docs/truth.md] [--only SCENE]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from perf import contenders, machine
from truth.figures import Figure, compared
from truth.scenes import SCENES, SECONDS, Scene

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
INTRODUCTION = """\
# Truth: what the generator reports, beside what happened

Made by `make truth`. A server plays scripted answers and keeps the true times of each: of a request when the kernel had it, of what it
answers a reading of the clock before its bytes were handed to the kernel and one after, between which the truth lies. `loadgen run` loads
it, and every latency, count and rate of its report is set against naive arithmetic on these times; the error is how far it lies outside.

The *stated* uncertainty is what the report says beside a latency, and the histogram's three significant digits; for counts it is none. Of a
percentile it is the generator's loop lag and how far ranks may have shifted (`uncertainties`), of a mean the lag at P99, of a largest value
the longest lag and the 4 ms between two probes. A rate is unsure by what happened within 3 ms and that uncertainty of the load's end: its
start is told in milliseconds, and a shard closes a second 2 ms after its end, or later where its loop is late. `make truth` fails where one
error exceeds what is stated.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs/truth.md")
    parser.add_argument("--only", default="", help="part of a scene's name")
    options = parser.parse_args()
    busy = machine.Busy()
    with contenders.undisturbed():
        found = {scene: played(scene) for scene in SCENES if options.only in scene.name}
    described = machine.describe() | {"Others' share of the CPUs meanwhile": f"{busy.percent():.0f} %"}
    text = page(found, described)
    print(text)
    if not options.only:
        options.out.write_text(text)
    return 0 if all(figure.holds for figures in found.values() for figure in figures) else 1


def played(scene: Scene) -> list[Figure]:
    """One scene's figures."""
    with tempfile.TemporaryDirectory() as folder:
        script, plan, out = (Path(folder, name) for name in ("script.json", "plan.json", "report.json"))
        script.write_text(json.dumps(scene.script))
        plan.write_text(json.dumps(scene.plan))
        command = [
            *contenders.on_server_core(),
            sys.executable,
            str(HERE / "server.py"),
            str(script),
            str(SECONDS + 120),
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            report, truth = _reported(plan, out, url), _fetched(f"{url}/truth")
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
    return list(compared(report, truth, closed="concurrency" in scene.stage))


def _reported(plan: Path, out: Path, url: str) -> dict[str, Any]:
    """The report; whatever the verdict."""
    run = [sys.executable, "-m", "loadgen", "run", str(plan), "--url", url, "--workers", "1", "--out", str(out)]
    contenders.execute(["sh", "-c", '"$@" || test -s "$0"', str(out), *run], timeout=SECONDS + 90)
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def _fetched(url: str) -> dict[str, Any]:
    with urlopen(url, timeout=10) as answer:
        truth: dict[str, Any] = json.load(answer)
    return truth


def page(found: dict[Scene, list[Figure]], described: dict[str, str]) -> str:
    """Markdown."""
    lines = [
        INTRODUCTION,
        "| Machine | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in described.items()),
        "",
    ]
    timed = [figure for figures in found.values() for figure in figures if _is_latency(figure)]
    if timed:
        lines += ["| over all latencies, ms | P50 | P99 |", "|---|---|---|"]
        lines += [
            _row(name, *(f"{_percentile(values, percent):.3f}" for percent in (50, 99)))
            for name, values in (("error", [f.error for f in timed]), ("stated uncertainty", [f.stated for f in timed]))
        ]
    for scene, figures in found.items():
        lines += [
            "",
            f"## {scene.name}",
            "",
            f"{scene.about}; {next(iter(scene.stage))} {next(iter(scene.stage.values()))}.",
            "",
        ]
        lines += ["| figure | true | reported | error | stated ± | |", "|---|---|---|---|---|---|"]
        lines += [_figure_row(figure) for figure in figures]
    return "\n".join(lines) + "\n"


def _is_latency(figure: Figure) -> bool:
    return figure.name.split()[-1] in {"mean", "max"} or figure.name.split()[-1].startswith("p")


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure_row(figure: Figure) -> str:
    low, high = (_digits(value) for value in figure.true)
    cells = (_digits(value) for value in (figure.reported, figure.error, figure.stated))
    return _row(figure.name, low if low == high else f"{low}…{high}", *cells, "" if figure.holds else "**exceeded**")


def _digits(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
