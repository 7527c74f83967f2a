"""Anything rich can show, as text without colour, for logs and files."""

import io

from rich.console import Console, RenderableType


def plain(shown: RenderableType, width: int = 120) -> str:
    """Lines without trailing blanks."""
    written = io.StringIO()
    Console(file=written, width=width, color_system=None, force_terminal=False).print(shown)
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())
