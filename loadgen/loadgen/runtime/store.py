"""All deltas of a worker, for whoever asks for them again; an hour of them at full rate in tens of megabytes.

A delta is nearly all histograms' bins. As distances from one to the next they are small numbers that compress to a
fifth; that is done to all but the newest, which are the ones that everybody asks for.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

import msgspec

from loadgen.model.wire import Delta

RECENT = 64
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delta).decode


class Store:
    """Packed deltas, numbered from 1 in the order of their arrival."""

    def __init__(self) -> None:
        self._old: list[bytes] = []
        self._recent: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._old) + len(self._recent)

    @property
    def size(self) -> int:
        """Bytes kept."""
        return sum(map(len, self._old)) + sum(map(len, self._recent))

    def add(self, delta: bytes) -> None:
        self._recent.append(delta)
        if len(self._recent) > RECENT:
            self._old.append(squeeze(self._recent.popleft()))

    def after(self, number: int) -> Iterator[bytes]:
        """Those numbered `number` + 1 and on, as they came."""
        while number < len(self):
            old = number < len(self._old)
            yield restore(self._old[number]) if old else self._recent[number - len(self._old)]
            number += 1


def squeeze(delta: bytes) -> bytes:
    """A fifth of it."""
    return zlib.compress(_with_bins(delta, lambda bins: [after - before for before, after in pairwise([0, *bins])]), 1)


def restore(squeezed: bytes) -> bytes:
    """The delta, byte for byte."""
    return _with_bins(zlib.decompress(squeezed), lambda gaps: list(accumulate(gaps)))


def _with_bins(packed: bytes, change: Callable[[list[int]], list[int]]) -> bytes:
    delta = _decode(packed)
    for cell in delta.cells:
        for sparse in cell.histograms.values():
            sparse.bins = change(sparse.bins)
    return _encode(delta)
