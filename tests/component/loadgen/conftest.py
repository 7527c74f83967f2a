"""Fixtures of the generator's component tests."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from fakes.fixtures import bad_server, simulator

sys.path.insert(0, str(Path(__file__).parent))

__all__ = ["bad_server", "simulator"]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that workers run on: its differences from asyncio's own are where bugs hide."""
    return {"uvloop": uvloop.new_event_loop}
