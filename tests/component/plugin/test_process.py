"""The plugin as a process of its own: signals and pipes, which never look like a verdict."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from component.plugin.api import Server, running, write_kubeconfig
from loadtest_operator.core.common.kinds import LOAD_TEST
from unit.plugin.statuses import a_run, a_test, finished

WATCH = [sys.executable, "-m", "kubectl_loadtest", "watch", "chat", "--kubeconfig"]


@pytest.fixture
def server() -> Server:
    return Server()


def test_an_interrupt_is_130_and_says_that_the_run_goes_on(server: Server, tmp_path: Path) -> None:
    """After the first line was shown."""
    server.put(LOAD_TEST, a_test(a_run()))
    with running(server) as address:
        # What a shell starts in the background ignores interrupts, and so would all that it starts.
        command = ["env", "--default-signal=INT", *WATCH, write_kubeconfig(tmp_path, address)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("[LoadTest demo/chat] run 1")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.startswith("interrupted; a run that was started goes on")
    assert "Traceback" not in said


@pytest.mark.parametrize("status", [a_run(), finished(1, "Passed")], ids=["a line", "the ending"])
def test_a_reader_that_has_gone_is_no_failed_run(status: dict[str, object], server: Server, tmp_path: Path) -> None:
    """`| head` may close the pipe before all is said: the exit code is not 1, which would be the target's failure."""
    server.put(LOAD_TEST, a_test(status))
    with running(server) as address:
        command = [*WATCH, write_kubeconfig(tmp_path, address)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read()
            assert process.wait(30) == 141
    assert said == ""
