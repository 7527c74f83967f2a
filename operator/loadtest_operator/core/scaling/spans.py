"""When something held, when it did not, and when that is not known: a question about samples, answered over time.

Between two looks that differ lies the change, nobody knows where: that stretch is unknown. In a gap all of it is,
but for what the objects' own times say (`Filler`). Before the first look and after the last nothing is known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from loadtest_operator.core.scaling.timeline import Sample, Timeline

Question = Callable[[Sample], bool | None]
WHOLE_SECOND = timedelta(seconds=1)
"""The API's times are cut to whole seconds: what they name happened up to a second later."""
CHANGED = "it changed between two looks"
NOT_WATCHED = "it was not watched"


@dataclass(frozen=True, slots=True)
class Span:
    """An answer from `start` to `end`."""

    start: datetime
    end: datetime
    value: bool | None
    because: str = ""
    """Why the answer is not known."""
    stops: bool = False
    """Not known only because it stopped to hold in there."""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


Filler = Callable[[Sample, Sample, Question], Sequence[Span] | None]
"""What the objects' own times say about a gap: spans that fill it, or nothing."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Whether something became true within a time, having been false before."""

    value: bool | None
    after: datetime | None = None
    """Certain to have been false then, just before it became true."""
    by: datetime | None = None
    """Certain to be true then."""
    was_false: bool = False
    """Whether it was ever certain to be false."""
    doubt: Span | None = None
    """The longest stretch that keeps it from being decided."""


def spans(timeline: Timeline, holds: Question, fill: Filler | None = None) -> tuple[Span, ...]:
    """The answer over all that was seen, neighbours of the same answer joined."""
    return tuple(_joined(_pieces(timeline, holds, fill)))


def within(found: Sequence[Span], start: datetime, end: datetime) -> tuple[Span, ...]:
    """The part between two moments; what was not watched is unknown."""
    if not found or found[-1].end < start or end < found[0].start:
        return (Span(start, end, None, NOT_WATCHED),)
    inner = [
        replace(span, start=max(span.start, start), end=min(span.end, end))
        for span in found
        if span.end >= start and span.start <= end
    ]
    # A span that only touches the window says nothing about it, unless it is certain at its end.
    inner = [
        span for span in inner if span.end > span.start or (span.value is not None and span.start > start)
    ] or inner[-1:]
    head = [Span(start, inner[0].start, None, NOT_WATCHED)] if inner[0].start > start else []
    tail = [Span(inner[-1].end, end, None, NOT_WATCHED)] if inner[-1].end < end else []
    return (*head, *inner, *tail)


def crossing(found: Sequence[Span]) -> Crossing:
    """Whether it went from false to true: certainly, certainly not, or not known."""
    low: Span | None = None
    for place, span in enumerate(found):
        if span.value is True and low is not None:
            return Crossing(True, after=_last_low(found[:place]), by=span.start, was_false=True)
        low = span if span.value is False else low
    # When it stopped to hold does not matter to whoever waits for it to begin.
    doubts = (span for span in found if span.value is None and not span.stops)
    doubt = max(doubts, key=lambda span: span.seconds, default=None)
    return Crossing(None if doubt else False, was_false=low is not None, doubt=doubt)


def _last_low(found: Sequence[Span]) -> datetime | None:
    return max((span.end for span in found if span.value is False), default=None)


def _pieces(timeline: Timeline, holds: Question, fill: Filler | None) -> Iterator[Span]:
    for earlier, later in pairwise(timeline.samples):
        yield Span(earlier.time, later.before, holds(earlier), _why(earlier))
        yield from _between(earlier, later, holds, fill)
    if timeline.last is not None and timeline.until is not None:
        last = timeline.last
        yield Span(last.time, max(last.time, timeline.until), holds(last), _why(last))


def _between(earlier: Sample, later: Sample, holds: Question, fill: Filler | None) -> Sequence[Span]:
    start, end = max(earlier.time, later.before), later.time
    old, new = holds(earlier), holds(later)
    if later.unseen:
        filled = fill(earlier, later, holds) if fill else None
        return filled or (Span(start, end, None, later.unseen),)
    if old == new:
        return (Span(start, end, new, _why(earlier) if new is None else ""),)
    return (Span(start, end, None, CHANGED, stops=old is True and new is False),)


def _why(sample: Sample) -> str:
    return sample.blind or "what is known of it contradicts itself"


def _joined(found: Iterator[Span]) -> Iterator[Span]:
    last: Span | None = None
    for span in found:
        if last is not None and replace(last, end=span.end) == replace(span, start=last.start):
            last = replace(last, end=span.end)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def scaled_in(earlier: Sample, later: Sample, holds: Question) -> Sequence[Span] | None:
    """A gap, by the autoscaler's own time of its last decision: none, or everything since that one is known."""
    decided = later.scaler.last_scale_time if later.scaler else None
    if earlier.scaler is None or decided is None or earlier.replicas is None:
        return None
    value = holds(later)
    if decided == earlier.scaler.last_scale_time and earlier.levels == later.levels:
        return (Span(later.before, later.time, value),) if value == holds(earlier) else None
    return _since(later, decided + WHOLE_SECOND, value)


def seen_in(earlier: Sample, later: Sample, holds: Question) -> Sequence[Span] | None:
    """A gap, by the time of the autoscaler's condition."""
    since = later.scaler.since if later.scaler else None
    if since is None:
        return None
    value = holds(later)
    if since <= later.before and value == holds(earlier):
        return (Span(later.before, later.time, value),)
    return _since(later, since + WHOLE_SECOND, value)


def _since(later: Sample, moment: datetime, value: bool | None) -> Sequence[Span] | None:
    if not later.before < moment < later.time:
        return None
    return (Span(later.before, moment, None, later.unseen), Span(moment, later.time, value))


def ready_in(count: int) -> Filler:
    """A gap, by the pods' own times: the moment from which so many have been ready all along."""

    def fill(earlier: Sample, later: Sample, holds: Question) -> Sequence[Span] | None:
        if holds(later) and 0 < count <= len(later.ready_since):
            moment = max(later.ready_since[count - 1] + WHOLE_SECOND, later.before + timedelta(microseconds=1))
            return _since(later, moment, True)
        quiet = scaled_in(earlier, later, lambda sample: all(level < count for level in sample.levels))
        if quiet and all(span.value for span in quiet) and not earlier.rollout and not later.rollout:
            return (Span(later.before, later.time, False),)
        return None

    return fill
