"""The delay proxy's control API. Its times are brought to the operator's clock here."""

import time
from datetime import datetime

import msgspec
from msgspec import Struct

from loadtest_operator.adapters.errors import AdapterError, RetryableError
from loadtest_operator.adapters.workers.control import Address, ControlClient
from loadtest_operator.core.common import times
from loadtest_operator.core.observed import ProxyView


class _State(Struct, rename="camel"):
    now: int
    delay_milliseconds: float = 0
    jitter_milliseconds: float = 0
    active_until: int | None = None
    injected_at: int | None = None
    recovered_at: int | None = None
    connections: int = 0


async def state(client: ControlClient, address: Address, token: str) -> ProxyView:
    return await _request(client, "GET", address, "/v1/state", token)


async def inject(
    client: ControlClient, address: Address, token: str, *, latency: int, jitter: int, seconds: int
) -> ProxyView:
    """Delay from now on, for so many seconds at most."""
    body = {"latencyMilliseconds": latency, "jitterMilliseconds": jitter, "durationSeconds": seconds}
    return await _request(client, "PUT", address, "/v1/delay", token, msgspec.json.encode(body))


async def recover(client: ControlClient, address: Address, token: str) -> ProxyView:
    return await _request(client, "DELETE", address, "/v1/delay", token)


async def _request(
    client: ControlClient, method: str, address: Address, path: str, token: str, body: bytes | None = None
) -> ProxyView:
    sent = time.time_ns()
    status, answer = await client.request(method, address, path, token=token, body=body)
    received = time.time_ns()
    if status != 200:
        raise RetryableError(f"{method} {path} of the delay proxy: {status} {answer[:200].decode(errors='replace')}")
    try:
        seen = msgspec.json.decode(answer, type=_State)
    except msgspec.MsgspecError as error:
        raise AdapterError(f"the delay proxy's answer is unreadable: {error}") from error
    offset = seen.now - (sent + received) // 2
    return ProxyView(
        ready=True,
        active=seen.active_until is not None,
        injected=_moment(seen.injected_at, offset),
        recovered=_moment(seen.recovered_at, offset),
    )


def _moment(value: int | None, offset: int) -> datetime | None:
    return times.from_nanoseconds(value - offset) if value is not None else None
