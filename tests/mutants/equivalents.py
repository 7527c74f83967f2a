"""Mutants that were looked at and change nothing that anybody could see: what was changed where, and why nobody can.

By function and the line as it is afterwards, so that they are found again when other lines move.
"""

import re
from typing import Final

Change = tuple[str, str]
"""`judge.measures._ended`, and the changed line."""


def change_of(name: str, diff: str) -> Change:
    """Of a mutant's name and what `mutmut show` says of it."""
    module, _, function = re.sub(r"__mutmut_\d+$", "", name).rpartition(".")
    room = re.sub(r"^(loadgen|loadtest_operator)\.core\.", "", module)
    plain = re.sub("^xǁ(.*)ǁ(.*)$", r"\1.\2", function).removeprefix("x_")
    added = [line[1:].strip() for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    return f"{room}.{plain}", " ".join(added)


EQUIVALENTS: Final[dict[Change, str]] = {}
