"""Which closed-loop slots a segment owns, and when each is active.

A closed stage keeps n requests in flight: n slots, each of which sends its next request when the last one has
ended. Slots are numbered over the whole test and slot j belongs to segment j mod count, so the segments' slots add
up to the level at any time. In a ramp slot j starts (or stops) when the level passes j + ½: the number of active
slots is the level, rounded.

A slot that goes on into the next closed stage has one span per stage, the second beginning where the first ends: a
runner that follows them in order sees no gap and no drain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.schedule.levels import NANOSECONDS, exponential_ends, is_exponential, spans

if TYPE_CHECKING:
    from loadgen.core.schedule.levels import Span
    from loadgen.core.schedule.segment import Segment
    from loadgen.model.plan import Plan


@dataclass(frozen=True, slots=True)
class SlotSpan:
    """One slot's time in one stage: [start_ns, end_ns) since the load's start."""

    slot: int
    stage: int
    start_ns: int
    end_ns: int


def slots(plan: Plan, segment: Segment) -> tuple[SlotSpan, ...]:
    """This segment's slots, by stage and number."""
    closed = (span for span in spans(plan) if span.stage.concurrency is not None)
    owned = (_slot(span, slot) for span in closed for slot in range(segment.index, _most(span), segment.count))
    return tuple(slot for slot in owned if slot.start_ns < slot.end_ns)


def _most(span: Span) -> int:
    return int(max(span.before if span.stage.ramp_seconds else 0, span.level))


def _slot(span: Span, slot: int) -> SlotSpan:
    start, end = span.start * NANOSECONDS, span.end * NANOSECONDS
    if span.before <= slot < span.level:
        start += _crossing(span, slot)
    elif span.level <= slot < span.before:
        end = start + _crossing(span, slot)
    return SlotSpan(slot, span.index, start, end)


def _crossing(span: Span, slot: int) -> int:
    """Nanoseconds from the stage's start until its ramp passes slot + ½."""
    if span.stage.ramp_seconds == 0:
        return 0
    ramp = span.stage.ramp_seconds * NANOSECONDS
    if is_exponential(span):
        first, last = (float(end) for end in exponential_ends(span.before, span.level))
        return round(ramp * min(max(math.log((slot + 0.5) / first) / math.log(last / first), 0.0), 1.0))
    return int(ramp * (2 * slot + 1 - 2 * span.before) / (2 * (span.level - span.before)))
