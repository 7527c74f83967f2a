"""Fixtures of the generator's component tests."""

import asyncio
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from fakes.fixtures import bad_server, simulator

sys.path.insert(0, str(Path(__file__).parent))

__all__ = ["bad_server", "simulator"]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """pytest-asyncio leaves a fresh loop behind after an async test and forgets it; unclosed, it is a warning somewhere later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            loop = asyncio.get_event_loop_policy().get_event_loop()
        except RuntimeError:
            return
    if not loop.is_running():
        loop.close()
        asyncio.set_event_loop(None)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that workers run on: its differences from asyncio's own are where bugs hide."""
    return {"uvloop": uvloop.new_event_loop}
