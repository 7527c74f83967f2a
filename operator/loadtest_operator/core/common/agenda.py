"""What is due when: one moment for each key, the nearest first. A heap, so that thousands of keys cost nothing."""

import heapq
from datetime import datetime


class Agenda:
    """Keys are (namespace, name)."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], datetime] = {}
        self._heap: list[tuple[datetime, tuple[str, str]]] = []

    def put(self, key: tuple[str, str], due: datetime | None) -> bool:
        """The key's only moment from now on (or none). True when it is the nearest of all."""
        if due is None:
            self._due.pop(key, None)
            return False
        if self._due.get(key) != due:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
        return self.next() == due

    def next(self) -> datetime | None:
        """The nearest moment."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # was moved or struck out
        return self._heap[0][0] if self._heap else None

    def take(self, now: datetime) -> list[tuple[str, str]]:
        """Everything that is due, struck out."""
        taken = []
        while (due := self.next()) is not None and due <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            taken.append(key)
        return taken
