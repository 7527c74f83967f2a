"""The workers' control API: state, start, abort, what they measured, release.

A clock offset is the worker's clock minus ours at the middle of a poll; the poll with the shortest round trip
errs least, by at most half of it, so the best of all polls counts.
"""

import time
from dataclasses import dataclass

import msgspec

from loadgen.model.wire import WIRE_VERSION, Snapshot, Versioned, WorkerState
from loadtest_operator.adapters.errors import AdapterError, ConflictError, OtherReleaseError, RetryableError
from loadtest_operator.adapters.workers.control import Address, ControlClient

SNAPSHOT_SECONDS = 8.0
ABORT_SECONDS = 0.5
"""Whoever does not answer by then is told again at the next look."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A state and how long asking took."""

    state: WorkerState
    offset: int
    round_trip: int


async def poll(client: ControlClient, address: Address, token: str) -> Poll:
    """GET /v1/state, timed."""
    sent = time.time_ns()
    body = await _ok(client, "GET", address, "/v1/state", token)
    received = time.time_ns()
    state = _decoded_state(address, body)
    return Poll(state, state.now - (sent + received) // 2, received - sent)


async def start(client: ControlClient, address: Address, token: str, start_at: int) -> WorkerState:
    """Second 0, on the worker's clock. ConflictError where it already has another."""
    return _decoded_state(address, await _ok(client, "POST", address, "/v1/start", token, {"startAt": start_at}))


async def abort(client: ControlClient, address: Address, token: str, reason: str) -> WorkerState:
    body = {"reason": reason}
    return _decoded_state(address, await _ok(client, "POST", address, "/v1/abort", token, body, seconds=ABORT_SECONDS))


async def release(client: ControlClient, address: Address, token: str) -> None:
    await _ok(client, "POST", address, "/v1/release", token)


async def deltas(client: ControlClient, address: Address, token: str, after: int) -> Snapshot:
    """What was measured after delta number `after`."""
    body = await _ok(client, "GET", address, f"/v1/deltas?after={after}", token, seconds=SNAPSHOT_SECONDS)
    try:
        _check_version(address, msgspec.msgpack.decode(body, type=Versioned))
        return msgspec.msgpack.decode(body, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise AdapterError(f"pod {address.pod}: unreadable snapshot: {error}") from error


async def _ok(
    client: ControlClient,
    method: str,
    address: Address,
    path: str,
    token: str,
    body: object = None,
    seconds: float = 0,
) -> bytes:
    data = msgspec.json.encode(body) if body is not None else None
    status, answer = await client.request(method, address, path, token=token, body=data, seconds=seconds)
    if status == 200:
        return answer
    message = f"{method} {path} of pod {address.pod}: {status} {answer[:200].decode(errors='replace')}"
    raise ConflictError(message) if status == 409 else RetryableError(message)


def _decoded_state(address: Address, body: bytes) -> WorkerState:
    try:
        _check_version(address, msgspec.json.decode(body, type=Versioned))
        return msgspec.json.decode(body, type=WorkerState)
    except msgspec.MsgspecError as error:
        raise AdapterError(f"pod {address.pod}: unreadable worker state: {error}") from error


def _check_version(address: Address, answer: Versioned) -> None:
    if answer.version != WIRE_VERSION:
        raise OtherReleaseError(
            f"pod {address.pod} speaks wire version {answer.version}, the operator {WIRE_VERSION}: "
            "use images of one release"
        )
