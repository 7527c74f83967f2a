"""The terminal: what is printed, live or line by line. Texts of others pass through `Safe`, which takes out what a terminal
would act upon.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment

from kubectl_loadtest.core.watching import Seen
from kubectl_loadtest.views import live
from kubectl_loadtest.words import clean

LOG_WIDTH = 120
LOG_SECONDS = 30.0
"""A log gets a line when something changes, else so often."""
Show = Callable[[Seen, Iterable[str], float], None]
"""A look, notes, and the time on the caller's clock."""


class Safe:
    """A renderable whose text cannot move the cursor, colour the screen or turn the direction of what follows."""

    def __init__(self, inside: RenderableType) -> None:
        self._inside = inside

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inside, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


class _Console(Console):
    """One that does not end the process with 1, which is a verdict's exit code, when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """The standard output; wide enough for tables where it is no terminal."""
    found = _Console(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else _Console(highlight=False, markup=False, emoji=False, width=LOG_WIDTH)


def show(picture: RenderableType) -> None:
    """Printed once."""
    console().print(Safe(picture))


def say(sentence: str) -> None:
    """A sentence on the standard output, in one line however long it is."""
    typer.echo(clean(sentence))


def tell(sentence: str) -> None:
    """A sentence on the standard error."""
    typer.echo(clean(sentence), err=True)


@contextmanager
def watching(title: str) -> Iterator[Show]:
    """A picture that is kept up to date on a terminal; lines elsewhere."""
    terminal = console()
    if not terminal.is_terminal:
        yield _lines(title)
        return
    with Live(console=terminal, auto_refresh=False, transient=True) as screen:
        yield lambda look, notes, _now: screen.update(Safe(live.picture(title, look, notes)), refresh=True)


def _lines(title: str) -> Show:
    shown: list[tuple[object, float]] = []

    def show_line(look: Seen, notes: Iterable[str], now: float) -> None:
        said = [note for note in notes if note]
        key = live.milestone(look, bool(said))
        if shown and shown[-1][0] == key and now - shown[-1][1] < LOG_SECONDS:
            return
        shown[:] = [(key, now)]
        typer.echo(clean(f"[{title}] {live.line(look, said)}"))

    return show_line
