"""Questions to what may not answer: each in a task of its own, which a look waits for a moment only.

A pod that is frozen lets its requests run into their time-outs. What waits for it is its own question, not the look: an
abort, or the news of the others, is not kept from anybody meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 0.3
"""So long a look waits; most answer in milliseconds."""


@dataclass(slots=True)
class Asking:
    """The questions of one run that are under way, one at most to each."""

    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def ask(self, whom: str, question: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The question notes its answer itself. One that an earlier look put is not waited for again; raises what it
        raised, in the look that finds it ended."""
        task = self._tasks.get(whom)
        if task is None:
            task = self._tasks[whom] = asyncio.create_task(question(), name=f"question to {whom}")
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if task.done():
            del self._tasks[whom]
            await task

    def drop(self) -> None:
        """Nobody is asked any more; no answer is noted after this."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
