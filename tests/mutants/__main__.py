"""Puts small faults into the rooms that judge, and counts how many the unit tests notice (mutmut).

    python -m mutants [--only judge,scaling] [--sample 250 | --all] [--seed 1] [--list]

mutmut wants packages at the top of a tree, so each room is played in a copy of its own: both packages side by side, the tests of the
room, and the project's pytest settings. Properties are drawn few times and always alike, so that a mutant costs a second and two
runs say the same. A room's share is estimated from a random sample of its mutants, drawn by a seed; with `--all` it is counted.
Those that change nothing anybody could see (`equivalents.py`) are left out. With `--list` each mutant that no test noticed is
shown as a change of the source.
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
from dataclasses import dataclass
from pathlib import Path
from random import Random

from loadgen.core.stats.confidence import beta_quantile
from mutants.equivalents import EQUIVALENTS, change_of

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
    34: "not drawn",
    37: "type",
}
NOT_DRAWN = 34
NOTICED = ("killed", "timeout")


@dataclass(frozen=True)
class Chosen:
    """What is played of each room."""

    sample: int | None
    seed: int
    show: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default=",".join(ROOMS))
    parser.add_argument("--sample", type=int, default=250, help="mutants of each room")
    parser.add_argument("--all", action="store_true", help="every mutant: hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="show every mutant that no test noticed")
    options = parser.parse_args()
    chosen = Chosen(None if options.all else options.sample, options.seed, options.list)
    scores = [played(room, chosen) for room in options.only.split(",")]
    return 0 if min(scores) >= WANTED_PERCENT else 1


def played(room: str, chosen: Chosen) -> float:
    """Percent of the room's mutants that were noticed."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _lay(tree, room)
        # There before the interpreter starts, or it remembers that nothing is.
        (tree / "mutants").mkdir()
        made = _mutmut(tree, "run", "none-of-them", *CHILDREN)
        names = drawn(tree / "mutants", room, chosen)
        if not names:
            sys.exit(f"{room}: mutmut made no mutants: {made.stdout[-2000:]}{made.stderr[-2000:]}")
        done = _mutmut(tree, "run", *CHILDREN)
        outcomes = {name: _outcome(code) for name, code in _codes(tree / "mutants").items() if name in names}
        if len(outcomes) < len(names):
            sys.exit(f"{room}: the tests fail without any mutant: {done.stdout[-3000:]}{done.stderr[-2000:]}")
        kept = {
            name: _mutmut(tree, "show", name).stdout for name, outcome in outcomes.items() if outcome not in NOTICED
        }
    return _told(room, outcomes, kept, chosen.show, time.monotonic() - begin)


CHILDREN = ("--max-children", str(os.cpu_count() or 1))


def drawn(mutants: Path, room: str, chosen: Chosen) -> set[str]:
    """The names of those to be played; the others are marked as done."""
    files = {file: json.loads(file.read_text()) for file in mutants.rglob("*.py.meta")}
    names = sorted(name for meta in files.values() for name in meta["exit_code_by_key"])
    drawn = set(names)
    if chosen.sample is not None and chosen.sample < len(names):
        drawn = set(Random(f"{chosen.seed}/{room}").sample(names, chosen.sample))
    for file, meta in files.items():
        codes = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {name: code if name in drawn else NOT_DRAWN for name, code in codes.items()}
        file.write_text(json.dumps(meta))
    return drawn


def _mutmut(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree / "mutants"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def _told(room: str, outcomes: dict[str, str], kept: dict[str, str], show: bool, seconds: float) -> float:
    """The share of those that could be noticed, and how sure it is for the whole room (Clopper and Pearson, 95 %)."""
    equal = {name for name, diff in kept.items() if change_of(name, diff) in EQUIVALENTS}
    counted = Counter(outcome for name, outcome in outcomes.items() if name not in equal)
    total, noticed = counted.total(), sum(counted[outcome] for outcome in NOTICED)
    low = beta_quantile(0.025, noticed, total - noticed + 1) if noticed else 0.0
    high = beta_quantile(0.975, noticed + 1, total - noticed) if noticed < total else 1.0
    detail = ", ".join(f"{count} {outcome}" for outcome, count in counted.most_common())
    print(
        f"{room}: {100 * noticed / total:.1f} % of {total} mutants noticed (95 %: {100 * low:.1f} to {100 * high:.1f}; {detail}; "
        f"{len(equal)} left out that change nothing) in {seconds:.0f} s",
        flush=True,
    )
    for name in sorted(set(kept) - equal) if show else ():
        print(f"{change_of(name, kept[name])}\n{kept[name]}", flush=True)
    return 100 * noticed / total


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
