"""Commands about several runs: `compare`, `sweep`, `plan`. Each reads what the user gave, asks `core.capacity`, and shows.

They know files, terminal and exit codes, and run load only by the function that the composition root hands in.
A module is a command.
"""

from loadgen.commands.comparing import compare
from loadgen.commands.planning import plan
from loadgen.commands.showing import show_file
from loadgen.commands.sweeping import command as sweep

__all__ = ["compare", "plan", "show_file", "sweep"]
