"""Plays a target on so many cases, each from its own seed."""

import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from math import inf

Target = Callable[[random.Random], str]
"""One case from a generator; what came of it, for the tally. Raises what is a finding."""

LONGEST_SECONDS = 5.0
"""Of CPU for one case: whoever needs more could stop a worker, or the operator for all."""
MOST_GROWTH = 512 * 1024
"""KiB by which the process may grow over all cases of a target."""


def run(target: Target, cases: int, seed: int, seconds: float = inf) -> Counter[str]:
    """The tally; fewer cases where the time is over. Raises with the seed of the case that found something."""
    tally: Counter[str] = Counter()
    end, before = time.monotonic() + seconds, _memory()
    for number in range(cases):
        begun = time.process_time()
        if time.monotonic() > end:
            break
        try:
            tally[target(random.Random(f"{seed}/{number}"))] += 1
        except Exception as error:
            raise AssertionError(f"{target.__name__}, seed {seed}/{number}: {type(error).__name__}: {error}") from error
        assert time.process_time() - begun < LONGEST_SECONDS, f"{target.__name__}, seed {seed}/{number}: too long"
    assert _memory() - before < MOST_GROWTH, f"{target.__name__} grew by {_memory() - before} KiB"
    return tally


def _memory() -> int:
    """The most that the process had so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
