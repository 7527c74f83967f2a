"""Our histograms for the tools of others: HdrHistogram's V2 encoding and its `.hlog` log (format 1.2).

The layout of bins is the same, so an export is a change of notation and loses nothing (the sums do: V2 has only
counts). A payload is the counts up to the last bin that is not empty, each a ZigZag LEB128 number of at most nine
bytes, runs of empty bins as one negative number; a header gives range and precision
(`AbstractHistogram.encodeIntoByteBuffer` in the Java original).
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.stats.histogram import BINS, DIGITS, HIGHEST, LOWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadgen.core.stats.histogram import Histogram
    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Metric

COOKIE = 0x1C849303 | 0x10
COMPRESSED_COOKIE = 0x1C849304 | 0x10
_HEADER = struct.Struct(">iiiiqqd")
_COMPRESSED_HEADER = struct.Struct(">ii")


def encode(histogram: Histogram) -> str:
    """V2, compressed, in base64: the text that begins with HISTFAAA."""
    packed = zlib.compress(_plain(histogram))
    return base64.b64encode(_COMPRESSED_HEADER.pack(COMPRESSED_COOKIE, len(packed)) + packed).decode()


def _plain(histogram: Histogram) -> bytes:
    payload = b"".join(_number(count) for count in _runs(histogram))
    return _HEADER.pack(COOKIE, len(payload), 0, DIGITS, LOWEST, HIGHEST, 1.0) + payload


def _runs(histogram: Histogram) -> Iterator[int]:
    """Counts, and for a run of more than one empty bin its negated length."""
    position = 0
    for index in np.flatnonzero(histogram.counts).tolist():
        empty = index - position
        if empty:
            yield -empty if empty > 1 else 0
        yield int(histogram.counts[index])
        position = index + 1


def decode(text: str) -> list[int]:
    """The counts of `encode`'s histogram, bin by bin. Raises `ValueError` where the text is no such thing."""
    try:
        packed = base64.b64decode(text, validate=True)
        cookie, length = _COMPRESSED_HEADER.unpack_from(packed)
        plain = zlib.decompress(packed[_COMPRESSED_HEADER.size :])
        _, size, *_ = header = _HEADER.unpack_from(plain)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"no HdrHistogram in V2 notation: {error}") from error
    expected = (COOKIE, len(plain) - _HEADER.size, 0, DIGITS, LOWEST, HIGHEST, 1.0)
    if (cookie, length, header) != (COMPRESSED_COOKIE, len(packed) - _COMPRESSED_HEADER.size, expected):
        raise ValueError(f"no HdrHistogram of {LOWEST} to {HIGHEST} µs with {DIGITS} digits, or cut off ({size} bytes)")
    return _spread(_read(plain[_HEADER.size :]))


def _spread(numbers: Iterator[int]) -> list[int]:
    counts: list[int] = []
    for number in numbers:
        if len(counts) - min(number, 0) > BINS:
            raise ValueError(f"more than the {BINS} bins that there are")
        counts.extend([0] * -number if number < 0 else [number])
    return counts + [0] * (BINS - len(counts))


def _read(payload: bytes) -> Iterator[int]:
    """The inverse of `_number`, one after the other."""
    value = shift = 0
    for byte in payload:
        last = shift == 56
        value |= (byte if last else byte & 0x7F) << shift
        shift += 7
        if last or byte < 0x80:
            yield (value >> 1) ^ -(value & 1)
            value = shift = 0
    if shift:
        raise ValueError("the counts end in the middle of a number")


def _number(value: int) -> bytes:
    """ZigZag LEB128: seven bits a byte, the ninth byte holds eight."""
    rest = (value << 1) ^ (value >> 63)
    written = bytearray()
    while rest > 0x7F and len(written) < 8:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def log(tally: Tally, metric: Metric, start_seconds: float = 0.0) -> str:
    """The metric second by second, by intended time: values in microseconds, an interval's maximum in milliseconds."""
    head = [
        "#[Histogram log format version 1.2]",
        f"#[StartTime: {start_seconds:.3f} (seconds since epoch)]",
        f"#{metric}, values in microseconds",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    return "".join(f"{line}\n" for line in (*head, *_intervals(tally, metric)))


def _intervals(tally: Tally, metric: Metric) -> Iterator[str]:
    for second in tally.seconds():
        histogram = tally.select((second,)).histogram(metric)
        if histogram.count:
            yield f"{second:.3f},1.000,{histogram.max / 1000:.3f},{encode(histogram)}"
