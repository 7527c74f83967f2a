"""A closed-loop slot: sends its next request when the last one has ended, for as long as its spans say.

Spans of one slot follow each other through the closed stages. A request that is still in flight when the next span
begins keeps the slot busy, so a change of stage never doubles the load.
"""

from collections.abc import Iterable

from loadgen.core.schedule.concurrency import SlotSpan
from loadgen.runtime.pacing.pacer import Batch


class Slot:
    """One slot and where it is in its spans."""

    __slots__ = ("_position", "_spans", "busy", "end_ns", "index", "stage", "start_ns")

    def __init__(self, index: int) -> None:
        self.index = index
        self.busy = False
        self._spans: list[SlotSpan] = []
        self._position = 0
        self.stage = -1
        self.start_ns = self.end_ns = 0
        """The span found last, for who asks in its time again."""

    @classmethod
    def table(cls, spans: Iterable[SlotSpan]) -> "list[Slot]":
        """All slots of a segment, numbered from 0 within it."""
        table: dict[int, Slot] = {}
        for span in spans:
            slot = table.setdefault(span.slot, cls(len(table)))
            slot._spans.append(span)
        return list(table.values())

    def stage_at(self, offset_ns: int) -> int:
        """The stage that a request started now belongs to; -1 outside the slot's time."""
        while self._position < len(self._spans) and offset_ns >= self._spans[self._position].end_ns:
            self._position += 1
        if self._position == len(self._spans) or offset_ns < self._spans[self._position].start_ns:
            return -1
        span = self._spans[self._position]
        self.stage, self.start_ns, self.end_ns = span.stage, span.start_ns, span.end_ns
        return span.stage

    @staticmethod
    def wakes(table: "list[Slot]") -> Batch:
        """When each slot must be woken."""
        starts = sorted((span.start_ns, span.stage, slot.index) for slot in table for span in slot._spans)
        return Batch(
            [start for start, _, _ in starts], [stage for _, stage, _ in starts], [index for *_, index in starts]
        )
