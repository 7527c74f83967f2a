"""A hook of mkdocs: what a page links to outside docs/ is a file of the repository. On the site it is named, not linked; one that
is not there fails the build, as every other link that leads nowhere."""

import logging
import os.path
import re
from pathlib import Path
from typing import Any

log = logging.getLogger("mkdocs.hooks.links")

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[([^\]\n]+)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs for every page."""
    folder = Path("docs") / Path(page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / link[2]))
        if path.parts[0] == "docs":
            return link[0]
        if not (ROOT / path).exists():
            log.warning("%s links to %s, which is not in the repository", page.file.src_uri, path)
        return f"{link[1]} (`{path}` in the repository)" if link[1].strip("`") != str(path) else f"`{path}`"

    return LINK.sub(replaced, markdown)
