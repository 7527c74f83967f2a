"""A peer: what one writes in an afternoon. N tasks on one aiohttp session, GET in a closed loop, on uvloop.

python aiohttp_plain.py URL CONNECTIONS SECONDS
"""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop


async def user(session: aiohttp.ClientSession, url: str, end: float) -> int:
    """One connection's loop."""
    count = 0
    while time.monotonic() < end:
        async with session.get(url) as response:
            await response.read()
        count += 1
    return count


async def main(url: str, connections: int, seconds: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(user(session, url, time.monotonic() + 1) for _ in range(connections)))
        cpu, begin = time.process_time(), time.monotonic()
        counts = await asyncio.gather(*(user(session, url, begin + seconds) for _ in range(connections)))
        print(json.dumps({"count": sum(counts), "seconds": time.monotonic() - begin, "cpu": time.process_time() - cpu}))


uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
