"""The process: `python -m loadgen proxy`, until SIGTERM. Settings come from the environment.

What it adds at rest is measured before a port is opened, so whoever sees it ready sees that figure, too.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from typing import Any

from aiohttp import web

from loadgen.model.errors import ExitCode, TargetError
from loadgen.runtime.proxy.control import Control
from loadgen.runtime.proxy.path import Proxy, own_failure
from loadgen.runtime.proxy.pulse import Pulses, listen_overflows
from loadgen.runtime.proxy.rest import added_at_rest
from loadgen.runtime.proxy.upstream import Upstream
from loadgen.runtime.worker.control import read_token


def parse_upstream(text: str) -> Upstream:
    """`host:port`, IPv6 in brackets."""
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    if not host or not port.isdecimal():
        raise TargetError(f"LOADTEST_TARGET {text!r} is not host:port")
    return Upstream(host.strip("[]"), int(port))


async def serve(upstream: Upstream, token: bytes, listen: int, control: int) -> None:
    """Until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _as_many_files_as_allowed()
    proxy, at_rest = Proxy(upstream), await added_at_rest()
    loop.set_exception_handler(lambda loop, context: _note(proxy, loop, context))
    pulses = Pulses(lambda: proxy.refused + listen_overflows())
    pulses.begin()
    server = await proxy.listen(listen)
    runner = web.AppRunner(Control(proxy, pulses, at_rest).application(token), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=control).start()
    await stop.wait()
    server.close()
    proxy.close()
    pulses.close()
    await runner.cleanup()


def _as_many_files_as_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _note(proxy: Proxy, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop could not take a connection (no file is left): nobody else would tell."""
    proxy.refused += own_failure(context.get("exception"))
    loop.default_exception_handler(context)


def main() -> int:
    """`python -m loadgen proxy`."""
    import uvloop

    environment = os.environ
    try:
        upstream = parse_upstream(environment.get("LOADTEST_TARGET", ""))
        token = read_token(environment.get("LOADTEST_TOKEN_FILE", "/etc/loadtest/token"))
    except (TargetError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    ports = int(environment.get("LOADTEST_LISTEN") or 8091), int(environment.get("LOADTEST_PORT") or 8090)
    uvloop.run(serve(upstream, token, *ports))
    return ExitCode.PASSED
