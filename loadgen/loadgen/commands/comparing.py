"""`loadgen compare A… -- B…`: exits with 0 for Better and Equivalent, 1 for Worse, 2 for bad input, 3 for Undecided."""

from pathlib import Path
from typing import Annotated

import typer

from loadgen.commands.common import show, stop
from loadgen.core.capacity.compare import Answer
from loadgen.core.capacity.compare import compare as compared
from loadgen.model.errors import ExitCode, LoadgenError
from loadgen.model.report import Report
from loadgen.report import comparison, documents

EXIT_CODES = {
    Answer.WORSE: ExitCode.FAILED,
    Answer.UNDECIDED: ExitCode.INCONCLUSIVE,
    Answer.BETTER: ExitCode.PASSED,
    Answer.EQUIVALENT: ExitCode.PASSED,
}
USAGE = "write `loadgen compare --margin 10 before-1.json … -- after-1.json …`"


class UsageError(LoadgenError):
    """The files are not told apart."""


def compare(
    files: Annotated[list[str], typer.Argument(metavar="BEFORE… -- AFTER…", help="Reports that --out wrote.")],
    margin: Annotated[float, typer.Option(min=0, max=1000, help="Percent that may change without mattering.")] = 10.0,
) -> None:
    """Say whether what came after is worse, better or equivalent, or that it is not decided, and why.

    Options come before the files. Six pairs of runs or more that took turns (A B B A …) are compared pair by pair.
    """
    try:
        before, after = sides(files)
        found = compared(_read(before), _read(after), margin)
    except (LoadgenError, OSError, ValueError) as error:
        stop(error, ExitCode.BAD_INPUT)
    show(comparison.render(found))
    raise typer.Exit(EXIT_CODES[found.answer])


def sides(words: list[str]) -> tuple[list[Path], list[Path]]:
    """The files before and after the one `--`. Raises UsageError."""
    strange = [word for word in words if word.startswith("-") and word != "--"]
    if strange:
        raise UsageError(f"{strange[0]} comes after a file: {USAGE}")
    if words.count("--") != 1:
        raise UsageError(f"one `--` stands between before and after, not {words.count('--')}: {USAGE}")
    place = words.index("--")
    before, after = ([Path(word) for word in part] for part in (words[:place], words[place + 1 :]))
    if not before or not after:
        raise UsageError(f"there is no file {'after' if before else 'before'} the `--`: {USAGE}")
    return before, after


def _read(files: list[Path]) -> list[Report]:
    return [documents.load(file.read_bytes(), str(file)) for file in files]
