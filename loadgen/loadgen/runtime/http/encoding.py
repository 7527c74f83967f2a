"""Bodies that come compressed though nobody asked for it: every request says `Accept-Encoding: identity`, some gateways do not heed it.

gzip and deflate are undone, a read at a time, so stamps stay those of the reads. Anything else is a failure of its own
class: its bytes are nothing to any protocol, and calling that a broken stream would blame the server behind the gateway.
"""

import zlib
from typing import Protocol

from loadgen.core.protocols.sse import ParseError

GROWTH_LIMIT = 16 * 1024 * 1024
"""Bytes that one read may become."""


class EncodingError(Exception):
    """The body is compressed in a way that is not read here."""


class Decoder(Protocol):
    """Undoes a compression."""

    def feed(self, data: bytes) -> bytes:
        """What these bytes say. Raises ParseError for bytes that are not of the encoding, EncodingError for an unknown one."""


class Inflating:
    """gzip (of several members too) and deflate, with its wrapper or, as some send it, without."""

    __slots__ = ("_begun", "_formats", "_inflate")

    def __init__(self, *formats: int) -> None:
        self._formats = list(formats)
        self._inflate = zlib.decompressobj(self._formats.pop(0))
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """What these bytes say."""
        try:
            return self._inflated(data)
        except zlib.error as error:
            if self._begun or not self._formats:
                raise ParseError(f"not compressed as its Content-Encoding says: {error}") from error
            self._inflate = zlib.decompressobj(self._formats.pop(0))
            return self.feed(data)

    def _inflated(self, data: bytes) -> bytes:
        found = self._inflate.decompress(data, GROWTH_LIMIT)
        self._begun = self._begun or bool(found)
        if self._inflate.unconsumed_tail:
            raise ParseError(f"a read of {len(data)} bytes becomes more than {GROWTH_LIMIT}")
        while self._inflate.eof and self._inflate.unused_data[:2] == b"\x1f\x8b":
            rest, self._inflate = self._inflate.unused_data, zlib.decompressobj(31)
            found += self._inflate.decompress(rest, GROWTH_LIMIT - len(found) or 1)
        return found


class Unknown:
    """Any other encoding, or several."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def feed(self, data: bytes) -> bytes:
        """Never."""
        raise EncodingError(self.name)


def decoder_of(encoding: str) -> Decoder | None:
    """What undoes an encoding; None where there is nothing to undo."""
    if not encoding:
        return None
    name = encoding.strip().lower()
    if name == "identity":
        return None
    formats = _FORMATS.get(name)
    return Inflating(*formats) if formats else Unknown(name)


_FORMATS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
"""Of zlib, in the order in which they are tried."""
