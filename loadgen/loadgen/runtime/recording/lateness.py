"""How late the loop may have made a request: then a time-out tells of the generator, not of the target.

Each probe that rings late is one stretch, from when it was due until it rang, in which the loop did not turn. What a request needs of the
loop it needs in turns, one after the other: no turn came later than the longest stretch of the request's time.
"""

from array import array
from bisect import bisect_right

OPENING_TURNS = 6
"""From a request without a connection to its sending: look-up (two), the socket, its readiness, `connection_made`, the task that waited."""
ANSWER_TURNS = 2
"""Of a request that was sent: its sending may have been late, and the reading of its answer."""


class Lateness:
    """Stretches in which the loop was late; nanoseconds. Only such as no later one exceeds: a few, whatever the run's length."""

    def __init__(self) -> None:
        self._ends, self._lengths = array("q"), array("q")

    def note(self, due: int, now: int) -> None:
        """From `due` to `now`, which never is before the last one's end."""
        length = now - due
        while self._lengths and self._lengths[-1] <= length:
            del self._ends[-1], self._lengths[-1]
        self._ends.append(now)
        self._lengths.append(length)

    def longest(self, begin: int) -> int:
        """The longest stretch that ended after `begin`, as far as it lay after it."""
        place = bisect_right(self._ends, begin)
        return max(
            (min(length, end - begin) for end, length in zip(self._ends[place:], self._lengths[place:], strict=True)),
            default=0,
        )

    def explains(self, begin: int, end: int, turns: int) -> bool:
        """Whether the loop may have used up all of this time on so many turns."""
        return turns * self.longest(begin) >= end - begin
