"""What happens to processes of this machine."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


@contextmanager
def stopped(processes: Sequence[int]) -> Iterator[None]:
    """Standing still, as on a node that has no CPU for them."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
