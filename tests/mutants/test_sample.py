"""What is played of a room, and by what a mutant is known."""

import json
from pathlib import Path

from mutants.__main__ import NOT_DRAWN, Chosen, drawn
from mutants.equivalents import EQUIVALENTS, change_of

NAMES = [f"loadgen.core.judge.early.x_auto_stop__mutmut_{number}" for number in range(400)]
DIFF = "--- early.py\n+++ early.py\n@@ -1 +1 @@\n-    limit = 1\n+    limit = 2\n"


def laid(folder: Path) -> list[Path]:
    """Two files as mutmut leaves them before any mutant was played."""
    files = [folder / "early.py.meta", folder / "own.py.meta"]
    for place, file in enumerate(files):
        file.write_text(json.dumps({"exit_code_by_key": dict.fromkeys(NAMES[place::2])}))
    return files


def test_a_sample_is_drawn_by_its_seed_and_the_rest_is_not_played(tmp_path: Path) -> None:
    """The same seed draws the same; another one others; so few mutants as are asked for."""
    files = laid(tmp_path)
    first = drawn(tmp_path, "judge", Chosen(50, seed=1, show=False))
    codes: dict[str, int | None] = {}
    for file in files:
        codes |= json.loads(file.read_text())["exit_code_by_key"]
    assert len(first) == 50
    assert {name for name, code in codes.items() if code is None} == first
    assert set(codes.values()) == {None, NOT_DRAWN}
    laid(tmp_path)
    assert drawn(tmp_path, "judge", Chosen(50, seed=1, show=False)) == first
    laid(tmp_path)
    assert drawn(tmp_path, "judge", Chosen(50, seed=2, show=False)) != first
    laid(tmp_path)
    assert drawn(tmp_path, "judge", Chosen(None, seed=2, show=False)) == set(NAMES)


def test_a_mutant_is_known_by_function_and_line() -> None:
    """Whatever its number: other mutants of the function come and go."""
    method = "loadtest_operator.core.faults.machine.x\u01c1Machine\u01c1step__mutmut_3"
    assert change_of(NAMES[0], DIFF) == change_of(NAMES[7], DIFF) == ("judge.early.auto_stop", "limit = 2")
    assert change_of(method, DIFF) == ("faults.machine.Machine.step", "limit = 2")
    assert all(why for why in EQUIVALENTS.values())
