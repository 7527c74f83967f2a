"""One look after the other, for every kind that is followed: look, and where looking does not help, give up.

What passes by itself (the API server is away, somebody else has written) is tried again for ever. What may never pass (a
bug of ours, state that cannot be read, a no of the API server, a look without an end) is counted; after some in a row the
kind's own last resort is called, at every further failure until it succeeds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from loadtest_operator.adapters.errors import AdapterError, ConflictError, NotFoundError
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run.memory import Failures

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
BUG_SECONDS = 10.0
MOST_FAILURES = 6
"""Looks in a row that may fail on what does not pass by itself."""
MOST_HANGS = 20
"""Of a minute each: an API server that answers slowly passes, one that never does has to have an end."""


Look = Callable[[], Awaitable[float]]
GiveUp = Callable[[str], Awaitable[float]]


async def followed(
    context: Context, where: str, failures: Failures, longest_seconds: float, look: Look, give_up: GiveUp
) -> float:
    """One look; the seconds until the next. Never raises: whatever went wrong, there is a next look."""
    try:
        async with asyncio.timeout(longest_seconds):
            seconds = await look()
    except NotFoundError as error:
        log.info("%s is gone: %s", where, error)
        return RETRY_SECONDS
    except Exception as error:
        return await _failed(context, where, failures, error, give_up)
    failures.count = 0
    return seconds


async def _failed(context: Context, where: str, failures: Failures, error: Exception, give_up: GiveUp) -> float:
    ours = not isinstance(error, (AdapterError, TimeoutError))
    context.metrics.failures.labels("Bug" if ours else type(error).__name__).inc()
    if _passes(error):
        log.warning("%s: %s; trying again", where, error)
        return RETRY_SECONDS
    failures.count += 1
    hung = isinstance(error, TimeoutError)
    most, pause = (MOST_HANGS, RETRY_SECONDS) if hung else (MOST_FAILURES, BUG_SECONDS)
    said = "a look took too long" if hung else "a bug in the operator" if ours else str(error)
    log.warning("%s: %s; try %d of %d", where, said, failures.count, most, exc_info=error if ours else None)
    if failures.count < most:
        return pause
    try:
        seconds = await give_up(_in_words(error))
    except Exception as failure:
        log.warning("%s could not be given up yet: %s", where, failure, exc_info=failure)
        return BUG_SECONDS
    failures.count = 0
    return seconds


def _passes(error: Exception) -> bool:
    """Whether waiting helps."""
    return isinstance(error, AdapterError) and (error.retryable or isinstance(error, ConflictError))


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "each look took too long"
    return str(error) if isinstance(error, AdapterError) else f"{type(error).__name__}: {error}"
