"""Commands about several runs: `compare`, `sweep`, `plan`. Each reads what the user gave, asks `core.capacity`, and shows.

They know files, terminal and exit codes, and run load only by the function that the composition root hands in
(`register`). A module is a command.
"""

from loadgen.commands.comparing import compare

__all__ = ["compare"]
