"""Server-sent events without I/O: bytes in, events out (WHATWG HTML, section 9.2).

Lines end with LF, CR LF or CR; an empty line ends an event; lines that begin with a colon are comments; several
data lines are joined by LF. How the stream was cut into reads never changes the events. Nothing but `ParseError` is
ever raised, and what is kept of an unfinished event is bounded.

Most reads of a token stream hold whole events of one `data: …` line each: they are split in C, without a look at
single lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 4 * 1024 * 1024
"""Bytes that one event may have."""
_BOM = b"\xef\xbb\xbf"
_CR = ord("\r")
_END = b"\n\n"
_DATA = b"data: "


class ParseError(ValueError):
    """The target's bytes are not what its protocol says; a failed request, class Parse."""


class Event(Struct, gc=False, frozen=True):
    """One event that has data."""

    data: bytes
    event: bytes | None = None


class SseParser:
    """Feed it what arrives; it returns the events that became complete."""

    __slots__ = ("_after_cr", "_limit", "_pending")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        if self._after_cr or _CR in chunk:
            chunk = self._with_line_feeds(chunk)
        if self._pending or not chunk.endswith(_END):
            chunk = self._complete(chunk)
        return _events(chunk) if chunk else []

    def close(self) -> Sequence[Event]:
        """The end of the stream: an event that only lacks its empty line is taken as complete."""
        rest, self._pending = bytes(self._pending), bytearray()
        return _events(rest)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """CR LF and CR become LF; a CR at the end counts at once, an LF that follows in the next read is dropped."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _complete(self, chunk: bytes) -> bytes:
        """What is complete up to the last empty line; the rest is kept. Only new bytes are searched."""
        pending = self._pending
        known = len(pending)
        pending += chunk
        end = pending.rfind(_END, max(known - 1, 0)) + len(_END)
        if end < len(_END):
            end = 0
        if len(pending) - end > self._limit:
            raise ParseError(f"an event is longer than {self._limit} bytes")
        complete = bytes(pending[:end])
        del pending[:end]
        return complete


class Document:
    """Takes the place of the parser where an answer begins like JSON or a page, and so is one piece that has no events."""

    __slots__ = ("_data", "_limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self._data, self._limit = bytearray(), limit

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Nothing before the end. Raises ParseError past the limit."""
        self._data += chunk
        if len(self._data) > self._limit:
            raise ParseError(f"an answer in one piece is longer than {self._limit} bytes")
        return ()

    def close(self) -> Sequence[Event]:
        """All of it, as if it had been one event."""
        return (Event(bytes(self._data)),)


def parser_for(beginning: bytes) -> SseParser | Document:
    """What reads an answer that begins so; no line of a stream of events begins with a bracket."""
    if beginning.startswith(_DATA):
        return SseParser()
    return Document() if beginning.removeprefix(_BOM).lstrip()[:1] in (b"{", b"[", b"<") else SseParser()


def _events(block: bytes) -> list[Event]:
    """The events of whole blocks; if all lines are `data: …` ones, one each, splitting does it."""
    if block.startswith(_DATA) and block.endswith(_END):
        lines = block.count(b"\n")
        if lines == 2:
            return [Event(block[len(_DATA) : -len(_END)])]
        parts = block[len(_DATA) : -len(_END)].split(_END + _DATA)
        if lines == 2 * len(parts):
            return [Event(part) for part in parts]
    parsed = (_by_lines(part) for part in block.split(_END))
    return [event for event in parsed if event]


def _by_lines(part: bytes) -> Event | None:
    """An event line by line, or none if it has no data. Unknown fields are passed over."""
    data: list[bytes] = []
    name: bytes | None = None
    for line in part.removeprefix(_BOM).split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(b"\n".join(data), name) if data else None
