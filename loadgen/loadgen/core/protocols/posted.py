"""Protocols in which JSON is posted: what the document is, what its answers mean, and the least that is a right answer.

One `Posted` a protocol, in the file of its server's family, and `POSTED` has them all. Bodies, the null server, the workers' kinds
and the operator's probe are made from it: a further protocol of this sort is its model and its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from loadgen.core.protocols.sse import ParseError

if TYPE_CHECKING:
    from loadgen.core.protocols.openai import ChunkKind


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Posted:
    """How one protocol is spoken."""

    document: Callable[[Any, str], dict[str, Any]]
    """What is posted for such a request; the prompt is the given hole, inside a text of its own or of the plan's."""
    decode: Callable[[bytes], ChunkKind]
    """What one event's data, or an answer in one piece, means. Raises ParseError."""
    sign: bytes
    """What the beginning of every right answer holds."""
    whole: bytes
    """The least right answer in one piece."""
    event: bytes = b""
    """Of a stream: the least event that is output, as it is on the wire; empty where nothing streams."""
    end: bytes = b""
    """Of a stream: what ends it well."""


UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""Whatever decoding breaks off with: no JSON, of another shape, nested deeper than the stack, texts that are none."""


def strictly(read: Callable[[bytes], T], data: bytes, what: str) -> T:
    """What is read, which has to be `what`: the one door through which a server's bytes come in. Raises ParseError, and
    nothing else, whatever the bytes are and wherever in reading them it shows."""
    try:
        return read(data)
    except UNREADABLE as error:
        raise ParseError(f"not {what}: {error}") from error
