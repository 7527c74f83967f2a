"""What supervisor and shard say to each other: length-prefixed msgpack over a socket pair.

A frame is four bytes of length, one byte of type, the payload. Deltas travel as a type of their own so that the
supervisor can keep them, and hand them out again, as they came.
"""

import asyncio
import struct
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct

from loadgen.model.wire import Delta

_PREFIX = struct.Struct("!IB")
DELTA, MESSAGE = 0, 1
FRAME_LIMIT = 64 * 1024 * 1024


class Setup(Struct, tag=True):
    """(to a shard) What to do; the answer is `Ready`."""

    plan: bytes
    """The plan's JSON."""
    target: str
    worker: int
    workers: int
    shard: int
    shards: int
    null_port: int
    """Port of the null server to calibrate against; 0 for none."""
    access: bytes = b"{}"
    """How the target is talked to, JSON."""
    material: dict[str, bytes] = {}
    """Content of the references, by path. A socket pair carries it: no other process sees it."""
    via: str = ""
    """A proxy's host:port."""

    def __repr__(self) -> str:
        """Without the material, which may be secret."""
        return f"Setup(shard={self.shard})"


class Arm(Struct, tag=True):
    """(to a shard) Second 0, in monotonic nanoseconds of this machine."""

    start_ns: int


class Abort(Struct, tag=True):
    """(to a shard) Stop sending, finish within a second."""


class Ready(Struct, tag=True):
    """(from a shard) It can be armed."""

    ceiling: int
    """Requests a second of CPU time that it reached against the null server; 0 when not measured."""


class Running(Struct, tag=True):
    """(from a shard) Second 0 has passed."""

    late_microseconds: int


class Draining(Struct, tag=True):
    """(from a shard) The stages are over."""


class Done(Struct, tag=True):
    """(from a shard) Its last delta has been sent."""


class Failed(Struct, tag=True):
    """(from a shard) It cannot go on."""

    message: str


Message = Setup | Arm | Abort | Ready | Running | Draining | Done | Failed

_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(Message).decode


def pack(message: Message | Delta) -> bytes:
    """A frame."""
    payload = _encoder.encode(message)
    return _PREFIX.pack(len(payload), DELTA if isinstance(message, Delta) else MESSAGE) + payload


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[Message | bytes]:
    """Messages, and deltas still packed, until the other side is gone."""
    while True:
        try:
            length, kind = _PREFIX.unpack(await reader.readexactly(_PREFIX.size))
            payload = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        yield payload if kind == DELTA else _decode(payload)
