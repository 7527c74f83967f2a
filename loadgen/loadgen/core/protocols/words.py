"""What an answer says of itself, for people: the one sentence that explains a refusal, wherever servers put it.

OpenAI's servers write {"error": {"message"}}, FastAPI's {"detail": text, or a list of {"loc", "msg"}}, others {"message"},
{"title", "detail"} (RFC 9457), a page of HTML, or plain text; a stream may carry any of these in an event. What is
found is made printable and cut: a server's words go to terminals, logs and conditions.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from loadgen.core.protocols.sse import ParseError, SseParser

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH = 300
"""Characters of a server's sentence that are shown."""
_SAYING = ("error", "errors", "detail", "message", "msg", "error_description", "reason", "description", "title")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_STREAM = (b"data:", b"event:", b":", b"id:", b"retry:")


def words(body: bytes) -> str:
    """The sentence in a body, printable and bounded; empty where there is none."""
    found = _of_events(body) if body.lstrip().startswith(_STREAM) else None
    return printable(_of_text(body.decode("utf-8", "replace")) if found is None else found)


def printable(text: str) -> str:
    """One line without control characters, cut where it is long."""
    line = " ".join(
        "".join(one if one.isprintable() or one.isspace() else "\N{MIDDLE DOT}" for one in text[: 8 * LENGTH]).split()
    )
    return line if len(line) <= LENGTH else line[: LENGTH - 1] + "…"


def _of_events(body: bytes) -> str | None:
    """Of a stream: the first event that carries an error."""
    parser = SseParser()
    with contextlib.suppress(ParseError):
        for event in (*parser.feed(body), *parser.close()):
            found = _parsed(event.data.decode("utf-8", "replace"))
            if event.event == b"error" or (isinstance(found, dict) and (found.get("error") or found.get("detail"))):
                return _of_text(event.data.decode("utf-8", "replace"))
    return None


def _of_text(text: str) -> str:
    found = _parsed(text)
    if isinstance(found, dict | list):
        return "; ".join(_sentences(found)) or json.dumps(found, ensure_ascii=False)
    if "<html" in text[:1000].lower() or "<!doctype" in text[:1000].lower():
        title = _TITLE.search(text)
        return title.group(1) if title and title.group(1).strip() else _INVISIBLE.sub(" ", text)
    return text


def _parsed(text: str) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _sentences(found: Any, depth: int = 0) -> Iterator[str]:
    """Texts under the names by which servers call them; of a complaint about a field, with the field."""
    if isinstance(found, str) and found:
        yield found
    elif isinstance(found, list) and depth < 4:
        for one in found[:3]:
            yield from _sentences(one, depth + 1)
    elif isinstance(found, dict) and depth < 4:
        sentence = next((said for name in _SAYING if (said := "; ".join(_sentences(found.get(name), depth + 1)))), "")
        if sentence:
            yield f"{_place(found)}{sentence}"


def _place(complaint: dict[str, Any]) -> str:
    """Which field a complaint is about."""
    place = complaint.get("loc")
    return f"{'.'.join(map(str, place))}: " if isinstance(place, list) and place else ""
