"""When open requests start: one inhomogeneous arrival process over all open stages, by inverse cumulative rate.

If λ(t) is the rate and Λ(t) = ∫λ the expected number of arrivals by t, then points x₁ < x₂ < … of a process of rate
one become, by t = Λ⁻¹(x), points of a process of rate λ (Çinlar, Introduction to Stochastic Processes, 1975, ch.
4.7). Unit exponentials summed up give Poisson arrivals, the integers 0, 1, 2, … give uniform ones; ramps and stages
need no special case, and there is neither a gap nor a burst where they meet. Λ is piecewise and each piece has a
closed inverse:

- constant a:             Λ = a·t                     Λ⁻¹ = x/a
- linear a → b in L:      Λ = a·t + s·t²/2, s=(b−a)/L  Λ⁻¹ = 2x / (a + √(a² + 2sx))     (stable also for s near or
  below 0)
- exponential a → b in L: Λ = a·(e^(gt) − 1)/g, g=ln(b/a)/L   Λ⁻¹ = log1p(g·x/a)/g

Every segment generates the same global sequence from the plan's seed and keeps each count-th arrival, so the union
over the segments is the sequence itself, whatever their number. The kind of each request comes from a second
stream, drawn for every global arrival. A side trickle (`ratePerSecond`) is a process of its own over the whole run.
All streams are drawn in order, so results do not depend on the size of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from loadgen.core.schedule.levels import NANOSECONDS, exponential_ends, is_exponential, spans
from loadgen.model.plan import Arrival

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loadgen.core.schedule.levels import Span
    from loadgen.core.schedule.segment import Segment
    from loadgen.model.plan import Plan

    Floats = NDArray[np.float64]

CHUNK = 8192
"""Global arrivals drawn at a time; small, because a shard's event loop waits meanwhile (about a millisecond)."""
ARRIVALS, MIX, TRICKLE = 0, 1, 2
"""First part of the spawn key of each random stream."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive arrivals of one segment."""

    offsets_ns: NDArray[np.int64]
    """Nanoseconds since the load's start, ascending."""
    stages: NDArray[np.int16]
    """Index into load.stages."""
    requests: NDArray[np.int16]
    """Index into requests."""

    def __len__(self) -> int:
        return len(self.offsets_ns)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> Chunk:
        return Chunk(self.offsets_ns[chosen], self.stages[chosen], self.requests[chosen])


def schedule(plan: Plan, segment: Segment) -> Iterator[Chunk]:
    """This segment's arrivals in chunks, none of them empty."""
    streams = [_mix(plan, segment)]
    streams += [_trickle(plan, segment, index) for index, one in enumerate(plan.requests) if one.rate_per_second]
    return streams[0] if len(streams) == 1 else _merge(streams)


def expected(plan: Plan, stages: Collection[int] | None = None) -> float:
    """Open arrivals to expect over all segments in these stages (in all: None), trickles left out."""
    chosen = (span for span in spans(plan) if span.stage.arrival_rate is not None)
    return float(
        sum(piece.mass for span in chosen if stages is None or span.index in stages for piece in _of_stage(span))
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of time with a closed inverse of its cumulative rate."""

    start: int
    seconds: int
    mass: Fraction
    """Expected arrivals in it; exact for constant and linear pieces, so that whole numbers stay whole."""
    inverse: Callable[[Floats], Floats]
    """From the mass since the piece's start to seconds since the piece's start."""


def _pieces(plan: Plan) -> list[_Piece]:
    return [piece for span in spans(plan) if span.stage.arrival_rate is not None for piece in _of_stage(span)]


def _of_stage(span: Span) -> Iterator[_Piece]:
    ramp = span.stage.ramp_seconds
    if ramp:
        yield _exponential(span) if is_exponential(span) else _linear(span)
    rest = span.stage.duration_seconds - ramp
    if rest:
        rate = float(span.level)
        yield _Piece(span.start + ramp, rest, span.level * rest, lambda mass: mass / rate)


def _linear(span: Span) -> _Piece:
    seconds = span.stage.ramp_seconds
    a, slope = float(span.before), float((span.level - span.before) / seconds)

    def inverse(mass: Floats) -> Floats:
        divisor = a + np.sqrt(np.maximum(a * a + 2.0 * slope * mass, 0.0))
        return np.divide(2.0 * mass, divisor, out=np.zeros_like(mass), where=divisor > 0.0)

    return _Piece(span.start, seconds, (span.before + span.level) * seconds / 2, inverse)


def _exponential(span: Span) -> _Piece:
    seconds = span.stage.ramp_seconds
    a, b = (float(end) for end in exponential_ends(span.before, span.level))
    growth = math.log(b / a) / seconds
    return _Piece(span.start, seconds, Fraction((b - a) / growth), lambda mass: np.log1p(growth * mass / a) / growth)


def _units(arrival: Arrival, generator: np.random.Generator) -> Iterator[Floats]:
    """Points of a process of rate one, for ever."""
    if arrival is Arrival.UNIFORM:
        first = 0
        while True:
            yield np.arange(first, first + CHUNK, dtype=np.float64)
            first += CHUNK
    reached = 0.0
    while True:
        steps = generator.standard_exponential(CHUNK)
        steps[0] += reached
        points = np.cumsum(steps)
        reached = float(points[-1])
        yield points


def _offsets(plan: Plan, pieces: list[_Piece], generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The global sequence of one process, up to its end, in chunks of CHUNK (the last may be shorter)."""
    pieces = [piece for piece in pieces if piece.mass > 0]
    edges = np.array([float(edge) for edge in accumulate((piece.mass for piece in pieces), initial=Fraction(0))])
    for points in _units(plan.load.arrival, generator):
        inside = points[: np.searchsorted(points, edges[-1], side="left")]
        if inside.size:
            yield _invert(inside, pieces, edges)
        if inside.size < points.size:
            return


def _invert(points: Floats, pieces: list[_Piece], edges: Floats) -> NDArray[np.int64]:
    cuts = np.searchsorted(points, edges)
    parts = [
        _place(points[begin:end] - edge, piece)
        for piece, edge, begin, end in zip(pieces, edges, cuts, cuts[1:], strict=False)
        if begin < end
    ]
    return np.concatenate(parts)


def _place(mass: Floats, piece: _Piece) -> NDArray[np.int64]:
    """Nanoseconds since the load's start; rounding never carries an arrival into the next piece."""
    within = np.rint(piece.inverse(mass) * NANOSECONDS).astype(np.int64)
    return piece.start * NANOSECONDS + np.clip(within, 0, piece.seconds * NANOSECONDS - 1)


def _mix(plan: Plan, segment: Segment) -> Iterator[Chunk]:
    """The weighted requests of the open stages."""
    weights = np.cumsum([request.effective_weight for request in plan.requests], dtype=np.float64)
    kinds = _generator(plan, MIX)
    first = 0
    for offsets in _offsets(plan, _pieces(plan), _generator(plan, ARRIVALS)):
        drawn = np.searchsorted(weights, kinds.random(len(offsets)) * weights[-1], side="right").astype(np.int16)
        mine = slice(segment.skip(first), None, segment.count)
        first += len(offsets)
        if len(offsets[mine]):
            yield Chunk(offsets[mine], _stages(plan, offsets[mine]), drawn[mine])


def _trickle(plan: Plan, segment: Segment, index: int) -> Iterator[Chunk]:
    """One side trickle, dealt out from segment `index` on, lest all trickles load segment 0 the most."""
    rate = Fraction(plan.requests[index].rate_per_second or 0)
    seconds = plan.load.duration_seconds
    piece = _Piece(0, seconds, rate * seconds, lambda mass: mass / float(rate))
    first = index
    for offsets in _offsets(plan, [piece], _generator(plan, TRICKLE, index)):
        mine = offsets[segment.skip(first) :: segment.count]
        first += len(offsets)
        if len(mine):
            yield Chunk(mine, _stages(plan, mine), np.full(len(mine), index, dtype=np.int16))


def _stages(plan: Plan, offsets: NDArray[np.int64]) -> NDArray[np.int16]:
    """The stage that each arrival falls into, by time alone."""
    ends = np.cumsum([stage.duration_seconds for stage in plan.load.stages], dtype=np.int64) * NANOSECONDS
    return np.searchsorted(ends, offsets, side="right").astype(np.int16)


def _merge(streams: list[Iterator[Chunk]]) -> Iterator[Chunk]:
    """Several ascending streams as one: emits up to the time to which every stream is known."""
    pending = [(stream, next(stream, None)) for stream in streams]
    while known := [(stream, chunk) for stream, chunk in pending if chunk is not None]:
        horizon = min(chunk.offsets_ns[-1] for _, chunk in known)
        cuts = [int(np.searchsorted(chunk.offsets_ns, horizon, side="right")) for _, chunk in known]
        yield _sorted([chunk[:cut] for (_, chunk), cut in zip(known, cuts, strict=True)])
        pending = [
            (stream, chunk[cut:] if cut < len(chunk) else next(stream, None))
            for (stream, chunk), cut in zip(known, cuts, strict=True)
        ]


def _sorted(chunks: list[Chunk]) -> Chunk:
    joined = Chunk(
        np.concatenate([chunk.offsets_ns for chunk in chunks]),
        np.concatenate([chunk.stages for chunk in chunks]),
        np.concatenate([chunk.requests for chunk in chunks]),
    )
    return joined[np.argsort(joined.offsets_ns, kind="stable")]


def _generator(plan: Plan, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(plan.load.seed, spawn_key=key)))
