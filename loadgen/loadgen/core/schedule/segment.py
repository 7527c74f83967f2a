"""Which share of a load test one shard does: arithmetic instead of a coordinator.

Everything that is counted (arrivals, slots, the in-flight cap) is numbered over the whole test, and number k
belongs to the segment k mod count. So the shares of all segments are disjoint, add up exactly, and differ by at
most one, for any number of workers and shards; one worker with one shard is segment 0 of 1 of the same code.

A worker's share depends on the number of workers alone: worker w of W has every k with k mod W = w, whatever the shards
among which it deals them out. So workers on nodes of different sizes may have different numbers of shards.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """Segment `index` of `count`."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"segment {self.index} of {self.count} does not exist")

    @classmethod
    def of(cls, worker: int, workers: int, shard: int, shards: int) -> Segment:
        """Shard `shard` of the worker's own `shards`."""
        return cls(worker + workers * shard, workers * shards)

    def share(self, total: int) -> int:
        """How many of the things numbered 0 … total−1 are this segment's."""
        return (total - self.index + self.count - 1) // self.count

    def skip(self, first: int) -> int:
        """How far it is from thing number `first` to this segment's next one."""
        return (self.index - first) % self.count
