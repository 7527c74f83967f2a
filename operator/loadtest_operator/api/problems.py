"""What pydantic says about an object, as sentences for people: where (as the API server writes it), what, and what was given."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

OWN = "value_error"
"""A sentence of ours: it names the value itself."""


def sentences(error: ValidationError, root: str = "spec") -> tuple[str, ...]:
    """One for everything that is wrong."""
    found = error.errors(include_url=False)
    return tuple(f"{_path(root, each)}: {_said(each)}" for each in found if not _follows(each, found))


def _follows(problem: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """A list is called too short because its items are wrong, which is said already."""
    where = problem["loc"]
    inside = (each["loc"] for each in found if len(each["loc"]) > len(where))
    return problem["type"] == "too_short" and any(loc[: len(where)] == where for loc in inside)


def _path(root: str, problem: ErrorDetails) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])


def _said(problem: ErrorDetails) -> str:
    if problem["type"] == OWN:
        return problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    shown = f" (it is {str(given)[:60]!r})" if isinstance(given, (str, int, float)) else ""
    return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}{shown}"
