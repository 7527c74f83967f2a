"""Puts small faults into the rooms that judge, and counts how many the unit tests notice (mutmut).

    python -m mutants [--only judge,scaling] [--list]

mutmut wants packages at the top of a tree, so each room is played in a copy of its own: both packages side by side, the tests that
import the room, and the project's pytest settings. Survivors are listed with `--list`.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
WANTED_PERCENT = 90
ROOMS = {
    "judge": "loadgen/core/judge",
    "scaling": "loadtest_operator/core/scaling",
    "faults": "loadtest_operator/core/faults",
    "evidence": "loadtest_operator/core/evidence",
}
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
    parser.add_argument("--list", action="store_true", help="name every mutant that no test noticed")
    options = parser.parse_args()
    scores = [played(room, names=options.list) for room in options.only.split(",")]
    return 0 if min(scores) >= WANTED_PERCENT else 1


def played(room: str, *, names: bool) -> float:
    """Percent of the room's mutants that were noticed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _lay(tree, room)
        # There before the interpreter starts, or it remembers that nothing is.
        (tree / "mutants").mkdir()
        environment = os.environ | {"PYTHONPATH": str(tree / "mutants"), "PYTHONDONTWRITEBYTECODE": "1"}
        run = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)]
        done = subprocess.run(run, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        codes = _codes(tree / "mutants")
    if not codes:
        sys.exit(f"{room}: mutmut made no mutants: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return _told(room, codes, names=names)


def _told(room: str, codes: dict[str, int], *, names: bool) -> float:
    outcomes = Counter(OUTCOMES.get(code, "killed") for code in codes.values())
    noticed = 100 * sum(outcomes[outcome] for outcome in NOTICED) / len(codes)
    detail = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{room}: {noticed:.1f} % of {len(codes)} mutants noticed ({detail})", flush=True)
    if names:
        print(
            *sorted(f"  {name}" for name, code in codes.items() if OUTCOMES.get(code) not in (None, *NOTICED)), sep="\n"
        )
    return noticed


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
    path = ROOMS[room]
    tests = _tests(path.replace("/", "."))
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    mutmut = {
        "source_paths": ["loadgen", "loadtest_operator"],
        "only_mutate": [f"{path}/*"],
        "also_copy": ["tests", "crds", "deploy", "docs"],
        "pytest_add_cli_args": ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": tests,
    }
    # Lists and strings are written alike in JSON and TOML.
    lines = ["[tool.pytest]", *_lines(settings), "[tool.mutmut]", *_lines(mutmut)]
    (tree / "pyproject.toml").write_text("\n".join(lines) + "\n")


def _lines(table: dict[str, object]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in table.items()]


def _tests(package: str) -> list[str]:
    """Unit tests that import something of the room."""
    parent, _, last = package.rpartition(".")
    names = re.compile(rf"\b{re.escape(package)}\b|from {re.escape(parent)} import .*\b{last}\b")
    files = sorted((ROOT / "tests/unit").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if names.search(file.read_text())]


if __name__ == "__main__":
    sys.exit(main())
