"""The plugin as a user calls it, on the emulated API server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from builders import Object
from component.plugin.api import Server, running, write_kubeconfig
from kubectl_loadtest.cli import main
from loadtest_operator.core.common.kinds import LOAD_TEST
from unit.plugin.statuses import a_test


@dataclass(frozen=True, slots=True)
class Said:
    """What a call printed, and its exit code."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def server() -> Server:
    """No LoadTest yet."""
    return Server()


@pytest.fixture
def call(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """`call("watch", "chat")` gives what it said."""
    with running(server) as address:
        kubeconfig = write_kubeconfig(tmp_path, address)

        def plugin(*arguments: str) -> Said:
            capfd.readouterr()
            named = [] if "--kubeconfig" in arguments or arguments[0].startswith("__") else ["--kubeconfig", kubeconfig]
            code = main([*arguments, *named])
            written = capfd.readouterr()
            assert "Traceback" not in written.err + written.out
            return Said(code, written.out, written.err)

        yield plugin


@pytest.fixture
def put(server: Server) -> Callable[..., None]:
    """`put(status, **spec)` makes LoadTest chat."""

    def make(status: Object | None = None, **spec: object) -> None:
        server.put(LOAD_TEST, a_test(status, **spec))

    return make


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """`file(**spec)` writes LoadTest chat; gives the path."""

    def write(**spec: object) -> str:
        body = a_test(**spec)
        path = tmp_path / "chat.yaml"
        path.write_text(yaml.safe_dump({**body, "metadata": {"name": "chat"}}))
        return str(path)

    return write
