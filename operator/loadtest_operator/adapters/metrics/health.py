"""Liveness: GET /healthz from the process' beginning, also while it waits for the lease.

A heart beats once a second in the event loop. A loop that is stuck cannot answer at all; one that is only slow
says by how much.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web

BEAT_SECONDS = 1.0


class Heart:
    """How late the event loop is."""

    def __init__(self, show: Callable[[float], None]) -> None:
        self._show = show
        self.lag = 0.0

    async def beat(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await asyncio.sleep(BEAT_SECONDS)
            self.lag = max(0.0, loop.time() - begun - BEAT_SECONDS)
            self._show(self.lag)


async def serve(port: int, heart: Heart) -> web.AppRunner:
    """Answers until the runner is cleaned up."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"loopLagSeconds": round(heart.lag, 3)})

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
