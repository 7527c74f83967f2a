"""A real browser that opens a page and tells what it made of it, over the DevTools protocol."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

Object = dict[str, Any]

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
)  # fmt: skip
START_SECONDS, ANSWER_SECONDS = 60, 30
DOMAINS = ("Page", "Runtime", "Log", "Network")


def binary() -> str:
    """Debian's; how to get it, where it is not."""
    found = shutil.which("chromium")
    assert found, "chromium is needed: apt-get install chromium, or make component, which does it"
    return found


@dataclass
class Tab:
    """One page. What it asked for and what it complained about is kept as it comes."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _last: int = 0
    _loaded: bool = False

    async def call(self, method: str, **parameters: Any) -> Object:
        """What the browser answers; events that come before are noted."""
        self._last += 1
        where = {"sessionId": self.session} if self.session else {}
        await self.socket.send_json({"id": self._last, "method": method, "params": parameters, **where})
        while True:
            message = await self._next()
            if message.get("id") == self._last:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])

    async def open(self, address: str, *, width: int, dark: bool = False) -> None:
        """At this width, until it is loaded."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call("Emulation.setEmulatedMedia", features=scheme)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.requests.clear()
        self._loaded = False
        await self.call("Page.navigate", url=address)
        while not self._loaded:
            await self._next()

    async def value(self, expression: str) -> Any:
        """Of some JavaScript."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def _next(self) -> Object:
        message: Object = await self.socket.receive_json(timeout=ANSWER_SECONDS)
        event, told = message.get("method"), message.get("params", {})
        if event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        if event == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"]))
        if event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        self._loaded = self._loaded or event == "Page.loadEventFired"
        return message


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Tab]:
    """A browser of its own with one empty page; it has ended afterwards."""
    command = (binary(), *FLAGS, f"--user-data-dir={folder}", "about:blank")
    nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=nothing, stderr=pipe)
    try:
        address = await asyncio.wait_for(_address(process), START_SECONDS)
        async with aiohttp.ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
            found = Tab(socket)
            target = await found.call("Target.createTarget", url="about:blank")
            attached = await found.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            found.session = attached["sessionId"]
            for domain in DOMAINS:
                await found.call(f"{domain}.enable")
            yield found
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if b"DevTools listening on " in line:
            return line.decode().split()[-1]
    raise AssertionError(f"the browser ended: {said.decode(errors='replace')}")
