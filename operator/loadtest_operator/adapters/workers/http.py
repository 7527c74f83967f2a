"""Reading answers without trusting their size."""

import aiohttp

from loadtest_operator.adapters.errors import AdapterError


async def bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body, or an error when it is larger."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            raise AdapterError(f"the answer of {response.url} is larger than {most} bytes")
        parts.append(part)
    return b"".join(parts)


async def prefix(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, cut where it is longer."""
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) >= most:
            break
    return body[:most]
