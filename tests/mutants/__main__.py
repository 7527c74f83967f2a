"""Puts small faults into the rooms that judge, and counts how many the unit tests notice (mutmut).

    python -m mutants [--only judge,scaling] [--list]

mutmut wants packages at the top of a tree, so each room is played in a copy of its own: both packages side by side, the tests of the
room, and the project's pytest settings. Properties are drawn few times and always alike, so that a mutant costs a second and two runs
say the same. With `--list` each mutant that no test noticed is shown as a change of the source.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
WANTED_PERCENT = 90
DRAWS = 15
ROOMS = {
    "judge": "loadgen/core/judge",
    "scaling": "loadtest_operator/core/scaling",
    "faults": "loadtest_operator/core/faults",
    "evidence": "loadtest_operator/core/evidence",
}
BESIDE = {"evidence": ["verdict_table"]}
"""Tests that come into the room by another's door, so that no import of theirs shows it."""
OUTCOMES = {
    0: "survived",
    1: "killed",
    3: "killed",
    33: "no test",
    24: "timeout",
    36: "timeout",
    -24: "timeout",
    37: "type",
}
NOTICED = ("killed", "timeout")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default=",".join(ROOMS))
    parser.add_argument("--list", action="store_true", help="show every mutant that no test noticed")
    options = parser.parse_args()
    scores = [played(room, show=options.list) for room in options.only.split(",")]
    return 0 if min(scores) >= WANTED_PERCENT else 1


def played(room: str, *, show: bool) -> float:
    """Percent of the room's mutants that were noticed."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _lay(tree, room)
        # There before the interpreter starts, or it remembers that nothing is.
        (tree / "mutants").mkdir()
        done = _mutmut(tree, "run", "--max-children", str(os.cpu_count() or 1))
        codes = _codes(tree / "mutants")
        if not codes:
            sys.exit(f"{room}: mutmut made no mutants: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        noticed = _told(room, codes, time.monotonic() - begin)
        for name in sorted(name for name in codes if show and _outcome(codes[name]) not in NOTICED):
            print(_mutmut(tree, "show", name).stdout, flush=True)
    return noticed


def _mutmut(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree / "mutants"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def _told(room: str, codes: dict[str, int], seconds: float) -> float:
    outcomes = Counter(_outcome(code) for code in codes.values())
    noticed = 100 * sum(outcomes[outcome] for outcome in NOTICED) / len(codes)
    detail = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{room}: {noticed:.1f} % of {len(codes)} mutants noticed ({detail}) in {seconds:.0f} s", flush=True)
    return noticed


def _outcome(code: int) -> str:
    return OUTCOMES.get(code, "killed")


def _codes(mutants: Path) -> dict[str, int]:
    """Exit code of the tests, mutant by mutant; those never played are left out."""
    found = (json.loads(file.read_text())["exit_code_by_key"] for file in mutants.rglob("*.py.meta"))
    return {name: code for codes in found for name, code in codes.items() if code is not None}


def _lay(tree: Path, room: str) -> None:
    """A tree as mutmut wants it."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "loadgen/loadgen", tree / "loadgen", ignore=ignore)
    shutil.copytree(ROOT / "operator/loadtest_operator", tree / "loadtest_operator", ignore=ignore)
    for name in ("tests", "crds", "deploy", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignore)
    for file in (tree / "tests").rglob("*.py"):
        file.write_text(re.sub(r"max_examples=\d+", f"max_examples={DRAWS}", file.read_text()))
    path = ROOMS[room]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    mutmut = {
        "source_paths": ["loadgen", "loadtest_operator"],
        "only_mutate": [f"{path}/*"],
        "also_copy": ["tests", "crds", "deploy", "docs"],
        "pytest_add_cli_args": ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": _tests(room),
    }
    # Lists and strings are written alike in JSON and TOML.
    lines = ["[tool.pytest]", *_lines(settings), "[tool.mutmut]", *_lines(mutmut)]
    (tree / "pyproject.toml").write_text("\n".join(lines) + "\n")


def _lines(table: dict[str, object]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in table.items()]


def _tests(room: str) -> list[str]:
    """Unit tests that import something of the room, and those beside it."""
    package = ROOMS[room].replace("/", ".")
    parent, _, last = package.rpartition(".")
    names = re.compile(rf"\b{re.escape(package)}\b|from {re.escape(parent)} import .*\b{last}\b")
    beside = {f"test_{name}" for name in BESIDE.get(room, [])}
    files = sorted((ROOT / "tests/unit").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if file.stem in beside or names.search(file.read_text())]


if __name__ == "__main__":
    sys.exit(main())
