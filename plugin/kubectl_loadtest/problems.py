"""What can go wrong, each with a sentence for the person at the terminal and the exit code that goes with it."""

from loadgen.model.errors import ExitCode


class PluginError(Exception):
    """Something went wrong that is no verdict."""

    code = ExitCode.ERROR
    retryable = False
    """Whether asking again may help."""


class BadInputError(PluginError):
    """What was asked for cannot be done as it was asked."""

    code = ExitCode.BAD_INPUT


class NotFoundError(BadInputError):
    """The object is not there."""


class InvalidError(BadInputError):
    """The API server does not accept the object."""


class ChangedError(PluginError):
    """Somebody else was faster."""


class UnreachableError(PluginError):
    """The cluster does not answer, or is busy."""

    retryable = True


class UndecidedError(PluginError):
    """The waiting ended without a verdict."""

    code = ExitCode.INCONCLUSIVE
