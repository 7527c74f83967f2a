"""What the commands share: how a result is shown, and how a failure ends the process."""

from typing import NoReturn

import typer
from rich.console import Console, RenderableType

from loadgen.model.errors import ExitCode
from loadgen.report.plain import plain

errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def show(shown: RenderableType) -> None:
    """In colour on a terminal, as plain text elsewhere."""
    console = Console()
    if console.is_terminal:
        console.print(shown)
    else:
        typer.echo(plain(shown), nl=False)


def stop(error: Exception, code: ExitCode) -> NoReturn:
    """A sentence, and the exit code."""
    errors.print(str(error))
    raise typer.Exit(code) from error
