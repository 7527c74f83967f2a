"""All deltas of a worker, for whoever asks for them again; an hour of them at full rate in tens of megabytes.

A delta is nearly all histograms' bins. As distances from one to the next they are small numbers that compress to a
fifth. The newest, which are the ones that everybody asks for, are kept as they came beside that.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from operator import sub

import msgspec
from msgspec.structs import replace

from loadgen.model.wire import Cell, Delta

RECENT = 64
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


class Store:
    """Packed deltas, numbered from 1 in the order of their arrival."""

    def __init__(self) -> None:
        self._squeezed: list[bytes] = []
        self._recent: deque[bytes] = deque(maxlen=RECENT)

    def __len__(self) -> int:
        return len(self._squeezed)

    @property
    def size(self) -> int:
        """Bytes kept."""
        return sum(map(len, self._squeezed)) + sum(map(len, self._recent))

    def add(self, packed: bytes, delta: Delta) -> None:
        """`delta` is what `packed` says."""
        self._squeezed.append(squeeze(delta))
        self._recent.append(packed)

    def after(self, number: int) -> Iterator[bytes]:
        """Those numbered `number` + 1 and on, as they came."""
        while number < len(self):
            newest = number - len(self) + len(self._recent)
            yield self._recent[newest] if newest >= 0 else restore(self._squeezed[number])
            number += 1


def squeeze(delta: Delta) -> bytes:
    """A fifth of it packed."""
    return zlib.compress(_with_bins(delta, lambda bins: list(map(sub, bins, [0, *bins]))), 1)


def restore(squeezed: bytes) -> bytes:
    """The packed delta, byte for byte."""
    return _with_bins(_decode(zlib.decompress(squeezed)), lambda gaps: list(accumulate(gaps)))


def _with_bins(delta: Delta, change: Callable[[list[int]], list[int]]) -> bytes:
    return _encode(replace(delta, cells=[_changed(cell, change) for cell in delta.cells]))


def _changed(cell: Cell, change: Callable[[list[int]], list[int]]) -> Cell:
    histograms = {index: replace(sparse, bins=change(sparse.bins)) for index, sparse in cell.histograms.items()}
    return replace(cell, histograms=histograms)
