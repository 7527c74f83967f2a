"""What every test needs."""

import asyncio
import warnings

import pytest
from hypothesis import settings

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
"""Machines are busy: how long a draw takes says nothing."""


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
