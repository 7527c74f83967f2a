"""The clients of control APIs against a loopback server that speaks them, with a clock of its own."""

import time
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from loadgen.model.wire import WIRE_VERSION, Snapshot, WorkerPhase, WorkerState
from loadtest_operator.adapters.errors import AdapterError, ConflictError, RetryableError
from loadtest_operator.adapters.workers import api as workers
from loadtest_operator.adapters.workers.control import Address, ControlClient
from loadtest_operator.core.common.settings import WorkerAccess

AHEAD = 5_000_000_000


def a_state() -> WorkerState:
    return WorkerState(WIRE_VERSION, 0, 1, 1, WorkerPhase.READY, time.time_ns() + AHEAD, 0)


async def state(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") != "Bearer secret":
        return web.json_response({"error": "no"}, status=401)
    return web.Response(body=msgspec.json.encode(a_state()))


async def refuse_start(_request: web.Request) -> web.Response:
    return web.json_response({"error": "armed with another time"}, status=409)


async def old_snapshot(_request: web.Request) -> web.Response:
    return web.Response(body=msgspec.msgpack.encode(Snapshot(version=WIRE_VERSION + 1, last=0, deltas=[])))


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    application = web.Application()
    application.router.add_get("/v1/state", state)
    application.router.add_post("/v1/start", refuse_start)
    application.router.add_get("/v1/deltas", old_snapshot)
    async with TestServer(application) as server:
        yield Address("demo", "worker-0", "127.0.0.1", server.port or 0)


@pytest.fixture
async def client() -> AsyncIterator[ControlClient]:
    async with aiohttp.ClientSession() as session:
        yield ControlClient(session, None, WorkerAccess.POD_IP)  # type: ignore[arg-type]


async def test_a_clock_that_is_ahead_is_noticed(client: ControlClient, address: Address) -> None:
    polled = await workers.poll(client, address, "secret")

    assert abs(polled.offset - AHEAD) <= polled.round_trip


async def test_a_wrong_token_is_worth_another_try(client: ControlClient, address: Address) -> None:
    with pytest.raises(RetryableError, match="401"):
        await workers.poll(client, address, "wrong")


async def test_another_start_time_is_a_conflict(client: ControlClient, address: Address) -> None:
    with pytest.raises(ConflictError, match="another time"):
        await workers.start(client, address, "secret", 1)


async def test_another_wire_version_says_what_to_do(client: ControlClient, address: Address) -> None:
    with pytest.raises(AdapterError, match="images of one release"):
        await workers.deltas(client, address, "secret", 0)


@pytest.mark.parametrize("version", [1, WIRE_VERSION + 1])
async def test_a_state_of_another_version_is_named_whatever_else_it_says(client: ControlClient, version: int) -> None:
    """Not "unreadable": fields may have come and gone."""

    async def foreign(_request: web.Request) -> web.Response:
        return web.json_response({"version": version, "phase": "Dreaming", "unknown": {}})

    application = web.Application()
    application.router.add_get("/v1/state", foreign)
    async with TestServer(application) as server:
        with pytest.raises(AdapterError, match=f"wire version {version}, the operator {WIRE_VERSION}"):
            await workers.poll(client, Address("demo", "worker-0", "127.0.0.1", server.port or 0), "secret")


async def test_nobody_there_is_worth_another_try(client: ControlClient) -> None:
    with pytest.raises(RetryableError, match="worker-9"):
        await workers.poll(client, Address("demo", "worker-9", "127.0.0.1", 1), "secret")
