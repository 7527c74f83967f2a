"""The fakes as pytest fixtures: `from fakes.fixtures import bad_server, simulator` in a conftest."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from fakes import bad, real, simulators
from fakes.serving import Server

__all__ = ["bad_server", "gradio", "llama", "nginx", "simulator"]


@pytest.fixture
def bad_server() -> Iterator[Callable[[str], Server]]:
    """`bad_server("garbage")` starts the server of that name in `fakes.bad.BAD`."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(bad.serve(name))


@pytest.fixture
def simulator() -> Iterator[Callable[..., simulators.Simulator]]:
    """`simulator("--ttft-ms=100")` starts the inference simulator with these flags."""
    with ExitStack() as stack:
        yield lambda *flags: stack.enter_context(simulators.running(*flags))


@pytest.fixture(scope="session")
def llama() -> Iterator[str]:
    """The URL of a real llama.cpp server with SmolLM2 135M and two slots."""
    yield from _or_skip(real.llama())


@pytest.fixture(scope="session")
def gradio() -> Iterator[str]:
    """The URL of a real Gradio app."""
    yield from _or_skip(real.gradio())


@pytest.fixture(scope="session")
def nginx() -> Iterator[str]:
    """The URL of a real nginx."""
    yield from _or_skip(real.nginx())


def _or_skip(server: AbstractContextManager[str]) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server)
        except real.MissingServerError as reason:
            pytest.skip(str(reason))
        yield url
