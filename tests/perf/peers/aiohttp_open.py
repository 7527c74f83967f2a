"""A peer: open-loop pacing as most asyncio generators do it: `asyncio.sleep` until each request's anchored time.

python aiohttp_open.py URL RATE SECONDS
"""

import asyncio
import json
import random
import sys
import time
from itertools import accumulate

import aiohttp


async def send(session: aiohttp.ClientSession, url: str, due: float, lags: list[float]) -> None:
    """One arrival."""
    lags.append(time.monotonic() - due)
    async with session.get(url) as response:
        await response.read()


async def main(url: str, rate: float, seconds: float) -> None:
    lags: list[float] = []
    draw = random.Random(0)
    offsets = list(accumulate(draw.expovariate(rate) for _ in range(int(rate * seconds))))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        begin = time.monotonic() + 0.2
        for offset in offsets:
            await asyncio.sleep(max(0.0, begin + offset - time.monotonic()))
            tasks.create_task(send(session, url, begin + offset, lags))
    lags.sort()
    microseconds = [lag * 1e6 for lag in lags]
    print(json.dumps({"p50": microseconds[len(lags) // 2], "p99": microseconds[len(lags) * 99 // 100]}))


asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
