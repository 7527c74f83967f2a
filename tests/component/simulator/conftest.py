"""The simulator as a process, from tests/fakes."""

from fakes.fixtures import simulator

__all__ = ["simulator"]
