"""What can go wrong when talking to somebody, with the one distinction that matters: does trying again help?

Statuses and exceptions of the transport are translated once, here; nobody above this floor sees an HTTP status of
the API server or an aiohttp exception.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp


class AdapterError(Exception):
    """Somebody could not be talked to, or said no."""

    retryable = False


class NotFoundError(AdapterError):
    """The object or its kind is not there."""


class ConflictError(AdapterError):
    """The object is there already, or has changed since it was read."""


class ForbiddenError(AdapterError):
    """The operator may not do this (RBAC), or admission or a quota refused it."""


class InvalidError(AdapterError):
    """The API server does not accept the object."""


class OtherReleaseError(AdapterError):
    """The other side is of another release: waiting does not change that."""


class RetryableError(AdapterError):
    """The other side is away or busy; the next tick tries again."""

    retryable = True


BY_STATUS: dict[int, type[AdapterError]] = {
    401: RetryableError,  # a token that was just rotated
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    400: InvalidError,
    422: InvalidError,
}


def of_status(status: int, message: str) -> AdapterError:
    """The error for an answer of the API server."""
    return BY_STATUS.get(status, RetryableError if status == 429 or status >= 500 else AdapterError)(message)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Transport failures become retryable errors with a sentence."""
    try:
        yield
    except TimeoutError as error:
        raise RetryableError(f"{doing}: no answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RetryableError(f"{doing}: {error or type(error).__name__}") from error
