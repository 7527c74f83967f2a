"""A peer: streams chat completions the way vLLM's benchmark client does, with aiohttp on asyncio's own loop.

As there: one task a stream, `iter_any` over the body, pieces joined and split at blank lines, decoded, `json.loads` for
each, a time stamp taken after that and kept in a list of gaps. Not a copy of its code.

python aiohttp_stream.py URL STREAMS SECONDS RAMP_SECONDS
"""

import asyncio
import json
import sys
import time

import aiohttp

BODY = {"model": "simulator", "messages": [{"role": "user", "content": "one two three"}], "stream": True}
BODY |= {"max_tokens": 100_000, "stream_options": {"include_usage": True}}


class Collector:
    """Everything that came between two times."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.events = 0
        self.errors: list[float] = []
        self.gaps: list[float] = []
        self.cpu = 0.0

    def add(self, text: str, now: int, latest: int) -> None:
        if self.begin <= now / 1e9 < self.end:
            self.events += 1
            self.gaps.append((now - latest) / 1e9)
            if text.isdigit():
                self.errors.append((now - int(text)) / 1000)


async def stream(session: aiohttp.ClientSession, url: str, collector: Collector) -> None:
    """One completion."""
    buffer, latest = "", time.monotonic_ns()
    async with session.post(url, json=BODY) as response:
        async for piece in response.content.iter_any():
            buffer += piece.decode("utf-8")
            *messages, buffer = buffer.split("\n\n")
            for message in messages:
                data = message.removeprefix("data: ")
                if data == "[DONE]":
                    continue
                choices = json.loads(data)["choices"]
                if choices and (content := choices[0]["delta"].get("content")):
                    now = time.monotonic_ns()
                    collector.add(content, now, latest)
                    latest = now


async def user(session: aiohttp.ClientSession, url: str, delay: float, collector: Collector) -> None:
    await asyncio.sleep(delay)
    while time.monotonic() < collector.end:
        await stream(session, url, collector)


async def watch(collector: Collector) -> None:
    """CPU time of the measured span."""
    await asyncio.sleep(collector.begin - time.monotonic())
    before = time.process_time()
    await asyncio.sleep(collector.end - time.monotonic())
    collector.cpu = time.process_time() - before


async def main(url: str, streams: int, seconds: float, ramp: float) -> None:
    begin = time.monotonic() + ramp + 1
    collector = Collector(begin, begin + seconds)
    watching = asyncio.create_task(watch(collector))
    timeout = aiohttp.ClientTimeout(total=6 * 3600)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        users = [asyncio.create_task(user(session, url, ramp * i / streams, collector)) for i in range(streams)]
        await watching
        for one in users:
            one.cancel()
        await asyncio.gather(*users, return_exceptions=True)
    report(collector, seconds)


def report(collector: Collector, seconds: float) -> None:
    errors = sorted(collector.errors)
    found = {"p50": errors[len(errors) // 2], "p99": errors[len(errors) * 99 // 100]} if errors else {}
    print(json.dumps({"count": collector.events, "seconds": seconds, "cpu": collector.cpu, "stampError": found}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
