"""Why a connection could not be opened, as a class: what the target did, and what this machine itself could not do.

No ports, descriptors, buffers or memory left, or a firewall of our own (a full connection-tracking table says EPERM): these
say nothing of the target, and a run in which they happen is limited by its generator.
"""

import errno
import socket
import ssl
from collections.abc import Callable, Iterable

from loadgen.model.wire import Failure

LOCAL_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EADDRINUSE,
        errno.EADDRNOTAVAIL,
        errno.EAGAIN,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EPERM,
    }
)
REFUSALS = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EAFNOSUPPORT})
_LOCAL_LOOKUPS = frozenset({socket.EAI_MEMORY, socket.EAI_SYSTEM})
ANOTHER_ADDRESS = frozenset({Failure.CONNECT_TIMEOUT, Failure.CONNECT_REFUSED, Failure.LOCAL})
"""After these another address of the same name may do: one family may have no route, one replica may be gone."""


def class_of(error: Exception, *, tls: bool) -> Failure:
    """The class of an opening's error."""
    if isinstance(error, TimeoutError):
        return Failure.CONNECT_TIMEOUT
    if isinstance(error, socket.gaierror):
        return Failure.LOCAL if error.errno in _LOCAL_LOOKUPS else Failure.DNS
    if isinstance(error, RuntimeError):
        return Failure.LOCAL  # no thread for the look-up
    number = error.errno if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    if number in REFUSALS:
        return Failure.CONNECT_REFUSED
    if number in LOCAL_ERRORS:
        return Failure.LOCAL
    return Failure.TLS if tls else Failure.CONNECTION_LOST


def most_telling(errors: Iterable[Exception]) -> Exception:
    """Of several addresses' errors: one that is about the target, before one that is about the way there or this machine."""
    return min(errors, key=lambda error: next(rank for rank, holds in enumerate(_RANKS) if holds(error)))


_RANKS: tuple[Callable[[Exception], bool], ...] = (
    lambda error: isinstance(error, ConnectionRefusedError),
    lambda error: isinstance(error, TimeoutError),
    lambda error: getattr(error, "errno", None) not in LOCAL_ERRORS,
    lambda _error: True,
)
