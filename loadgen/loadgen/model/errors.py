"""The exception tree of the generator and the exit codes of its command line."""

from enum import IntEnum


class LoadgenError(Exception):
    """A failure with a sentence that a user can act on. Never raised for a failed request: those are data."""


class InvalidPlanError(LoadgenError):
    """The plan cannot be run; `problems` lists every problem found, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TargetError(LoadgenError):
    """The target cannot be what was meant: a URL that is none, or one that leads elsewhere."""


class ProbeError(LoadgenError):
    """The target did not answer a request of the plan as it should, before any load: nothing was measured."""


class WorkerError(LoadgenError):
    """A worker or one of its shards broke; what it measured so far is kept."""


class ExitCode(IntEnum):
    """What `loadgen run` exits with."""

    PASSED = 0
    FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    ERROR = 4
    ABORTED = 5
